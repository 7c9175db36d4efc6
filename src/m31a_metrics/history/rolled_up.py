"""Rows of the rollups, added up by what a question asks for."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any

from m31a_metrics.answers import part_of
from m31a_metrics.folding.rows import Key, Sums, add_to
from m31a_metrics.histogram import Histogram
from m31a_metrics.history.packing import unpacked, unpacked_ran, unpacked_whole
from m31a_metrics.queries import Chosen, Query, texts
from m31a_metrics.queries.tables import DAY, MONTH, RAN_PARTS, WHOLES, Summed

Ask = Callable[[Query], Iterable[tuple[Any, ...]]]


def rolled_up(ask: Ask, table: Summed, chosen: Chosen, by: Sequence[str]) -> dict[Key, Sums]:
    """The firsts and the sums of a table, by one or two keys."""
    sums: dict[Key, Sums] = {}
    dimensions = [table.dimensions.index(key) for key in by if key in table.dimensions]
    if not dimensions:
        for outer, total in _rows(ask, WHOLES[table.name], chosen, by[0]):
            add_to(sums, (outer,), unpacked_whole(total))
        return sums
    tool = chosen.which.tool if "tool" in table.dimensions else ""
    inner = itemgetter(*dimensions) if len(dimensions) > 1 else None
    for outer, packed in _rows(ask, table.name, chosen, by[0]):
        before = () if by[0] in table.dimensions else (outer,)
        for key, figures in unpacked(packed).items():
            if not tool or key[0] == tool:
                own = inner(key) if inner is not None else (key[dimensions[0]],)
                add_to(sums, (*before, *own), figures)
    return sums


def rolled_up_ran(ask: Ask, chosen: Chosen, by: str) -> Iterator[tuple[str, Histogram]]:
    """Histograms of what `rolled_up` adds up, by one key."""
    part, named = next(
        (item for item in RAN_PARTS.items() if item[1] == by), ("phase_ran", "phase")
    )
    tool = chosen.which.tool
    for outer, packed in _rows(ask, part, chosen, by):
        for name, ran in unpacked_ran(packed).items():
            if not tool or name == tool:
                yield (name if by == named else outer), ran


def _rows(ask: Ask, column: str, chosen: Chosen, by: str) -> Iterator[tuple[str, bytes]]:
    """Each row that a slice is made of: what it is by time, agent or project, and the column."""
    which = chosen.which
    by_day = by in ("day", "week")
    for stretch in (
        [(DAY, which.first_day, which.last_day)]
        if by_day
        else stretches(which.first_day, which.last_day)
    ):
        query = texts.rolled_up(column, chosen, stretch, apart=by == "project")
        for span, agent, project, packed in ask(query):
            if not packed:
                continue
            if by in texts.OF_TIME:
                yield part_of(by, span), packed
            else:
                yield {"agent": agent, "project": project}.get(by, ""), packed


def stretches(first: str, last: str) -> list[tuple[str, str, str]]:
    """Cut a stretch of days into whole months and the days before and after them.

    Each is a grain, and its first and last span; "" is no bound.
    """
    if first and last and first > last:
        return []
    cut: list[tuple[str, str, str]] = []
    begin, end = first[:7], last[:7]
    if first and not first.endswith("-01"):
        if begin == end and last:
            return [(DAY, first, last)]
        cut.append((DAY, first, f"{begin}-31"))
        begin = _next(begin)
    if last and int(last[8:]) < monthrange(int(last[:4]), int(last[5:7]))[1]:
        cut.append((DAY, f"{end}-01", last))
        end = _before(end)
    if not (begin and end and begin > end):
        cut.append((MONTH, begin, end))
    return cut


def _next(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year + number // 12:04}-{number % 12 + 1:02}"


def _before(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year - (number == 1):04}-{(number - 2) % 12 + 1:02}"
