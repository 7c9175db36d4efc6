"""What is wrong with a session's directory, and putting it right without losing anything.

From the outside inwards: what stands there and whose it is (`places`), then what the files
hold (`contents`). Damaged files are set aside as `<file>.bad-<time>`, never deleted; a
living writer's journal is never touched; what is not ours is told and left where it is.
"""

from __future__ import annotations

import os

from m31a_metrics import store
from m31a_metrics.checkup.contents import look_at_contents
from m31a_metrics.checkup.findings import Examination, Finding
from m31a_metrics.checkup.places import look_at_places
from m31a_metrics.errors import InvalidSessionId, MetricsError, StorageError
from m31a_metrics.session import Session

__all__ = ["Finding", "examine", "session_names"]


def examine(session: Session, *, fix: bool = False) -> list[Finding]:
    """Look at a session's directory; with `fix`, also repair what can be.

    Raises nothing for what it finds: what cannot be read or repaired is a finding too.
    """
    examination = Examination(session, fix)
    try:
        if look_at_places(examination):
            look_at_contents(examination)
    except (MetricsError, OSError) as error:
        examination.find("", str(error), "see to it, then run doctor again")
    return examination.findings


def session_names(sessions_dir: str) -> list[str]:
    """Names below `sessions_dir` that are sessions, or links where a session could be.

    None if it is absent. Raises StorageError.
    """
    names = set(store.session_ids(sessions_dir))
    try:
        with os.scandir(sessions_dir) as entries:
            names.update(entry.name for entry in entries if entry.is_symlink())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(f"cannot list {sessions_dir}: {error.strerror}") from error
    return sorted(name for name in names if _is_session_id(name))


def _is_session_id(name: str) -> bool:
    try:
        store.check_session_id(name)
    except InvalidSessionId:
        return False
    return True
