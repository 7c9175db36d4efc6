"""The sessions that are running now: found by what changed lately, each followed."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic, time

from m31a_metrics.catalog.agents import Place
from m31a_metrics.catalog.follow import Followed, follow_place, latest
from m31a_metrics.catalog.records import RECORDED
from m31a_metrics.config import Config
from m31a_metrics.errors import MetricsError, NotThisFormat, SessionForgotten
from m31a_metrics.tables.live import Running

ACTIVE_S = 600
"""A session that nothing happened in for so long is not running."""

MOST = 24
"""So many sessions are followed at most, those that changed last."""

_FIND_EVERY_S = 5.0
_REST = 99
"""Finding walks all folders of all agents: a hundredth of a core at most."""


class RunningSessions:
    """Finds and follows. Not thread-safe: one thread at a time may ask."""

    def __init__(
        self, config: Config, environ: Mapping[str, str], *, only_dir: bool = False
    ) -> None:
        self._config = config
        self._environ = environ
        self._only_dir = only_dir
        self._followed: dict[Place, Followed] = {}
        self._find_at_s = 0.0

    def look(self) -> list[Running]:
        """Give the sessions with an event within the last ten minutes.

        A transcript goes before a recording of the same session. One that cannot be read
        stays, with what was known of it, and says why. Raises StorageError where the
        sessions directory cannot be listed.
        """
        if monotonic() >= self._find_at_s:
            self._find()
        running: dict[str, Running] = {}
        for followed in self._followed.values():
            problem = ""
            try:
                followed.look()
            except (NotThisFormat, SessionForgotten):
                # A file of something else in the agent's folder, or one that is not to be read.
                continue
            except MetricsError as error:
                problem = str(error)
            metrics = followed.metrics()
            if not problem and metrics.updated_at.timestamp() < time() - ACTIVE_S:
                continue
            one = Running(
                followed.session_id,
                followed.agent,
                followed.project,
                metrics,
                followed.detail(),
                problem,
            )
            if followed.agent != RECORDED or one.session_id not in running:
                running[one.session_id] = one
        return list(running.values())

    def _find(self) -> None:
        began_s = monotonic()
        since_us = (time() - ACTIVE_S) * 1e6
        found = [
            place
            for place in latest(self._config, self._environ, only_dir=self._only_dir)
            if place.changed_us >= since_us
        ][:MOST]
        known = {(place.agent, place.path): one for place, one in self._followed.items()}
        self._followed = {
            place: known.get((place.agent, place.path)) or follow_place(place, self._config)
            for place in found
        }
        took_s = monotonic() - began_s
        self._find_at_s = monotonic() + max(_FIND_EVERY_S, _REST * took_s)

    def followed(self, agent: str, session_id: str) -> Followed:
        """Give one of the sessions that the last look told of. Raises KeyError."""
        for one in self._followed.values():
            if (one.agent, one.session_id) == (agent, session_id):
                return one
        raise KeyError(session_id)
