"""Append-only events on disk: `events/<writer>.jsonl` of a session (docs/journal.md).

`Writer` is one Collector's own file, `append_shared` the file that short-lived commands
share, `read` gives back what either wrote, `trim` cuts what a dead writer left behind.
`journal.mend` blanks what nobody can read; only `m31 doctor` asks for it.
"""

from m31a_metrics.journal.read import (
    IMPORT_PREFIX,
    SUFFIX,
    Journal,
    batches,
    content_length,
    count_lines,
    has_more,
    is_copy,
    is_lost,
    names,
    read,
)
from m31a_metrics.journal.shared import (
    OTLP,
    OTLP_OPEN,
    SHARED,
    append_shared,
    hold,
    is_shared,
    shared_in,
)
from m31a_metrics.journal.trim import Trimmed, is_alive, trim
from m31a_metrics.journal.writer import Appender, ExitLock, JournalLost, Writer

__all__ = [
    "IMPORT_PREFIX",
    "OTLP",
    "OTLP_OPEN",
    "SHARED",
    "SUFFIX",
    "Appender",
    "ExitLock",
    "Journal",
    "JournalLost",
    "Trimmed",
    "Writer",
    "append_shared",
    "batches",
    "content_length",
    "count_lines",
    "has_more",
    "hold",
    "is_alive",
    "is_copy",
    "is_lost",
    "is_shared",
    "names",
    "read",
    "shared_in",
    "trim",
]
