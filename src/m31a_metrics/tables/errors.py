"""The most frequent ways in which tools fail, and the sessions where they did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from m31a_metrics.answers import FailureRow, ToolRow, time_order
from m31a_metrics.table import Column, Table, Unit
from m31a_metrics.tables import answer, columns
from m31a_metrics.tables.arithmetic import ratio
from m31a_metrics.tables.names import day_name, named, shortened
from m31a_metrics.tables.phrases import Scope, counted

PARTS = ("tool", "phase", *columns.TIMES, *columns.OWNERS, "session")
"""What failures can be grouped by."""

_SHARE = Column("failure_share", "Share of failures", Unit.BAR)

LIST = [
    columns.TOOL,
    columns.FAILURE,
    Column("count", "Count", Unit.COUNT),
    Column("session_ids", "Latest in"),
    columns.SESSIONS,
    Column("last_day", "Last day"),
    _SHARE,
]
FOR_PEOPLE = LIST[:-1]
"""A bar would take the room of the failure itself."""

BY_PART = [
    columns.FAILED,
    columns.CALLS,
    columns.FAIL_RATE,
    _SHARE,
    columns.SESSIONS,
]

SESSIONS_SHOWN = 1
"""To people: the latest, so that the failure itself has room."""


def errors(rows: Sequence[FailureRow], scope: Scope, *, whole: bool = False) -> Table:
    """List failures, the most frequent first.

    A line holds only what tools themselves say, so that the same failure is one row
    wherever it happened. `whole` names the sessions by whole ids.
    """
    fail_count = scope.totals.fail_count
    wanted = LIST if whole else FOR_PEOPLE
    table = Table("Failures", wanted, [], _none_failed(scope))
    shorter = shortened(("", name) for row in rows for name in row.session_ids)
    for one in rows:
        names = one.session_ids if whole else [shorter[name] for name in one.session_ids]
        row = (
            one.tool,
            one.line or None,
            one.count,
            ", ".join(names if whole else names[:SESSIONS_SHOWN]) or None,
            one.session_count,
            day_name(one.last_day),
            ratio(one.count, fail_count),
        )
        table.rows.append(row[: len(wanted)])
    if rows:
        table.answer = _answer(scope, rows)
        if any(not row.line for row in rows):
            table.notes = ["A dash: nobody recorded how it failed."]
    return table


def _answer(scope: Scope, rows: Sequence[FailureRow]) -> str:
    """Say how many calls failed, of how many, and how most often, as far as that is known."""
    first = next((row for row in rows if row.line), rows[0])
    which = "failure" if first is rows[0] else "failure of which more is known"
    failed = answer.failed([scope.totals])
    rate = answer.share(scope.totals.fail_count, scope.totals.call_count)
    in_sessions = f" in {counted(first.session_count, 'session')}" if first.session_count else ""
    often = (
        f"the most frequent {which}, of {answer.name_of(first.tool)}, came {first.count:,} times"
    )
    return answer.sentence(
        f"{failed} ({rate}) in {scope}" if scope.totals.call_count > 1 else failed,
        often + in_sessions if first.count > 1 else "",
    )


def errors_by(rows: Sequence[ToolRow], scope: Scope, by: str, *, whole: bool = False) -> Table:
    """Show failed calls by part: days in their order, others the most failures first."""
    if by in columns.TIMES:
        rows = sorted(rows, key=lambda row: time_order(row.key))
    else:
        rows = sorted(rows, key=lambda row: (-row.fail_count, row.call_count, row.key))
        rows = [row for row in rows if row.fail_count]
    fail_count = sum(row.fail_count for row in rows)
    names = named(by, rows, whole=whole)
    return Table(
        f"Failures by {by}",
        [columns.part(by), *BY_PART],
        [
            (
                names[row.key],
                row.fail_count,
                row.call_count,
                ratio(row.fail_count, row.call_count),
                ratio(row.fail_count, fail_count),
                row.session_count,
            )
            for row in rows
        ],
        _none_failed(scope),
        [f"Of {scope}."] if rows else [],
        _answer_by(rows, names) if rows else "",
    )


def _answer_by(rows: Sequence[ToolRow], names: Mapping[str, str | None]) -> str:
    """Say how many calls failed, of how many, and where the most."""
    most = max(rows, key=lambda row: row.fail_count)
    name, share = answer.name_of(names[most.key]), answer.share(most.fail_count, most.call_count)
    where = f"the most in {name}, {most.fail_count:,} ({share} of its calls)"
    told = len(rows) > 1 and most.fail_count
    return answer.sentence(answer.failed(rows), where if told else "")


def _none_failed(scope: Scope) -> str:
    if not scope.totals.call_count:
        return scope.lacks("tool calls", "Record one: `m31 run -- COMMAND`.")
    return f"No failures in {counted(scope.totals.call_count, 'call')}. See them: `m31 tools`."
