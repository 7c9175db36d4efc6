"""The rows of a Tally: a metric's sums, and when it was first seen.

`Order` is an event's place in a session: its time, then its place among equal times (writer
and place in the writer's journal), then that of a row among those of one event. Rows are
shown in the order of first appearance.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from m31a_metrics.measures import add, counts_something, figures_of, subtract
from m31a_metrics.model import EditStrategyMetric, LLMMetric, PhaseMetric, ToolMetric

Order = tuple[int, str, int, int]

NEVER: Order = (-(2**63), "", 0, 0)

NAMES_MAX = 10_000
"""A session tells so many tools (phases, models, strategies) apart; what comes after them is OTHER.

A host that puts ids into tool names would else fill its memory, and METRICS.json, with rows.
"""

NAME_CHARACTERS_MAX = 1_000_000
"""And so many characters of names in all, which keeps METRICS.json readable."""

OTHER = "(other)"
"""The row of all names beyond these; the totals stay exact."""

UNPRICED_MAX = 4_096
"""So many interactions that nobody could price are remembered, to be asked about again."""


class Names(dict[str, str]):
    """The names that are told apart, each by itself; of any further one, OTHER."""

    def __init__(self) -> None:
        self._characters = 0

    def __missing__(self, name: str) -> str:
        if name != OTHER and self.is_full(name):
            return OTHER
        self._characters += len(name)
        self[name] = name
        return name

    def is_full(self, name: str) -> bool:
        """Tell whether there is no room for a new name."""
        return len(self) >= NAMES_MAX or self._characters + len(name) > NAME_CHARACTERS_MAX


class ToolCount:
    """Calls of one tool with one outcome.

    The Collector adds to these two attributes on its hot path, without a lock: `x += 1`
    on a slot is not interrupted under the GIL.
    """

    __slots__ = ("calls", "total_ms")

    def __init__(self) -> None:
        self.calls = 0
        self.total_ms = 0


class ToolRow:
    """One tool. `other_calls` are calls of a file that neither succeeded nor failed.

    `denied_count` calls never ran, and are none of these.
    """

    __slots__ = ("denied_count", "failed", "first", "name", "other_calls", "succeeded", "unknown")

    def __init__(self, name: str, first: Order) -> None:
        self.name = name
        self.first = first
        self.succeeded = ToolCount()
        self.failed = ToolCount()
        self.other_calls = 0
        self.denied_count = 0
        self.unknown: dict[str, Any] = {}

    def add(self, metric: ToolMetric) -> None:
        """Add the row of a file."""
        self.succeeded.calls += metric.success_count
        self.failed.calls += metric.fail_count
        self.other_calls += metric.call_count - metric.success_count - metric.fail_count
        self.denied_count += metric.denied_count
        # A file does not say which calls took the time; the total is what matters.
        self.succeeded.total_ms += metric.total_duration_ms
        self.unknown = metric.unknown | self.unknown

    def absorb(self, other: ToolRow) -> None:
        """Add another tally's row of the same tool."""
        self.succeeded.calls += other.succeeded.calls
        self.succeeded.total_ms += other.succeeded.total_ms
        self.failed.calls += other.failed.calls
        self.failed.total_ms += other.failed.total_ms
        self.other_calls += other.other_calls
        self.denied_count += other.denied_count
        self.unknown = other.unknown | self.unknown

    def counts_something(self) -> bool:
        """Tell whether there was any call, or one that was denied."""
        ran = self.succeeded.calls or self.failed.calls or self.other_calls
        return bool(ran or self.denied_count)

    def take_out(self, part: ToolRow) -> bool:
        """Take out what another tally counted of it; tell whether anything is left."""
        self.succeeded.calls -= part.succeeded.calls
        self.succeeded.total_ms -= part.succeeded.total_ms
        self.failed.calls -= part.failed.calls
        self.failed.total_ms -= part.failed.total_ms
        self.other_calls -= part.other_calls
        self.denied_count -= part.denied_count
        total_ms = self.succeeded.total_ms + self.failed.total_ms
        return self.counts_something() or bool(total_ms) or self.first < part.first

    def metric(self) -> ToolMetric:
        """Return a copy of the sums as the file holds them."""
        succeeded, failed = self.succeeded, self.failed
        success_count = succeeded.calls
        fail_count = failed.calls
        calls = success_count + fail_count + self.other_calls
        total_ms = succeeded.total_ms + failed.total_ms
        average = total_ms / calls if calls else 0.0
        metric = ToolMetric(
            self.name, calls, success_count, fail_count, total_ms, average, self.denied_count
        )
        if self.unknown:
            metric.unknown = _copied(self.unknown)
        return metric


class LLMRow:
    """LLM use of one phase."""

    __slots__ = ("first", "sums")

    def __init__(self, phase: str, first: Order) -> None:
        self.first = first
        self.sums = LLMMetric(phase)

    def add(self, metric: LLMMetric) -> None:
        """Add the row of a file; the first prompt's hash stays, as in M31A."""
        sums = self.sums
        add(sums, metric, SUMS[LLMMetric])
        sums.prompt_hash = sums.prompt_hash or metric.prompt_hash
        sums.truncated_input = sums.truncated_input or metric.truncated_input
        sums.unknown = metric.unknown | sums.unknown

    def absorb(self, other: LLMRow) -> None:
        """Add another tally's row of the same phase."""
        self.add(other.sums)

    def counts_something(self) -> bool:
        """Tell whether there was any interaction."""
        return self.sums.interaction_count != 0

    def take_out(self, part: LLMRow) -> bool:
        """Take out what another tally counted of it; tell whether anything is left."""
        return take_out(self.sums, part.sums) or self.first < part.first

    def metric(self) -> LLMMetric:
        """Return a copy of the sums."""
        return replace(self.sums, unknown=_copied(self.sums.unknown))


class PhaseRow:
    """One phase; `ended` is the place of the duration that counts, the last one."""

    __slots__ = ("ended", "first", "sums")

    def __init__(self, phase: str, first: Order) -> None:
        self.first = first
        self.ended = NEVER
        self.sums = PhaseMetric(phase)

    def end(self, order: Order, duration_ms: int, success: bool) -> None:
        """Take a duration, unless a later one is already there."""
        if order >= self.ended:
            self.ended = order
            self.sums.duration_ms = duration_ms
            self.sums.success = success

    def add(self, metric: PhaseMetric) -> None:
        """Add the counts of a file's row; its duration is `end`'s business."""
        add(self.sums, metric, SUMS[PhaseMetric])
        self.sums.unknown = metric.unknown | self.sums.unknown

    def absorb(self, other: PhaseRow) -> None:
        """Add another tally's row of the same phase; the later duration stays."""
        self.add(other.sums)
        if other.ended > NEVER:
            self.end(other.ended, other.sums.duration_ms, other.sums.success)

    def counts_something(self) -> bool:
        """Tell whether anything happened in it."""
        return self.ended > NEVER or counts_something(self.sums, SUMS[PhaseMetric])

    def take_out(self, part: PhaseRow) -> bool:
        """Take out what another tally counted of it; tell whether anything is left."""
        left = take_out(self.sums, part.sums)
        return left or self.first < part.first or self.ended > part.ended

    def metric(self) -> PhaseMetric:
        """Return a copy of the sums."""
        return replace(self.sums, unknown=_copied(self.sums.unknown))


class StrategyRow:
    """One way of applying an edit."""

    __slots__ = ("first", "sums")

    def __init__(self, strategy: str, first: Order) -> None:
        self.first = first
        self.sums = EditStrategyMetric(strategy)

    def add(self, metric: EditStrategyMetric) -> None:
        """Add the row of a file."""
        self.sums.count += metric.count
        self.sums.unknown = metric.unknown | self.sums.unknown

    def absorb(self, other: StrategyRow) -> None:
        """Add another tally's row of the same strategy."""
        self.add(other.sums)

    def counts_something(self) -> bool:
        """Tell whether there was any edit."""
        return self.sums.count != 0

    def take_out(self, part: StrategyRow) -> bool:
        """Take out what another tally counted of it; tell whether anything is left."""
        return take_out(self.sums, part.sums) or self.first < part.first

    def metric(self) -> EditStrategyMetric:
        """Return a copy of the sums."""
        return replace(self.sums, unknown=_copied(self.sums.unknown))


def _copied(unknown: dict[str, Any]) -> dict[str, Any]:
    # Nearly always empty, and deepcopy is slow.
    if not unknown:
        return {}
    from copy import deepcopy  # most sessions have no unknown key

    return deepcopy(unknown)


TRACE_USD = 1e-9
"""What taking a cost out of a sum of floats may leave of it."""

SUMS: dict[type[Struct], tuple[str, ...]] = {
    ToolMetric: figures_of(ToolMetric, but=("avg_duration_ms",)),
    LLMMetric: figures_of(LLMMetric),
    PhaseMetric: figures_of(PhaseMetric, but=("duration_ms",)),
    EditStrategyMetric: figures_of(EditStrategyMetric),
}
"""Which figures of the rows of METRICS.json are sums; the others are means, or the last ones."""


def take_out(row: Struct, part: Struct) -> bool:
    """Take the sums of one row of a METRICS.json out of another; tell whether any is left."""
    names = SUMS[type(row)]
    subtract(row, part, names)
    left = ((name, getattr(row, name)) for name in names)
    return any(abs(value) > TRACE_USD if name == "cost" else value for name, value in left)
