"""Answers out of the index: SQLite asked, and its rollups where they can answer."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any

from msgspec.structs import replace

from m31a_metrics.answers import Slice, ToolRow, TotalsRow, label_of, part_of
from m31a_metrics.folding.reading import (
    WHOLES,
    PartRow,
    Reading,
    add_sums,
    key_of,
    total_row,
)
from m31a_metrics.histogram import Histogram
from m31a_metrics.history.rolled_up import rolled_up, rolled_up_ran
from m31a_metrics.measures import add_figures
from m31a_metrics.queries import Chosen, Dialect, Query, is_of_project, texts
from m31a_metrics.queries.tables import LLMS, RAN, SESSIONS_OF, SUMMED, TOOLS, Summed

_IN_NO_ROLLUP = ("branch", "session")


_RULES = str.maketrans({"[": "[[]", "?": "[?]"})
"""Of a name, what GLOB takes for rules: only `*` is one."""

DIALECT = Dialect(
    contains="instr({}, {}) > 0",
    begins="instr({}, {}) = 1",
    fits="{} GLOB {}",
    pattern=lambda name: name.translate(_RULES),
    week="date({}, '-6 days', 'weekday 1')",
    month="substr({}, 1, 7)",
    ran=f"GROUP_CONCAT({RAN}, '')",
)
"""SQLite's own words. A week is its Monday."""


class IndexReading(Reading):
    """The questions of `answers.Answers`, asked of one connection."""

    dialect = DIALECT
    has_failure_totals = True

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def leave_out(self, folders: Sequence[tuple[str, str]]) -> int:
        """Answer from now on without the sessions of these folders; how many these are.

        Each is given by who reads its sessions and its path. Where several files tell of a
        session, those decide that are there and that it is made of.
        """
        self.connection.execute("CREATE TEMP TABLE IF NOT EXISTS elsewhere (session PRIMARY KEY)")
        self.connection.execute("DELETE FROM elsewhere")
        self.left_out = ""
        if not folders:
            return 0
        among = " OR ".join(["(kind = ? AND folder = ?)"] * len(folders))
        best = "is_gone * 10 + rank"
        own = "FROM sources AS f WHERE f.agent = s.agent AND f.native_id = s.native_id"
        count = self.connection.execute(
            "INSERT INTO elsewhere SELECT session FROM sessions AS s WHERE (agent, native_id) IN "
            f"(SELECT agent, native_id FROM sources WHERE {among}) AND NOT EXISTS "
            f"(SELECT 1 {own} AND NOT ({among}) AND {best} = (SELECT MIN({best}) {own}))",
            [value for folder in folders for value in folder] * 2,
        ).rowcount
        if count:
            self.left_out = "session NOT IN (SELECT session FROM elsewhere)"
        return count

    def ask(self, query: Query) -> Iterator[tuple[Any, ...]]:
        """Give the rows of a query."""
        return self.connection.execute(query.text, query.parameters)

    @contextmanager
    def one_state(self) -> Iterator[None]:
        """Hold a read transaction: the state of the index that the first query finds."""
        if self.connection.in_transaction:
            yield
            return
        self.connection.execute("BEGIN")
        try:
            yield
        finally:
            self.connection.execute("COMMIT")

    def add_ran(self, histogram: Histogram, ran: str, longest_ms: float) -> None:
        """Add histograms whose texts were put one behind another."""
        histogram.merge_packed(ran, longest_ms)

    def choose(self, which: Slice, by: Sequence[str] = ()) -> Chosen:
        """Say in SQL what a slice means, and for the rollups which projects it does."""
        chosen = super().choose(which, by)
        if not ((which.project or which.folder) and chosen.is_simple):
            return chosen
        known = (name for (name,) in self.ask(texts.names("project")))
        return replace(chosen, projects=tuple(name for name in known if is_of_project(name, which)))

    def rolled_up_totals(self, chosen: Chosen, by: str) -> dict[str, TotalsRow] | None:
        """Give the sums of `totals` out of the rollups; None where they cannot answer."""
        if not chosen.is_simple or chosen.tool or not _is_rolled_up(by):
            return None
        rows: dict[str, TotalsRow] = {}
        for table, own in _PARTS_OF_TOTALS:
            for (part,), figures in rolled_up(self.ask, table, chosen, (by,)).items():
                add_figures(total_row(rows, part), SESSIONS_OF[table.name], own(figures))
        return rows

    def rolled_up(
        self, table: Summed, kind: type[PartRow], chosen: Chosen, by: tuple[str, ...]
    ) -> dict[tuple[str, ...], PartRow] | None:
        """Give sums by one or two keys out of the rollups; None where they cannot answer."""
        first = _first_column(table, by)
        if not _rollup_answers(table, chosen, by, first):
            return None
        rows: dict[tuple[str, ...], PartRow] = {}
        place = list(table.firsts).index(first) if first else None
        for key, figures in rolled_up(self.ask, table, chosen, by).items():
            row = rows[key] = kind(key[0])
            row.session_count = 0 if place is None else figures[place]
            add_sums(table, row, figures, len(table.firsts))
        if table is TOOLS:
            for part, ran in rolled_up_ran(self.ask, chosen, by[0]):
                row = rows[part,]
                if isinstance(row, ToolRow):
                    row.ran.merge(ran)
        if first:
            self._count_straddling(table, chosen, by, rows)
        else:
            self._count_used(table, chosen, by[0], rows)
        return rows

    def _count_straddling(
        self,
        table: Summed,
        chosen: Chosen,
        by: tuple[str, ...],
        rows: dict[tuple[str, ...], PartRow],
    ) -> None:
        """Count the sessions that the rollup counts on a day before the slice's."""
        which = chosen.which
        if not which.first_day:
            return
        before: set[tuple[Any, ...]] = set()
        within: set[tuple[Any, ...]] = set()
        for session, day, *values in self.ask(texts.straddling(table, chosen, by)):
            key: tuple[Any, ...] = (session, *key_of(by, values))
            if day < which.first_day:
                before.add(key)
            elif not which.last_day or day <= which.last_day:
                within.add(key)
        for counted in before & within:
            rows[counted[1:]].session_count += 1

    def _count_used(
        self, table: Summed, chosen: Chosen, by: str, rows: dict[tuple[str, ...], PartRow]
    ) -> None:
        """Count the sessions of each part from what their days add up to."""
        for part, count in self.ask(texts.counted(table, chosen, by)):
            row = rows.get((part_of(by, part),))
            if row is not None:
                row.session_count += count


_PARTS_OF_TOTALS = [
    (
        table,
        itemgetter(
            *(len(table.firsts) + table.sums.index(name) for name in SESSIONS_OF[table.name])
        ),
    )
    for table in SUMMED
]
"""What takes out of the figures of each table's rollups those that make up a total."""


def _rollup_answers(table: Summed, chosen: Chosen, by: tuple[str, ...], first: str) -> bool:
    """Tell whether a rollup knows all that is asked, and counts the sessions right."""
    if not chosen.is_simple or not all(map(_is_rolled_up, by)):
        return False
    if chosen.tool and table is not LLMS:
        # Sessions are counted by phase, day, ... over all tools.
        return table is TOOLS and by == ("tool",)
    return bool(first) or len(by) == 1


def _is_rolled_up(part: str) -> bool:
    return part not in _IN_NO_ROLLUP and not label_of(part)


def _first_column(table: Summed, by: tuple[str, ...]) -> str:
    """The column that counts the sessions of each of these parts; "" if there is none."""
    if len(by) == 2 and by[0] in WHOLES:
        by = by[1:]  # a session is of one agent and one project
    for name, columns in table.firsts.items():
        if sorted(columns) == sorted(by):
            return name
    return ""
