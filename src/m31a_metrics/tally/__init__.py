"""The one fold: events in, SessionMetrics out. No lock, no clock, no disk.

`Tally` holds the sums, `Fold` adds the journals of a session to one. By their own names,
because a program that records needs neither: `tally.live` keeps what METRICS.json has no
room for (percentiles, the latest events), `tally.difference` takes sums apart, `tally.state`
goes on where METRICS.json stands.
"""

from m31a_metrics.tally.fold import Batch, Fold, fold
from m31a_metrics.tally.ids import Ids, Known, either, hashed
from m31a_metrics.tally.rows import OTHER, ToolCount
from m31a_metrics.tally.tally import Price, Tally, merge
from m31a_metrics.timestamps import micros, moment

__all__ = [
    "OTHER",
    "Batch",
    "Fold",
    "Ids",
    "Known",
    "Price",
    "Tally",
    "ToolCount",
    "either",
    "fold",
    "hashed",
    "merge",
    "micros",
    "moment",
]
