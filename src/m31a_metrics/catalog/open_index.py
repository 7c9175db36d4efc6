"""Open the index for questions: brought up to date first; in memory where there can be no file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from hashlib import blake2s
from time import time, time_ns

from msgspec import Struct

from m31a_metrics import sources, store
from m31a_metrics.answers import Answers
from m31a_metrics.catalog.agents import refused
from m31a_metrics.catalog.guard import Trouble
from m31a_metrics.catalog.hours import Exact, from_files, loading
from m31a_metrics.catalog.refresh import Progress, quiet, refresh
from m31a_metrics.config import Config
from m31a_metrics.errors import (
    ForeignFile,
    IndexLocked,
    IndexUnusable,
    MetricsError,
    SessionNotFound,
    StorageError,
)
from m31a_metrics.foreign_files import read_head
from m31a_metrics.history import MEMORY, Folder, History, zones
from m31a_metrics.history.connection import (
    begin_anew,
    identity,
    looked_ago_s,
    note_looked,
    unusable,
)
from m31a_metrics.timestamps import Zone
from m31a_metrics.timestamps import zone as zone_of
from m31a_metrics.units import file_of

PATIENCE_S = 2.0
"""So long a question waits for another process that writes the index."""

_REMINDED_EVERY_S = 7 * 86_400
_FOLDERS_SHOWN = 3
_NAMED = "cache/named"
"""Beside the index: which damaged files were named, as hashes of what they were then."""
_NAMED_MAX = 1 << 20
_NAMED_KEPT = 4_000
"""Beyond so many, those that are damaged no more are dropped."""
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


class OpenIndex(Struct):
    """Who answers; what was wrong with the index, a sentence each; what could not be read."""

    history: History
    notes: list[str]
    passing: list[Trouble]
    other_folders: list[Folder]
    """Of which the index knows sessions, and which are not among those that are asked about."""
    index: str
    """That of the first time zone, beside which the others are."""
    answers: Answers
    """Whom to ask: exact within a day too, and without what is later than now."""
    file: tuple[int, int] | None
    """Tells the file of one index from another's; None: it is in memory."""
    looked: int | None
    """Which tables were brought up to date, as the index counts them; None: none, it was locked."""

    @property
    def is_whole(self) -> bool:
        """Tell whether it holds all that is there, and others are not making it anew just now."""
        is_there = self.is_in_memory or identity(self.history.path) == self.file
        return is_there and self.looked == self.history.generation()

    def zones(self) -> dict[str, Zone | None]:
        """The indexes of all time zones that are there, by path; None: its zone is not known."""
        return zones.zones(self.index)

    @property
    def problems(self) -> list[str]:
        """What is wrong with the index or any file, a sentence each."""
        return self.notes + [one.sentence for one in self.troubles()]

    def troubles(self, agents: Collection[str] | None = None) -> list[Trouble]:
        """The places of these agents that could not be read, or not whole; None: of all."""
        found: dict[str, Trouble] = {}
        for one in (*self.passing, *(Trouble(*kept) for kept in self.history.problems())):
            if agents is None or one.kind in agents:
                found.setdefault(one.path or one.kind, one)
        return list(found.values())

    def news(self, agents: Collection[str] | None = None) -> list[Trouble]:
        """The same troubles, but of damaged files those alone that changed since they were told.

        They are taken to be told now. Where nobody can keep in mind what was told, it is all.
        """
        troubles = self.troubles(agents)
        if self.is_in_memory:
            return troubles
        marks = {path: _mark(path, said) for _, path, said in self.history.problems()}
        kept = f"{os.path.dirname(self.index)}/{_NAMED}"
        told = _told(kept)
        news = [one for one in troubles if marks.get(one.path) not in told]
        fresh = {marks[one.path] for one in news if one.path in marks}
        if fresh:
            if len(told) > _NAMED_KEPT:
                told &= set(marks.values())
            _note_told(kept, told | fresh)
        return news

    @property
    def is_in_memory(self) -> bool:
        """Tell whether what is found is forgotten when the question is answered."""
        return self.history.path == MEMORY


@contextmanager
def ask(
    config: Config,
    environ: Mapping[str, str],
    *,
    only_dir: bool = False,
    only_agent: str = "",
    in_memory: bool = False,
    progress: Progress = quiet,
    rebuild: bool = False,
    all_folders: bool = False,
) -> Iterator[OpenIndex]:
    """Bring the index up to date and hand it out for questions.

    `only_dir`: of the sessions directory alone, in memory. `only_agent`: so, of what an agent
    keeps that is asked by name. `in_memory`: of all, but the file of the index is left alone.
    `rebuild`: everything is read anew; what only the index knows is kept. What it knows of
    folders that `environ` and the configuration do not name is left out, and said, unless
    `all_folders` are asked about. Raises IndexTooNew, StorageError where the sessions
    directory cannot be listed and nothing else is known, IndexLocked where `rebuild` has to
    wait for too long, and SessionNotFound where `only_agent` has nothing.
    """
    is_bounded = only_dir or bool(only_agent)
    looking = _Looking(config, environ, progress, zone_of(environ))
    looking.agents = [only_agent] if only_agent else [] if only_dir else sources.present(environ)
    looking.and_recorded = not only_agent
    looking.is_whole = not is_bounded
    looking.index = "" if in_memory or is_bounded else config.index
    notes: list[str] = []
    if in_memory or is_bounded:
        history = _brought_up_to_date(History(MEMORY), looking.at)
    else:
        history = _of_zone(looking, notes, rebuild=rebuild)
    passing, others = looking.passing, looking.other_folders
    with history:
        try:
            if (passing or only_agent) and not history.sources():
                _check(passing, config, environ, only_agent)
            if others and not is_bounded and not all_folders:
                notes += left_out(history.leave_out(others), others)
            divided = from_files(history, config, environ, notes, progress)
            load = loading(history, config, environ, notes)
            exact = Exact(history, divided, time_ns() // 1000, load)
            with closing(exact):
                file = None if history.path == MEMORY else identity(history.path)
                found = (history, notes, passing, others, config.index, exact)
                yield OpenIndex(*found, file, looking.looked)
        except sqlite3.Error as error:
            raise unusable(history.path, error) from error


def _mark(path: str, said: str) -> str:
    """Make a mark of a damaged file as it is now, from which nobody can tell which it is."""
    try:
        status = os.stat(file_of(path))
        said += f"\0{status.st_mtime_ns}\0{status.st_size}"
    except OSError:
        pass  # it is there to the index, and not to us
    return blake2s(said.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _told(path: str) -> set[str]:
    try:
        return set(read_head(path, _NAMED_MAX).decode("ascii", "replace").split())
    except OSError:
        return set()  # never yet


def _note_told(path: str, marks: set[str]) -> None:
    try:
        store.make_directory(os.path.dirname(path))
        store.replace(path, "".join(f"{one}\n" for one in sorted(marks)).encode(), sync=False)
    except MetricsError:
        pass  # then it is told again


def news_of(config: Config, path: str, problems: Sequence[str]) -> list[str]:
    """Give what is wrong with one session's file, as far as nobody was told since it changed."""
    kept = f"{os.path.dirname(config.index)}/{_NAMED}"
    told, marks = _told(kept), {said: _mark(path, said) for said in problems}
    news = [said for said in problems if marks[said] not in told]
    if news:
        _note_told(kept, told.union(marks.values()))
    return news


def reminders(config: Config, environ: Mapping[str, str]) -> list[str]:
    """Say which agents delete their transcripts, and when, once a week; else nothing.

    Where nobody can keep in mind that it was said, it is not.
    """
    told = f"{os.path.dirname(config.index)}/cache/reminded"
    try:
        if time() - os.stat(told).st_mtime < _REMINDED_EVERY_S:
            return []
    except OSError:
        pass  # never yet
    found = [
        f"{name} deletes its transcripts after {days} days; the index keeps their sums, and "
        f"`m31 import {name}` their events"
        for name, days in sources.kept_days(environ).items()
    ]
    if found:
        try:
            store.make_directory(os.path.dirname(told))
            store.replace(told, b"", sync=False)
        except MetricsError:
            return []
    return found


class _Looking(Struct):
    """How the index is brought up to date, and what came of it last.

    `is_whole`: with all sources there are. `index` is that of the first time zone, beside which
    the others are; "" where none of them is to be touched. `passing` are the places that
    could not be read, `other_folders` those that are known and were not asked about. `looked`
    is the generation of the index that was looked at to the end; None while none was.
    """

    config: Config
    environ: Mapping[str, str]
    progress: Progress
    zone: Zone
    agents: list[str] = []
    and_recorded: bool = True
    is_whole: bool = True
    index: str = ""
    passing: list[Trouble] = []
    other_folders: list[Folder] = []
    looked: int | None = None

    def at(self, history: History) -> None:
        """Look at all files, and take what changed into an index."""
        self.looked, looked = None, history.generation()
        self.passing.clear()  # what was told of an index that turned out to be damaged
        beside = zones.paths(self.index) if self.index else []
        self.other_folders = refresh(
            history,
            self.config,
            self.environ,
            self.progress,
            self.passing,
            agents=self.agents,
            zone=self.zone,
            and_recorded=self.and_recorded,
            beside=[path for path in beside if path != history.path],
        )
        if self.is_whole:
            self.passing.extend(refused())
        if beside and history.path != MEMORY:
            zones.retire(self.index, history.path)
        self.looked = looked


def left_out(count: int, folders: Sequence[Folder]) -> list[str]:
    """Say which sessions are not counted, because nobody named their folders."""
    if not count:
        return []
    named = [path for _, path in folders]
    where = ", ".join(named[:_FOLDERS_SHOWN]) + ", ..." * (len(named) > _FOLDERS_SHOWN)
    sessions = "1 session" if count == 1 else f"{count:,} sessions"
    return [f"{sessions} of other folders not counted ({where}); with them: --all-folders"]


def _check(
    passing: list[Trouble], config: Config, environ: Mapping[str, str], only_agent: str
) -> None:
    """Refuse to answer where nothing is known because it could not be looked at."""
    decisive = [one for one in passing if only_agent or one.path == config.sessions_dir]
    if decisive:
        raise StorageError(decisive[0].sentence)
    if only_agent:
        raise SessionNotFound(sources.why_none(only_agent, environ))


_Look = Callable[[History], None]


def _brought_up_to_date(history: History, look: _Look) -> History:
    try:
        look(history)
    except BaseException:
        history.close()
        raise
    return history


class _OtherZone(Exception):
    """The index at a path has the days of another zone."""


def _of_zone(looking: _Looking, notes: list[str], *, rebuild: bool) -> History:
    """Open the index of a zone and look: the configured one, or that beside it."""
    index, zone = looking.index, looking.zone

    def look(history: History) -> None:
        if not history.is_of(zone):
            raise _OtherZone
        if rebuild:
            history.remake()
            _remake_others(index, history.path, notes)
        looking.at(history)

    def copied(path: str) -> History:
        """In memory, with what the index at a path knows."""
        history = History(MEMORY, patience_s=PATIENCE_S, copy_of=path)
        history.adopt(zone)
        return _brought_up_to_date(history, looking.at)

    try:
        return _anywhere(index, look, copied, notes, rebuild=rebuild)
    except _OtherZone:
        notes.clear()
    return _anywhere(
        zones.beside_of(index, zone),
        look,
        lambda path: copied(path if os.path.exists(path) else index),
        notes,
        rebuild=rebuild,
    )


def _remake_others(index: str, own: str, notes: list[str]) -> None:
    """Let the indexes of other zones be made anew, each by the next question in its zone."""
    for path in zones.paths(index):
        if path != own:
            try:
                with History(path, patience_s=PATIENCE_S) as other:
                    other.remake()
            except MetricsError as error:
                notes.append(f"{error}; it stays as it is")


def _anywhere(
    path: str, look: _Look, copied: Callable[[str], History], notes: list[str], *, rebuild: bool
) -> History:
    """Open the index at a path and look; a copy of it in memory where it cannot be used."""
    try:
        return _on_disk(path, look, notes, rebuild=rebuild)
    except (ForeignFile, StorageError) as error:
        if rebuild and isinstance(error, IndexLocked):
            raise
        notes[:] = [f"{error}; an index in memory answers, this time"]
    return copied(path)


def _on_disk(path: str, look: _Look, notes: list[str], *, rebuild: bool) -> History:
    """Open the index at a path and look; damage that shows only then is set aside, once."""
    held = identity(path)
    try:
        return _as_far_as_possible(path, look, notes, rebuild=rebuild)
    except IndexUnusable as error:
        if identity(path) == held or held is None:
            notes[:] = [begin_anew(path, error)]
        # Else what was read was removed or replaced meanwhile: what is there now may be whole.
    return _as_far_as_possible(path, look, notes, rebuild=rebuild)


def _as_far_as_possible(path: str, look: _Look, notes: list[str], *, rebuild: bool) -> History:
    """Open the index at a path and look; as it is, and said so, while others keep it locked."""
    history = History(path, patience_s=PATIENCE_S)
    try:
        notes += history.notes
        look(history)
        note_looked(path)
    except IndexLocked:
        if rebuild:
            history.close()
            raise
        notes.append(f"{path} is as of {_ago(looked_ago_s(path))}; another process is writing it")
    except sqlite3.Error as error:
        history.close()
        raise unusable(path, error) from error
    except BaseException:
        history.close()
        raise
    return history


def _ago(seconds: float) -> str:
    for length_s, unit in _UNITS:
        count = int(seconds // length_s)
        if count:
            return f"{count:,} {unit}{'' if count == 1 else 's'} ago"
    return "this moment"
