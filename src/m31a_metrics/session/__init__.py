"""One session directory as a whole: load, save, fold of its journals, flush, repair.

`session` is the whole of it, and what hosts call, `directory` what stands there, `counting` what
that comes to, `flushing` the order in which it is written, `lock` what keeps its writers apart,
`own` a living writer's part of it. `covered` is the note of how much of the journals
METRICS.json holds, `idfile` the ids that it counts.
"""

from m31a_metrics.session.covered import BASE, COVERED, IDS
from m31a_metrics.session.session import LOCK, REFRESH_BYTES, Session, load, new_session_id, save

__all__ = [
    "BASE",
    "COVERED",
    "IDS",
    "LOCK",
    "REFRESH_BYTES",
    "Session",
    "load",
    "new_session_id",
    "save",
]
