"""Answers out of the index: the shared query texts asked of SQLite, and their rows folded."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, TypeVar

from msgspec import convert, json
from msgspec.structs import replace

from m31a_metrics.answers import (
    FailureRow,
    HealRow,
    LLMRow,
    PhaseRow,
    RateLimitRow,
    ReadingRow,
    SessionParts,
    SessionRow,
    Slice,
    ToolRow,
    TotalsRow,
    label_of,
    part_of,
)
from m31a_metrics.histogram import unpack
from m31a_metrics.history.connection import in_read_transaction
from m31a_metrics.history.folding import rolled_up, rolled_up_ran
from m31a_metrics.measures import add_figures
from m31a_metrics.queries import Chosen, Query, choose, grouped, only, texts
from m31a_metrics.queries.tables import (
    LLMS,
    PHASES,
    SESSION_FACTS,
    SESSION_SUMS,
    SESSIONS_OF,
    SUMMED,
    TOOLS,
    Summed,
)
from m31a_metrics.transcript import Effects, RateLimit

_TIMES = ("day", "week", "month")
_WHOLES = ("", "agent", "project", "branch")
_IN_NO_ROLLUP = ("branch", "session")
_SESSIONS_NAMED = 5
_models = json.Decoder(list[str])
_labels = json.Decoder(dict[str, str])
_limits = json.Decoder(list[RateLimit])

_LIMITED = 200
"""Of so many of the latest sessions the limits of providers are looked at."""

_LATEST = 1_000
"""So many of the latest sessions are looked at for a text before all are."""

_AT_ONCE = 500
"""Sessions that are asked for by number in one text."""

_JOINED = "GROUP_CONCAT({}, '')"

Values = Sequence[Any]
"""A row of a query."""
_Row = TypeVar("_Row", ToolRow, LLMRow, PhaseRow)


class Reading:
    """The questions of `answers.Answers`, asked of one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._left_out = ""

    def leave_out(self, folders: Sequence[tuple[str, str]]) -> int:
        """Answer from now on without the sessions of these folders; how many these are.

        Each is given by who reads its sessions and its path. Where several files tell of a
        session, those decide that are there and that it is made of.
        """
        self.connection.execute("CREATE TEMP TABLE IF NOT EXISTS elsewhere (session PRIMARY KEY)")
        self.connection.execute("DELETE FROM elsewhere")
        self._left_out = ""
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
            self._left_out = "session NOT IN (SELECT session FROM elsewhere)"
        return count

    @in_read_transaction
    def sessions(
        self,
        which: Slice,
        *,
        sort: str = "updated_us",
        descending: bool = True,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[SessionRow]:
        """Sessions in the order of a field of SessionRow. Raises ValueError for another."""
        if sort not in SESSION_FACTS + SESSION_SUMS:
            raise ValueError(f"sessions cannot be sorted by {sort!r}")
        order = f"{sort} {'DESC' if descending else 'ASC'}, session_id, agent"
        if which.text and sort == "updated_us" and descending and limit is not None:
            # What many sessions hold is found among the latest; the others need not be looked at.
            for (since_us,) in self._ask(texts.latest(_LATEST)):
                few = replace(which, since_us=max(since_us, which.since_us or 0))
                found = self._sessions(texts.sessions(self._choose(few), order, limit, offset))
                if len(found) == limit:
                    return found
        return self._sessions(texts.sessions(self._choose(which), order, limit, offset))

    def _sessions(self, query: Query) -> list[SessionRow]:
        return [_session_row(values) for values in self._ask(query)]

    @in_read_transaction
    def parts(self, which: Slice, limit: int) -> list[SessionParts]:
        """Sessions one by one; of more than `limit`, so many, and the same ones each time."""
        chosen = self._choose(which)
        numbers = [row[0] for row in self._ask(texts.lot(chosen, limit))]
        found: list[SessionParts] = []
        for start in range(0, len(numbers), _AT_ONCE):
            found += self._parts_of(chosen, sorted(numbers[start : start + _AT_ONCE]))
        return found

    def _parts_of(self, chosen: Chosen, numbers: list[int]) -> list[SessionParts]:
        some = only(chosen, numbers)
        rows = self._sessions(texts.sessions(some, "session", None, 0))
        own = dict(zip(numbers, map(SessionParts, rows), strict=True))
        for part in own.values():
            part.tools, part.phases = [], []
        # By name, not added up: these are thousands of rows, and each is new.
        for key, session, *sums, ran, longest_ms in self._ask(
            texts.parts(TOOLS, some, ("tool",), joined=_JOINED)
        ):
            named = dict(zip(TOOLS.sums, sums, strict=True))
            own[session].tools.append(ToolRow(key, 1, unpack(ran, longest_ms), **named))
        for key, session, *sums in self._ask(texts.parts(PHASES, some, ("phase",))):
            named = dict(zip(PHASES.sums, sums, strict=True))
            own[session].phases.append(PhaseRow(key, 1, **named))
        return list(own.values())

    def reading(self, which: Slice) -> ReadingRow:
        """What the rules of counting did to the sessions of a slice, for the audit."""
        ((count, *sums),) = self._ask(texts.readings(self._choose(which)))
        transcripts, tokens, unpaired, damage, *effects = (figure or 0 for figure in sums)
        return ReadingRow(count, transcripts, tokens, unpaired, damage, Effects(*effects))

    @in_read_transaction
    def rate_limits(self, which: Slice) -> list[RateLimitRow]:
        """Of each agent the limits of its provider, as they were told last."""
        latest: dict[tuple[str, str], RateLimitRow] = {}
        for agent, told in self._ask(texts.rate_limits(self._choose(which), _LIMITED)):
            for limit in _limits.decode(told):
                known = latest.get((agent, limit.name))
                if known is None or _told(known.limit) < _told(limit):
                    latest[agent, limit.name] = RateLimitRow(agent, limit)
        return [latest[key] for key in sorted(latest)]

    @in_read_transaction
    def totals(self, which: Slice, by: str = "") -> list[TotalsRow]:
        """Sums of all kinds: one row, or one for each day, week, month, or whole of sessions."""
        _check("totals", by, _WHOLES + _TIMES)
        chosen = self._choose(which, (by,))
        key = "day" if by in _TIMES else by
        rows: dict[str, TotalsRow] = {}
        if chosen.is_simple and not chosen.tool and _is_rolled_up(by):
            self._add_rolled_up(chosen, by, rows)
        else:
            for part, *sums in self._ask(texts.totals(chosen, key)):
                if sums[0] is not None:
                    add_figures(_row(rows, part_of(by, part)), SESSION_SUMS, sums)
        counts = texts.lasted_on(chosen) if key == "day" else texts.lasted(chosen, key)
        for part, count, lasted_us in self._ask(counts):
            row = _row(rows, part_of(by, part))
            row.session_count += count
            row.lasted_us += lasted_us or 0
        if by in ("week", "month"):
            for part, lasted_us in self._repeated(by, texts.lasting(chosen)):
                rows[part].session_count -= 1
                rows[part].lasted_us -= lasted_us
        return [row for row in rows.values() if row.session_count or not by]

    def _add_rolled_up(self, chosen: Chosen, by: str, rows: dict[str, TotalsRow]) -> None:
        for table, own in _PARTS_OF_TOTALS:
            for (part,), figures in rolled_up(self._ask, table, chosen, (by,)).items():
                add_figures(_row(rows, part), SESSIONS_OF[table.name], own(figures))

    @in_read_transaction
    def tools(self, which: Slice, by: str = "tool") -> list[ToolRow]:
        """Calls by tool, phase, day, week, month, session, or a whole of sessions."""
        _check("tools", by, ("tool", "phase", "session", *_WHOLES, *_TIMES))
        return list(self._summed(TOOLS, ToolRow, which, (by,)).values())

    @in_read_transaction
    def llms(self, which: Slice, by: Sequence[str] = ("phase",)) -> list[LLMRow]:
        """LLM use by phase, model, day, week, month, session, or a whole of sessions.

        By two of them, the second being `model`, each row names its model too.
        """
        keys = tuple(by)
        if len(keys) == 2 and keys[1] == "model" and keys[0] != "model":
            keys = keys[:1]
        _check("llms", ", ".join(keys), ("phase", "model", "session", *_WHOLES, *_TIMES))
        rows = self._summed(LLMS, LLMRow, which, tuple(by))
        if len(tuple(by)) == 2:
            for key, row in rows.items():
                row.model = key[1]
        return list(rows.values())

    @in_read_transaction
    def phases(self, which: Slice, by: str = "phase") -> list[PhaseRow]:
        """Phases, or all of them together by day, week, month, session, or a whole of sessions."""
        _check("phases", by, ("phase", "session", *_WHOLES, *_TIMES))
        return list(self._summed(PHASES, PhaseRow, which, (by,)).values())

    def heals(self, which: Slice, limit: int | None = None) -> list[HealRow]:
        """Failures that agents set out to heal, the most expensive first, then the longest."""
        rows = []
        for values in self._ask(texts.heals(self._choose(which), limit)):
            row = HealRow(*values)
            row.passed = None if row.passed is None else bool(row.passed)
            row.loop = bool(row.loop)
            row.labels = _labels.decode(values[-1] or "{}")
            rows.append(row)
        return rows

    @in_read_transaction
    def failures(self, which: Slice, limit: int | None = None) -> list[FailureRow]:
        """The most frequent ways to fail first."""
        if which.phase:
            return []  # they are not kept by phase
        chosen = self._choose(which)
        rows = [FailureRow(*values) for values in self._ask(texts.failures(chosen, limit))]
        for row in rows:
            # One that went on over midnight comes twice.
            named = texts.failed_in(chosen, row.tool, row.line, 4 * _SESSIONS_NAMED)
            latest = dict.fromkeys(session_id for (session_id,) in self._ask(named))
            row.session_ids = list(latest)[:_SESSIONS_NAMED]
        return rows

    def details(
        self, of: str, which: Slice, facts: Sequence[str], columns: Sequence[str]
    ) -> Iterator[tuple[Any, ...]]:
        """Each row that a slice's sessions have in a table, read as it is asked for.

        `facts` of its session come before `columns` of its own; for exports.
        """
        return self._ask(texts.details(of, self._choose(which), facts, columns))

    def _ask(self, query: Query) -> Iterator[tuple[Any, ...]]:
        return self.connection.execute(query.text, query.parameters)

    def _choose(self, which: Slice, by: Iterable[str] = ()) -> Chosen:
        chosen = choose(which, self._names, "instr({}, {}) > 0", self._left_out)
        return grouped(chosen, by)

    def _names(self, column: str) -> list[str]:
        if column == "model":
            every = rolled_up(self._ask, LLMS, choose(Slice(), self._names, ""), ("model",))
            return [model for (model,) in every]
        return [name for (name,) in self._ask(texts.names(column))]

    def _summed(
        self, table: Summed, kind: type[_Row], which: Slice, by: tuple[str, ...]
    ) -> dict[tuple[str, ...], _Row]:
        """Sum up a table by one or two keys, from its rollup where that can answer."""
        chosen = self._choose(which, by)
        first = _first_column(table, by)
        if _rollup_answers(table, chosen, by, first):
            return self._from_rollup(table, kind, chosen, by, first)
        return self._from_sessions(table, kind, chosen, by)

    def _from_rollup(
        self, table: Summed, kind: type[_Row], chosen: Chosen, by: tuple[str, ...], first: str
    ) -> dict[tuple[str, ...], _Row]:
        rows: dict[tuple[str, ...], _Row] = {}
        place = list(table.firsts).index(first) if first else None
        for key, figures in rolled_up(self._ask, table, chosen, by).items():
            row = rows[key] = kind(key[0])
            row.session_count = 0 if place is None else figures[place]
            _add_sums(table, row, figures, len(table.firsts))
        if table is TOOLS:
            for part, ran in rolled_up_ran(self._ask, chosen, by[0]):
                row = rows[part,]
                if isinstance(row, ToolRow):
                    row.ran.merge(ran)
        if first:
            self._count_straddling(table, chosen, by, rows)
        else:
            self._count_used(table, chosen, by[0], rows)
        return rows

    def _from_sessions(
        self, table: Summed, kind: type[_Row], chosen: Chosen, by: tuple[str, ...]
    ) -> dict[tuple[str, ...], _Row]:
        rows: dict[tuple[str, ...], _Row] = {}
        of_several_days = not {"week", "month"}.isdisjoint(by)
        text = texts.parts if of_several_days else texts.added_up
        seen: set[tuple[object, ...]] = set()
        for values in self._ask(text(table, chosen, by, joined=_JOINED)):
            row = _part(kind, rows, by, values)
            _add_sums(table, row, values, len(by) + 1)
            counted = values[len(by)]
            if not of_several_days:
                row.session_count = counted
            elif (session := (counted, _key(by, values))) not in seen:
                seen.add(session)
                row.session_count += 1
        return rows

    def _count_straddling(
        self,
        table: Summed,
        chosen: Chosen,
        by: tuple[str, ...],
        rows: dict[tuple[str, ...], _Row],
    ) -> None:
        """Count the sessions that the rollup counts on a day before the slice's."""
        which = chosen.which
        if not which.first_day:
            return
        before: set[tuple[Any, ...]] = set()
        within: set[tuple[Any, ...]] = set()
        for session, day, *values in self._ask(texts.straddling(table, chosen, by)):
            key: tuple[Any, ...] = (session, *_key(by, values))
            if day < which.first_day:
                before.add(key)
            elif not which.last_day or day <= which.last_day:
                within.add(key)
        for counted in before & within:
            rows[counted[1:]].session_count += 1

    def _count_used(
        self, table: Summed, chosen: Chosen, by: str, rows: dict[tuple[str, ...], _Row]
    ) -> None:
        """Count the sessions of each part from what their days add up to."""
        key = "day" if by in _TIMES else by
        for part, count in self._ask(texts.counted(table, chosen, key)):
            row = rows.get((part_of(by, part),))
            if row is not None:
                row.session_count += count
        if by in ("week", "month"):
            for part, _ in self._repeated(by, texts.used_on(table, chosen)):
                rows[part,].session_count -= 1

    def _repeated(self, by: str, query: Query) -> Iterator[tuple[str, int]]:
        """Each time that a session has a further day in a week or month it is counted in."""
        seen: set[tuple[int, str]] = set()
        for session, day, lasted_us in self._ask(query):
            part = part_of(by, day)
            if (session, part) in seen:
                yield part, lasted_us
            seen.add((session, part))


_LABELS = SESSION_FACTS.index("labels")
_MODELS, _IS_GONE = SESSION_FACTS.index("models"), SESSION_FACTS.index("is_gone")
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
    if len(by) == 2 and by[0] in _WHOLES:
        by = by[1:]  # a session is of one agent and one project
    for name, columns in table.firsts.items():
        if sorted(columns) == sorted(by):
            return name
    return ""


def _key(by: tuple[str, ...], values: Sequence[Any]) -> tuple[str, ...]:
    return (part_of(by[0], values[0]), *values[1 : len(by)])


def _part(
    kind: type[_Row], rows: dict[tuple[str, ...], _Row], by: tuple[str, ...], values: Values
) -> _Row:
    """The part that a row of a query belongs to."""
    key = _key(by, values)
    row = rows.get(key)
    if row is None:
        row = rows[key] = kind(key[0])
    return row


def _add_sums(table: Summed, row: ToolRow | LLMRow | PhaseRow, values: Values, begin: int) -> None:
    end = begin + len(table.sums)
    add_figures(row, table.sums, values[begin:end])
    if isinstance(row, ToolRow) and len(values) > end:
        row.ran.merge_packed(*values[end:])


def _session_row(values: Values) -> SessionRow:
    fields = list(values)
    fields[_LABELS] = _labels.decode(values[_LABELS] or "{}")
    fields[_MODELS] = _models.decode(values[_MODELS])
    fields[_IS_GONE] = bool(values[_IS_GONE])
    return convert(fields, SessionRow)  # a third of what giving each sum by its name costs


def _told(limit: RateLimit) -> tuple[float, ...]:
    """When a limit was told; of one moment the later and the fuller window is the last."""
    return limit.seen_us, limit.resets_us, limit.used_percent, limit.window_minutes


def _row(rows: dict[str, TotalsRow], key: str) -> TotalsRow:
    row = rows.get(key)
    if row is None:
        row = rows[key] = TotalsRow(key)
    return row


def _check(question: str, by: str, known: Iterable[str]) -> None:
    if by not in known and not label_of(by):
        raise ValueError(f"{question} cannot be grouped by {by!r}")
