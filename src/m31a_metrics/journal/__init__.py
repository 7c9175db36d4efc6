"""Append-only events on disk: `events/<writer>.jsonl` of a session (docs/journal.md).

`Writer` is one Collector's own file, `append_shared` the file that short-lived commands
share, `read` gives back what either wrote, `trim` cuts what a dead writer left behind.
`journal.mend` blanks what nobody can read; only `m31 doctor` asks for it.
"""

from m31a_metrics.journal.appender import Appender
from m31a_metrics.journal.read import SUFFIX, Journal, names, read, read_on, remainder
from m31a_metrics.journal.shared import SHARED, append_shared
from m31a_metrics.journal.trim import Trimmed, trim
from m31a_metrics.journal.writer import JournalLost, Writer

__all__ = [
    "SHARED",
    "SUFFIX",
    "Appender",
    "Journal",
    "JournalLost",
    "Trimmed",
    "Writer",
    "append_shared",
    "names",
    "read",
    "read_on",
    "remainder",
    "trim",
]
