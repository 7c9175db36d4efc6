"""The sessions directory: M31A's sessions, and those that a Collector recorded."""

from __future__ import annotations

import gc
import os
from collections.abc import Container, Iterable, Sequence
from datetime import datetime

from m31a_metrics import codec, store
from m31a_metrics.catalog.reading import Progress, Reading, quiet
from m31a_metrics.errors import InvalidSessionId, MetricsError, SessionNotFound
from m31a_metrics.journal import Journal
from m31a_metrics.model import SessionMetrics
from m31a_metrics.session import Session
from m31a_metrics.tally.detail import DetailTally

LAST = "last"
"""Names the session with the latest event. One whose id is `last` is found by its path."""

_CANDIDATES_SHOWN = 5


def read_sessions(
    sessions_dir: str,
    *,
    journals: bool = False,
    since: datetime | None = None,
    until: datetime | None = None,
    leave_out: Container[str] = (),
    progress: Progress = quiet,
) -> Reading:
    """Read every session, or those with an event at or after `since`, latest first.

    `until` leaves out those that began later, `leave_out` those of these ids.
    `journals` asks for percentiles and models, which means reading every event.
    Raises StorageError where `sessions_dir` itself cannot be listed.
    """
    problems: list[str] = []
    found: list[tuple[Session, SessionMetrics]] = []
    names = sorted(store.session_ids(sessions_dir))
    # The collector would look at thousands of rows again and again, and find nothing; of
    # transcripts, though, it frees what their readers tied into knots.
    gc.disable()
    try:
        for done, name in enumerate(names):
            progress(done, len(names))
            if name in leave_out:
                continue
            session = Session(sessions_dir, name)
            try:
                metrics = session.load()
            except MetricsError as error:
                problems.append(str(error))
                continue
            if metrics is not None and _within(metrics, since, until):
                metrics.session_id = name
                found.append((session, metrics))
    finally:
        gc.freeze()
        gc.enable()
    progress(len(names), len(names))
    found.sort(key=_by_time, reverse=True)
    if journals:
        return _with_journals(found, problems, progress)
    return Reading([metrics for _, metrics in found], problems=problems)


def _within(metrics: SessionMetrics, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or metrics.updated_at >= since) and (
        until is None or metrics.started_at <= until
    )


def read_session(sessions_dir: str, name: str, *, progress: Progress = quiet) -> Reading:
    """Read one session by id, unique prefix, path or `last`, with what its journals add.

    Raises SessionNotFound, InvalidSessionId, DamagedMetrics, ForeignFile, StorageError.
    """
    session = resolve(sessions_dir, name, progress=progress)
    if isinstance(session, str):
        return Reading([_read_file(session)])
    metrics = session.load()
    if metrics is None:
        raise SessionNotFound(f"{session.directory} holds neither METRICS.json nor journals")
    metrics.session_id = session.session_id
    return _with_journals([(session, metrics)], [], quiet)


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
    reading = read_sessions(sessions_dir, progress=progress)
    if reading.sessions:
        return reading.sessions[0].session_id
    if reading.problems:
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


def _read_file(path: str) -> SessionMetrics:
    data = store.read(path)
    if data is None:
        raise SessionNotFound(f"{path} was removed while it was read")
    metrics = codec.decode(data, path)
    metrics.session_id = metrics.session_id or path
    return metrics


def _with_journals(
    found: Sequence[tuple[Session, SessionMetrics]], problems: list[str], progress: Progress
) -> Reading:
    reading = Reading([], problems=problems)
    detail = DetailTally()
    for done, (session, metrics) in enumerate(found):
        progress(done, len(found))
        if session.has_journals():
            try:
                tally, journals = session.fold()
            except MetricsError as error:
                reading.problems.append(str(error))
            else:
                metrics = tally.metrics(session.session_id)
                reading.models += tally.models.values()
                reading.problems += _damage(session, journals)
                # One tally a session: the ids of one mean nothing in another.
                one = DetailTally()
                one.add_all(journal.events for journal in journals)
                detail.merge(one)
        reading.sessions.append(metrics)
    progress(len(found), len(found))
    reading.histograms, reading.waits_ms = detail.histograms, detail.waits_ms
    return reading


def _damage(session: Session, journals: Iterable[Journal]) -> list[str]:
    return [
        f"{session.events}/{journal.name}: {journal.damaged:,} damaged lines are not counted "
        f"({journal.reasons[0]})"
        for journal in journals
        if journal.damaged
    ]


def _by_time(found: tuple[Session, SessionMetrics]) -> datetime:
    return found[1].updated_at
