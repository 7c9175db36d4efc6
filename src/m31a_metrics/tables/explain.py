"""A session call by call: what each was for and why, and what was healed, to be contested.

On a screen calls are named by their numbers; a program gets their ids.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from msgspec import Struct

from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.tables import answer, columns
from m31a_metrics.tables.phrases import counted

_Name = Callable[[str], Cell]
_Names = Callable[[Sequence[str]], Cell]


class CallRow(Struct):
    """One tool call; `denied` ones never ran, and so neither succeeded nor failed.

    `id` is empty where it has none; durations are None where nobody knows. `sure`: the phase
    was recorded, or what the call ran says it.
    """

    tool: str
    phase: str
    rule: str
    id: str = ""
    success: bool | None = None
    failed_check: bool = False
    duration_ms: float | None = None
    wait_ms: float | None = None
    subagent: str = ""
    sure: bool = True
    denied: bool = False


class HealRow(Struct):
    """One attempt to make a failed check pass; calls by id. `cost` in USD."""

    failed: str
    edits: list[str]
    rerun: str
    passed: bool | None
    check: str
    phase: str
    chain: int
    loop: bool
    duration_ms: float
    total_tokens: int
    cost: float | None


class BisectRow(Struct):
    """One bisect; calls by id."""

    calls: list[str]
    found: bool | None
    phase: str
    duration_ms: float | None


class Explained(Struct):
    """What is known of a session's calls, in their order."""

    session_id: str
    calls: list[CallRow] = []
    heals: list[HealRow] = []
    bisects: list[BisectRow] = []


CALLS = [
    Column("number", "#", Unit.COUNT),
    Column("tool", "Tool"),
    columns.PHASE,
    Column("sure", "Sure"),
    Column("rule", "Rule"),
    Column("duration_ms", "Ran", Unit.MS),
    Column("wait_ms", "Waited", Unit.MS),
    Column("success", "Outcome", Unit.OUTCOME),
    Column("denied", "Denied"),
    Column("failed_check", "Check failed"),
    Column("subagent", "Subagent"),
    Column("id", "Call"),
]

HEALS = [
    Column("failed", "Failed"),
    Column("edits", "Changed"),
    Column("rerun", "Rerun"),
    Column("passed", "Outcome", Unit.OUTCOME),
    Column("check", "Check"),
    Column("phase", "Phase"),
    Column("duration_ms", "Took", Unit.MS),
    columns.TOKENS,
    Column("cost", "Cost", Unit.USD),
    Column("chain", "Failure", Unit.COUNT),
    Column("loop", "Loop"),
]

FOUND = [
    Column("calls", "Calls"),
    columns.PHASE,
    Column("duration_ms", "Took", Unit.MS),
    Column("found", "Outcome", Unit.OUTCOME),
]


def explain(explained: Explained, *, whole: bool) -> list[Table]:
    """Show the calls of a session, its heals and its bisects.

    `whole`: for a program, with the ids of calls and every column.
    """
    numbers = {call.id: str(number) for number, call in enumerate(explained.calls, 1) if call.id}

    def named(ids: Sequence[str]) -> Cell:
        if whole:
            return list(ids)
        return ", ".join(numbers.get(one, one) for one in ids)

    def one(call_id: str) -> Cell:
        return None if not call_id else call_id if whole else numbers.get(call_id, call_id)

    calls = Table(
        "Calls",
        CALLS,
        [_call(number, call, whole=whole) for number, call in enumerate(explained.calls, 1)],
        "It called no tool, or nothing but sums is left of its calls.",
        [] if whole else _notes(explained),
        _answer(explained),
    )
    heals = Table("Heals", HEALS, [_heal(row, named, one) for row in explained.heals])
    bisects = Table(
        "Bisects",
        FOUND,
        [(named(row.calls), row.phase, row.duration_ms, row.found) for row in explained.bisects],
    )
    if not whole:
        _leave_out(calls, ("failed_check", "id", *_unused(explained)))
        _leave_out(heals, ("loop",))
    return [calls, heals, bisects]


def _answer(explained: Explained) -> str:
    """Say how many calls there are, how many failed, what most were for, how heals went."""
    calls = explained.calls
    if not calls:
        return ""
    phases = Counter(call.phase for call in calls if call.phase)
    phase, most = max(phases.items(), key=lambda one: one[1], default=("", 0))
    failed = sum(call.success is False and not call.denied for call in calls)
    passed = sum(heal.passed is True for heal in explained.heals)
    heals = counted(len(explained.heals), "heal") if explained.heals else ""
    return answer.sentence(
        counted(len(calls), "call"),
        f"the most, {most:,}, for {answer.name_of(phase)}" if len(phases) > 1 else "",
        f"{failed:,} failed" if failed else "none failed",
        f"{heals}, {passed:,} passed" if heals else "",
    )


def _call(number: int, call: CallRow, *, whole: bool) -> tuple[Cell, ...]:
    return (
        number,
        call.tool,
        call.phase,
        call.sure if whole else (None if call.sure else "no"),
        call.rule,
        call.duration_ms,
        call.wait_ms,
        None if call.denied else call.success,
        call.denied,
        call.failed_check,
        call.subagent or None,
        call.id or None,
    )


def _heal(row: HealRow, named: _Names, one: _Name) -> tuple[Cell, ...]:
    return (
        one(row.failed),
        named(row.edits),
        one(row.rerun),
        row.passed,
        row.check or None,
        row.phase,
        row.duration_ms,
        row.total_tokens,
        row.cost,
        row.chain,
        row.loop,
    )


def _notes(explained: Explained) -> list[str]:
    notes = [f"These are the calls of {explained.session_id}; `--json` gives their ids."]
    unsure = sum(not call.sure for call in explained.calls)
    if unsure:
        notes.append(f"Phases that a careful reader may see otherwise: {unsure} (Sure: no).")
    loops = {row.chain for row in explained.heals if row.loop}
    if loops:
        notes.append(f"Heal loops: {len(loops)}, where a failure was tried three times or more.")
    return notes


def _unused(explained: Explained) -> tuple[str, ...]:
    """Name the columns that no call has anything in."""
    has = {
        "subagent": any(call.subagent for call in explained.calls),
        "wait_ms": any(call.wait_ms for call in explained.calls),
        "sure": not all(call.sure for call in explained.calls),
        "denied": any(call.denied for call in explained.calls),
    }
    return tuple(name for name, any_has in has.items() if not any_has)


def _leave_out(table: Table, names: Sequence[str]) -> None:
    kept = [at for at, column in enumerate(table.columns) if column.name not in names]
    table.columns = [table.columns[at] for at in kept]
    table.rows = [tuple(row[at] for at in kept) for row in table.rows]
