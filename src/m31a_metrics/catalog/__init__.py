"""Where the questions get their sessions: recorded ones and other agents', in one index.

A session that cannot be read never hides the others: it is left out, and a sentence in
`problems` names it.
"""

from m31a_metrics.catalog.asking import Asking, ask
from m31a_metrics.catalog.load import LoadedSession
from m31a_metrics.catalog.one import AskedOne, ask_one, in_memory, is_path, named, read_one
from m31a_metrics.catalog.progress import Progress, quiet
from m31a_metrics.catalog.recorded import LAST, resolve

__all__ = [
    "LAST",
    "AskedOne",
    "Asking",
    "LoadedSession",
    "Progress",
    "ask",
    "ask_one",
    "in_memory",
    "is_path",
    "named",
    "quiet",
    "read_one",
    "resolve",
]
