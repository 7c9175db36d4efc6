"""The sessions of other agents on this machine: found, read into records, each event once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from m31a_metrics import sources
from m31a_metrics.catalog.progress import Progress
from m31a_metrics.catalog.records import damage, record_of
from m31a_metrics.catalog.workers import work
from m31a_metrics.config import Config
from m31a_metrics.errors import MetricsError
from m31a_metrics.rates import pricer, remember
from m31a_metrics.record import SessionRecord

_WORTH_A_PROCESS_BYTES = 32 << 20


class Place(Struct, frozen=True):
    """Where one session of an agent is, and how many bytes it takes to read."""

    agent: str
    path: str
    size: int
    changed_us: int


class Failure(Struct, tag=True):
    """A file that could not be read, and why."""

    path: str
    reason: str


class Read(Struct, tag=True):
    """A file that was read."""

    record: SessionRecord


Outcome = Read | Failure


def places(agents: Iterable[str], environ: Mapping[str, str]) -> list[Place]:
    """Find the sessions of these agents, the latest changed first."""
    found = []
    for agent in agents:
        for path in sources.source(agent).find(environ):
            status = _status(path)
            if status is not None:
                changed_us = status.st_mtime_ns // 1000
                found.append(Place(agent, path, status.st_size, changed_us))
    found.sort(key=lambda place: -place.changed_us)
    return found


def _status(path: str) -> os.stat_result | None:
    try:
        # A session inside a database is as large, and as new, as the database.
        return os.stat(path.partition("::")[0])
    except OSError:
        return None  # it went away this moment


def read_places(
    found: Sequence[Place],
    config: Config,
    progress: Progress,
    *,
    processes: int | None = None,
) -> tuple[list[SessionRecord], list[str]]:
    """Read sessions, each event once, whatever replays of it other files hold.

    Returns them with the sentences that name what could not be read. An event that
    several sessions hold counts in the one that began first.
    """
    price = pricer(config)

    def one(place: Place, skip: frozenset[str] = frozenset()) -> Outcome:
        try:
            transcript = sources.source(place.agent).read(place.path, skip)
        except MetricsError as error:
            return Failure(place.path, str(error))
        return Read(record_of(place.path, transcript, None, price))

    sizes = [place.size for place in found]
    if processes is None:
        processes = process_count(sizes)
    records: list[tuple[Place, SessionRecord]] = []
    problems: list[str] = []
    for done, (index, outcome) in enumerate(work(found, sizes, one, Outcome, processes)):  # type: ignore[arg-type]  # a union is a type to msgspec
        progress(done, len(found))
        if isinstance(outcome, Failure):
            problems.append(outcome.reason)
        else:
            records.append((found[index], outcome.record))
    progress(len(found), len(found))
    kept = _each_event_once(records, one)
    remember(config, price)
    for record in kept:
        problems += damage(record)
    return kept, problems


def process_count(sizes: Iterable[int]) -> int:
    """How many processes reading so many bytes is worth on this machine."""
    worth = sum(sizes) // _WORTH_A_PROCESS_BYTES
    return min(_processors(), max(worth, 1))


def _processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _each_event_once(
    records: list[tuple[Place, SessionRecord]],
    read: Callable[[Place, frozenset[str]], Outcome],
) -> list[SessionRecord]:
    """Take replayed events out of all sessions but the one that began first.

    Replays are rare, so a file that holds some is simply read again without them.
    """
    records.sort(key=lambda pair: (pair[1].started_us, pair[0].path))
    seen: dict[str, set[str]] = {}
    kept: list[SessionRecord] = []
    for place, record in records:
        known = seen.setdefault(place.agent, set())
        replayed = known.intersection(record.ids)
        if replayed:
            again = read(place, frozenset(replayed))
            if isinstance(again, Failure):
                continue
            record = again.record  # its source has told `effects` what was left out
            if not record.ids:
                _tell_of_copy(kept, replayed, record)
                continue  # nothing of its own: a copy
        known.update(record.ids)
        kept.append(record)
    return kept


def _tell_of_copy(kept: list[SessionRecord], replayed: set[str], copy: SessionRecord) -> None:
    """Let the session that a file copies tell of the copy, or no audit could explain it."""
    for record in kept:
        if record.agent == copy.agent and not replayed.isdisjoint(record.ids):
            record.effects.lines += copy.effects.lines
            record.effects.replayed_responses += copy.effects.replayed_responses
            record.effects.replayed_tokens += copy.effects.replayed_tokens
            record.effects.repeated_lines += copy.effects.repeated_lines
            record.effects.repeated_tokens += copy.effects.repeated_tokens
            return
