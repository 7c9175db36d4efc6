"""The sessions directory: the session that a person means by an id, a beginning, a path."""

from __future__ import annotations

import os
from collections.abc import Sequence

from m31a_metrics import store
from m31a_metrics.catalog.progress import Progress, quiet
from m31a_metrics.errors import InvalidSessionId, MetricsError, SessionNotFound
from m31a_metrics.model import ZERO_TIME
from m31a_metrics.session import Session

LAST = "last"
"""Names the session with the latest event. One whose id is `last` is found by its path."""

_CANDIDATES_SHOWN = 5


def resolve(sessions_dir: str, name: str, *, progress: Progress = quiet) -> Session | str:
    """Find what a person means by `name`: a session, or the path of a lone METRICS.json.

    An exact id goes before a prefix, and both before a path without a slash. Raises
    SessionNotFound, which names the candidates of an ambiguous prefix; InvalidSessionId
    for the path of a directory with journals whose name is no id; StorageError.
    """
    if name == LAST:
        return Session(sessions_dir, _last(sessions_dir, progress))
    if os.sep in name:
        sought = f"there is nothing at {name!r}"
    else:
        sought = f"no session in {sessions_dir} has the id or prefix {name!r}"
        names = set(store.session_ids(sessions_dir))
        candidates = [one for one in sorted(names) if name and one.startswith(name)]
        if name in names or len(candidates) == 1:
            return Session(sessions_dir, candidates[0])
        if candidates:
            raise SessionNotFound(ambiguous(name, candidates))
    path = os.path.realpath(os.path.expanduser(name))
    if not name or not os.path.exists(path):
        raise SessionNotFound(f"{sought}; list the sessions: `m31 sessions`")
    return _at_path(path)


def _last(sessions_dir: str, progress: Progress) -> str:
    names = sorted(store.session_ids(sessions_dir))
    latest, updated_at, damaged = "", ZERO_TIME, False
    for done, name in enumerate(names):
        progress(done, len(names))
        try:
            metrics = Session(sessions_dir, name).load()
        except MetricsError:
            damaged = True
            continue
        if metrics is not None and (not latest or metrics.updated_at > updated_at):
            latest, updated_at = name, metrics.updated_at
    progress(len(names), len(names))
    if latest:
        return latest
    if damaged:
        raise SessionNotFound(f"no session in {sessions_dir} can be read; see why: `m31 doctor`")
    raise SessionNotFound(
        f"nothing is recorded in {sessions_dir} yet; record a command: `m31 run -- COMMAND`"
    )


def ambiguous(name: str, candidates: Sequence[str]) -> str:
    """Say which sessions a beginning may stand for."""
    shown = ", ".join(candidates[:_CANDIDATES_SHOWN])
    more = len(candidates) - _CANDIDATES_SHOWN
    rest = f" or {more:,} more" if more > 0 else ""
    return f"{name!r} is the beginning of several sessions: {shown}{rest}; give more of it"


def _at_path(path: str) -> Session | str:
    if not os.path.isdir(path):
        if os.path.basename(path) != store.METRICS:
            return path
        path = os.path.dirname(path)
    parent, name = os.path.split(path)
    file = os.path.join(path, store.METRICS)
    has_events = os.path.isdir(os.path.join(path, store.EVENTS))
    if not has_events and not os.path.exists(file):
        raise SessionNotFound(
            f"{path} is no session, for it holds no {store.METRICS}; "
            f"list the sessions in it: `m31 sessions --sessions-dir {path}`"
        )
    try:
        return Session(parent, name)
    except InvalidSessionId:
        # M31A names directories as it likes; only one with journals must have our ids.
        if has_events:
            raise
        return file
