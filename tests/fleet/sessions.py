"""Sessions of many machines for tests of asking: names that are hostile to SQL, days that meet."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from m31a_metrics.answers import Slice
from m31a_metrics.fleet.client import Client, lines_of
from m31a_metrics.folding.nested import nested
from m31a_metrics.histogram import Histogram
from m31a_metrics.history import MEMORY, History
from m31a_metrics.measures import LLMSums, PhaseSums
from m31a_metrics.record import (
    FailureDay,
    HealEpisode,
    LLMDay,
    PhaseDay,
    SessionRecord,
    ToolDay,
)
from m31a_metrics.transcript import Damage, Effects, RateLimit
from m31a_metrics.units import DAY_US

FIRST_US = 1_767_009_600_000_000  # 2025-12-29, 12:00 UTC: a Monday, and of 2026-W01
DAYS = ("2025-12-28", "2025-12-29", "2025-12-31", "2026-01-01", "2026-02-28", "2026-03-02")
PROJECTS = (
    "github.com/acme/shop",
    "it's \\ a `project`",
    "50%_off [a-z]? *",
    ":agent_0 {0} 'x' -- ",
    "",
    "überall/日本/🦊\nnext",
)
BRANCHES = ("main", "feat/a_b", "feat/aXb", "feat/100%", "feat/[b]?", "Feat/a_b", "\\d")
MODELS = ("opus-4", "opus_4", "gpt-5.2", "")
TOOLS = ("Bash", "it's", "mcp__a:b")
PHASES = ("plan", "verify", "")
LINES = ("boom", "can't open '\\n' :failed_tool_0", "100 % {} of it")
MACHINES, USERS = ("red", "green", "it's blue"), ("ann", "bob")


def records(count: int, seed: int = 31) -> list[SessionRecord]:
    """So many sessions, the same each time."""
    chance = Random(seed)
    return [_record(chance, number) for number in range(count)]


def _record(chance: Random, number: int) -> SessionRecord:
    agent = chance.choice(("m31a", "codex", "pi"))
    native_id = f"n{number // 2:02}"  # two agents may have one id
    agent = agent if number % 2 else f"{agent}-b"
    some = chance.randrange
    began_us = FIRST_US + some(60) * DAY_US + some(DAY_US)
    days = chance.sample(DAYS, some(1, 4)) if some(12) else []
    figures = {name: some(10**9) for name in LLMSums.__struct_fields__}
    record = SessionRecord(
        agent,
        native_id,
        native_id,
        f"/home/ada/{native_id}.jsonl",
        "1.0",
        chance.choice(PROJECTS),
        chance.choice(BRANCHES),
        started_us=began_us,
        updated_us=began_us + some(3 * DAY_US),
        user_turn_count=some(5),
        unpaired_count=some(3),
        is_recorded=not some(3),
        damage=Damage(some(2)),
        effects=Effects(**{name: some(5) for name in Effects.__struct_fields__}),
        labels={"prompt": chance.choice("ab"), "te'am": "x"} if some(2) else {},
        rate_limits=[RateLimit("primary", some(100), 300, some(10**9), some(10**15))],
    )
    for day in days:
        record.tools += [
            ToolDay(
                *(day, chance.choice(TOOLS), chance.choice(PHASES), _ran(chance)),
                call_count=some(9),
                fail_count=some(3),
                duration_us=some(10**9),
                ran_us=some(10**9),
            )
            for _ in range(some(3))
        ]
        record.llms += [
            LLMDay(day, chance.choice(MODELS), chance.choice(PHASES), **figures)
            for _ in range(some(3))
        ]
        sums = {name: some(10**6) for name in PhaseSums.__struct_fields__}
        record.phases += [PhaseDay(day, chance.choice(PHASES), chance.choice((None, True)), **sums)]
        record.failures += [
            FailureDay(day, chance.choice(TOOLS), chance.choice(LINES), some(1, 5))
            for _ in range(some(3))
        ]
        record.heals += [_heal(chance, day) for _ in range(some(2))]
    record.models = sorted({llm.model for llm in record.llms if llm.model})
    return record


def _ran(chance: Random) -> Histogram:
    ran = Histogram()
    for _ in range(chance.randrange(4)):
        ran.add(chance.choice((0.0, 1.0, 5.5, 70_000.0, chance.random() * 1e6)))
    return ran


def _heal(chance: Random, day: str) -> HealEpisode:
    some = chance.randrange
    return HealEpisode(
        *(day, some(3), chance.choice(PHASES), chance.choice(TOOLS), "pytest"),
        *(chance.choice(LINES), "f", "r", chance.choice((None, True, False)), not some(3)),
        *(FIRST_US + some(DAY_US), some(10**9), some(10**9), chance.choice((None, some(10**12)))),
    )


def owner(number: int) -> dict[str, str]:
    """Whose session this is."""
    return {"machine": MACHINES[number % 3], "user": USERS[number % 2]}


def pushed(client: Client, history: History) -> None:
    """Put all sessions of an index into a fleet, each as its own machine's."""
    refs = [row.ref for row in history.sessions(Slice(), sort="session_id", descending=False)]
    rows = [
        nested(kept, kept.facts["updated_us"], owner(number))
        for number, kept in enumerate(history.kept(refs))
    ]
    client.insert("raw", b"".join(lines_of(rows)), {"insert_distributed_sync": 1})


def index_of(some: Sequence[SessionRecord]) -> History:
    """An index in memory of these sessions."""
    history = History(MEMORY)
    with history.batch():
        for record in some:
            history.put(record)
    return history
