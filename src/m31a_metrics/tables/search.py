"""What a search found: by session for people, a row for each place for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from m31a_metrics.answers import Found, Hit, SessionRow
from m31a_metrics.conversation import PartKind, Title
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.tables import columns
from m31a_metrics.tables.names import last_part, shortened
from m31a_metrics.tables.phrases import counted
from m31a_metrics.timestamps import moment
from m31a_metrics.transcript import SessionRef

_TURN = Column("turn", "Turn", Unit.COUNT)
_TIME = Column("time", "When", Unit.TIME)
_WHERE = Column("where", "In")
_LINE = Column("line", "Line", is_line=True)
_PLACE = Column("place", "Place")

FOR_PEOPLE = [_TURN, _TIME, _WHERE, columns.PHASE, _LINE, _PLACE]
FOR_PROGRAMS = [
    columns.SESSION,
    columns.AGENT,
    columns.PROJECT,
    _TURN,
    _TIME,
    Column("kind", "Kind"),
    columns.TOOL,
    Column("field", "Field"),
    columns.PHASE,
    Column("subagent", "Subagent"),
    _PLACE,
]
WITH_TEXT = [Column("title", "Title"), _LINE]
"""What was said, in addition, for whoever asks for it."""

_NAMES = {
    PartKind.PROMPT: "prompt",
    PartKind.ANSWER: "answer",
    PartKind.THINKING: "thinking",
    PartKind.NOTICE: "notice",
}
TOO_LONG = "(in the part of a long text that is not read)"


def where(hit: Hit) -> str:
    """Say in what it stands: a prompt, an answer, a tool's input or output."""
    name = f"{hit.tool or 'call'} {hit.field}" if hit.kind is PartKind.CALL else _NAMES[hit.kind]
    return f"{name} ({hit.author})" if hit.author else name


def by_session(found: Found) -> list[tuple[SessionRow, list[Hit]]]:
    """Put together what is of one session, in the order in which it was found."""
    rows: dict[SessionRef, tuple[SessionRow, list[Hit]]] = {}
    for hit in found.hits:
        rows.setdefault(hit.row.ref, (hit.row, []))[1].append(hit)
    return [(row, sorted(hits, key=_in_session)) for row, hits in rows.values()]


def _in_session(hit: Hit) -> tuple[bool, int]:
    return bool(hit.author), hit.t_us


def answer(found: Found, pattern: str, session_count: int, *, how: str) -> str:
    """Say in one sentence what was found, what more there may be, and `how` to see that."""
    searched = counted(session_count, "session")
    if not found.hits:
        return f"Nothing in {searched} says {pattern!r}."
    in_sessions = f"{found.session_count:,} of {searched}"
    places = counted(len(found.hits), "place")
    if found.is_whole and not found.more_records:
        return f"{places} in {in_sessions}."
    more = "there are more" if found.is_whole else "not all was looked through"
    how = f": {how}" if how else ""
    return f"The first {places}, in {in_sessions}; {more}{how}."


def listing(found: Found, titles: Mapping[SessionRef, Title]) -> list[Table]:
    """Show the places of each session in a table of its own."""
    tables = []
    shorter = shortened(("", row.session_id) for row, _ in by_session(found))
    for row, hits in by_session(found):
        title = titles.get(row.ref, Title()).line
        named = [shorter[row.session_id], row.agent, last_part(row.project), title]
        rows = [
            (
                hit.turn or None,
                moment(hit.t_us) if hit.t_us else None,
                where(hit),
                hit.phase or None,
                hit.line.strip() or TOO_LONG,
                hit.place,
            )
            for hit in hits
        ]
        tables.append(Table(" · ".join(filter(None, named)), FOR_PEOPLE, [*rows]))
    if tables:
        first = found.hits[0]
        name = shorter[first.row.session_id]
        tables[-1].notes = [f"Open the first: m31 open {name} --at {first.place}"]
    return tables


def hits(found: Found, titles: Mapping[SessionRef, Title], *, with_text: bool) -> Table:
    """Give each place a row; `with_text`: with titles and the lines that were found."""
    rows: list[tuple[Cell, ...]] = []
    for hit in found.hits:
        row = hit.row
        cells: tuple[Cell, ...] = (
            *(row.session_id, row.agent, row.project or None, hit.turn or None),
            moment(hit.t_us) if hit.t_us else None,
            *(hit.kind.value, hit.tool or None, hit.field or None, hit.phase or None),
            *(hit.author or None, hit.place),
        )
        if with_text:
            cells += (titles.get(row.ref, Title()).line or None, hit.line or None)
        rows.append(cells)
    wanted: Sequence[Column] = (*FOR_PROGRAMS, *(WITH_TEXT if with_text else ()))
    return Table("Places", list(wanted), rows, "Nothing says it.")
