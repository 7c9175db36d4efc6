"""Answers out of any engine that has the index's tables: shared query texts, rows folded.

What an engine does its own way, its subclass says: how it is asked, how a text is looked for
and histograms are joined, whether answers of several queries are of one state, and what its
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
from m31a_metrics.histogram import Histogram, unpack
from m31a_metrics.measures import add_figures
from m31a_metrics.queries import Chosen, Query, choose, grouped, only, texts
from m31a_metrics.queries.tables import (
    LLMS,
    PHASES,
    SESSION_FACTS,
    SESSION_SUMS,
    TOOLS,
    Summed,
)
from m31a_metrics.transcript import Effects, RateLimit

TIMES = ("day", "week", "month")
WHOLES = ("", "agent", "project", "branch")
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

    contains = "instr({}, {}) > 0"
    """Whether a text holds another, in the engine's words."""
    joined = "GROUP_CONCAT({}, '')"
    """Texts put one behind another, in the engine's words; "": it adds histograms up (`ran`)."""
    left_out = ""
    """A condition that every session must meet; "" for none."""

    @abstractmethod
    def ask(self, query: Query) -> Iterator[tuple[Any, ...]]:
        """Give the rows of a query."""

    def one_state(self) -> AbstractContextManager[None]:
        """Hold one state for several queries, where the engine can."""
        return nullcontext()

    def ran(
        self, chosen: Chosen, keys: tuple[str, ...]
    ) -> Iterator[tuple[tuple[Any, ...], Histogram]]:
        """Give the histograms by these keys that the engine added up, where it does."""
        del chosen, keys
        return iter(())

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

    def names(self, column: str) -> list[str]:
        """Every project, branch or model that there is."""
        if column == "model":
            every = texts.added_up(LLMS, choose(Slice(), self.names, ""), ("model",))
            return [model for model, *_ in self.ask(every)]
        return [name for (name,) in self.ask(texts.names(column))]

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
                found = self._sessions(texts.sessions(self._choose(few), order, limit, offset))
                if len(found) == limit:
                    return found
        return self._sessions(texts.sessions(self._choose(which), order, limit, offset))

    def _sessions(self, query: Query) -> list[SessionRow]:
        return [_session_row(values) for values in self.ask(query)]

    @of_one_state
    def parts(self, which: Slice, limit: int) -> list[SessionParts]:
        """Sessions one by one; of more than `limit`, so many, and the same ones each time."""
        chosen = self._choose(which)
        numbers = [row[0] for row in self.ask(texts.lot(chosen, limit))]
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
        ran = {
            (tool, session): one for (tool, session), one in self.ran(some, ("tool", texts.NUMBER))
        }
        # By name, not added up: these are thousands of rows, and each is new.
        for key, session, *sums in self.ask(
            texts.parts(TOOLS, some, ("tool",), joined=self.joined)
        ):
            named = dict(zip(TOOLS.sums, sums, strict=False))
            told = unpack(*sums[-2:]) if self.joined else ran.get((key, session), Histogram())
            own[session].tools.append(ToolRow(key, 1, told, **named))
        for key, session, *sums in self.ask(texts.parts(PHASES, some, ("phase",))):
            named = dict(zip(PHASES.sums, sums, strict=True))
            own[session].phases.append(PhaseRow(key, 1, **named))
        return list(own.values())

    def reading(self, which: Slice) -> ReadingRow:
        """What the rules of counting did to the sessions of a slice, for the audit."""
        ((count, *sums),) = self.ask(texts.readings(self._choose(which)))
        transcripts, tokens, unpaired, damage, *effects = (figure or 0 for figure in sums)
        return ReadingRow(count, transcripts, tokens, unpaired, damage, Effects(*effects))

    @of_one_state
    def rate_limits(self, which: Slice) -> list[RateLimitRow]:
        """Of each agent the limits of its provider, as they were told last."""
        latest: dict[tuple[str, str], RateLimitRow] = {}
        for agent, told in self.ask(texts.rate_limits(self._choose(which), _LIMITED)):
            for limit in _limits.decode(told):
                known = latest.get((agent, limit.name))
                if known is None or _told(known.limit) < _told(limit):
                    latest[agent, limit.name] = RateLimitRow(agent, limit)
        return [latest[key] for key in sorted(latest)]

    @of_one_state
    def totals(self, which: Slice, by: str = "") -> list[TotalsRow]:
        """Sums of all kinds: one row, or one for each day, week, month, or whole of sessions."""
        _check("totals", by, WHOLES + TIMES)
        chosen = self._choose(which, (by,))
        key = "day" if by in TIMES else by
        found = self.rolled_up_totals(chosen, by)
        rows = {} if found is None else found
        if found is None:
            for part, *sums in self.ask(texts.totals(chosen, key)):
                if sums[0] is not None:
                    add_figures(total_row(rows, part_of(by, part)), SESSION_SUMS, sums)
        counts = texts.lasted_on(chosen) if key == "day" else texts.lasted(chosen, key)
        for part, count, lasted_us in self.ask(counts):
            row = total_row(rows, part_of(by, part))
            row.session_count += count
            row.lasted_us += lasted_us or 0
        if by in ("week", "month"):
            for part, lasted_us in self.repeated(by, texts.lasting(chosen)):
                rows[part].session_count -= 1
                rows[part].lasted_us -= lasted_us
        return [row for row in rows.values() if row.session_count or not by]

    @of_one_state
    def tools(self, which: Slice, by: str = "tool") -> list[ToolRow]:
        """Calls by tool, phase, day, week, month, session, or a whole of sessions."""
        _check("tools", by, ("tool", "phase", "session", *WHOLES, *TIMES))
        return list(self._summed(TOOLS, ToolRow, which, (by,)).values())

    @of_one_state
    def llms(self, which: Slice, by: Sequence[str] = ("phase",)) -> list[LLMRow]:
        """LLM use by phase, model, day, week, month, session, or a whole of sessions.

        By two of them, the second being `model`, each row names its model too.
        """
        keys = tuple(by)
        if len(keys) == 2 and keys[1] == "model" and keys[0] != "model":
            keys = keys[:1]
        _check("llms", ", ".join(keys), ("phase", "model", "session", *WHOLES, *TIMES))
        rows = self._summed(LLMS, LLMRow, which, tuple(by))
        if len(tuple(by)) == 2:
            for key, row in rows.items():
                row.model = key[1]
        return list(rows.values())

    @of_one_state
    def phases(self, which: Slice, by: str = "phase") -> list[PhaseRow]:
        """Phases, or all of them together by day, week, month, session, or a whole of sessions."""
        _check("phases", by, ("phase", "session", *WHOLES, *TIMES))
        return list(self._summed(PHASES, PhaseRow, which, (by,)).values())

    def heals(self, which: Slice, limit: int | None = None) -> list[HealRow]:
        """Failures that agents set out to heal, the most expensive first, then the longest."""
        rows = []
        for values in self.ask(texts.heals(self._choose(which), limit)):
            row = HealRow(*values)
            row.passed = None if row.passed is None else bool(row.passed)
            row.loop = bool(row.loop)
            row.labels = _labels.decode(values[-1] or "{}")
            rows.append(row)
        return rows

    @of_one_state
    def failures(self, which: Slice, limit: int | None = None) -> list[FailureRow]:
        """The most frequent ways to fail first."""
        if which.phase:
            return []  # they are not kept by phase
        chosen = self._choose(which)
        rows = [FailureRow(*values) for values in self.ask(texts.failures(chosen, limit))]
        for row in rows:
            # One that went on over midnight comes twice.
            named = texts.failed_in(chosen, row.tool, row.line, 4 * _SESSIONS_NAMED)
            latest = dict.fromkeys(session_id for (session_id,) in self.ask(named))
            row.session_ids = list(latest)[:_SESSIONS_NAMED]
        return rows

    def details(
        self, of: str, which: Slice, facts: Sequence[str], columns: Sequence[str]
    ) -> Iterator[tuple[Any, ...]]:
        """Each row that a slice's sessions have in a table, read as it is asked for.

        `facts` of its session come before `columns` of its own; for exports.
        """
        return self.ask(texts.details(of, self._choose(which), facts, columns))

    def _choose(self, which: Slice, by: Iterable[str] = ()) -> Chosen:
        chosen = choose(which, self.names, self.contains, self.left_out)
        return grouped(chosen, by)

    def _summed(
        self, table: Summed, kind: type[PartRow], which: Slice, by: tuple[str, ...]
    ) -> dict[tuple[str, ...], PartRow]:
        """Sum up a table by one or two keys, from its rollup where that can answer."""
        chosen = self._choose(which, by)
        found = self.rolled_up(table, kind, chosen, by)
        return self._from_sessions(table, kind, chosen, by) if found is None else found

    def _from_sessions(
        self, table: Summed, kind: type[PartRow], chosen: Chosen, by: tuple[str, ...]
    ) -> dict[tuple[str, ...], PartRow]:
        rows: dict[tuple[str, ...], PartRow] = {}
        of_several_days = not {"week", "month"}.isdisjoint(by)
        text = texts.parts if of_several_days else texts.added_up
        seen: set[tuple[object, ...]] = set()
        for values in self.ask(text(table, chosen, by, joined=self.joined)):
            counted = values[len(by)]
            if not counted:
                continue  # some engines have one row of all, though there is none
            row = part_row(kind, rows, by, values)
            add_sums(table, row, values, len(by) + 1)
            if not of_several_days:
                row.session_count = counted
            elif (session := (counted, key_of(by, values))) not in seen:
                seen.add(session)
                row.session_count += 1
        if table is TOOLS and not self.joined:
            for values, ran in self.ran(chosen, by):
                of_tool = part_row(kind, rows, by, values)
                if isinstance(of_tool, ToolRow):
                    of_tool.ran.merge(ran)
        return rows

    def repeated(self, by: str, query: Query) -> Iterator[tuple[str, int]]:
        """Each time that a session has a further day in a week or month it is counted in."""
        seen: set[tuple[int, str]] = set()
        for session, day, lasted_us in self.ask(query):
            part = part_of(by, day)
            if (session, part) in seen:
                yield part, lasted_us
            seen.add((session, part))


_LABELS = SESSION_FACTS.index("labels")
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
    """Add the sums of a table, and its histogram behind them, from `begin` on."""
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


def total_row(rows: dict[str, TotalsRow], key: str) -> TotalsRow:
    """The row of a part, made where it is not there."""
    row = rows.get(key)
    if row is None:
        row = rows[key] = TotalsRow(key)
    return row


def _check(question: str, by: str, known: Iterable[str]) -> None:
    if by not in known and not label_of(by):
        raise ValueError(f"{question} cannot be grouped by {by!r}")
