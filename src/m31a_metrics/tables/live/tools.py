"""The tools of a session as a screen shows them, and one tool or phase by itself."""

from __future__ import annotations

from collections.abc import Iterable

from m31a_metrics.model import SessionDetail, SessionMetrics, ToolDurations, ToolMetric
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.tables import columns
from m31a_metrics.tables.arithmetic import ratio
from m31a_metrics.tables.live.cost import cost_by_phase
from m31a_metrics.tables.live.course import by_phase
from m31a_metrics.tables.live.events import latest

RECENT = Column("recent_ms", "Recent", Unit.SPARK)
P50 = Column("p50_ms", "p50", Unit.MS)
P95 = Column("p95_ms", "p95", Unit.MS)
TOTAL_MS = Column("total_duration_ms", "Total", Unit.MS)
"""As METRICS.json has it: all time that passed, for there may be nothing else."""

COLUMNS = [
    columns.TOOL,
    columns.CALLS,
    Column("fail_rate", "Failed", Unit.SHARE),
    P50,
    P95,
    RECENT,
    TOTAL_MS,
    Column("duration_share", "Share", Unit.BAR),
    Column("fail_count", "Failures", Unit.COUNT),
    Column("max_ms", "Max", Unit.MS),
    Column("wait_ms", "Waited", Unit.MS),
]


def tools(metrics: SessionMetrics, detail: SessionDetail) -> Table:
    """Show the tools of one session, the most time first, with their latest calls."""
    known = {one.name: one for one in detail.durations}
    recent = {one.name: one.durations_ms for one in detail.recent}
    whole_ms = sum(tool.total_duration_ms for tool in metrics.tools)
    rows = [
        _row(tool, known.get(tool.name), recent.get(tool.name), whole_ms)
        for tool in sorted(metrics.tools, key=_by_time)
    ]
    return Table("Tools", COLUMNS, rows, "No tool was called yet.")


def _by_time(tool: ToolMetric) -> tuple[int, int]:
    return -tool.total_duration_ms, -tool.call_count


def _row(
    tool: ToolMetric,
    ran: ToolDurations | None,
    recent: Iterable[float] | None,
    whole_ms: int,
) -> tuple[Cell, ...]:
    return (
        tool.name,
        tool.call_count,
        ratio(tool.fail_count, tool.call_count),
        None if ran is None else ran.p50_ms,
        None if ran is None else ran.p95_ms,
        None if recent is None else list(recent),
        tool.total_duration_ms,
        ratio(tool.total_duration_ms, whole_ms),
        tool.fail_count,
        None if ran is None else ran.max_ms,
        None if ran is None else ran.wait_ms or None,
    )


def of_tool(name: str, metrics: SessionMetrics, detail: SessionDetail) -> list[Table]:
    """Show one tool of a session: its figures one below the other, and its latest calls."""
    calls = [event for event in detail.latest if event.event == "tool_call" and event.name == name]
    shown = latest(calls, "Its latest calls")
    shown.empty = f"No call of {name} is among the latest events."
    return [_only(name, tools(metrics, detail), f"Tool {name}"), shown]


def of_phase(phase: str, metrics: SessionMetrics, detail: SessionDetail) -> list[Table]:
    """Show one phase of a session: its time and self-heals, what it cost, its latest events."""
    events = [event for event in detail.latest if event.name == phase]
    shown = latest(events, "Its latest events")
    shown.empty = f"No event of {phase} is among the latest."
    whole = by_phase(metrics, detail)
    return [
        _only(phase, whole, f"Phase {phase}"),
        _only(phase, cost_by_phase(metrics), "What it cost"),
        shown,
    ]


def _only(name: str, table: Table, title: str) -> Table:
    rows = [row for row in table.rows if row[0] == name]
    return Table(title, table.columns, rows, f"Nothing is known of {name} yet.")
