"""The limits of this machine: as configured, and what a person allowed in addition."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from m31a_metrics import budgets, verdicts
from m31a_metrics.answers import Answers, SessionRow
from m31a_metrics.budgets import DAY, MONTH, SESSION, Limit, Use
from m31a_metrics.catalog.records import session_name
from m31a_metrics.catalog.unverified import SUMMED, unverified, unverified_of
from m31a_metrics.config import Config
from m31a_metrics.errors import ForeignFile
from m31a_metrics.measures import add
from m31a_metrics.spending import Spent, use
from m31a_metrics.timestamps import machine_today, micros
from m31a_metrics.units import usd


class MachineLimits:
    """The limits at a time, and on which day and in which month of the machine that is.

    A row is a session; None stands for the day and the month. Raises ConfigError; its methods
    raise StorageError and ForeignFile.
    """

    def __init__(self, config: Config, now: datetime) -> None:
        self._config = config
        self._live_dir = config.live_dir
        self._now_us = micros(now)
        self.limits = budgets.limits(config.budget, config.path)
        self.today = machine_today(self._now_us)

    def granted(self, row: SessionRow | None) -> list[Limit]:
        """What a person allowed in addition, and still holds."""
        return verdicts.granted(self._live_dir, name_of(row), self.today)

    def unverified(self, answers: Answers, row: SessionRow | None) -> dict[str, Use]:
        """What answers count of a session, or of the day and the month, and nobody vouches for."""
        if row is not None:
            return {SESSION: use(unverified_of(self._config, row, self.today))}
        found = {DAY: Spent(), MONTH: Spent()}
        for scope, spent in unverified(self._config, answers, self.today):
            add(found[scope], spent, SUMMED)
        return {scope: use(spent) for scope, spent in found.items()}

    def allow(self, row: SessionRow | None, grant: Limit) -> None:
        """Allow so much more. Raises InvalidSessionId for a session that has no verdicts."""
        verdicts.allow(self._live_dir, name_of(row), grant, self.today, self._now_us)

    def renew(self, row: SessionRow | None, judged: Iterable[budgets.Verdict]) -> None:
        """Write a verdict anew at once, so that nobody waits for the next settling.

        `judged` is of the session, or of the day and of the month. Its figures stay those of
        the one before, but for what is left.
        """
        verdict = budgets.Verdict(tuple(one for each in judged for one in each.balances))
        name = name_of(row)
        try:
            held = verdicts.read(self._live_dir, name, self._now_us)
        except ForeignFile:
            held = None  # a link, say, which is replaced
        figures = verdicts.NO_FIGURES if held is None else held.figures
        tightest = verdict.tightest()
        if tightest is not None:
            left_usd, left_scope = usd(tightest.left), tightest.scope
            figures = replace(figures, left_usd=left_usd, left_scope=left_scope)
        made = verdicts.of(name, verdict, self.today, self._now_us, figures)
        verdicts.write(self._live_dir, made)

    def forget(self, row: SessionRow | None) -> list[str]:
        """Remove a session's verdict and what it was allowed; of None everything of all."""
        names = None if row is None else [name_of(row)]
        return verdicts.forget(self._live_dir, names)


def name_of(row: SessionRow | None) -> str:
    """The name under which verdicts on a session are kept; None: on the day and the month."""
    if row is None:
        return verdicts.MACHINE
    return session_name(row.agent, row.native_id, row.path)
