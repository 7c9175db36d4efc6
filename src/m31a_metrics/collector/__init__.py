"""The recording API: a Collector per session, exact under threads, safe when killed."""

from m31a_metrics.collector.collector import Collector
from m31a_metrics.collector.scopes import HealScope, PhaseScope, ToolScope

__all__ = ["Collector", "HealScope", "PhaseScope", "ToolScope"]
