"""Other agents' transcripts written as sessions of our own: METRICS.json and a journal each.

What a transcript comes to is made where it is read, in the worker processes, and staged
beside the sessions, in a folder that no reader looks into. It is moved to its place when all
are read: only then is it known which events another transcript of the same agent holds too.
So an import that is killed leaves every session as it was or whole. A session that is there
already gives way only if nobody but an import wrote it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from errno import EEXIST, ENOTDIR, ENOTEMPTY
from itertools import count

from msgspec import Struct, field
from msgspec.structs import replace

from m31a_metrics import codec, journal, store
from m31a_metrics.catalog.agents import Place, process_count
from m31a_metrics.catalog.guard import Failure, failure, guarded
from m31a_metrics.catalog.load import LoadedSession, Loader
from m31a_metrics.catalog.records import derived_name, recorded_of, session_name
from m31a_metrics.catalog.workers import work
from m31a_metrics.config import Config
from m31a_metrics.errors import MetricsError, NotThisFormat, SessionForgotten, StorageError
from m31a_metrics.events import Event, SessionStart, encode_lines
from m31a_metrics.pricing import Pricer
from m31a_metrics.rates import pricer, remember
from m31a_metrics.session import BASE, COVERED, Session
from m31a_metrics.session.covered import covered_note
from m31a_metrics.tally import Tally
from m31a_metrics.transcript import Damage, SessionRef

IMPORTED, UNCHANGED, SKIPPED, FAILED = "imported", "unchanged", "skipped", "failed"
"""What became of a transcript. Skipped is one that is not to be imported; failed is one
that cannot be read, or its session written."""

RECORDED = "its session was recorded here already, and would count twice"
COPY = "all that is in it is in another transcript, too"
EMPTY = "nothing happened in it"
FORGOTTEN = "its session was forgotten (`m31 forget`)"


class Imported(Struct):
    """What became of one transcript; `reason` tells why it was skipped, or failed."""

    agent: str
    path: str
    state: str
    session_id: str = ""
    reason: str = ""
    event_count: int = 0
    damage: Damage = field(default_factory=Damage)


class Prepared(Struct, tag=True):
    """A transcript that was read: `ids` are those of its events, for finding replays.

    `staged` is where its session's directory stands ready; `is_there` tells that the
    sessions directory holds just the same already, `problem` why it cannot be written.
    """

    agent: str
    path: str
    session_id: str
    started_us: int
    updated_us: int
    event_count: int
    ids: list[str]
    damage: Damage
    native_id: str = ""
    is_there: bool = False
    staged: str = ""
    problem: str = ""


class Unwanted(Struct, tag=True):
    """A transcript of a session that was forgotten."""


Outcome = Prepared | Failure | Unwanted


def import_transcripts(
    config: Config,
    found: Sequence[Place],
    progress: Callable[[int, int], None],
    *,
    dry: bool = False,
    since_us: int = 0,
    processes: int | None = None,
) -> list[Imported]:
    """Import transcripts into `config.sessions_dir`; tell of each what became of it.

    A Place without an agent is a bare file, told by its first records. `dry` writes
    nothing. Transcripts without an event since `since_us` are passed over. An event that
    several transcripts of an agent hold counts in the one that began first. Raises
    StorageError where `sessions_dir` cannot be written to.
    """
    with staging(config.sessions_dir, dry) as folder:
        price = pricer(config)
        reader = _Reader(config, folder, price, since_us)
        sizes = [place.size for place in found]
        read: list[tuple[Place, Prepared]] = []
        results: list[Imported] = []
        if processes is None:
            processes = process_count(sizes)
        outcomes = work(found, sizes, reader.prepare, Outcome, processes)  # type: ignore[arg-type]  # a union is a type to msgspec
        for done, (index, outcome) in enumerate(outcomes):
            progress(done, len(found))
            place = found[index]
            if isinstance(outcome, Failure):
                results.append(Imported(place.agent, place.path, FAILED, reason=outcome.reason))
            elif isinstance(outcome, Unwanted):
                results.append(Imported(place.agent, place.path, SKIPPED, reason=FORGOTTEN))
            else:
                read.append((place, outcome))
        progress(len(found), len(found))
        results += _settle(read, reader, dry)
        if not dry:
            remember(config, price)
    return results


def copy_names(agent: str, native_id: str, path: str) -> set[str]:
    """The session directories that an import of this transcript may have gone to."""
    return {session_name(agent, native_id, path), derived_name(agent, path)}


def journal_name(agent: str) -> str:
    """The journal that an import of an agent's transcript is."""
    return f"{journal.IMPORT_PREFIX}{agent}{journal.SUFFIX}"


class _Reader:
    """Reads transcripts, in whatever process, and stages the sessions that they are."""

    def __init__(self, config: Config, staging: str | None, price: Pricer, since: int) -> None:
        self.sessions_dir = config.sessions_dir
        self._staging = staging
        self._price = price
        self._since_us = since
        self._numbers = count()
        self._loader = Loader(config, price)

    def prepare(
        self, place: Place, skip: frozenset[str] = frozenset(), *, apart: bool = False
    ) -> Outcome:
        """Read a transcript without the events whose ids are in `skip`.

        `apart`: its session's directory is another transcript's, so it gets one after
        its path.
        """
        try:
            with guarded(place.path):
                if os.path.isdir(place.path):
                    raise NotThisFormat(f"{place.path} is a folder; name the transcripts in it")
                loaded = self._loader.load(place.agent, place.path, skip)
            return self._prepare(place, loaded, apart)
        except SessionForgotten:
            return Unwanted()
        except MetricsError as error:
            return failure(place.path, error)
        except ValueError as error:
            # A figure that METRICS.json cannot hold, a name that is no text.
            return Failure(place.path, f"{place.path}: {error}")

    def _prepare(self, place: Place, loaded: LoadedSession, apart: bool) -> Prepared:
        facts = loaded.facts
        agent = facts.agent or loaded.reader  # who wrote it, whoever keeps it
        own = session_name(agent, facts.native_id, place.path)
        session_id = derived_name(agent, place.path) if apart else own
        tally = Tally(self._price)
        events = _from_start(loaded)
        kept = [event for order, event in enumerate(events) if tally.add(event, order)]
        lines = encode_lines(kept)
        metrics = codec.encode(tally.metrics(session_id))
        name = journal_name(agent)
        ref = SessionRef(agent, loaded.facts.native_id)
        prepared = Prepared(
            agent,
            place.path,
            session_id,
            facts.started_us,
            tally.updated_us,
            sum(type(event) is not SessionStart for event in kept),
            sorted({event.id for event in kept if event.id is not None}),
            loaded.damage,
            ref.native_id,
        )
        if not prepared.event_count or not self.is_wanted(prepared):
            return prepared
        try:
            if holds(Session(self.sessions_dir, session_id), name, lines, metrics, of=ref):
                prepared.is_there = True
            elif self._staging is not None:
                prepared.staged = f"{self._staging}/{os.getpid()}-{next(self._numbers)}"
                stage(prepared.staged, name, lines, metrics)
        except MetricsError as error:
            prepared.problem = str(error)
        return prepared

    def is_wanted(self, prepared: Prepared) -> bool:
        """Tell whether a transcript has an event in the time that was asked for."""
        return prepared.updated_us >= self._since_us


def _from_start(loaded: LoadedSession) -> list[Event]:
    """The events, led by who ran where: a journal tells it where nothing else does."""
    events = loaded.events
    if not events or any(type(event) is SessionStart for event in events):
        return events
    facts = loaded.facts
    start = SessionStart(
        t_us=events[0].t_us,
        agent=facts.agent,
        version=facts.version or None,
        native_id=facts.native_id or None,
        project=facts.project or None,
        branch=facts.branch or None,
    )
    return [start, *events]


def _settle(read: list[tuple[Place, Prepared]], reader: _Reader, dry: bool) -> Iterator[Imported]:
    """Take out what other transcripts hold too, and put each session where it belongs.

    Replays are rare, so a transcript that holds some is simply read again without them.
    """
    read.sort(key=lambda pair: (pair[1].started_us, pair[0].path))
    seen: dict[str, set[str]] = {}
    taken: set[str] = set()
    for place, prepared in read:
        known = seen.setdefault(prepared.agent, set())
        replayed = known.intersection(prepared.ids)
        apart = prepared.session_id in taken
        if replayed and len(replayed) == len(prepared.ids):
            yield _skipped(prepared, COPY)
            continue
        if (replayed or apart) and reader.is_wanted(prepared):
            again = reader.prepare(place, frozenset(replayed), apart=apart)
            if not isinstance(again, Prepared):
                reason = again.reason if isinstance(again, Failure) else FORGOTTEN
                yield Imported(prepared.agent, place.path, FAILED, reason=reason)
                continue
            prepared = again
        known.update(prepared.ids)
        if not prepared.event_count:
            yield _skipped(prepared, EMPTY)
        elif reader.is_wanted(prepared):
            taken.add(prepared.session_id)
            yield _put(Session(reader.sessions_dir, prepared.session_id), prepared, dry)


def _skipped(prepared: Prepared, reason: str) -> Imported:
    return Imported(prepared.agent, prepared.path, SKIPPED, reason=reason, damage=prepared.damage)


def _put(session: Session, prepared: Prepared, dry: bool) -> Imported:
    """Move a staged session to its directory, unless somebody else records into that."""
    name = journal_name(prepared.agent)
    ref = SessionRef(prepared.agent, prepared.native_id)
    result = Imported(
        prepared.agent,
        prepared.path,
        UNCHANGED if prepared.is_there else IMPORTED,
        prepared.session_id,
        event_count=prepared.event_count,
        damage=prepared.damage,
    )
    try:
        # Also before the lock, which makes files where there were none.
        if has_others(session, name, of=ref):
            return replace(result, state=SKIPPED, reason=RECORDED)
        if prepared.problem:
            return replace(result, state=FAILED, reason=prepared.problem)
        if dry or prepared.is_there:
            return result
        if not land(prepared.staged, session, name, of=ref):
            return replace(result, state=SKIPPED, reason=RECORDED)
    except MetricsError as error:
        return replace(result, state=FAILED, reason=str(error))
    return result


_STAGING = ".import-"


def stage(directory: str, name: str, lines: bytes, metrics: bytes) -> None:
    """Write a session's files: its METRICS.json and its only journal, which is `name`."""
    session = Session(*os.path.split(directory))
    store.make_directory(session.directory)
    store.make_directory(session.events)
    # Nobody looks here, and an import can be done again: no renaming, no waiting for disks.
    for path, data in (
        (f"{session.events}/{name}", lines),
        (session.metrics_path, metrics),
        (f"{session.events}/{COVERED}", covered_note(metrics, {name: len(lines)})),
    ):
        descriptor = store.open_file(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            store.write_all(descriptor, data)
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror}") from error
        finally:
            os.close(descriptor)


def land(staged: str, session: Session, name: str, *, of: SessionRef) -> bool:
    """Move what is staged to where the session belongs; False if others recorded there.

    Raises ForeignFile, StorageError.
    """
    if _move_whole(staged, session.directory):
        return True
    with session.locked():
        if has_others(session, name, of=of):
            return False
        _move_files(Session(*os.path.split(staged)), session, name)
    return True


def _move_whole(staged: str, directory: str) -> bool:
    """Move a session to where nothing is; False if something is there, and stays."""
    if os.path.lexists(directory):
        return False
    try:
        os.rename(staged, directory)
    except OSError as error:
        if error.errno in (EEXIST, ENOTEMPTY, ENOTDIR):
            return False  # somebody was quicker
        raise StorageError(f"cannot write {directory}: {error.strerror}") from error
    return True


def _move_files(staged: Session, session: Session, name: str) -> None:
    covered = f"{session.events}/{COVERED}"
    try:
        # First goes the note, as what it says is true of neither. Killed from here on, the
        # session is folded by its readers, which is right, only unpriced.
        if os.path.lexists(covered):
            os.unlink(covered)
        os.rename(f"{staged.events}/{name}", f"{session.events}/{name}")
        os.rename(staged.metrics_path, session.metrics_path)
        os.rename(f"{staged.events}/{COVERED}", covered)
    except OSError as error:
        raise StorageError(f"cannot write {session.directory}: {error.strerror}") from error


def has_others(session: Session, name: str, *, of: SessionRef) -> bool:
    """Tell whether a session holds anything but what an import put there.

    What hooks and OTLP told `of` the same session is no other: it is joined with the copy.
    """
    for path in (session.directory, session.events):
        if not store.check_directory(path):
            return os.path.lexists(session.metrics_path)
    names = [one for one in journal.names(session.events) if not journal.is_shared(one)]
    if len(names) < len(journal.names(session.events)):
        if not _is_told_of(session, of):
            return True
        if not names:
            return False
    if os.path.lexists(f"{session.events}/{BASE}") or any(one != name for one in names):
        return True
    return name not in names and os.path.lexists(session.metrics_path)


def _is_told_of(session: Session, of: SessionRef) -> bool:
    """Tell whether hooks, or OTLP, say that this is the session of which they tell."""
    return any(
        type(event) is SessionStart and (event.agent, event.native_id) == of
        for one in recorded_of(session)
        for event in one.events
    )


def holds(session: Session, name: str, lines: bytes, metrics: bytes, *, of: SessionRef) -> bool:
    """Tell whether a session is just what an import would make it, beside what else tells."""
    for path in (session.directory, session.events):
        if not store.check_directory(path):
            return False
    if store.read(f"{session.events}/{name}") != lines:
        return False
    if any(map(journal.is_shared, journal.names(session.events))):
        return not has_others(session, name, of=of)
    return store.read(session.metrics_path) == metrics and session.is_current()


@contextmanager
def staging(sessions_dir: str, dry: bool) -> Iterator[str | None]:
    """Make a folder on the disk of the sessions, for as long as they are read."""
    if dry:
        yield None
        return
    from shutil import rmtree

    store.make_directory(sessions_dir)
    for abandoned in staged_in(sessions_dir).abandoned:
        rmtree(abandoned, ignore_errors=True)
    lock = os.open(sessions_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(lock, fcntl.LOCK_SH)  # all imports share it
        path = f"{sessions_dir}/{_STAGING}{os.getpid()}-{os.urandom(4).hex()}"
        store.make_directory(path)
        try:
            yield path
        finally:
            rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)


class Staged(Struct):
    """The folders that imports stage in: of those that go on, and of those that were killed."""

    going_on: list[str]
    abandoned: list[str]


def staged_in(sessions_dir: str) -> Staged:
    """Find the folders that imports stage in."""
    try:
        with os.scandir(sessions_dir) as entries:
            found = sorted(
                entry.path
                for entry in entries
                if entry.name.startswith(_STAGING) and entry.is_dir(follow_symlinks=False)
            )
    except OSError:
        found = []  # whoever writes next says what is wrong
    # Asked after they were listed: whoever made one had the lock before.
    if not found or not _is_importing(sessions_dir):
        return Staged([], found)
    alive = [path for path in found if _is_of_living_process(path)]
    return Staged(alive, [path for path in found if path not in alive])


def _is_importing(sessions_dir: str) -> bool:
    """Tell whether an import may be going on; a file system without locks does not tell."""
    try:
        descriptor = os.open(sessions_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        return not _lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how)
    except OSError:
        return False
    return True


def _is_of_living_process(path: str) -> bool:
    pid = os.path.basename(path).removeprefix(_STAGING).partition("-")[0]
    return not pid.isdecimal() or store.is_alive(int(pid))
