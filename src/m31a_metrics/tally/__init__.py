"""The one fold: events in, SessionMetrics out. No lock, no clock, no disk.

`Tally` holds the sums, `fold` makes one from the journals of a session, `DetailTally`
keeps what METRICS.json has no room for (percentiles, the latest events).
"""

from m31a_metrics.tally.detail import DetailTally
from m31a_metrics.tally.fold import fold
from m31a_metrics.tally.rows import ToolCount
from m31a_metrics.tally.tally import NEVER_UPDATED_US, Tally, micros, moment

__all__ = [
    "NEVER_UPDATED_US",
    "DetailTally",
    "Tally",
    "ToolCount",
    "fold",
    "micros",
    "moment",
]
