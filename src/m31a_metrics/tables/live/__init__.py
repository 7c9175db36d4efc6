"""The tables of a live screen: one session as it goes on, and a period with its sessions.

Pure as all of `tables`: sums, what only events know, and a clock's reading in; Tables out.
"""

from m31a_metrics.tables.live.course import by_phase, spend, timeline
from m31a_metrics.tables.live.period import (
    KEY,
    SESSIONS_MAX,
    Glance,
    Period,
    Running,
    glance,
    limits,
    sessions,
)
from m31a_metrics.tables.live.screenful import (
    Screenful,
    arrange,
    cards,
    cost_by_model,
    cost_by_phase,
    latest,
    of_phase,
    of_tool,
    screenful,
    tools,
)

__all__ = [
    "KEY",
    "SESSIONS_MAX",
    "Glance",
    "Period",
    "Running",
    "Screenful",
    "arrange",
    "by_phase",
    "cards",
    "cost_by_model",
    "cost_by_phase",
    "glance",
    "latest",
    "limits",
    "of_phase",
    "of_tool",
    "screenful",
    "sessions",
    "spend",
    "timeline",
    "tools",
]
