"""One session directory as a whole: load, save, fold of its journals, flush, repair.

`session` is the directory, `lock` what keeps its writers apart, `covered` the note of how
much of the journals METRICS.json holds, `public` what hosts call.
"""

from m31a_metrics.session.covered import Covered
from m31a_metrics.session.public import load, new_session_id, save
from m31a_metrics.session.session import BASE, COVERED, LOCK, REFRESH_BYTES, Own, Session

__all__ = [
    "BASE",
    "COVERED",
    "LOCK",
    "REFRESH_BYTES",
    "Covered",
    "Own",
    "Session",
    "load",
    "new_session_id",
    "save",
]
