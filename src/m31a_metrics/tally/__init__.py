"""The one fold: events in, SessionMetrics out. No lock, no clock, no disk.

`Tally` holds the sums, `fold` makes one from the journals of a session. By their own
names, because a program that records needs neither: `tally.detail` keeps what METRICS.json
has no room for (percentiles, the latest events), `tally.difference` takes sums apart.
"""

from m31a_metrics.tally.fold import fold
from m31a_metrics.tally.rows import ToolCount
from m31a_metrics.tally.tally import Price, Tally, add_model, merge
from m31a_metrics.timestamps import micros, moment

__all__ = [
    "Price",
    "Tally",
    "ToolCount",
    "add_model",
    "fold",
    "merge",
    "micros",
    "moment",
]
