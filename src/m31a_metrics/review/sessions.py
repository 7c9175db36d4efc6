"""Which sessions are there: one row each, latest first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from m31a_metrics.model import ZERO_TIME, SessionMetrics
from m31a_metrics.review import columns
from m31a_metrics.review.sums import totals
from m31a_metrics.review.words import NOTHING_YET, unpriced
from m31a_metrics.table import Cell, Column, Table
from m31a_metrics.transcript import Facts

NO_FACTS: Mapping[str, Facts] = {}

FOR_PEOPLE = [
    columns.SESSION,
    columns.UPDATED,
    columns.LASTED,
    columns.CALLS,
    columns.FAILED,
    columns.TOKENS,
    columns.COST,
    columns.HEALS,
]
"""What fits a terminal of 80 cells."""

OF_AGENTS = [
    columns.SESSION,
    columns.AGENT,
    columns.PROJECT,
    columns.UPDATED,
    columns.CALLS,
    columns.TOKENS,
    columns.COST,
    columns.FAILED,
    columns.LASTED,
    columns.HEALS,
]
"""For people, where other agents' sessions are among them; the last ones need more room."""

FOR_PROGRAMS = [
    *FOR_PEOPLE,
    columns.BISECTS,
    columns.LLM_CALLS,
    columns.UNPRICED,
    columns.STARTED,
    columns.AGENT,
    columns.PROJECT,
]

RECORDED = "m31a"
"""The agent of a session in the sessions directory, as `--agent` calls it."""

SHORT_ID = 8
"""So many characters of a long id are shown to people, more where that names several."""


def sessions(
    all_of_them: Sequence[SessionMetrics],
    limit: int | None = None,
    facts: Mapping[str, Facts] = NO_FACTS,
    *,
    whole: bool = False,
) -> Table:
    """List sessions in the order given; at most `limit` of them.

    `facts` tell, by session id, whose transcript a session is. `whole` adds the columns
    that a terminal has no room for.
    """
    shown = all_of_them[:limit]
    table = session_table("Sessions", all_of_them, limit, facts, whole=whole)
    table.empty = NOTHING_YET
    if len(shown) < len(all_of_them):
        table.notes.append(
            f"The latest {len(shown):,} of {len(all_of_them):,} sessions; see the rest: --all."
        )
    table.notes += unpriced(sum(llm.unpriced_tokens for one in shown for llm in one.llms))
    return table


def session_table(
    title: str,
    all_of_them: Sequence[SessionMetrics],
    limit: int | None,
    facts: Mapping[str, Facts],
    *,
    whole: bool,
) -> Table:
    """Make a table of one row per session, of the first `limit`.

    People get shortened ids and the last part of a project's path, programs all of both.
    """
    shown = all_of_them[:limit]
    if whole:
        wanted = FOR_PROGRAMS
    elif facts and any(session.session_id in facts for session in shown):
        wanted = OF_AGENTS
    else:
        return Table(title, FOR_PEOPLE, [_row(session, FOR_PEOPLE) for session in shown])
    table = Table(title, wanted, [_row(one, wanted, facts.get(one.session_id)) for one in shown])
    if not whole:
        shorter = short_ids([session.session_id for session in all_of_them], facts)
        table.rows = [
            (shorter[str(name)], agent, _last_part(project), *rest)
            for name, agent, project, *rest in table.rows
        ]
    return table


def _row(
    session: SessionMetrics, wanted: Sequence[Column], facts: Facts | None = None
) -> tuple[Cell, ...]:
    sums = totals((session,))
    cells: dict[Column, Cell] = {
        columns.SESSION: session.session_id,
        columns.AGENT: facts.agent if facts is not None else RECORDED,
        columns.PROJECT: (facts.project or None) if facts is not None else None,
        columns.UPDATED: known_time(session.updated_at),
        columns.LASTED: lasted_ms(session),
        columns.CALLS: sums.call_count,
        columns.FAILED: sums.fail_count,
        columns.TOKENS: sums.known_tokens,
        columns.COST: sums.known_cost_usd,
        columns.HEALS: sums.heal_trigger_count,
        columns.BISECTS: sums.bisect_trigger_count,
        columns.LLM_CALLS: sums.interaction_count,
        columns.UNPRICED: sums.unpriced_tokens,
        columns.STARTED: known_time(session.started_at),
    }
    return tuple(cells[column] for column in wanted)


def short_ids(names: Iterable[str], facts: Mapping[str, Facts]) -> dict[str, str]:
    """Shorten the ids of agents' sessions to beginnings that name one of `names` only."""
    ordered = sorted(set(names))
    shorter = {}
    for at, name in enumerate(ordered):
        if name not in facts:
            shorter[name] = name  # we made it, and it is short
            continue
        beside = ordered[max(at - 1, 0) : at] + ordered[at + 1 : at + 2]
        shared = max((_shared(name, other) for other in beside), default=0)
        shorter[name] = name[: max(SHORT_ID, shared + 1)]
    return shorter


def _shared(one: str, other: str) -> int:
    """Count the characters with which both begin."""
    for at, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return at
    return min(len(one), len(other))


def _last_part(project: Cell) -> Cell:
    return project.rstrip("/").rpartition("/")[2] if isinstance(project, str) else project


def known_time(at: datetime) -> datetime | None:
    """Give a time in UTC; None for Go's zero time, which means that nobody knows.

    None, too, for the end of year 9999 in the west, which in UTC is beyond all datetimes.
    """
    try:
        return at.astimezone(UTC) if at > ZERO_TIME else None
    except OverflowError:
        return None


def lasted_ms(session: SessionMetrics) -> int | None:
    """Give the time from the first event to the last, in whole ms; None if not known."""
    if session.started_at <= ZERO_TIME or session.updated_at < session.started_at:
        return None
    lasted = session.updated_at - session.started_at
    return (lasted.days * 86_400 + lasted.seconds) * 1000 + lasted.microseconds // 1000
