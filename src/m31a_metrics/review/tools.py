"""Which tools are slow or fail."""

from __future__ import annotations

from collections.abc import Sequence

from m31a_metrics.model import SessionMetrics, ToolDurations, ToolMetric
from m31a_metrics.review import columns
from m31a_metrics.review.sums import ratio, tool_sums
from m31a_metrics.review.words import empty, scope
from m31a_metrics.table import Cell, Column, Table, Unit

COLUMNS = [
    columns.TOOL,
    columns.CALLS,
    columns.FAIL_RATE,
    columns.TOTAL_MS,
    columns.TIME_SHARE,
    Column("p50_ms", "p50", Unit.MS),
    Column("p95_ms", "p95", Unit.MS),
    Column("p99_ms", "p99", Unit.MS),
    Column("max_ms", "Max", Unit.MS),
    columns.AVG_MS,
    columns.FAILED,
    Column("wait_ms", "Waited", Unit.MS),
]

ELAPSED_ONLY = (
    "The time of the others may hold a person's wait, which a transcript does not always tell "
    "apart, or they have no journal: they count in Total and Avg only."
)


def tools(
    sessions: Sequence[SessionMetrics],
    durations: Sequence[ToolDurations],
    *,
    transcripts: bool = False,
) -> Table:
    """Show the tools of sessions, the most time first.

    `durations` come from the journals; a tool that is not among them gets dashes.
    `transcripts` says that other agents' sessions are among these.
    """
    metrics = sorted(tool_sums(sessions), key=_by_time)
    known = {one.name: one for one in durations}
    whole_ms = sum(metric.total_duration_ms for metric in metrics)
    return Table(
        f"Tools of {scope(sessions)}" if sessions else "Tools",
        COLUMNS,
        [_row(metric, known.get(metric.name), whole_ms) for metric in metrics],
        empty("tool calls", "Record one: `m31 run -- COMMAND`.", sessions),
        _notes(metrics, known, transcripts),
    )


def _by_time(metric: ToolMetric) -> tuple[int, int]:
    return -metric.total_duration_ms, -metric.call_count


def _row(metric: ToolMetric, durations: ToolDurations | None, whole_ms: int) -> tuple[Cell, ...]:
    ran: tuple[Cell, ...] = (None, None, None, None)
    if durations is not None:
        ran = (durations.p50_ms, durations.p95_ms, durations.p99_ms, durations.max_ms)
    return (
        metric.name,
        metric.call_count,
        ratio(metric.fail_count, metric.call_count),
        metric.total_duration_ms,
        ratio(metric.total_duration_ms, whole_ms),
        *ran,
        ratio(metric.total_duration_ms, metric.call_count),
        metric.fail_count,
        (durations.wait_ms or None) if durations is not None else None,
    )


def _notes(
    metrics: Sequence[ToolMetric], known: dict[str, ToolDurations], transcripts: bool
) -> list[str]:
    call_count = sum(metric.call_count for metric in metrics)
    timed_count = sum(known[metric.name].count for metric in metrics if metric.name in known)
    if timed_count >= call_count:
        return []
    if transcripts:
        return [
            f"p50 to max are of {timed_count:,} of the {call_count:,} calls.",
            ELAPSED_ONLY,
        ]
    if not timed_count:
        return ["No percentiles: they need a journal, and METRICS.json alone holds sums."]
    timed = f"p50 to max are of {timed_count:,} of the {call_count:,} calls"
    return [f"{timed}; of the others only the sum is known."]
