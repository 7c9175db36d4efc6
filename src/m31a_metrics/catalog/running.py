"""The sessions that are running now: found by what changed lately, each followed.

And beside them the period that they lie in, as the index has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from time import monotonic, time

from m31a_metrics.answers import Slice
from m31a_metrics.catalog.agents import Place
from m31a_metrics.catalog.conversations import Conversations
from m31a_metrics.catalog.follow import Followed, follow_place, latest
from m31a_metrics.catalog.limits import MachineLimits
from m31a_metrics.catalog.load import keeper_of
from m31a_metrics.catalog.open_index import ask
from m31a_metrics.catalog.records import RECORDED
from m31a_metrics.catalog.refresh import Progress, quiet
from m31a_metrics.config import Config
from m31a_metrics.errors import MetricsError, NotThisFormat, SessionForgotten, SessionNotFound
from m31a_metrics.questions.ask import Ask
from m31a_metrics.questions.budget import budgeted_machine
from m31a_metrics.questions.overview import running_sessions, watched
from m31a_metrics.slices import narrow
from m31a_metrics.tables.live import Glance, Period, Running, glance

ACTIVE_S = 600
"""A session that nothing happened in for so long is not running."""

MOST = 24
"""So many sessions are followed at most, those that changed last."""

_FIND_EVERY_S = 5.0
_REST = 99
"""Finding walks all folders of all agents: a hundredth of a core at most."""

_ASK_EVERY_S = 5.0
_ASK_REST = 19
"""Asking the index brings it up to date, which reads what grew: a twentieth of a core."""


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

    def followed(self, agent: str, session_id: str) -> Followed | None:
        """Give one of the sessions that the last look told of; None: it is none of these."""
        for one in self._followed.values():
            if (one.agent, one.session_id) == (agent, session_id):
                return one
        return None


class WatchedMachine:
    """A period with its sessions, and those that run. Not thread-safe, as RunningSessions.

    The index is asked every few seconds; the sessions that run are followed in between.
    """

    def __init__(
        self,
        config: Config,
        environ: Mapping[str, str],
        *,
        only_dir: bool = False,
        all_folders: bool = False,
        progress: Progress = quiet,
    ) -> None:
        self._config = config
        self._environ = environ
        self._only_dir = only_dir
        self._all_folders = all_folders
        self._progress = progress
        self._running = RunningSessions(config, environ, only_dir=only_dir)
        self._conversations = Conversations(config)
        self._since = ""
        self._period: Period | None = None
        self._ask_at_s = 0.0

    def look(self, since: str, now: datetime) -> Glance:
        """Tell of the period that begins `since`, as people write it; `now` has the zone.

        Raises ValueError for what is no time, and what `catalog.ask` raises.
        """
        if self._period is None or since != self._since or monotonic() >= self._ask_at_s:
            began_s = monotonic()
            self._period, self._since = self._ask(since, now), since
            self._progress = quiet
            took_s = monotonic() - began_s
            self._ask_at_s = monotonic() + max(_ASK_EVERY_S, _ASK_REST * took_s)
        return glance(self._period, self._running.look(), now)

    def _ask(self, since: str, now: datetime) -> Period:
        with ask(
            self._config,
            self._environ,
            only_dir=self._only_dir,
            all_folders=self._all_folders,
            progress=self._progress,
        ) as opened:
            asked = Ask(opened.answers, narrow(now, since=since), now)
            limits = MachineLimits(self._config, now)
            budgeted = budgeted_machine(
                asked.answers,
                limits.limits,
                limits.today,
                limits.granted(None),
                limits.unverified,
                running_count=len(running_sessions(asked.about(Slice()))),
            )
            period = watched(asked, budgeted)
            period.titles = self._conversations.titles(period.rows)
            period.notes = opened.notes
        return period

    def followed(self, agent: str, session_id: str) -> Followed:
        """Follow one of the sessions that the last look told of.

        Raises SessionNotFound for one whose file is gone.
        """
        found = self._running.followed(agent, session_id)
        if found is not None:
            return found
        rows = () if self._period is None else self._period.rows
        for row in rows:
            if (row.agent, row.session_id) == (agent, session_id):
                one = self._running.followed(RECORDED, session_id)
                return one or follow_place(Place(keeper_of(row), row.path, 0, 0), self._config)
        raise SessionNotFound(f"the session {session_id} is gone")
