"""The sessions on one side of a comparison, and the figures that are made of them.

A figure of many sessions is mostly a ratio of sums over them: costs by sessions, failures by
calls. What a session adds to both is its part, and how the parts scatter tells whether two
sides differ by more than chance (`noise`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil, fsum

from msgspec import Struct

from m31a_metrics.answers import SessionParts, Slice, ToolRow, TotalsRow
from m31a_metrics.comparison.noise import Part
from m31a_metrics.histogram import Histogram, summed

SAMPLE_MAX = 1_024
"""Of more sessions than these, so many are looked at one by one.

How sessions scatter is known well enough from them; so many are dealt into equal groups,
which is quicker to draw from (`noise`).
"""


class Side(Struct):
    """The sessions on one side. `label` is what people call it.

    `totals` are of all of them; `parts` of each, or of a fair sample where they are too many.
    `tools` are the rows in `parts` by name; `ran` the durations of all calls by tool, where
    the parts are a sample. `which` is the slice that chose them.
    """

    label: str
    totals: TotalsRow
    parts: list[SessionParts]
    tools: dict[str, list[ToolRow]]
    ran: Mapping[str, Histogram] = {}
    which: Slice = Slice()

    def __str__(self) -> str:
        """Say whose sessions these are, and how many."""
        count = self.totals.session_count
        return f"{self.label} ({count:,} session{'' if count == 1 else 's'})"

    @property
    def is_sample(self) -> bool:
        """Whether only some of the sessions were looked at one by one."""
        return len(self.parts) < self.totals.session_count


class Figure(Struct):
    """What a metric is on one side: its value (None: not known), and of how many sessions.

    `values` are those of single sessions, `parts` what they add to a ratio of sums; both are
    empty for figures that do not tell how sessions scatter.
    """

    value: float | None
    session_count: int = 0
    values: list[float] = []
    parts: list[Part] = []


Measure = Callable[[SessionParts], Part | None]
"""What a session adds to a figure; None where it has or knows nothing of it."""

Make = Callable[[Side], Figure]


def side(
    label: str,
    totals: TotalsRow,
    parts: Sequence[SessionParts],
    ran: Mapping[str, Histogram] | None = None,
) -> Side:
    """Put a side together from what was asked for."""
    tools: dict[str, list[ToolRow]] = {}
    for one in parts:
        for row in one.tools:
            tools.setdefault(row.key, []).append(row)
    return Side(label, totals, list(parts), tools, ran or {})


def ratio_of_sums(measure: Measure) -> Make:
    """Make a figure that divides one sum over all sessions by another."""
    return lambda side: ratio(_measured(side, measure))


def ratio(parts: Sequence[Part]) -> Figure:
    """Divide one sum of parts by the other."""
    # Exact sums, or the same sessions in another order would seem to differ.
    whole = fsum(part[1] for part in parts)
    value = fsum(part[0] for part in parts) / whole if whole else None
    return Figure(value, len(parts), [above / below for above, below in parts], list(parts))


def quantile_of_sessions(measure: Measure, q: float) -> Make:
    """Make a figure that is the nearest-rank quantile of the values of single sessions."""

    def make(side: Side) -> Figure:
        values = sorted(above / below for above, below in _measured(side, measure))
        if not values:
            return Figure(None)
        rank = max(ceil(round(q * len(values), 6)), 1)  # rounded as Histogram.quantile has it
        return Figure(values[rank - 1], len(values), values)

    return make


def quantile_of_calls(side: Side, tool: str, q: float) -> Figure:
    """Give a quantile of all calls of a tool, in ms; its values are those of each session."""
    ran = [row.ran for row in side.tools.get(tool, ())]
    values = [own for one in ran if (own := one.quantile(q)) is not None]
    together = side.ran[tool] if tool in side.ran else summed(ran)
    return Figure(together.quantile(q), len(values), values)


def total(field: str, scale: float = 1) -> Make:
    """Make a figure that is a sum over all sessions of the side; it does not scatter."""

    def make(side: Side) -> Figure:
        totals = side.totals
        count = totals.session_count
        unknown = field == "cost_nano" and totals.unpriced_tokens and not totals.cost_nano
        return Figure(None if unknown else getattr(totals, field) / scale, count)

    return make


def _measured(side: Side, measure: Measure) -> list[Part]:
    return [part for one in side.parts if (part := measure(one)) is not None]
