"""Answers that were made up: rows by question, and what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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


class Invented:
    """Gives the rows it was made with, whatever the slice, and remembers what it was asked.

    `by` holds other rows for a question by a certain part; `options` are those of the last
    question of each name.
    """

    def __init__(self, **rows: Sequence[Any]) -> None:
        self.rows: dict[str, Sequence[Any]] = dict(rows)
        self.by: dict[tuple[str, str], Sequence[Any]] = {}
        self.asked: list[tuple[str, Slice]] = []
        self.options: dict[str, dict[str, Any]] = {}

    def _give(self, name: str, which: Slice, part: str = "", **options: Any) -> list[Any]:
        self.asked.append((name, which))
        self.options[name] = options
        return list(self.by.get((name, part), self.rows.get(name, ())))

    def sessions(self, which: Slice, **options: Any) -> list[SessionRow]:
        return self._give("sessions", which, **options)

    def parts(self, which: Slice, limit: int) -> list[SessionParts]:
        return self._give("parts", which, limit=limit)

    def totals(self, which: Slice, by: str = "") -> list[TotalsRow]:
        return self._give("totals", which, by, by=by)

    def tools(self, which: Slice, by: str = "tool") -> list[ToolRow]:
        return self._give("tools", which, by, by=by)

    def llms(self, which: Slice, by: Sequence[str] = ("phase",)) -> list[LLMRow]:
        return self._give("llms", which, by[0], by=tuple(by))

    def phases(self, which: Slice, by: str = "phase") -> list[PhaseRow]:
        return self._give("phases", which, by, by=by)

    def heals(self, which: Slice, limit: int | None = None) -> list[HealRow]:
        return self._give("heals", which, limit=limit)

    def failures(self, which: Slice, limit: int | None = None) -> list[FailureRow]:
        return self._give("failures", which, limit=limit)

    def reading(self, which: Slice) -> ReadingRow:
        self._give("reading", which)
        return ReadingRow()

    def rate_limits(self, which: Slice) -> list[RateLimitRow]:
        return self._give("rate_limits", which)
