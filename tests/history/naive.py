"""What the answers must be: every question asked of a list of records, without an index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from typing import Any, TypeVar

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
)
from m31a_metrics.record import SessionRecord
from m31a_metrics.transcript import Effects, RateLimit

Row = TypeVar("Row", ToolRow, LLMRow, PhaseRow, TotalsRow)
Part = tuple[SessionRecord, Any]


class Naive:
    """Answers over records, by their definition; times are UTC."""

    def __init__(self, records: Iterable[SessionRecord]) -> None:
        self._records = list(records)

    def sessions(self, which: Slice) -> list[SessionRow]:
        """The sessions of a slice by (updated_us, session_id, agent), latest first."""
        rows = []
        for record in self._chosen(which):
            row = SessionRow(record.agent, record.session_id)
            for name in SessionRow.__struct_fields__[2:]:
                if name in record.__struct_fields__:
                    setattr(row, name, getattr(record, name))
            for one in self._days(record, which):
                _add(row, one)
            rows.append(row)
        return sorted(rows, key=lambda row: (-row.updated_us, row.session_id, row.agent))

    def totals(self, which: Slice, by: str) -> list[TotalsRow]:
        """Sums of all kinds."""
        rows: dict[str, TotalsRow] = {}
        for record in self._chosen(which):
            for part in {self._part(record, day, by) for day in _in(which, days(record))}:
                row = rows.setdefault(part, TotalsRow(part))
                row.session_count += 1
                row.lasted_us += record.updated_us - record.started_us
            for one in self._days(record, which):
                _add(rows[self._part(record, one.day, by)], one)
        return list(rows.values()) or ([TotalsRow()] if not by else [])

    def tools(self, which: Slice, by: str) -> list[ToolRow]:
        """Calls by one key."""
        return self._summed(which, ToolRow, by, lambda record: record.tools)

    def llms(self, which: Slice, by: Sequence[str]) -> list[LLMRow]:
        """LLM use by one key or two."""
        rows: dict[tuple[str, ...], LLMRow] = {}
        seen = set()
        for record in self._chosen(which):
            for one in self._kept(which, record.llms):
                key = tuple(_key(record, one, name) for name in by)
                row = rows.setdefault(key, LLMRow(key[0], "".join(key[1:])))
                row.session_count += (id(record), key) not in seen
                seen.add((id(record), key))
                _add(row, one)
        return list(rows.values())

    def phases(self, which: Slice, by: str) -> list[PhaseRow]:
        """Phases by one key, with what tools and models did in them."""
        return self._summed(
            which,
            PhaseRow,
            by,
            lambda record: [*record.tools, *record.llms, *record.phases],
            is_there=Slice(first_day=which.first_day, last_day=which.last_day, phase=which.phase),
        )

    def parts(self, which: Slice) -> list[SessionParts]:
        """Each session with its own tools and phases."""
        found = []
        for row in self.sessions(which):
            alone = Naive(
                record
                for record in self._records
                if (record.agent, record.native_id) == (row.agent, row.native_id)
            )
            found.append(
                SessionParts(
                    row,
                    sorted(alone.tools(which, "tool"), key=lambda tool: tool.key),
                    sorted(alone.phases(which, "phase"), key=lambda phase: phase.key),
                )
            )
        return found

    def reading(self, which: Slice) -> ReadingRow:
        """What the rules of counting did."""
        total = ReadingRow()
        for record in self._chosen(which):
            total.session_count += 1
            if not record.is_recorded:
                total.transcript_count += 1
                total.transcript_tokens += sum(llm.total_tokens for llm in record.llms)
            total.unpaired_count += record.unpaired_count
            total.damage_count += record.damage.count
            for name in Effects.__struct_fields__:
                summed = getattr(total.effects, name) + getattr(record.effects, name)
                setattr(total.effects, name, summed)
        return total

    def rate_limits(self, which: Slice) -> list[RateLimitRow]:
        """What was told last of each limit."""
        told = [(one.agent, limit) for one in self._chosen(which) for limit in one.rate_limits]
        latest = {}
        for agent, limit in sorted(told, key=lambda one: _told(one[1])):
            latest[agent, limit.name] = RateLimitRow(agent, limit)
        return [latest[key] for key in sorted(latest)]

    def heals(self, which: Slice) -> list[HealRow]:
        """Failures that agents set out to heal."""
        rows = []
        for record in self._chosen(which):
            for number in {heal.chain for heal in record.heals}:
                heals = [heal for heal in record.heals if heal.chain == number]
                heals.sort(key=lambda heal: heal.began_us)
                first, costs = heals[0], [heal.cost_nano for heal in heals]
                if not _in(which, [first.day]) or which.tool not in ("", first.tool):
                    continue
                if which.phase not in ("", first.phase):
                    continue
                rows.append(
                    HealRow(
                        record.agent,
                        record.session_id,
                        record.project,
                        first.day,
                        first.phase,
                        first.tool,
                        first.check,
                        first.line,
                        len(heals),
                        heals[-1].passed,
                        any(heal.loop for heal in heals),
                        first.began_us,
                        sum(heal.duration_us for heal in heals),
                        sum(heal.total_tokens for heal in heals),
                        None if None in costs else sum(cost or 0 for cost in costs),
                        record.branch,
                        record.labels,
                    )
                )
        return rows

    def failures(self, which: Slice) -> list[FailureRow]:
        """Ways to fail, with all their sessions, those first in which it was last."""
        rows: dict[tuple[str, str], FailureRow] = {}
        if which.phase:
            return []
        failed = [
            (one, record)
            for record in self._chosen(which)
            for one in self._kept(which, record.failures)
        ]
        failed.sort(key=lambda pair: (-pair[1].updated_us, pair[1].session_id))
        for one, record in sorted(failed, key=lambda pair: pair[0].day, reverse=True):
            row = rows.setdefault((one.tool, one.line), FailureRow(one.tool, one.line))
            row.count += one.count
            row.last_day = max(row.last_day, one.day)
            if record.session_id not in row.session_ids:
                row.session_ids.append(record.session_id)
                row.session_count += 1
        return list(rows.values())

    def _summed(
        self,
        which: Slice,
        kind: type[Row],
        by: str,
        of: Callable[[SessionRecord], Iterable[Any]],
        is_there: Slice | None = None,
    ) -> list[Row]:
        """Add up what is in the slice; a row is there for all that is in `is_there`."""
        rows: dict[str, Row] = {}
        seen = set()
        for record in self._chosen(which):
            for one in self._kept(is_there or which, of(record)):
                key = _key(record, one, by)
                row = rows.setdefault(key, kind(key))
                row.session_count += (id(record), key) not in seen
                seen.add((id(record), key))
                if self._kept(which, [one]):
                    _add(row, one)
        return list(rows.values())

    def _days(self, record: SessionRecord, which: Slice) -> Iterator[Any]:
        yield from self._kept(which, record.tools)
        yield from self._kept(which, record.llms)
        for phase in self._kept(which, record.phases):
            yield _OfSession(phase)

    def _chosen(self, which: Slice) -> list[SessionRecord]:
        return [record for record in self._records if self._belongs(record, which)]

    @staticmethod
    def _belongs(record: SessionRecord, which: Slice) -> bool:
        searched = [record.session_id, record.native_id, record.project, record.branch]
        return (
            (which.agents is None or record.agent in which.agents)
            and which.project in record.project
            and f"{record.project}/".startswith(f"{which.folder}/" if which.folder else "")
            and (not which.branch or fnmatchcase(record.branch, which.branch))
            and (not which.model or any(fnmatchcase(llm.model, which.model) for llm in record.llms))
            and (not which.phase or any(one.phase == which.phase for one in _parts(record)))
            and any(
                which.text.lower() in text.lower()
                for text in [*searched, record.agent, *record.models]
            )
            and which.session in ("", record.session_id)
            and all(record.labels.get(name) == value for name, value in which.labels)
            and (which.since_us is None or record.updated_us >= which.since_us)
            and (which.until_us is None or record.started_us <= which.until_us)
            and bool(_in(which, days(record)))
        )

    @staticmethod
    def _kept(which: Slice, rows: Iterable[Any]) -> list[Any]:
        return [
            one
            for one in rows
            if _in(which, [one.day])
            and which.tool in ("", getattr(one, "tool", which.tool))
            and which.phase in ("", getattr(one, "phase", which.phase))
            and (not which.model or fnmatchcase(getattr(one, "model", which.model), which.model))
        ]

    @staticmethod
    def _part(record: SessionRecord, day: str, by: str) -> str:
        if by.startswith("label:"):
            return record.labels.get(by[6:], "")
        return part(day, by) if by in ("day", "week", "month") else getattr(record, by or "_", "")


class _OfSession:
    """Of a phase, what a session adds up: its time, heals and bisects."""

    def __init__(self, phase: Any) -> None:
        self.__struct_fields__ = [
            name
            for name in phase.__struct_fields__
            if name.startswith(("heal_", "bisect_", "active_", "last_stay_"))
        ]
        self.day = phase.day
        for name in self.__struct_fields__:
            setattr(self, name, getattr(phase, name))


def _parts(record: SessionRecord) -> list[Any]:
    return [*record.tools, *record.llms, *record.phases]


def days(record: SessionRecord) -> list[str]:
    """The days on which anything is counted, or that on which the session began."""
    found = {one.day for rows in (record.tools, record.llms, record.phases) for one in rows}
    return sorted(found) or [
        datetime.fromtimestamp(record.started_us / 1e6, UTC).date().isoformat()
    ]


def part(day: str, by: str) -> str:
    """The day, its week by ISO 8601, or its month."""
    if by == "week":
        at = date.fromisoformat(day)
        return f"{at:%G-W%V}"
    return day[:7] if by == "month" else day


def _key(record: SessionRecord, one: Any, by: str) -> str:
    if by in ("day", "week", "month"):
        return part(one.day, by)
    if by in ("tool", "phase", "model"):
        return str(getattr(one, by))
    if by.startswith("label:"):
        return record.labels.get(by[6:], "")
    return str(getattr(record, {"session": "session_id"}.get(by, by))) if by else ""


def _in(which: Slice, found: Iterable[str]) -> list[str]:
    return [
        day
        for day in found
        if (not which.first_day or day >= which.first_day)
        and (not which.last_day or day <= which.last_day)
    ]


def _add(row: Any, one: Any) -> None:
    for name in one.__struct_fields__:
        if name == "ran" and hasattr(row, "ran"):
            row.ran.merge(one.ran)
        elif name.endswith(("_us", "_count", "_tokens", "_nano")) and hasattr(row, name):
            setattr(row, name, getattr(row, name) + getattr(one, name))
    if isinstance(row, PhaseRow) and hasattr(one, "success"):
        row.ended_count += one.success is not None
        row.success_count += one.success is True


def _told(limit: RateLimit) -> tuple[float, ...]:
    return limit.seen_us, limit.resets_us, limit.used_percent, limit.window_minutes
