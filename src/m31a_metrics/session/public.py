"""What a host asks of sessions without a Collector: load one, save one, name a new one."""

from __future__ import annotations

import os
from typing import overload

from m31a_metrics import store
from m31a_metrics.model import SessionMetrics
from m31a_metrics.session.session import Session


@overload
def load(session_id: str, /) -> SessionMetrics | None: ...
@overload
def load(*, session_id: str) -> SessionMetrics | None: ...
@overload
def load(sessions_dir: str | os.PathLike[str], session_id: str) -> SessionMetrics | None: ...
def load(
    sessions_dir: str | os.PathLike[str] | None = None, session_id: str | None = None
) -> SessionMetrics | None:
    """Read a session's metrics; None if there is no such session.

    One argument is the id of a session in the configured directory, two are a directory
    and the id of a session in it.

    Raises InvalidSessionId, DamagedMetrics, ForeignFile, StorageError; with one argument
    also ConfigError, where the configuration cannot be understood.
    """
    if session_id is None:
        if not isinstance(sessions_dir, str):
            # A Path as the one argument is a directory whose session was forgotten.
            raise TypeError("load needs the id of a session")
        session_id = sessions_dir
        sessions_dir = None
    if sessions_dir is None:
        from m31a_metrics.config import read  # whoever names a directory needs none

        store.check_session_id(session_id)
        sessions_dir = read().sessions_dir
    return Session(os.fspath(sessions_dir), session_id).load()


def save(sessions_dir: str | os.PathLike[str], session_id: str, metrics: SessionMetrics) -> None:
    """Write a session's metrics as they are given.

    Raises InvalidSessionId, ValueError (a number or time that JSON cannot say),
    SessionHasJournals, ForeignFile, StorageError.
    """
    Session(os.fspath(sessions_dir), session_id).save(metrics)


def new_session_id() -> str:
    """Make an id as M31A does: 8 hexadecimal characters."""
    return os.urandom(4).hex()
