"""A flight recorder for AI agent sessions.

from m31a_metrics import Collector, new_session_id

with Collector(new_session_id()) as collector:
    collector.record_tool_call("Bash", success=True, duration_ms=12)
"""

import sys
from typing import TYPE_CHECKING

if sys.platform == "win32":
    raise ImportError(
        "m31a-metrics runs on Linux and macOS, and on Windows inside WSL, where it reads what "
        "agents keep on either side: docs/how-to/windows.md"
    )

from m31a_metrics.collector import Collector
from m31a_metrics.errors import (
    BudgetExceeded,
    ConfigError,
    DamagedMetrics,
    ForeignFile,
    InvalidSessionId,
    MetricsError,
    SessionHasJournals,
    SessionNotFound,
    StorageError,
)
from m31a_metrics.model import (
    UNKNOWN_USAGE,
    EditStrategyMetric,
    LatestEvent,
    LLMMetric,
    ModelMetric,
    PhaseMetric,
    PhaseSpan,
    PhaseTime,
    RecentCalls,
    SessionDetail,
    SessionMetrics,
    Spend,
    ToolDurations,
    ToolMetric,
    Usage,
    WorkflowPhase,
)
from m31a_metrics.session import load, new_session_id, save

if TYPE_CHECKING:
    from m31a_metrics.collector.budget import Budget

    __version__: str

__all__ = [
    "UNKNOWN_USAGE",
    "Budget",
    "BudgetExceeded",
    "Collector",
    "ConfigError",
    "DamagedMetrics",
    "EditStrategyMetric",
    "ForeignFile",
    "InvalidSessionId",
    "LLMMetric",
    "LatestEvent",
    "MetricsError",
    "ModelMetric",
    "PhaseMetric",
    "PhaseSpan",
    "PhaseTime",
    "RecentCalls",
    "SessionDetail",
    "SessionHasJournals",
    "SessionMetrics",
    "SessionNotFound",
    "Spend",
    "StorageError",
    "ToolDurations",
    "ToolMetric",
    "Usage",
    "WorkflowPhase",
    "load",
    "new_session_id",
    "save",
]


if not TYPE_CHECKING:  # a type checker would take any name for one that is here

    def __getattr__(name: str) -> object:
        """Give what few ask for when they do: either costs milliseconds to import."""
        if name == "Budget":
            from m31a_metrics.collector.budget import Budget

            return Budget
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("m31a-metrics")
        except PackageNotFoundError:
            return "0+unknown"  # run from its source without being installed
