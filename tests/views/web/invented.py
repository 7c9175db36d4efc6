"""Invented sessions: the same ones for the same number, with the habits of real agents.

Cost comes in working hours, tools differ in speed, some fail, some failures are healed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from m31a_metrics.events import (
    Event,
    HealOutcome,
    HealTrigger,
    LLMInteraction,
    PhaseDuration,
    PhaseTransition,
    ToolCall,
    UserTurn,
)
from m31a_metrics.model import Usage
from m31a_metrics.record import (
    FailureDay,
    HealEpisode,
    LLMDay,
    PhaseDay,
    SessionRecord,
    ToolDay,
)
from m31a_metrics.transcript import Facts, Transcript

AGENTS = ("claude-code", "codex", "gemini-cli", "m31a")
PROJECTS = ("/home/ada/shop", "/home/ada/engine", "/home/ada/notes", "/home/ada/site", "")
MODELS = {
    "claude-code": ("claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5"),
    "codex": ("gpt-5.1-codex",),
    "gemini-cli": ("gemini-2.5-pro",),
    "m31a": ("claude-sonnet-4-5",),
}
NANO_A_TOKEN = {
    "claude-opus-4-5": 2_400,
    "claude-sonnet-4-5": 1_300,
    "claude-haiku-4-5": 420,
    "gpt-5.1-codex": 900,
    "gemini-2.5-pro": 700,
}
# Typical time of a call in ms, how often it fails, in which phase it is used.
TOOLS = {
    "Read": (9, 0.01, "explore"),
    "Grep": (38, 0.01, "explore"),
    "Edit": (16, 0.03, "execute"),
    "Write": (14, 0.01, "execute"),
    "Bash": (2_400, 0.11, "verify"),
    "Task": (41_000, 0.02, "plan"),
    "WebFetch": (1_900, 0.07, "explore"),
    "mcp__tracker__search": (640, 0.16, "plan"),
}
FAILURES = {
    "Bash": ("<n> failed, <n> passed", "command not found", "exit code <n>"),
    "mcp__tracker__search": ("timed out after <n> ms",),
    "WebFetch": ("HTTP <n>",),
}


def records(count: int, now: datetime, *, days: int = 120) -> Iterator[SessionRecord]:
    """Invent so many sessions of the `days` before `now`, oldest first."""
    chance = Random(count)
    for number in range(count):
        share = (number + 0.5) / count
        at = now - timedelta(days=days * (1 - share))
        hours = (9 - at.hour) % 24 if chance.random() < 0.8 else 0
        if at + timedelta(hours=hours) < now - timedelta(hours=3):
            at += timedelta(hours=hours, minutes=chance.randrange(420))
        began = min(at, now - timedelta(minutes=chance.randrange(1, 200)))
        yield record(chance, number, began, share)


def light(count: int, now: datetime, *, days: int = 700) -> Iterator[SessionRecord]:
    """Invent many small sessions, quickly: one tool, one model, one phase each."""
    chance = Random(count)
    tools, models = list(TOOLS), list(NANO_A_TOKEN)
    for number in range(count):
        began = now - timedelta(days=days * (1 - number / count), minutes=5)
        day, started_us = began.date().isoformat(), round(began.timestamp() * 1e6)
        calls, tokens = 1 + number % 9, 1_000 + number % 70_000
        model = models[number % len(models)]
        tool = ToolDay(
            day,
            tools[number % len(tools)],
            "execute",
            call_count=calls,
            fail_count=int(number % 11 == 0),
        )
        tool.ran.add(1 + number % 5_000, calls)
        tool.duration_us = tool.ran_us = calls * (1 + number % 5_000) * 1_000
        yield SessionRecord(
            AGENTS[number % len(AGENTS)],
            f"{number:08x}-{chance.randrange(16**4):04x}",
            f"{number:08x}",
            f"/home/ada/sessions/{number}.jsonl",
            project=PROJECTS[number % len(PROJECTS)],
            branch="main",
            models=[model],
            started_us=started_us,
            updated_us=started_us + 60_000_000,
            tools=[tool],
            llms=[
                LLMDay(
                    day, model, "execute", interaction_count=1, prompt_tokens=tokens - 50,
                    completion_tokens=50, total_tokens=tokens,
                    cost_nano=tokens * NANO_A_TOKEN[model],
                )
            ],
            phases=[
                PhaseDay(day, "execute", True, active_us=60_000_000, transition_count=1),
            ],
        )  # fmt: skip


def record(chance: Random, number: int, began: datetime, share: float) -> SessionRecord:
    """Invent one session. `share` of the period has gone by: habits change a little."""
    agent = chance.choices(AGENTS, (8, 4, 2, 1))[0]
    minutes = min(chance.lognormvariate(3, 0.9), 170)
    day = began.date().isoformat()
    started_us = round(began.timestamp() * 1e6)
    made = SessionRecord(
        agent,
        native_id=f"{number:08x}-0000-4000-8000-{chance.randrange(16**12):012x}",
        session_id="",
        path=f"/home/ada/sessions/{number}.jsonl",
        version="1.0",
        project=chance.choices(PROJECTS, (5, 4, 2, 2, 1))[0],
        branch=chance.choice(("main", "main", "faster-cart", "fix-login")),
        started_us=started_us,
        updated_us=started_us + round(minutes * 60e6),
        user_turn_count=1 + int(minutes / 6),
        compaction_count=int(minutes > 90),
    )
    made.session_id = made.native_id
    _tools(chance, made, day, minutes)
    _llms(chance, made, day, minutes)
    _phases(chance, made, day, minutes, share)
    return made


def _tools(chance: Random, made: SessionRecord, day: str, minutes: float) -> None:
    for tool, (typical_ms, fail_rate, phase) in TOOLS.items():
        calls = int(minutes * chance.random() * (0.12 if typical_ms > 10_000 else 0.9))
        if not calls:
            continue
        row = ToolDay(day, tool, phase, call_count=calls)
        for _ in range(calls):
            took_ms = chance.lognormvariate(0, 0.8) * typical_ms
            row.ran.add(took_ms)
            row.duration_us += round(took_ms * 1000)
            row.ran_us = row.duration_us
            row.fail_count += chance.random() < fail_rate
        made.tools.append(row)
        if row.fail_count:
            line = chance.choice(FAILURES.get(tool, ("File has not been read yet",)))
            made.failures.append(FailureDay(day, tool, line, row.fail_count))


def _llms(chance: Random, made: SessionRecord, day: str, minutes: float) -> None:
    model = chance.choice(MODELS[made.agent])
    made.models = [model]
    for phase, share in (("explore", 0.25), ("plan", 0.1), ("execute", 0.4), ("verify", 0.25)):
        count = max(1, int(minutes * share))
        prompt, completion = count * chance.randrange(9_000, 30_000), count * chance.randrange(900)
        cached = prompt * 8 // 10
        row = LLMDay(
            day,
            model,
            phase,
            interaction_count=count,
            prompt_tokens=prompt,
            completion_tokens=completion,
            total_tokens=prompt + completion,
            cache_read_tokens=cached,
            cache_write_5m_tokens=prompt // 20,
        )
        row.cost_nano = (prompt - cached + cached // 10 + completion * 5) * NANO_A_TOKEN[model]
        made.llms.append(row)


def _phases(chance: Random, made: SessionRecord, day: str, minutes: float, share: float) -> None:
    for phase, part in (("explore", 0.2), ("plan", 0.1), ("execute", 0.45), ("verify", 0.25)):
        row = PhaseDay(
            day, phase, active_us=round(minutes * 60e6 * part), success=True, transition_count=1
        )
        if phase == "verify":
            for chain in range(chance.choices((0, 1, 2), (6, 3, 1))[0]):
                passed = chance.random() < 0.55 + 0.3 * share
                _heal(chance, made, row, chain, passed=passed)
        made.phases.append(row)


def _heal(chance: Random, made: SessionRecord, row: PhaseDay, chain: int, *, passed: bool) -> None:
    took_us = chance.randrange(20_000_000, 400_000_000)
    row.heal_trigger_count += 1
    row.heal_success_count += passed
    row.heal_fail_count += not passed
    row.heal_duration_us += took_us
    made.heals.append(
        HealEpisode(
            row.day,
            chain,
            row.phase,
            "Bash",
            chance.choice(("pytest", "ruff", "tsc", "go test")),
            "<n> failed, <n> passed",
            passed=passed,
            began_us=made.started_us,
            duration_us=took_us,
            total_tokens=chance.randrange(60_000),
            cost_nano=chance.randrange(400_000_000),
        )
    )


STAYS = (
    ("explore", 6, ("Read", "Grep", "Read", "WebFetch")),
    ("plan", 3, ("Task", "Read")),
    ("execute", 12, ("Edit", "Read", "Edit", "Write")),
    ("verify", 5, ("Bash", "Bash", "Read")),
    ("execute", 6, ("Edit", "Edit", "Read")),
    ("verify", 4, ("Bash",)),
    ("ship", 1, ("Bash",)),
)
"""Phases of a session in their order, how many minutes each lasts, what it calls."""


def course(now: datetime) -> Transcript:
    """Invent one session event by event: phases, calls, two heals, and what it cost."""
    chance = Random(7)
    t_us = round((now - timedelta(minutes=40)).timestamp() * 1e6)
    events: list[Event] = [UserTurn(t_us=t_us)]
    for stay, (phase, minutes, tools) in enumerate(STAYS):
        events.append(PhaseTransition(t_us=t_us, phase=phase))
        end_us = t_us + minutes * 60_000_000
        began_us = t_us
        while t_us < end_us:
            t_us += chance.randrange(2_000_000, 9_000_000)
            events.append(_answer(t_us, phase, chance))
            tool = chance.choice(tools)
            typical_ms, fail_rate, _ = TOOLS[tool]
            took_ms = min(typical_ms * chance.lognormvariate(0, 0.7), 60_000)
            t_us += round(took_ms * 1000)
            failed = chance.random() < fail_rate
            line = chance.choice(FAILURES.get(tool, ("File has not been read yet",)))
            events.append(
                ToolCall(
                    t_us=t_us,
                    name=tool,
                    success=not failed,
                    duration_ms=round(took_ms, 1),
                    error=line if failed else None,
                )
            )
        if phase == "verify":
            healed_us = began_us + 70_000_000
            events.append(HealTrigger(t_us=healed_us, phase=phase))
            outcome = HealOutcome(t_us=healed_us + 80_000_000, phase=phase, success=stay > 3)
            events.append(outcome)
        took_ms = (t_us - began_us) / 1000
        events.append(PhaseDuration(t_us=t_us, phase=phase, duration_ms=took_ms, success=True))
    events.sort(key=lambda event: event.t_us)
    facts = Facts("claude-code", "5e0f7a31-cart-faster", "2.1", "/home/ada/shop", "faster-cart")
    facts.models = ["claude-sonnet-4-5"]
    return Transcript(facts, events)


def _answer(t_us: int, phase: str, chance: Random) -> LLMInteraction:
    prompt, completion = chance.randrange(8_000, 30_000), chance.randrange(50, 500)
    usage = Usage(prompt, completion, cache_read_tokens=prompt * 9 // 10)
    cost = prompt * 0.2e-6 + completion * 6e-6
    return LLMInteraction(t_us=t_us, phase=phase, usage=usage, cost=cost, model="claude-sonnet-4-5")
