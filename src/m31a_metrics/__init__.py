"""A flight recorder for AI agent sessions.

from m31a_metrics import Collector, new_session_id

with Collector(new_session_id()) as collector:
    collector.record_tool_call("Bash", success=True, duration_ms=12)
"""

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
    EditStrategyMetric,
    LLMMetric,
    PhaseMetric,
    SessionDetail,
    SessionMetrics,
    ToolMetric,
    Usage,
    WorkflowPhase,
)
from m31a_metrics.session import load, new_session_id, save

__all__ = [
    "BudgetExceeded",
    "Collector",
    "ConfigError",
    "DamagedMetrics",
    "EditStrategyMetric",
    "ForeignFile",
    "InvalidSessionId",
    "LLMMetric",
    "MetricsError",
    "PhaseMetric",
    "SessionDetail",
    "SessionHasJournals",
    "SessionMetrics",
    "SessionNotFound",
    "StorageError",
    "ToolMetric",
    "Usage",
    "WorkflowPhase",
    "load",
    "new_session_id",
    "save",
]
