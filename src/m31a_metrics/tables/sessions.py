"""Which sessions are there: one row each, latest first; or all of them by day, agent, project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from m31a_metrics.answers import SessionRow, TotalsRow, time_order
from m31a_metrics.conversation import Title
from m31a_metrics.table import CARDS, Cell, Column, Panel, Table, Unit
from m31a_metrics.tables import answer, columns
from m31a_metrics.tables.arithmetic import heal_rate, known_usd, per_hour, ratio
from m31a_metrics.tables.names import RECORDED, named, shortened, tails
from m31a_metrics.tables.order import column_of, counted_only
from m31a_metrics.tables.phrases import NOTHING_YET, Scope, unpriced
from m31a_metrics.timestamps import LATEST_US, moment
from m31a_metrics.units import YEAR_1971_US, ms

LATEST = "updated_us"
"""The field of SessionRow by which sessions are listed, latest first."""

PARTS = (*columns.TIMES, *columns.OWNERS)
"""What sessions can be grouped by."""

TITLE_CHARS = 44
"""So much of a title people see in a list."""

_PATH = Column("path", "Path")
_GONE = Column("is_gone", "Gone")

FOR_PEOPLE = [
    columns.SESSION,
    columns.UPDATED,
    columns.ACTIVE,
    columns.COST,
    columns.TOKENS,
    columns.CALLS,
    columns.FAILED,
    columns.HEALS,
    columns.DENIED,
    columns.LASTED,
]
"""What fits a terminal of 80 cells; the last ones need more room."""

OF_AGENTS = [
    columns.SESSION,
    columns.UPDATED,
    columns.COST,
    columns.AGENT,
    columns.PROJECT,
    columns.TOKENS,
    columns.CALLS,
    columns.FAILED,
    columns.HEALS,
    columns.ACTIVE,
    columns.DENIED,
    columns.LASTED,
]
"""For people, where other agents' sessions are among them; the last ones need more room."""

FOR_PROGRAMS = [
    columns.SESSION,
    columns.UPDATED,
    columns.ACTIVE,
    columns.CALLS,
    columns.FAILED,
    columns.DENIED,
    columns.TOKENS,
    columns.COST,
    columns.HEALS,
    columns.LASTED,
    columns.HEALS_PASSED,
    columns.HEALS_FAILED,
    columns.BISECTS,
    columns.LLM_CALLS,
    columns.UNPRICED,
    columns.STARTED,
    columns.AGENT,
    columns.VERSION,
    columns.PROJECT,
    columns.BRANCH,
    columns.WORKTREE,
    columns.MODELS,
    columns.TURNS,
    columns.COMPACTIONS,
    columns.SUBAGENTS,
    columns.UNPAIRED,
    columns.COST_PER_HOUR,
    columns.TOKENS_PER_HOUR,
    columns.LAST_STAY,
    _PATH,
    _GONE,
]
BY_PART = [
    columns.SESSIONS,
    columns.CALLS,
    columns.FAIL_RATE,
    columns.TOKENS,
    columns.COST,
    columns.COST_SHARE,
    columns.HEALS,
    columns.HEAL_RATE,
    columns.ACTIVE,
    columns.LASTED,
    columns.COST_PER_HOUR,
    columns.TOKENS_PER_HOUR,
    columns.FAILED,
    columns.DENIED,
    columns.LLM_CALLS,
    columns.UNPRICED,
]

LISTED = [
    columns.SESSION,
    columns.PROJECT,
    columns.AGENT,
    columns.UPDATED,
    columns.COST,
    columns.TOKENS,
    columns.CALLS,
    columns.FAILED,
    columns.HEALS,
    columns.ACTIVE,
    columns.LASTED,
    columns.DENIED,
    columns.BRANCH,
    columns.MODELS,
]

FOLDED = tuple(
    column.name
    for column in (
        columns.ACTIVE,
        columns.LASTED,
        columns.DENIED,
        columns.BRANCH,
        columns.MODELS,
    )
)
"""Of LISTED what a page shows of a session on demand: the others are what one looks for."""

HEAD = [
    columns.COST,
    columns.TOKENS,
    columns.ACTIVE,
    columns.LASTED,
    columns.CALLS,
    columns.FAILED,
    columns.DENIED,
    columns.HEALS,
    columns.TURNS,
    columns.COMPACTIONS,
]
"""The sums of one session on its page."""

_FIELDS = {
    column: {
        "updated_at": LATEST,
        "started_at": "started_us",
        "cost_usd": "cost_nano",
        "active_ms": "active_us",
        "last_stay_ms": "last_stay_us",
    }.get(column.name, column.name)
    for column in FOR_PROGRAMS
    if column
    not in (
        columns.LASTED,
        columns.MODELS,
        columns.COST_PER_HOUR,
        columns.TOKENS_PER_HOUR,
        _GONE,
    )
}


def sessions(rows: Sequence[SessionRow], scope: Scope, *, whole: bool = False) -> Table:
    """List sessions in the order given; `scope` is of all there are, if these are some.

    `whole` gives the columns that a terminal has no room for, with ids and paths whole.
    """
    table = _owned(session_table("Sessions", rows, whole=whole), rows)
    table.empty = NOTHING_YET
    table.answer = _answer(rows, scope.totals)
    if len(rows) < scope.totals.session_count:
        table.notes = [f"{len(rows):,} of {scope}; see the rest: --all."]
    gone = sum(row.is_gone for row in rows)
    if gone:
        one = gone == 1
        table.notes.append(
            f"The source of {gone:,} of them is no longer there; the index keeps "
            f"{'its' if one else 'their'} figures."
        )
    table.notes += unpriced(sum(row.unpriced_tokens for row in rows))
    return table


def _owned(table: Table, rows: Sequence[SessionRow]) -> Table:
    """Say of a fleet's sessions whose they are, and on which machine."""
    if not any(row.machine for row in rows):
        return table
    names = [column.name for column in table.columns]
    at = names.index("agent") + 1 if "agent" in names else len(names)
    return replace(
        table,
        columns=[*table.columns[:at], columns.MACHINE, columns.USER, *table.columns[at:]],
        rows=[
            (*cells[:at], row.machine or None, row.user or None, *cells[at:])
            for cells, row in zip(table.rows, rows, strict=True)
        ],
    )


def _answer(rows: Sequence[SessionRow], totals: TotalsRow) -> str:
    """Say what all of them cost, which the most, and what of them failed and healed."""
    if not rows:
        return ""
    most = max(rows, key=lambda row: row.cost_nano)
    shorter = shortened((row.agent, row.session_id) for row in rows)
    most_in = answer.most(shorter[most.session_id], most) if len(rows) > 1 else ""
    if most_in and len(rows) < totals.session_count:
        most_in = f"of these {len(rows)} {most_in}"  # another one may have cost more
    return answer.sentence(
        answer.spent_in(totals),
        most_in,
        answer.failed([totals]),
        answer.healed([totals]),
    )


def sorted_by(wanted: str) -> tuple[str | None, bool]:
    """Give the field of SessionRow that a column is made of, and whether it descends.

    A minus before the column turns the order around. None: no field of that kind.
    """
    column = column_of(FOR_PROGRAMS, wanted.removeprefix("-"))
    if column is None or column not in _FIELDS:
        return None, True
    return _FIELDS[column], (column.unit is not Unit.TEXT) != wanted.startswith("-")


def is_indexed(wanted: str) -> bool:
    """Tell whether the index itself can sort by a column, as `--sort` names it."""
    return sorted_by(wanted)[0] is not None


SORTABLE = frozenset(column.name for column in LISTED if sorted_by(column.name)[0] is not None)
"""By which columns the list can be put in order."""


def sessions_by(rows: Sequence[TotalsRow], scope: Scope, by: str, *, whole: bool = False) -> Table:
    """Add sessions up by part: days in their order, others by cost."""
    if by in columns.TIMES:
        rows = sorted(rows, key=lambda row: time_order(row.key))
    else:
        rows = sorted(rows, key=lambda row: (-row.cost_nano, -row.session_count, row.key))
    cost_nano = sum(row.cost_nano for row in rows)
    names = named(by, rows, whole=whole)
    table = Table(
        f"Sessions by {by}",
        [columns.part(by), *BY_PART],
        [_part_row(row, names[row.key], cost_nano) for row in rows],
        NOTHING_YET,
    )
    if rows:
        most = max(rows, key=lambda row: (row.cost_nano, row.session_count))
        table.answer = answer.sentence(
            answer.spent_in(scope.totals),
            answer.most(names[most.key], most) if len(rows) > 1 else "",
            answer.failed([scope.totals]),
            answer.healed([scope.totals]),
        )
        table.notes = [f"Of {scope}.", *unpriced(sum(row.unpriced_tokens for row in rows))]
        if by in columns.TIMES:
            table.notes.insert(0, f"A session of several {by}s is counted in each.")
    return table if whole else counted_only(table, columns.RARE)


def _part_row(row: TotalsRow, name: str | None, cost_nano: int) -> tuple[Cell, ...]:
    return (
        name,
        row.session_count,
        row.call_count,
        ratio(row.fail_count, row.call_count),
        known_tokens(row),
        cost_of(row),
        ratio(row.cost_nano, cost_nano),
        row.heal_trigger_count,
        heal_rate(row.heal_success_count, row.heal_fail_count),
        active_ms(row),
        ms(row.lasted_us),
        per_hour(cost_of(row), row.active_us),
        tokens_per_hour(row),
        row.fail_count,
        row.denied_count,
        row.interaction_count,
        row.unpriced_tokens,
    )


def session_table(
    title: str, rows: Sequence[SessionRow], *, whole: bool, says_whose: bool = True
) -> Table:
    """Make a table of one row per session.

    People get shortened ids and as much of the end of a project's path as tells it from the
    others, programs all of both. `says_whose` False: another table has agent and project.
    """
    if whole:
        table = Table(title, FOR_PROGRAMS, [_row(row, FOR_PROGRAMS) for row in rows])
        return with_labels(table, [row.labels for row in rows])
    shorter = shortened((row.agent, row.session_id) for row in rows)
    if not says_whose or all(row.agent == RECORDED for row in rows):
        own = [(shorter[row.session_id], *_row(row, FOR_PEOPLE)[1:]) for row in rows]
        return counted_only(Table(title, FOR_PEOPLE, own), columns.RARE)
    projects = tails(row.project for row in rows)
    table = Table(title, OF_AGENTS)
    at = OF_AGENTS.index(columns.PROJECT)
    for row in rows:
        cells = _row(row, OF_AGENTS)
        project = projects[row.project] or None
        table.rows.append((shorter[row.session_id], *cells[1:at], project, *cells[at + 1 :]))
    return counted_only(table, columns.RARE)


def _row(row: SessionRow, wanted: Sequence[Column]) -> tuple[Cell, ...]:
    cells: dict[Column, Cell] = {
        columns.SESSION: row.session_id,
        columns.AGENT: row.agent,
        columns.PROJECT: row.project or None,
        columns.UPDATED: known_time(row.updated_us),
        columns.ACTIVE: active_ms(row),
        columns.LASTED: lasted_ms(row),
        columns.CALLS: row.call_count,
        columns.FAILED: row.fail_count,
        columns.DENIED: row.denied_count,
        columns.TOKENS: known_tokens(row),
        columns.COST: cost_of(row),
        columns.HEALS: row.heal_trigger_count,
    }
    if wanted is FOR_PROGRAMS:
        cells |= {
            columns.HEALS_PASSED: row.heal_success_count,
            columns.HEALS_FAILED: row.heal_fail_count,
            columns.BISECTS: row.bisect_trigger_count,
            columns.LLM_CALLS: row.interaction_count,
            columns.UNPRICED: row.unpriced_tokens,
            columns.STARTED: known_time(row.started_us),
            columns.VERSION: row.version or None,
            columns.BRANCH: row.branch or None,
            columns.WORKTREE: row.worktree or None,
            columns.MODELS: ", ".join(row.models) or None,
            columns.TURNS: row.user_turn_count,
            columns.COMPACTIONS: row.compaction_count,
            columns.SUBAGENTS: row.subagent_tokens,
            columns.UNPAIRED: row.unpaired_count,
            columns.COST_PER_HOUR: per_hour(cost_of(row), row.active_us),
            columns.TOKENS_PER_HOUR: tokens_per_hour(row),
            columns.LAST_STAY: ms(row.last_stay_us),
            _PATH: row.path,
            _GONE: row.is_gone,
        }
    return tuple(cells[column] for column in wanted)


def labelled(labels: Mapping[str, str]) -> str | None:
    """Write labels as options have them; None for none."""
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items())) or None


def with_labels(table: Table, labels: Sequence[Mapping[str, str]]) -> Table:
    """Add the column of the labels, one for each row, where any of them has some."""
    if not any(labels):
        return table
    rows = [(*row, labelled(own)) for row, own in zip(table.rows, labels, strict=True)]
    return replace(table, columns=[*table.columns, columns.LABELS], rows=rows)


def with_titles(table: Table, titles: Sequence[Title], *, whole: bool) -> Table:
    """Add what people recognise sessions by, a title for each row; unchanged where none has one.

    `whole` is for programs: title and first words apart, as long as they are. People see the
    one or the other beside the session's id.
    """
    if not any(title.line for title in titles):
        return table
    rows = list(zip(table.rows, titles, strict=True))
    if whole:
        return replace(
            table,
            columns=[*table.columns, columns.TITLE, columns.FIRST_WORDS],
            rows=[(*row, title.title or None, title.first_words or None) for row, title in rows],
        )
    first, *rest = table.columns
    return replace(
        table,
        columns=[first, columns.TITLE, *rest],
        rows=[(row[0], _title_cell(title.line), *row[1:]) for row, title in rows],
    )


def _title_cell(line: str) -> str | None:
    return f"{line[: TITLE_CHARS - 1].rstrip()}…" if len(line) > TITLE_CHARS else line or None


def known_tokens(row: SessionRow | TotalsRow) -> int | None:
    """Give the tokens; None where nobody recorded LLM use, which is not the same as none."""
    return row.total_tokens if row.interaction_count or row.total_tokens else None


def cost_of(row: SessionRow | TotalsRow) -> float | None:
    """Give the cost in US dollars; None where nothing was recorded, or nothing priced."""
    return None if known_tokens(row) is None else known_usd(row.cost_nano, row.unpriced_tokens)


def known_time(at_us: int) -> datetime | None:
    """Give a time in UTC; None where nobody knows it, no clock was set, or no calendar has it."""
    return moment(at_us) if YEAR_1971_US <= at_us <= LATEST_US else None


def active_ms(row: SessionRow | TotalsRow) -> float | None:
    """Give the active time; None where nobody knows of any."""
    return ms(row.active_us) if row.active_us else None


def tokens_per_hour(row: SessionRow | TotalsRow) -> int | None:
    """Give the tokens per active hour, as a whole number; None where nothing can be said."""
    rate = per_hour(known_tokens(row), row.active_us)
    return None if rate is None else round(rate)


def lasted_ms(row: SessionRow) -> int | None:
    """Give the time from the first event to the last; None if not known."""
    if row.started_us <= 0 or row.updated_us < row.started_us:
        return None
    return (row.updated_us - row.started_us) // 1000


def listing(title: str, rows: Sequence[SessionRow], empty: str) -> Table:
    """List sessions on a page, in the order given."""
    table = _owned(Table(title, LISTED, [_listed(row) for row in rows], empty), rows)
    if any(row.is_gone for row in rows):
        table.notes.append("Some of these are known from the index alone: their files are gone.")
    return counted_only(table, columns.RARE)


def _listed(row: SessionRow) -> tuple[Cell, ...]:
    return (
        row.session_id,
        row.project or None,
        row.agent,
        known_time(row.updated_us),
        cost_of(row),
        known_tokens(row),
        row.call_count,
        row.fail_count,
        row.heal_trigger_count,
        active_ms(row),
        lasted_ms(row),
        row.denied_count,
        row.branch or None,
        ", ".join(row.models) or None,
    )


def head(row: SessionRow) -> Panel:
    """Show the sums of one session."""
    cells_of = dict(zip((column.name for column in LISTED), _listed(row), strict=True))
    cells: tuple[Cell, ...] = (
        *(cells_of[column.name] for column in HEAD[:-2]),
        row.user_turn_count,
        row.compaction_count,
    )
    table = counted_only(Table("Sums", HEAD, [cells]), columns.RARE)
    table.notes = unpriced(row.unpriced_tokens)
    return Panel(CARDS, table)
