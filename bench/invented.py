"""Sessions that a machine invents, as many as wanted: records, and journals on the disk.

A year of them, by three agents in twenty projects, most in a few; 540 events each, eight
tools, two models, four phases; one in five goes on over midnight. Those are richer than what
people have: where bytes count, `is_real_sized` gives about what 59 real ones have on average,
6 rows of tools, 3.5 of models and of phases, 66 calls in 31 buckets; each is another.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from m31a_metrics import Usage, events
from m31a_metrics.measures import LLMSums
from m31a_metrics.record import (
    FailureDay,
    HealEpisode,
    LLMDay,
    PhaseDay,
    SessionRecord,
    ToolDay,
)
from m31a_metrics.session import Session
from m31a_metrics.units import DAY_US

EVENTS = 538
TODAY = date(2026, 11, 20)
TOOLS = ("Bash", "Read", "Edit", "Grep", "Write", "Glob", "Task", "WebFetch")
PHASES = ("explore", "plan", "execute", "verify")
MODELS = ("claude-opus-4-5", "claude-haiku-4-5", "gpt-5.2-codex")
AGENTS = ("claude-code", "codex", "m31a")
_KINDS = 500
_TOKENS = [name for name in LLMSums.__struct_fields__ if name.endswith("_tokens")]


def records(
    count: int, ids_each: int = 0, *, is_real_sized: bool = False
) -> Iterator[SessionRecord]:
    """Yield so many sessions, the latest first."""
    chance = random.Random(31)
    kinds = [] if is_real_sized else [_kind(chance) for _ in range(_KINDS)]
    for number in range(count):
        day = TODAY - timedelta(days=number * 365 // count)
        kind = kinds[chance.randrange(_KINDS)] if kinds else _real_sized(chance)
        spans_midnight = number % 5 == 0
        days = (str(day), str(day + timedelta(days=1)) if spans_midnight else str(day))
        began_us = int(datetime(day.year, day.month, day.day, 9, tzinfo=UTC).timestamp() * 1e6)
        native_id = f"{number:08x}-1111-4111-8111-{number:012x}"
        yield SessionRecord(
            AGENTS[number % 3],
            native_id,
            native_id,
            f"/home/dev/.agent/{native_id}.jsonl",
            "2.1.0",
            f"/home/dev/src/project-{min(int(chance.expovariate(0.25)), 19)}",
            f"feature/{number % 997}",
            models=list(MODELS[:2]),
            started_us=began_us,
            updated_us=began_us + (DAY_US if spans_midnight else 3_600_000_000),
            user_turn_count=9,
            tools=[replace(row, day=days[at % 2]) for at, row in enumerate(kind.tools)],
            llms=[replace(row, day=days[at % 2]) for at, row in enumerate(kind.llms)],
            phases=[replace(row, day=days[1]) for row in kind.phases],
            heals=[replace(row, day=days[0], began_us=began_us) for row in kind.heals],
            failures=[replace(row, day=days[0]) for row in kind.failures],
            ids=[f"{native_id}-{place}" for place in range(ids_each)],
        )


def _kind(chance: random.Random) -> SessionRecord:
    tools = []
    for tool in TOOLS:
        for phase in chance.sample(PHASES, 2):
            calls = chance.randint(5, 30)
            row = ToolDay("", tool, phase, call_count=calls, fail_count=chance.randint(0, 2))
            for _ in range(calls):
                ran_ms = chance.lognormvariate(5 + TOOLS.index(tool) / 2, 1.5)
                row.ran.add(ran_ms)
                row.duration_us += int(ran_ms * 1000)
            row.ran_us = row.duration_us
            tools.append(row)
    llms = [
        LLMDay(
            "",
            model,
            phase,
            interaction_count=25,
            **{name: chance.randint(0, 10**6) for name in _TOKENS},
        )
        for model in MODELS[:2]
        for phase in PHASES
    ]
    for llm in llms:
        llm.cost_nano = chance.randint(0, 10**9)
    phases = [
        PhaseDay(
            "",
            phase,
            active_us=chance.randint(0, 10**9),
            success=chance.random() < 0.9,
            transition_count=3,
            heal_trigger_count=1,
            heal_success_count=1,
            heal_fail_count=0,
        )
        for phase in PHASES
    ]
    heals = [
        HealEpisode(
            "",
            chain,
            "verify",
            "Bash",
            "pytest",
            f"E: boom {chance.randint(0, 99)}",
            passed=chance.random() < 0.7,
            duration_us=10**8,
            cost_nano=chance.randint(0, 10**9),
        )
        for chain in range(chance.randint(0, 3))
    ]
    failures = [
        FailureDay("", tool, f"exit code <n>: {chance.randint(0, 200)}", 1)
        for tool in chance.sample(TOOLS, 3)
    ]
    return SessionRecord(
        "", "", "", "", tools=tools, llms=llms, phases=phases, heals=heals, failures=failures
    )


def _real_sized(chance: random.Random) -> SessionRecord:
    """A session of which each place is worked at with a few tools, by one model or two."""
    phases = chance.sample(PHASES, chance.randint(2, 4))
    models = MODELS[: 2 if chance.random() < 0.05 else 1]
    tools = []
    for phase in phases:
        for tool in chance.sample(TOOLS, chance.randint(1, 3)):
            row = ToolDay("", tool, phase, call_count=1 + int(chance.expovariate(0.11)))
            usual = chance.normalvariate(5 + TOOLS.index(tool) / 2, 1)
            for _ in range(row.call_count):
                ran_ms = chance.lognormvariate(usual, 0.15)
                row.ran.add(ran_ms)
                row.ran_us += int(ran_ms * 1000)
            row.duration_us, row.fail_count = row.ran_us, chance.randint(0, row.call_count // 4)
            tools.append(row)
    llms = [
        LLMDay(
            "",
            model,
            phase,
            interaction_count=chance.randint(1, 40),
            cost_nano=chance.randint(0, 10**9),
            **{name: chance.randint(0, 10**6) for name in chance.sample(_TOKENS, 5)},
        )
        for model in models
        for phase in phases
    ]
    spent = [
        PhaseDay("", phase, active_us=chance.randint(0, 10**9), transition_count=1)
        for phase in phases
    ]
    failures = [
        FailureDay("", tool, f"exit code <n>: {chance.randint(0, 200)}", 1)
        for tool in chance.sample(TOOLS, chance.randint(1, 3))
    ]
    heals = [
        HealEpisode("", 1, phase, "Bash", "pytest", f"E: boom {chance.randint(0, 99)}", passed=True)
        for phase in phases
        if chance.random() < 0.4
    ]
    return SessionRecord(
        "", "", "", "", tools=tools, llms=llms, phases=spent, heals=heals, failures=failures
    )


def journals(directory: Path, count: int) -> None:
    """Write so many recorded sessions, each with a journal and its METRICS.json."""
    chance = random.Random(31)
    first_us = int(datetime(2026, 11, 1, 9, tzinfo=UTC).timestamp() * 1e6)
    for number in range(count):
        began_us = first_us + number * 60_000_000
        session = Session(str(directory), f"{number:08x}")
        session.append(list(_events(began_us, chance)))
        session.flush()


def _events(began_us: int, chance: random.Random) -> Iterator[events.Event]:
    yield events.SessionStart(t_us=began_us, project="/home/dev/src/app")
    for place in range(1, EVENTS):
        t_us = began_us + place * 1_000_000
        phase = PHASES[place * 4 // EVENTS]
        if place % 134 == 1:
            yield events.PhaseTransition(t_us=t_us, phase=phase)
        elif place % 3 == 0:
            usage = Usage(chance.randint(1, 10**5), chance.randint(1, 10**3))
            yield events.LLMInteraction(t_us=t_us, phase=phase, usage=usage, cost=0.01)
        else:
            ran_ms = chance.lognormvariate(5, 1.5)
            name = TOOLS[chance.randrange(8)]
            yield events.ToolCall(t_us=t_us, name=name, success=place % 17 > 0, duration_ms=ran_ms)


def long_session(directory: Path, count: int) -> None:
    """Write one recorded session of so many calls and answers, half of each, in many phases."""
    chance = random.Random(31)
    began_us = int(datetime(2026, 11, 1, 9, tzinfo=UTC).timestamp() * 1e6)
    session = Session(str(directory), "long")
    lines: list[events.Event] = [events.SessionStart(t_us=began_us, project="/home/dev/src/app")]
    for place in range(count):
        t_us = began_us + place * 1_000_000
        phase = PHASES[place // 100 % len(PHASES)]
        if place % 100 == 0:
            lines.append(events.PhaseTransition(t_us=t_us, phase=phase))
        if place % 2:
            usage = Usage(chance.randint(1, 10**5), chance.randint(1, 10**3), cache_read_tokens=1)
            lines.append(events.LLMInteraction(t_us, phase, usage, None, MODELS[place % 4 // 2]))
        else:
            name, ran_ms = TOOLS[chance.randrange(8)], chance.lognormvariate(5, 1.5)
            lines.append(events.ToolCall(t_us, name, place % 17 > 0, ran_ms, id=f"call-{place}"))
    session.append(lines)
    session.flush()
