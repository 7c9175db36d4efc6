"""The tables of a live screen: one session as it goes on, and the sessions running now.

Pure as all of `tables`: sums, what only events know, and a clock's reading in; Tables out.
"""

from m31a_metrics.tables.live.course import by_phase, spend, timeline
from m31a_metrics.tables.live.screenful import (
    Running,
    Screenful,
    arrange,
    cards,
    cost_by_model,
    cost_by_phase,
    latest,
    of_phase,
    of_tool,
    running,
    screenful,
    tools,
)

__all__ = [
    "Running",
    "Screenful",
    "arrange",
    "by_phase",
    "cards",
    "cost_by_model",
    "cost_by_phase",
    "latest",
    "of_phase",
    "of_tool",
    "running",
    "screenful",
    "spend",
    "timeline",
    "tools",
]
