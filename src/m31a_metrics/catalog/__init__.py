"""Where the questions get their sessions: recorded ones and other agents', as one list.

A session that cannot be read never hides the others: it is left out, and a sentence in
`Reading.problems` names it.
"""

from m31a_metrics.catalog.everything import Slice, read, read_one
from m31a_metrics.catalog.reading import Progress, Reading, quiet
from m31a_metrics.catalog.recorded import LAST, read_session, read_sessions, resolve

__all__ = [
    "LAST",
    "Progress",
    "Reading",
    "Slice",
    "quiet",
    "read",
    "read_one",
    "read_session",
    "read_sessions",
    "resolve",
]
