"""The session that a person means by an id, a beginning of one, a path or `last`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from time import time_ns

from msgspec import Struct
from msgspec.structs import replace

from m31a_metrics import events, sources, store
from m31a_metrics.answers import Answers, SessionRow, Slice
from m31a_metrics.catalog.agents import places
from m31a_metrics.catalog.hours import Exact
from m31a_metrics.catalog.load import LoadedSession, Loader, load_row
from m31a_metrics.catalog.open_index import OpenIndex, ask
from m31a_metrics.catalog.records import RECORDED
from m31a_metrics.catalog.refresh import Progress, quiet
from m31a_metrics.config import Config
from m31a_metrics.errors import InvalidSessionId, MetricsError, SessionNotFound
from m31a_metrics.model import ZERO_TIME
from m31a_metrics.session import Session
from m31a_metrics.units import WITHIN

LAST = "last"
"""Names the session with the latest event. One whose id is `last` is found by its path."""

_EVERY = Slice()
_CANDIDATES_SHOWN = 5
_AHEAD_MAX = 50
"""So many sessions with an event later than now may be passed over."""
_LOOKED_AT_MAX = 1_000
"""And so many in which nothing happened."""
_HAPPENINGS = (
    *("call_count", "denied_count", "interaction_count", "total_tokens", "user_turn_count"),
    *("active_us", "duration_us", "heal_trigger_count", "heal_success_count", "heal_fail_count"),
    *("bisect_trigger_count", "compaction_count", "unpaired_count"),
)
"""What of a session's row tells that there was an event."""


def resolve(sessions_dir: str, name: str, *, progress: Progress = quiet) -> Session | str:
    """Find what a person means by `name`: a session, or the path of a lone METRICS.json.

    An exact id goes before a prefix, and both before a path without a slash. Raises
    SessionNotFound, which names the candidates of an ambiguous prefix; InvalidSessionId
    for the path of a directory with journals whose name is no id; StorageError.
    """
    if name == LAST:
        return Session(sessions_dir, _last_recorded(sessions_dir, progress))
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
    return _session_at(path, name)


def _last_recorded(sessions_dir: str, progress: Progress) -> str:
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


def _session_at(path: str, name: str) -> Session | str:
    """The session at a path, which a person called `name`."""
    if not os.path.isdir(path):
        if os.path.basename(path) != store.METRICS:
            return path
        path = os.path.dirname(path)
    parent, session_id = os.path.split(path)
    file = os.path.join(path, store.METRICS)
    has_events = os.path.isdir(os.path.join(path, store.EVENTS))
    if not has_events and not os.path.exists(file):
        raise SessionNotFound(
            f"{name} is no session, for it holds no {store.METRICS}; "
            f"list the sessions in it: `m31 sessions --sessions-dir {name}`"
        )
    try:
        return Session(parent, session_id)
    except InvalidSessionId:
        # M31A names directories as it likes; only one with journals must have our ids.
        if has_events:
            raise
        return file


class AskedSession(Struct):
    """Whom to ask about one session, and its id; what is wrong with it, and with the index."""

    answers: Answers
    which: Slice
    session_id: str
    problems: list[str] = []
    notes: list[str] = []


def load_named(
    config: Config,
    name: str,
    environ: Mapping[str, str],
    *,
    only_dir: bool = False,
    progress: Progress = quiet,
) -> LoadedSession:
    """Load one session: by id, unique prefix or path, of a recorded one or a transcript.

    `last` is the one with the latest event. Raises SessionNotFound, NotThisFormat,
    InvalidSessionId, DamagedMetrics, ForeignFile, StorageError.
    """
    if is_path(name):
        return _at_path(name, config)
    with _asking(config, name, environ, only_dir=only_dir, progress=progress) as asking:
        row = _named_here(asking, name, config)
        hooks = [] if isinstance(row, str) else asking.history.hooks_of(row.ref)
    one = _of_row(row, name, config, environ, hooks, only_dir=only_dir)
    one.notes = asking.notes
    return one


def _named_here(asking: OpenIndex, name: str, config: Config) -> SessionRow | str:
    """Find what a name means; of a subagent that is the session that it is part of."""
    row = named(asking.answers, name, config)
    ref = asking.history.with_transcript_of(row) if isinstance(row, str) else None
    if ref is None:
        return row
    which = Slice(agents=(ref.agent,), session=ref.native_id)
    return next(iter(asking.answers.sessions(which)), row)


def _asking(
    config: Config, name: str, environ: Mapping[str, str], *, only_dir: bool, progress: Progress
) -> AbstractContextManager[OpenIndex]:
    """Open the index for what is asked of one session: whoever names it means no folder."""
    is_named = name != LAST
    return ask(config, environ, only_dir=only_dir, progress=progress, all_folders=is_named)


def _of_row(
    row: SessionRow | str,
    name: str,
    config: Config,
    environ: Mapping[str, str],
    hooks: Sequence[str],
    *,
    only_dir: bool,
) -> LoadedSession:
    """Read the session of a row of the index, or that of a path which the index does not have.

    `hooks` are recordings of it that know how long its calls ran.
    """
    if isinstance(row, str):
        return _at_path(row, config)
    if row.is_gone:
        raise SessionNotFound(
            f"{row.path} is no longer there; the index still has its sums: `m31 tools {name}`"
        )
    for place in places([] if only_dir else sources.present(environ), environ):
        if place.path == row.path:
            one = Loader(config).load(place.agent, place.path, witnesses=hooks)
            one.record.labels = row.labels  # which stand beside the transcript
            one.row = row
            return one
    if not os.path.isdir(row.path):
        elsewhere = load_row(row, config)  # in a folder that is not among those that are named
        if elsewhere is not None:
            elsewhere.record.labels = row.labels
            return elsewhere
        # The transcript is gone, and a recording of the same session is there.
        return _at_path(f"{config.sessions_dir}/{row.session_id}", config)
    one = Loader(config).load(RECORDED, row.path)
    one.row = row
    return one


@contextmanager
def ask_named(
    config: Config,
    name: str,
    environ: Mapping[str, str],
    *,
    only_dir: bool = False,
    progress: Progress = quiet,
) -> Iterator[AskedSession]:
    """Open the answers about one session, named as `load_named` takes it.

    By its id it is asked of the index, which also knows sessions whose source is gone; a
    path is read, and asked of an index in memory. Raises what `load_named` raises.
    """
    if not is_path(name):
        with _asking(config, name, environ, only_dir=only_dir, progress=progress) as asking:
            row = _named_here(asking, name, config)
            if isinstance(row, str):
                name = row
            else:
                which = Slice(agents=(row.agent,), session=row.session_id)
                yield AskedSession(asking.answers, which, row.session_id, notes=asking.notes)
                return
    one = _at_path(name, config)
    with in_memory(one) as answers:
        yield AskedSession(answers, Slice(), one.record.session_id, one.problems)


@contextmanager
def in_memory(one: LoadedSession) -> Iterator[Answers]:
    """Answers about one session that was read, from an index in memory."""
    from m31a_metrics.history import MEMORY, History

    with History(MEMORY) as history:
        history.put(one.record)
        with closing(Exact(history, lambda _, within: [one.divided(within)], _now_us())) as exact:
            yield exact


def _now_us() -> int:
    return time_ns() // 1000


def listed(one: LoadedSession) -> SessionRow:
    """Give a session as a list of sessions has it: of the index, if it was found there."""
    if one.row is None:
        with in_memory(one) as answers:
            (one.row,) = answers.sessions(Slice())
    return one.row


def is_path(name: str) -> bool:
    """Tell whether a name can be nothing else; that of a directory may be an id."""
    if os.sep in name or WITHIN in name or name.startswith("~"):
        return True
    return os.path.exists(name) and not os.path.isdir(name)


def indexed(answers: Answers, name: str, config: Config, which: Slice) -> SessionRow:
    """Find the same among the sessions of a slice that the index has. Raises SessionNotFound."""
    if name == LAST:
        return last(answers, config, which)
    for row in rows_named(answers, name, which):
        return row
    raise no_such(name)


def named(answers: Answers, name: str, config: Config) -> SessionRow | str:
    """Find the session that an id, a beginning of one or `last` names.

    The path where it may be, if the index does not have it: reading it tells why.
    """
    if name == LAST:
        return last(answers, config)
    rows = rows_named(answers, name)
    if rows:
        return rows[0]
    directory = f"{config.sessions_dir}/{name}"
    for path in (directory if name[:1].isalnum() else "", name):
        if path and os.path.isdir(path):
            return path
    raise no_such(name)


def last(answers: Answers, config: Config, which: Slice = _EVERY) -> SessionRow:
    """Give the session of a slice with the latest event, of those in which anything happened.

    Raises SessionNotFound.
    """
    now_us, ahead = _now_us(), None
    for at in range(0, _LOOKED_AT_MAX, _AHEAD_MAX):
        rows = answers.sessions(which, limit=_AHEAD_MAX, offset=at)
        for row in rows:
            if not _has_happened(answers, row):
                continue
            # What says that it is of tomorrow would be the last for as long.
            if row.updated_us <= now_us:
                return row
            ahead = ahead or row
        if len(rows) < _AHEAD_MAX or ahead is not None:
            break
    if ahead is None:
        raise SessionNotFound(
            f"nothing is recorded in {config.sessions_dir} yet, and no agent's sessions are "
            "here; record a command: `m31 run -- COMMAND`"
        )
    return ahead


def _has_happened(answers: Answers, row: SessionRow) -> bool:
    """Tell whether anything happened in a session: an event, and more than a failed start."""
    if row.updated_us <= 0:
        return False
    if not any(getattr(row, name) for name in _HAPPENINGS) and row.updated_us == row.started_us:
        return False  # nothing, or no more than what was said of it
    if row.fail_count < row.call_count or row.interaction_count or row.user_turn_count:
        return True
    if not row.fail_count:
        return True
    failures = answers.failures(Slice(session=row.session_id, agents=(row.agent,)))
    counted = sum(one.count for one in failures if one.line.startswith(events.NOT_STARTED))
    return counted < row.fail_count


def rows_named(answers: Answers, name: str, which: Slice = _EVERY) -> list[SessionRow]:
    """Find the sessions of one id, or of one that a beginning of it names; none is no error.

    Raises SessionNotFound for the beginning of several ids.
    """
    rows = answers.sessions(replace(which, session=name)) if name else []
    if not rows and name:
        begun = answers.sessions(replace(which, text=name))
        rows = [row for row in begun if row.session_id.startswith(name)]
    names = sorted({row.session_id for row in rows})
    if len(names) > 1:
        raise SessionNotFound(ambiguous(name, names))
    return rows


def no_such(name: str) -> SessionNotFound:
    """Say that there is no session of that name, and what to do."""
    return SessionNotFound(
        f"no session has the id or prefix {name!r}; list the sessions: `m31 sessions`"
    )


def _at_path(name: str, config: Config) -> LoadedSession:
    path = os.path.expanduser(name)
    is_within = WITHIN in path and not os.path.exists(path)
    if is_within or (os.path.isfile(path) and os.path.basename(path) != store.METRICS):
        return Loader(config).load("", path)
    found = resolve(config.sessions_dir, path)
    if isinstance(found, Session):
        return Loader(config).load(RECORDED, found.directory)
    return Loader(config).load_metrics(found)
