"""Where the questions get their sessions: recorded ones and other agents', in one index.

A session that cannot be read never hides the others: it is left out, and a sentence in
`problems` names it.
"""

from m31a_metrics.catalog.find_session import (
    LAST,
    AskedSession,
    ask_named,
    in_memory,
    indexed,
    is_path,
    listed,
    load_named,
    named,
    resolve,
)
from m31a_metrics.catalog.load import LoadedSession
from m31a_metrics.catalog.open_index import OpenIndex, ask, news_of, reminders
from m31a_metrics.catalog.refresh import Progress, quiet

__all__ = [
    "LAST",
    "AskedSession",
    "LoadedSession",
    "OpenIndex",
    "Progress",
    "ask",
    "ask_named",
    "in_memory",
    "indexed",
    "is_path",
    "listed",
    "load_named",
    "named",
    "news_of",
    "quiet",
    "reminders",
    "resolve",
]
