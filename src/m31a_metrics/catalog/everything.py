"""All sessions of this machine, whoever recorded them, or a slice of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from m31a_metrics import sources, store
from m31a_metrics.catalog import recorded
from m31a_metrics.catalog.agents import Place, places, read_places
from m31a_metrics.catalog.reading import Progress, Reading, quiet
from m31a_metrics.catalog.summary import Summary, summarise
from m31a_metrics.config import Config
from m31a_metrics.errors import SessionNotFound
from m31a_metrics.histogram import Histogram, unpack
from m31a_metrics.tally import micros

RECORDED = "m31a"
"""What `--agent` calls the sessions directory: M31A's own sessions, and recorded ones."""


class Slice(Struct, frozen=True):
    """Which sessions: None and "" stand for all.

    A session belongs to a slice of time if it has an event in it, and then counts whole.
    `project` is a part of the project's path.
    """

    agents: tuple[str, ...] | None = None
    project: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def wants(self, agent: str) -> bool:
        """Tell whether an agent's sessions belong to it."""
        return self.agents is None or agent in self.agents


def read(
    config: Config,
    which: Slice,
    environ: Mapping[str, str],
    *,
    journals: bool = False,
    progress: Progress = quiet,
) -> Reading:
    """Read the sessions of a slice, latest first; each is there once.

    A transcript goes before its imported copy. Raises StorageError where `sessions_dir`
    cannot be listed.
    """
    found = places(_agents(which, environ), environ)
    if which.since is not None:
        since_us = micros(which.since)
        # A file holds nothing newer than its last change.
        found = [place for place in found if place.changed_us >= since_us]
    summaries, problems = read_places(found, config, progress)
    reading = Reading([])
    if which.wants(RECORDED) and not which.project:
        reading = recorded.read_sessions(
            config.sessions_dir,
            journals=journals,
            since=which.since,
            until=which.until,
            leave_out={summary.facts.native_id for summary in summaries},
            progress=progress,
        )
    _join(reading, [one for one in summaries if _belongs(one, which)])
    reading.problems += problems
    return reading


def read_one(
    config: Config, name: str, environ: Mapping[str, str], *, progress: Progress = quiet
) -> Reading:
    """Read one session: by id, unique prefix or path, of a recorded one or a transcript.

    `last` is the one with the latest event. Raises SessionNotFound, NotThisFormat,
    InvalidSessionId, DamagedMetrics, ForeignFile, StorageError.
    """
    if name == recorded.LAST:
        return _last(config, environ, progress)
    path = os.path.expanduser(name)
    if os.path.isfile(path) and os.path.basename(path) != store.METRICS:
        return _bare_file(path, config)
    found = places(sources.present(environ), environ)
    try:
        reading = recorded.read_session(config.sessions_dir, name, progress=progress)
        return _transcript_of(reading, found, config) or reading
    except SessionNotFound:
        # Most agents name a file after its session, so few files need to be opened.
        likely = [place for place in found if name in os.path.basename(place.path)]
        matching = _matching(name, likely, config, progress) or _matching(
            name, [place for place in found if place not in likely], config, progress
        )
        if matching is None:
            raise
        return matching


def _agents(which: Slice, environ: Mapping[str, str]) -> list[str]:
    if which.agents is None:
        return sources.present(environ)
    return [agent for agent in which.agents if agent != RECORDED]


def _belongs(summary: Summary, which: Slice) -> bool:
    if which.project and which.project not in summary.facts.project:
        return False
    metrics = summary.metrics
    return (which.since is None or metrics.updated_at >= which.since) and (
        which.until is None or metrics.started_at <= which.until
    )


def _join(reading: Reading, summaries: Sequence[Summary]) -> None:
    """Add transcripts to what was recorded."""
    for summary in summaries:
        reading.sessions.append(summary.metrics)
        reading.summaries.append(summary)
        reading.models += summary.models
        for tool, packed in summary.histograms.items():
            reading.histograms.setdefault(tool, Histogram()).merge(unpack(packed))
        for tool, wait_ms in summary.waits_ms.items():
            reading.waits_ms[tool] = reading.waits_ms.get(tool, 0.0) + wait_ms
    reading.sessions.sort(key=lambda one: one.updated_at, reverse=True)


def _last(config: Config, environ: Mapping[str, str], progress: Progress) -> Reading:
    newest, problems = _newest(places(sources.present(environ), environ), config, progress)
    try:
        reading = recorded.read_session(config.sessions_dir, recorded.LAST, progress=progress)
    except SessionNotFound:
        if newest is None:
            raise
        reading = Reading([])
    # An imported copy is as new as its transcript, which goes before it.
    if newest is not None and (
        not reading.sessions or newest.metrics.updated_at >= reading.sessions[0].updated_at
    ):
        reading = Reading([], problems=problems)
        _join(reading, [newest])
    return reading


def _newest(
    found: Sequence[Place], config: Config, progress: Progress
) -> tuple[Summary | None, list[str]]:
    """Find the transcript with the latest event, and why others could not be read.

    A file holds nothing newer than its last change, so few files need to be opened.
    """
    newest: Summary | None = None
    problems: list[str] = []
    start, end = 0, 1
    while start < len(found):
        if newest is not None and found[start].changed_us < micros(newest.metrics.updated_at):
            break
        # All sessions of one database changed in one moment.
        while end < len(found) and found[end].changed_us == found[end - 1].changed_us:
            end += 1
        summaries, problems = read_places(found[start:end], config, progress)
        for one in summaries:
            if newest is None or one.metrics.updated_at > newest.metrics.updated_at:
                newest = one
        start, end = end, end + 2 * (end - start)
    return newest, problems if newest is None else []


def _transcript_of(reading: Reading, found: Sequence[Place], config: Config) -> Reading | None:
    """Read the transcript that a recorded session is an imported copy of, if it is one."""
    name = reading.sessions[0].session_id
    likely = [place for place in found if name in os.path.basename(place.path)]
    summaries, _ = read_places(likely, config, quiet)
    for summary in summaries:
        if summary.facts.native_id == name:
            own = Reading([])
            _join(own, [summary])
            return own
    return None


def _bare_file(path: str, config: Config) -> Reading:
    from m31a_metrics.rates import pricer

    _, transcript = sources.detect(path)
    reading = Reading([])
    _join(reading, [summarise(path, transcript, pricer(config))])
    return reading


def _matching(
    name: str, found: Sequence[Place], config: Config, progress: Progress
) -> Reading | None:
    summaries, _ = read_places(found, config, progress)
    matches = [one for one in summaries if one.facts.native_id.startswith(name)]
    exact = [one for one in matches if one.facts.native_id == name]
    matches = exact or matches
    if not matches:
        return None
    if len({one.facts.native_id for one in matches}) > 1:
        ids = [one.facts.native_id for one in matches]
        raise SessionNotFound(recorded.ambiguous(name, ids))
    reading = Reading([])
    _join(reading, matches[:1])
    return reading
