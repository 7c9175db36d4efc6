"""The sessions of other agents on this machine: found, read, priced, each event once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from m31a_metrics import sources
from m31a_metrics.catalog.summary import Summary, summarise
from m31a_metrics.catalog.workers import work
from m31a_metrics.config import Config
from m31a_metrics.errors import MetricsError
from m31a_metrics.rates import pricer, remember

Progress = Callable[[int, int], None]

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


Outcome = Summary | Failure


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
) -> tuple[list[Summary], list[str]]:
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
        return summarise(place.path, transcript, price)

    sizes = [place.size for place in found]
    if processes is None:
        processes = process_count(sizes)
    summaries: list[tuple[Place, Summary]] = []
    problems: list[str] = []
    for done, (index, outcome) in enumerate(work(found, sizes, one, Outcome, processes)):  # type: ignore[arg-type]  # a union is a type to msgspec
        progress(done, len(found))
        if isinstance(outcome, Failure):
            problems.append(outcome.reason)
        else:
            summaries.append((found[index], outcome))
    progress(len(found), len(found))
    kept = _each_event_once(summaries, one)
    remember(config, price)
    problems += [
        f"{summary.path}: {summary.damage.count:,} damaged records are not counted "
        f"({summary.damage.reasons[0]})"
        for summary in kept
        if summary.damage.count
    ]
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
    summaries: list[tuple[Place, Summary]],
    read: Callable[[Place, frozenset[str]], Outcome],
) -> list[Summary]:
    """Take replayed events out of all sessions but the one that began first.

    Replays are rare, so a file that holds some is simply read again without them.
    """
    summaries.sort(key=lambda pair: (pair[1].facts.started_us, pair[0].path))
    seen: dict[str, set[str]] = {}
    kept: list[Summary] = []
    for place, summary in summaries:
        known = seen.setdefault(place.agent, set())
        replayed = known.intersection(summary.ids)
        if replayed:
            again = read(place, frozenset(replayed))
            if isinstance(again, Failure):
                continue
            summary = again  # its source has told `effects` what was left out
            if not summary.ids:
                _tell_of_copy(kept, place.agent, replayed, summary)
                continue  # nothing of its own: a copy
        known.update(summary.ids)
        kept.append(summary)
    return kept


def _tell_of_copy(kept: list[Summary], agent: str, replayed: set[str], copy: Summary) -> None:
    """Let the session that a file copies tell of the copy, or no audit could explain it."""
    for summary in kept:
        if summary.facts.agent == agent and not replayed.isdisjoint(summary.ids):
            summary.effects.lines += copy.effects.lines
            summary.effects.replayed_responses += copy.effects.replayed_responses
            summary.effects.replayed_tokens += copy.effects.replayed_tokens
            summary.effects.repeated_lines += copy.effects.repeated_lines
            summary.effects.repeated_tokens += copy.effects.repeated_tokens
            return
