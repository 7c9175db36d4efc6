"""Every place that keeps something of sessions: what is there of some, and taking it away.

Whoever makes a new place adds it to PLACES, to docs/privacy.md, and to the test that
searches all of them for what was forgotten.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from shutil import rmtree
from time import time_ns
from typing import Protocol

from msgspec import Struct, field

from m31a_metrics import deliveries, rates, store
from m31a_metrics.catalog.import_sessions import staged_in
from m31a_metrics.catalog.open_index import ask
from m31a_metrics.catalog.records import RECORDED, session_name
from m31a_metrics.config import Config
from m31a_metrics.errors import MetricsError, StorageError
from m31a_metrics.history import History, zones
from m31a_metrics.history.erasure import count_rows, holds_rows, is_index
from m31a_metrics.history.erasure import fleets as fleets_in
from m31a_metrics.live.files import FOLDERS, files_of
from m31a_metrics.session import Session
from m31a_metrics.session.removal import own_files, remove
from m31a_metrics.spans import trace_id
from m31a_metrics.transcript import SessionRef

FLEET = "fleet"
"""The place of what was pushed to fleets, which lies on no disk of this machine."""

_ASIDE = re.compile(r"(.+)\.bad-\d+(-wal|-shm)?")


class Trace(Struct):
    """Something that is kept of sessions which are to be forgotten, or of what was."""

    place: str
    path: str
    file_count: int = 1
    byte_count: int = 0
    row_count: int = 0


class Job(Struct):
    """What is to be forgotten: the sessions, and the directories that recorded them.

    `names` are words that only they have: by these a damaged index is known to hold them.
    """

    config: Config
    environ: Mapping[str, str]
    refs: list[SessionRef] = field(default_factory=list)
    recordings: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)


class Place(Protocol):
    """Where something of sessions is kept."""

    name: str

    def find(self, job: Job) -> list[Trace]:
        """Tell what is there of the sessions of a job; changes nothing."""
        ...

    def clear(self, job: Job) -> list[str]:
        """Take it away; return what remains and why, a sentence each."""
        ...


class _Recordings:
    """METRICS.json and journals in the sessions directory, and what imports left staged."""

    name = "recording"

    def find(self, job: Job) -> list[Trace]:
        traces = []
        for directory in job.recordings:
            files = own_files(Session(*os.path.split(directory)))
            traces.append(Trace(self.name, directory, len(files), _bytes_of(files)))
        for folder in staged_in(job.config.sessions_dir).abandoned:
            files = [f"{at}/{name}" for at, _, names in os.walk(folder) for name in names]
            traces.append(Trace("abandoned import", folder, len(files), _bytes_of(files)))
        return traces

    def clear(self, job: Job) -> list[str]:
        remaining = []
        for directory in job.recordings:
            try:
                remove(Session(*os.path.split(directory)))
            except MetricsError as error:
                remaining.append(str(error))
        for folder in staged_in(job.config.sessions_dir).abandoned:
            try:
                rmtree(folder)
            except OSError as error:
                remaining.append(f"cannot remove {folder}: {error.strerror}")
        return remaining


class _Fleets:
    """What was pushed to fleets: they are told by the next push, of pruned sessions too."""

    name = FLEET

    def find(self, job: Job) -> list[Trace]:
        found = fleets(job.config, job.refs)
        return [Trace(self.name, address, 0, 0, count) for address, count in found.items()]

    def clear(self, job: Job) -> list[str]:
        remaining: list[str] = []
        if not self.find(job):
            return remaining
        for path in indexes(job.config):
            try:
                with History(path) as history:
                    history.forget_in_fleets(job.refs)
            except MetricsError as error:
                remaining.append(str(error))
        return remaining


class _Indexes:
    """The indexes of all time zones, and every other one beside them."""

    name = "index"

    def find(self, job: Job) -> list[Trace]:
        counted = {path: count_rows(path, job.refs) for path in indexes(job.config)}
        return [Trace(self.name, path, 0, 0, rows) for path, rows in counted.items() if rows]

    def clear(self, job: Job) -> list[str]:
        remaining: list[str] = []
        there = indexes(job.config)
        asked = ""
        try:
            if not set(there).isdisjoint(zones.paths(job.config.index)):
                # Forks that it shared events with are read again, without those.
                with ask(job.config, job.environ, all_folders=True) as asking:
                    asked = asking.history.path
                    remaining += asking.notes + _emptied(asking.history)
        except MetricsError as error:
            remaining.append(str(error))
        for path in there:
            if path != asked:
                try:
                    with History(path) as history:
                        history.clean(job.config.forgotten, RECORDED)
                        remaining += history.notes + _emptied(history)
                except MetricsError as error:
                    remaining.append(str(error))
        return remaining


def _emptied(history: History) -> list[str]:
    """Leave nothing in the file of what was taken out; say so where that cannot be."""
    if history.purge():
        return []
    why = "another process is reading the index; end it, then run the same command again"
    return [f"{history.path}-wal still holds what was forgotten, because {why}"]


class _SetAside:
    """Damaged indexes that were set aside: rows cannot be taken out of them, so they go whole."""

    name = "damaged index"

    def find(self, job: Job) -> list[Trace]:
        return [Trace(self.name, path, 1, _bytes_of([path])) for path in self._paths(job)]

    def clear(self, job: Job) -> list[str]:
        return _unlink(self._paths(job))

    def _paths(self, job: Job) -> list[str]:
        words = [name.encode("utf-8", "surrogatepass") for name in job.names if name]
        known = {job.config.index, *indexes(job.config)}
        verdicts: dict[str, bool] = {}
        # A file comes before its log, whose fate is the same.
        for path in _files_in(os.path.dirname(job.config.index)):
            found = _ASIDE.fullmatch(path)
            if found is None:
                continue
            main = path.removesuffix(found[2] or "")
            if main not in verdicts:
                verdicts[main] = holds_rows(path, words, was_index=found[1] in known)
            verdicts[path] = verdicts[main]
        return [path for path, is_ours in verdicts.items() if is_ours and os.path.lexists(path)]


class _Rates:
    """Prices that were looked up, under the names of models; looked up again when needed."""

    name = "rates"

    def find(self, job: Job) -> list[Trace]:
        path = rates.path(job.config)
        return [Trace(self.name, path, 1, _bytes_of([path]))] if os.path.lexists(path) else []

    def clear(self, job: Job) -> list[str]:
        return _unlink([rates.path(job.config)])


class _Live:
    """What settlings and status lines left of sessions, what budgets said, what was allowed."""

    name = "live"

    def find(self, job: Job) -> list[Trace]:
        return [Trace(self.name, path, 1, _bytes_of([path])) for path in self._paths(job)]

    def clear(self, job: Job) -> list[str]:
        return _unlink(self._paths(job))

    def _paths(self, job: Job) -> list[str]:
        names = [os.path.basename(directory) for directory in job.recordings]
        names += [session_name(ref.agent, ref.native_id, "") for ref in job.refs]
        live_dir = job.config.live_dir
        return [path for name in dict.fromkeys(names) for path in files_of(live_dir, name)]


class _Exported:
    """Which spans of them were sent to receivers of OTLP, by the ids of their traces."""

    name = "export"

    def find(self, job: Job) -> list[Trace]:
        found = deliveries.holding(*self._sought(job))
        return [Trace(self.name, path, 0, 0, 1) for path in found]

    def clear(self, job: Job) -> list[str]:
        return deliveries.erase(*self._sought(job), time_ns() // 1000)

    def _sought(self, job: Job) -> tuple[str, list[str]]:
        sessions = [f"{trace_id(ref):032x}" for ref in job.refs]
        return deliveries.folder(job.config.forgotten), sessions


class _HalfWritten:
    """Files that a killed process left half written."""

    name = "half written file"

    def find(self, job: Job) -> list[Trace]:
        return [Trace(self.name, path, 1, _bytes_of([path])) for path in self._paths(job)]

    def clear(self, job: Job) -> list[str]:
        return _unlink(self._paths(job))

    def _paths(self, job: Job) -> list[str]:
        config = job.config
        files = (config.index, config.forgotten, rates.path(config))
        folders = [config.sessions_dir, *map(os.path.dirname, files), config.live_dir]
        folders += [f"{config.live_dir}/{name}" for name in FOLDERS]
        folders.append(deliveries.folder(config.forgotten))
        return [
            path
            for folder in dict.fromkeys(folders)
            for path in _files_in(folder)
            if store.is_half_written(os.path.basename(path))
        ]


PLACES: Sequence[Place] = (
    _Recordings(),
    _Fleets(),  # before the indexes forget when a session began, which a fleet may know it by
    _Indexes(),
    _SetAside(),
    _Rates(),
    _Live(),
    _Exported(),
    _HalfWritten(),
)
"""In the order in which they are cleared."""


def fleets(config: Config, refs: Sequence[SessionRef]) -> dict[str, int]:
    """The fleets that have any of these sessions, and how many each has."""
    found: dict[str, int] = {}
    for path in indexes(config):
        for address, count in fleets_in(path, refs).items():
            found[address] = max(found.get(address, 0), count)
    return found


def indexes(config: Config) -> list[str]:
    """All indexes that are there: the configured one, and those beside it."""
    return [
        path
        for path in _files_in(os.path.dirname(config.index))
        if ".bad-" not in os.path.basename(path) and (path == config.index or is_index(path))
    ]


def _files_in(folder: str) -> list[str]:
    """The regular files of a folder, links not followed; none where it is not there."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.path for entry in entries if entry.is_file(follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StorageError(f"cannot list {folder}: {error.strerror}") from error


def _bytes_of(paths: Iterable[str]) -> int:
    total = 0
    for path in paths:
        try:
            total += os.lstat(path).st_size
        except OSError:
            continue  # it went away this moment
    return total


def _unlink(paths: Iterable[str]) -> list[str]:
    remaining = []
    for path in paths:
        try:
            os.unlink(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            remaining.append(f"cannot remove {path}: {error.strerror}")
    return remaining
