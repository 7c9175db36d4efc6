"""Following sessions while they go on, whoever runs them: cheap to ask every second.

A recorded session is read on from where reading stopped. A transcript is read anew when
its files changed, and the longer that takes the less often: a twentieth of a core at most.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import groupby, islice
from threading import Lock
from time import monotonic
from typing import Protocol

from msgspec import MsgspecError, Struct
from msgspec.structs import replace

from m31a_metrics import sources, store
from m31a_metrics.answers import SessionRow
from m31a_metrics.catalog.agents import Place, places
from m31a_metrics.catalog.find_session import load_named
from m31a_metrics.catalog.guard import guarded
from m31a_metrics.catalog.load import LoadedSession, Loader
from m31a_metrics.catalog.records import RECORDED, recorded_names
from m31a_metrics.config import Config
from m31a_metrics.errors import MetricsError, SessionForgotten, SessionNotFound, StorageError
from m31a_metrics.events import SessionStart, decoder
from m31a_metrics.foreign_files import Folders
from m31a_metrics.journal import shared_in
from m31a_metrics.model import SessionDetail, SessionMetrics
from m31a_metrics.rates import pricer
from m31a_metrics.record import SessionRecord
from m31a_metrics.session import Session
from m31a_metrics.units import file_of

_REST = 19
_TRIED_MOST = 24
"""So many places are tried, where the latest cannot be read."""


class Followed(Protocol):
    """One session. `look` reads what is new; the rest is as of the last look. Thread-safe."""

    @property
    def agent(self) -> str:
        """Whose it is; `m31a` for one in the sessions directory."""
        ...

    @property
    def session_id(self) -> str:
        """The id that it is found by."""
        ...

    @property
    def project(self) -> str:
        """Where it runs; empty where nobody knows."""
        ...

    @property
    def about(self) -> str:
        """Agent, project and branch, in a few words."""
        ...

    @property
    def row(self) -> SessionRow:
        """The session as a list has it, without its sums: whose it is, and its file."""
        ...

    def look(self) -> None:
        """Read what is new. Raises MetricsError for what cannot be read."""
        ...

    def metrics(self) -> SessionMetrics:
        """What it holds."""
        ...

    def detail(self) -> SessionDetail:
        """What only events know."""
        ...


class FollowedSession:
    """A session in the sessions directory."""

    agent = RECORDED
    project = ""
    about = RECORDED

    def __init__(self, directory: str, config: Config) -> None:
        sessions_dir, self.session_id = os.path.split(directory)
        self._directory = directory
        session = Session(sessions_dir, self.session_id, pricer(config))
        self._following = session.follow(lines=config.failure_lines)
        self._lock = Lock()

    @property
    def row(self) -> SessionRow:
        """Its id and its directory."""
        return SessionRow(RECORDED, self.session_id, self.session_id, self._directory)

    def look(self) -> None:
        """Read on."""
        with self._lock, guarded(self._directory):
            self._following.look()

    def metrics(self) -> SessionMetrics:
        """What it holds."""
        with self._lock:
            return self._following.metrics()

    def detail(self) -> SessionDetail:
        """What only its events know."""
        with self._lock:
            return self._following.detail()


class _Sums(Struct):
    """What a file came to. Its events are not kept: a file may be large, and goes on."""

    record: SessionRecord
    metrics: SessionMetrics
    detail: SessionDetail
    recorded: list[str]

    @classmethod
    def of(cls, loaded: LoadedSession) -> _Sums:
        recorded = recorded_names(loaded.facts, loaded.path, loaded.events)
        return cls(loaded.record, loaded.metrics, loaded.detail, recorded)


class FollowedFile:
    """A file that is read whole: another agent's transcript, or a lone METRICS.json."""

    def __init__(
        self, agent: str, path: str, config: Config, loaded: LoadedSession | None = None
    ) -> None:
        self.agent = agent
        self._path = path
        self._config = config
        self._sums = None if loaded is None else _Sums.of(loaded)
        # A transcript that was read to find it was read as one that is over.
        self._stamp = self._stamps() if loaded is not None and agent == RECORDED else None
        self._rest_until_s = 0.0
        self._refused: SessionForgotten | None = None
        self._lock = Lock()

    def look(self) -> None:
        """Read it anew, if it changed and the last reading is long enough ago.

        Raises SessionForgotten for a session that is not to be read.
        """
        with self._lock, guarded(self._path):
            self._look()

    def _stamps(self) -> list[tuple[int, int]]:
        stamps = stamps_of(self._path)
        names = _names(self._path).union(() if self._sums is None else self._sums.recorded)
        for name in sorted(names):
            directory = f"{self._config.sessions_dir}/{name}"
            if name and _is_told_by_hooks(directory):
                stamps += _stamps(directory)
        return stamps

    def _look(self) -> None:
        if self._refused is not None:
            raise self._refused
        stamp = self._stamps()
        if stamp == self._stamp or monotonic() < self._rest_until_s:
            return
        began_s = monotonic()
        if self.agent == RECORDED:
            loaded = load_named(self._config, self._path, {}, only_dir=True)
        else:
            try:
                loaded = Loader(self._config).load(self.agent, self._path, goes_on=True)
            except SessionForgotten as error:
                self._refused, self._sums = error, None
                raise
        self._sums = _Sums.of(loaded)
        self._stamp = stamp  # of before: what was written meanwhile is read the next time
        self._rest_until_s = monotonic() + _REST * (monotonic() - began_s)

    @property
    def session_id(self) -> str:
        """The agent's own id, once it was read; until then the file's name."""
        return os.path.basename(self._path) if self._sums is None else self._sums.record.session_id

    @property
    def row(self) -> SessionRow:
        """Its id and its file."""
        return SessionRow(self.agent, self.session_id, self.session_id, self._path)

    @property
    def project(self) -> str:
        """The directory that it runs in."""
        return "" if self._sums is None else self._sums.record.project

    @property
    def about(self) -> str:
        """Agent, the last part of the project's path, branch."""
        if self._sums is None:
            return self.agent
        record = self._sums.record
        project = record.project.rstrip("/").rpartition("/")[2]
        return "  ".join(part for part in (record.agent, project, record.branch) if part)

    def metrics(self) -> SessionMetrics:
        """What it holds."""
        return SessionMetrics(self.session_id) if self._sums is None else self._sums.metrics

    def detail(self) -> SessionDetail:
        """What only its events know."""
        return SessionDetail() if self._sums is None else self._sums.detail


def follow(
    config: Config, name: str | None, environ: Mapping[str, str], *, only_dir: bool = False
) -> Followed:
    """Follow the session that `name` names as `load_named` takes it; None: the one active last.

    Raises what `load_named` raises.
    """
    if name is None:
        followed = newest(latest(config, environ, only_dir=only_dir), config)
        if followed is not None:
            return followed
        raise SessionNotFound(
            f"nothing is recorded in {config.sessions_dir} yet, and no agent's sessions are "
            "here; record a command: `m31 run -- COMMAND`"
        )
    one = load_named(config, name, environ, only_dir=only_dir)
    path = one.record.path
    if not one.is_transcript and os.path.isdir(path):
        return follow_place(Place(RECORDED, path, 0, 0), config)
    return FollowedFile(one.record.agent if one.is_transcript else RECORDED, path, config, one)


def newest(found: Sequence[Place], config: Config) -> Followed | None:
    """Follow the place that changed last, can be read and is not forgotten; None: there is none.

    All sessions of one database change in one moment: of these, the one with the latest
    event. Raises what the first place raises where not one of the latest can be read.
    """
    failed: MetricsError | None = None
    for _, at_once in islice(groupby(found, lambda place: place.changed_us), _TRIED_MOST):
        followed = []
        for place in at_once:
            one = follow_place(place, config)
            try:
                one.look()
            except SessionForgotten:
                continue
            except MetricsError as error:
                failed = failed or error
            else:
                followed.append(one)
        if followed:
            return max(followed, key=lambda one: one.metrics().updated_at)
    if failed is not None:
        raise failed
    return None


def follow_place(place: Place, config: Config) -> Followed:
    """Follow the session at a place that `latest` found."""
    if place.agent == RECORDED and not _is_of_an_agent(place.path):
        return FollowedSession(place.path, config)
    return FollowedFile(place.agent, place.path, config)


def latest(config: Config, environ: Mapping[str, str], *, only_dir: bool = False) -> list[Place]:
    """Find all sessions, the latest changed first; nothing is opened.

    Raises StorageError where the sessions directory cannot be listed, if it is all.
    """
    present = [] if only_dir else sources.present(environ)
    found = places(present, environ)
    named = {name: at for at, place in enumerate(found) for name in _names(place.path)}
    at_path = {place.path: at for at, place in enumerate(found)}
    try:
        subagents = sources.subagent_sessions(present, environ)
    except MetricsError:
        subagents = {}  # finding its sessions says what is wrong
    named |= {one: at_path[path] for one, path in subagents.items() if path in at_path}
    try:
        for name in store.session_ids(config.sessions_dir):
            directory = f"{config.sessions_dir}/{name}"
            changed_ns = max((at for at, _ in _stamps(directory)), default=0)
            at = named.get(name)
            if at is not None and _is_told_by_hooks(directory):  # with the transcript it is one
                changed_us = max(found[at].changed_us, changed_ns // 1000)
                found[at] = replace(found[at], changed_us=changed_us)
            elif changed_ns:
                found.append(Place(RECORDED, directory, 0, changed_ns // 1000))
    except StorageError:
        if only_dir:
            raise
    found.sort(key=lambda place: -place.changed_us)
    return found


_ID_LENGTH = 36
"""Of a UUID; agents name a transcript after its session, or put that at its name's end."""


def _names(path: str) -> set[str]:
    """What hooks may call a transcript's session, by the file's name."""
    stem = os.path.splitext(os.path.basename(file_of(path)))[0]
    return {stem, stem[-_ID_LENGTH:]}


def _is_told_by_hooks(directory: str) -> bool:
    return bool(shared_in(f"{directory}/{store.EVENTS}"))


_BEGINNING_BYTES = 4096


def _is_of_an_agent(directory: str) -> bool:
    """Tell whether an agent tells of a session: what it comes to, only all of it says."""
    events = f"{directory}/{store.EVENTS}"
    beginning = b""
    for name in shared_in(events):
        try:
            with open(f"{events}/{name}", "rb") as file:
                beginning += file.read(_BEGINNING_BYTES) + b"\n"
        except OSError:
            continue
    for line in beginning.splitlines():
        try:
            event = decoder().decode(line)
        except MsgspecError:
            continue
        if type(event) is SessionStart and event.agent:
            return event.agent != RECORDED
    return False


def stamps_of(path: str) -> list[tuple[int, int]]:
    """Tell one state of a transcript from another, by time and size of all its files.

    Beside the file: the log of a database, and the folder in which an agent keeps the
    transcripts of subagents.
    """
    file = file_of(path)
    stamps = []
    for one in (file, f"{file}-wal"):
        try:
            status = os.stat(one)
        except OSError:
            continue
        stamps.append((status.st_mtime_ns, status.st_size))
    return stamps + _stamps(os.path.splitext(file)[0])


def _stamps(root: str) -> list[tuple[int, int]]:
    stamps = []
    for folder, found in Folders().walk(root):
        for name in found.files:
            try:
                status = os.lstat(f"{folder}/{name}")
            except OSError:
                continue
            stamps.append((status.st_mtime_ns, status.st_size))
    return stamps
