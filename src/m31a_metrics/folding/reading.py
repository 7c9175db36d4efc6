"""Answers out of any engine that has the index's tables: shared query texts, rows folded.

What an engine does its own way, its subclass says: how it is asked, its dialect, how it gives
histograms that it added up, whether answers of several queries are of one state, and what its
rollups, if it has any, can answer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

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
from m31a_metrics.histogram import Histogram
from m31a_metrics.measures import add_figures
from m31a_metrics.queries import Chosen, Dialect, Query, choose, grouped, only, texts
from m31a_metrics.queries.tables import (
    LLMS,
    OWNERS,
    PHASES,
    SESSION_FACTS,
    SESSION_SUMS,
    TOOLS,
    Summed,
)
from m31a_metrics.transcript import Effects, RateLimit

TIMES = ("day", "week", "month")
WHOLES = ("", "agent", "project", "branch")
THIS_WAY = "tool = :failed_tool AND line = :failed_line"
SESSIONS_NAMED = 5
"""So many sessions a way to fail names, the latest."""
_models = json.Decoder(list[str])
_labels = json.Decoder(dict[str, str])
_limits = json.Decoder(list[RateLimit])

_LIMITED = 200
"""Of so many of the latest sessions the limits of providers are looked at."""

_LATEST = 1_000
"""So many of the latest sessions are looked at for a text before all are."""

Values = Sequence[Any]
"""A row of a query."""
PartRow = TypeVar("PartRow", ToolRow, LLMRow, PhaseRow)

_Own = TypeVar("_Own", bound="Reading")
_Asked = ParamSpec("_Asked")
_Answer = TypeVar("_Answer")


def of_one_state(
    answer: Callable[Concatenate[_Own, _Asked], _Answer],
) -> Callable[Concatenate[_Own, _Asked], _Answer]:
    """Answer out of one state, where the engine can, though others write between the queries."""

    @wraps(answer)
    def within(own: _Own, /, *args: _Asked.args, **kwargs: _Asked.kwargs) -> _Answer:
        with own.one_state():
            return answer(own, *args, **kwargs)

    return within


class Reading(ABC):
    """The questions of `answers.Answers`, asked of an engine."""

    dialect: Dialect
    """What standard SQL has no words for, as the engine says it."""
    left_out = ""
    """A condition that every session must meet; "" for none."""
    sessions_at_once = 500
    """So many are asked for by number in one text."""
    has_failure_totals = False
    """Whether it keeps sums of all failures beside those of each session."""

    @abstractmethod
    def ask(self, query: Query) -> Iterator[tuple[Any, ...]]:
        """Give the rows of a query."""

    @abstractmethod
    def add_ran(self, histogram: Histogram, ran: Any, longest_ms: float) -> None:
        """Add what the dialect's `ran` gave, and the longest call (ms), to a histogram."""

    def one_state(self) -> AbstractContextManager[None]:
        """Hold one state for several queries, where the engine can."""
        return nullcontext()

    def rolled_up(
        self, table: Summed, kind: type[PartRow], chosen: Chosen, by: tuple[str, ...]
    ) -> dict[tuple[str, ...], PartRow] | None:
        """Give sums by one or two keys out of rollups; None: no rollup can answer."""
        del table, kind, chosen, by
        return None

    def rolled_up_totals(self, chosen: Chosen, by: str) -> dict[str, TotalsRow] | None:
        """Give the sums of `totals` out of rollups, without counts; None: no rollup can."""
        del chosen, by
        return None

    def lasted(self, chosen: Chosen, by: str) -> Iterator[tuple[str, int, int | None]]:
        """Give parts, how many sessions each has, and how long these lasted; a part may repeat."""
        is_of_time = by in TIMES
        asked = texts.lasted_on(chosen, by) if is_of_time else texts.lasted(chosen, by)
        for part, count, lasted_us in self.ask(asked):
            yield part_of(by, part), count, lasted_us

    @of_one_state
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
            for (since_us,) in self.ask(texts.latest(_LATEST)):
                few = replace(which, since_us=max(since_us, which.since_us or 0))
                found = self.session_rows(texts.sessions(self.choose(few), order, limit, offset))
                if len(found) == limit:
                    return found
        return self.session_rows(texts.sessions(self.choose(which), order, limit, offset))

    def session_rows(self, query: Query) -> list[SessionRow]:
        """Give the sessions of a query for them."""
        return [_session_row(values) for values in self.ask(query)]

    @of_one_state
    def parts(self, which: Slice, limit: int) -> list[SessionParts]:
        """Sessions one by one; of more than `limit`, so many, and the same ones each time."""
        chosen = self.choose(which)
        numbers = [row[0] for row in self.ask(texts.lot(chosen, limit))]
        found: list[SessionParts] = []
        at_once = self.sessions_at_once
        for start in range(0, len(numbers), at_once):
            found += self._parts_of(chosen, sorted(numbers[start : start + at_once]))
        return found

    def _parts_of(self, chosen: Chosen, numbers: list[int]) -> list[SessionParts]:
        some = only(chosen, numbers)
        rows = self.session_rows(texts.sessions(some, "session", None, 0))
        own = dict(zip(numbers, map(SessionParts, rows), strict=True))
        for part in own.values():
            part.tools, part.phases = [], []
        # By name, not added up: these are thousands of rows, and each is new.
        for key, session, *sums, ran, longest_ms in self.ask(texts.parts(TOOLS, some, "tool")):
            row = ToolRow(key, 1, **dict(zip(TOOLS.sums, sums, strict=True)))
            self.add_ran(row.ran, ran, longest_ms)
            own[session].tools.append(row)
        for key, session, *sums in self.ask(texts.parts(PHASES, some, "phase")):
            named = dict(zip(PHASES.sums, sums, strict=True))
            own[session].phases.append(PhaseRow(key, 1, **named))
        return list(own.values())

    def reading(self, which: Slice) -> ReadingRow:
        """What the rules of counting did to the sessions of a slice, for the audit."""
        ((count, *sums),) = self.ask(texts.readings(self.choose(which)))
        transcripts, tokens, unpaired, damage, *effects = (figure or 0 for figure in sums)
        return ReadingRow(count, transcripts, tokens, unpaired, damage, Effects(*effects))

    @of_one_state
    def rate_limits(self, which: Slice) -> list[RateLimitRow]:
        """Of each agent the limits of its provider, as they were told last."""
        latest: dict[tuple[str, str], RateLimitRow] = {}
        for agent, told in self.ask(texts.rate_limits(self.choose(which), _LIMITED)):
            for limit in _limits.decode(told):
                known = latest.get((agent, limit.name))
                if known is None or _told(known.limit) < _told(limit):
                    latest[agent, limit.name] = RateLimitRow(agent, limit)
        return [latest[key] for key in sorted(latest)]

    @of_one_state
    def totals(self, which: Slice, by: str = "") -> list[TotalsRow]:
        """Sums of all kinds: one row, or one for each day, week, month, or whole of sessions."""
        _check("totals", by, (*self.wholes, *TIMES))
        chosen = self.choose(which, (by,))
        found = self.rolled_up_totals(chosen, by)
        rows = {} if found is None else found
        if found is None:
            for part, *sums in self.ask(texts.totals(chosen, by)):
                if sums[0] is not None:
                    add_figures(total_row(rows, part_of(by, part)), SESSION_SUMS, sums)
        for part, count, lasted_us in self.lasted(chosen, by):
            row = total_row(rows, part)
            row.session_count += count
            row.lasted_us += lasted_us or 0
        return [row for row in rows.values() if row.session_count or not by]

    @of_one_state
    def tools(self, which: Slice, by: str = "tool") -> list[ToolRow]:
        """Calls by tool, phase, day, week, month, session, or a whole of sessions."""
        _check("tools", by, ("tool", "phase", "session", *self.wholes, *TIMES))
        return list(self._summed(TOOLS, ToolRow, which, (by,)).values())

    @of_one_state
    def llms(self, which: Slice, by: Sequence[str] = ("phase",)) -> list[LLMRow]:
        """LLM use by phase, model, day, week, month, session, or a whole of sessions.

        By two of them, the second being `model`, each row names its model too.
        """
        keys = tuple(by)
        if len(keys) == 2 and keys[1] == "model" and keys[0] != "model":
            keys = keys[:1]
        _check("llms", ", ".join(keys), ("phase", "model", "session", *self.wholes, *TIMES))
        rows = self._summed(LLMS, LLMRow, which, tuple(by))
        if len(tuple(by)) == 2:
            for key, row in rows.items():
                row.model = key[1]
        return list(rows.values())

    @of_one_state
    def phases(self, which: Slice, by: str = "phase") -> list[PhaseRow]:
        """Phases, or all of them together by day, week, month, session, or a whole of sessions."""
        _check("phases", by, ("phase", "session", *self.wholes, *TIMES))
        return list(self._summed(PHASES, PhaseRow, which, (by,)).values())

    def heals(self, which: Slice, limit: int | None = None) -> list[HealRow]:
        """Failures that agents set out to heal, the most expensive first, then the longest."""
        rows = []
        for values in self.ask(texts.heals(self.choose(which), limit)):
            row = HealRow(*values)
            row.passed = None if row.passed is None else bool(row.passed)
            row.loop = bool(row.loop)
            row.labels = _labels.decode(values[_HEAL_LABELS] or "{}")
            rows.append(row)
        return rows

    @of_one_state
    def failures(self, which: Slice, limit: int | None = None) -> list[FailureRow]:
        """The most frequent ways to fail first."""
        if which.phase:
            return []  # they are not kept by phase
        chosen = self.choose(which)
        in_totals = self.has_failure_totals and not chosen.sessions
        asked = texts.failures(chosen, limit, in_totals=in_totals)
        rows = [FailureRow(*values) for values in self.ask(asked)]
        self.name_sessions(chosen, rows)
        return rows

    def name_sessions(self, chosen: Chosen, rows: Sequence[FailureRow]) -> None:
        """Say of ways to fail in which sessions they were seen, the latest few."""
        for row in rows:
            way = {"failed_tool": row.tool, "failed_line": row.line}
            of_it = replace(chosen, parameters={**chosen.parameters, **way})
            named = texts.failed_in(of_it, THIS_WAY, str(4 * SESSIONS_NAMED))
            row.session_ids = latest_few(session_id for *_, session_id in self.ask(named))

    def details(
        self, of: str, which: Slice, facts: Sequence[str], columns: Sequence[str]
    ) -> Iterator[tuple[Any, ...]]:
        """Each row that a slice's sessions have in a table, read as it is asked for.

        `facts` of its session come before `columns` of its own; for exports.
        """
        return self.ask(texts.details(of, self.choose(which), facts, columns))

    @property
    def wholes(self) -> tuple[str, ...]:
        """What a session belongs to with all it has; labels apart."""
        return (*WHOLES, *self.dialect.more_facts)

    def choose(self, which: Slice, by: Sequence[str] = ()) -> Chosen:
        """Say in the engine's SQL what a slice means, to be grouped by these parts."""
        return grouped(choose(which, self.dialect, self.left_out), by)

    def _summed(
        self, table: Summed, kind: type[PartRow], which: Slice, by: tuple[str, ...]
    ) -> dict[tuple[str, ...], PartRow]:
        """Sum up a table by one or two keys, from its rollup where that can answer."""
        chosen = self.choose(which, by)
        found = self.rolled_up(table, kind, chosen, by)
        if found is not None:
            return found
        rows: dict[tuple[str, ...], PartRow] = {}
        for values in self.ask(texts.added_up(table, chosen, by)):
            counted = values[len(by)]
            if not counted:
                continue  # what is not grouped is one row, also of none
            row = part_row(kind, rows, by, values)
            row.session_count += counted
            begin = len(by) + 1
            add_sums(table, row, values, begin)
            if isinstance(row, ToolRow):
                self.add_ran(row.ran, *values[begin + len(table.sums) :])
        return rows


def latest_few(session_ids: Iterable[str]) -> list[str]:
    """The first few of them; one that failed so on several days comes several times."""
    return list(dict.fromkeys(session_ids))[:SESSIONS_NAMED]


_LABELS = SESSION_FACTS.index("labels")
_HEAL_LABELS = HealRow.__struct_fields__.index("labels")
_WHOLE_ROW = len(SessionRow.__struct_fields__)
_MODELS, _IS_GONE = SESSION_FACTS.index("models"), SESSION_FACTS.index("is_gone")


def key_of(by: tuple[str, ...], values: Values) -> tuple[str, ...]:
    """The part that a row of a query is of, by one or two keys."""
    return (part_of(by[0], values[0]), *values[1 : len(by)])


def part_row(
    kind: type[PartRow], rows: dict[tuple[str, ...], PartRow], by: tuple[str, ...], values: Values
) -> PartRow:
    """The part that a row of a query belongs to."""
    key = key_of(by, values)
    row = rows.get(key)
    if row is None:
        row = rows[key] = kind(key[0])
    return row


def add_sums(table: Summed, row: ToolRow | LLMRow | PhaseRow, values: Values, begin: int) -> None:
    """Add the sums of a table, which stand from `begin` on."""
    add_figures(row, table.sums, values[begin : begin + len(table.sums)])


def _session_row(values: Values) -> SessionRow:
    fields = list(values)
    if len(fields) < _WHOLE_ROW:
        fields[len(SESSION_FACTS) : len(SESSION_FACTS)] = [""] * len(OWNERS)
    fields[_LABELS] = _labels.decode(values[_LABELS] or "{}")
    fields[_MODELS] = _models.decode(values[_MODELS])
    fields[_IS_GONE] = bool(values[_IS_GONE])
    return convert(fields, SessionRow)  # a third of what giving each sum by its name costs


def _told(limit: RateLimit) -> tuple[float, ...]:
    """When a limit was told; of one moment the later and the fuller window is the last."""
    return limit.seen_us, limit.resets_us, limit.used_percent, limit.window_minutes


def total_row(rows: dict[str, TotalsRow], key: str) -> TotalsRow:
    """The row of a part, made where it is not there."""
    row = rows.get(key)
    if row is None:
        row = rows[key] = TotalsRow(key)
    return row


def _check(question: str, by: str, known: Iterable[str]) -> None:
    if by not in known and not label_of(by):
        raise ValueError(f"{question} cannot be grouped by {by!r}")
