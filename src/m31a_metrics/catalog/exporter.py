"""What an exporter shows while it runs: the index asked again and again for its metrics."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import Protocol

from m31a_metrics import __version__, budgets
from m31a_metrics.answers import Answers, Slice
from m31a_metrics.catalog.limits import MachineLimits
from m31a_metrics.config import Config
from m31a_metrics.errors import ForeignFile, StorageError
from m31a_metrics.questions import series
from m31a_metrics.questions.ask import Ask
from m31a_metrics.questions.budget import budgeted_machine, budgeted_session, parts
from m31a_metrics.questions.growth import Growth, Names, divided
from m31a_metrics.questions.overview import running_sessions
from m31a_metrics.questions.series import Family, Known, Labels, Sums, Value
from m31a_metrics.timestamps import micros
from m31a_metrics.units import SECOND_US


class Index(Protocol):
    """The index as it was opened for a question."""

    @property
    def answers(self) -> Answers:
        """Whom to ask."""
        ...

    @property
    def problems(self) -> Sequence[str]:
        """What is wrong with the index or any file, a sentence each."""
        ...

    @property
    def file(self) -> Hashable:
        """Tells one index from another."""
        ...

    @property
    def is_whole(self) -> bool:
        """Tell whether it holds all that is there."""
        ...


class Exporter:
    """The metrics of one process that exports them; its counters begin at 0 with it.

    Not for several threads at once. Raises ConfigError where a limit in the configuration
    is none.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        budgets.limits(config.budget, config.path)
        self._names = Names()
        self._growth = Growth(self._names)
        self._known = Known()
        self._gauges: Sums | None = None

    def prepare(self, index: Index, now: datetime) -> None:
        """Ask for what takes long the first time, so that no scraper waits for it."""
        divided(index.answers, "", _month(now), self._known)

    def collect(
        self, index: Index, now: datetime
    ) -> Iterator[tuple[Family, Mapping[Labels, Value]]]:
        """Ask for everything, and give the figures of each family.

        An index that is not whole (another process is making it anew, or keeps it locked) is
        not believed: counters and gauges stay as they were, and the time of reading with them.
        """
        started_s = monotonic()
        divides_at = self._growth.divides_at
        counted = divided(index.answers, divides_at, _month(now), self._known)
        gauges = self._exact(index, now)
        if index.is_whole:  # asked last, for it may have changed between two questions
            self._growth.add(counted, index.file)
            if divides_at not in ("", counted.following):
                self._known = Known()  # of other days from now on
            gauges.put(series.INDEX_READ, (), micros(now))
            self._gauges = gauges
        shown = Sums()
        shown.put(series.INDEX_PROBLEMS, (), len(index.problems))
        shown.put(series.BUILD, (__version__,), 1)
        exact = self._names.gathered(self._gauges or gauges)
        shown.put(series.COLLECT, (), round((monotonic() - started_s) * SECOND_US))
        return series.families_of([self._growth.counters(), exact, shown])

    def gauges(
        self, index: Index, now: datetime
    ) -> Iterator[tuple[Family, Mapping[Labels, Value]]]:
        """Give what is exact, once: for files and gateways, which no counter outlives."""
        self._names.let_in(series.sums(index.answers).use)
        found = self._exact(index, now)
        found.put(series.INDEX_PROBLEMS, (), len(index.problems))
        found.put(series.INDEX_READ, (), micros(now))
        found.put(series.BUILD, (__version__,), 1)
        return series.families_of([self._names.gathered(found)])

    def _exact(self, index: Index, now: datetime) -> Sums:
        limits = MachineLimits(self._config, now)
        (_, day), (_, month) = parts(limits.today)
        found = series.exact(index.answers, day, month)
        self._put_budgets(found, limits, Ask(index.answers, Slice(), now))
        return found

    def _put_budgets(self, found: Sums, limits: MachineLimits, ask: Ask) -> None:
        rows = running_sessions(ask)
        found.put(series.RUNNING, (), len(rows))
        try:
            judged = [
                budgeted_session(
                    ask.answers, row, limits.limits, limits.granted(row), limits.unverified
                )
                for row in rows
            ]
            judged += budgeted_machine(
                ask.answers,
                limits.limits,
                limits.today,
                limits.granted(None),
                limits.unverified,
                running_count=0,
            )
        except (ForeignFile, StorageError):
            return  # what a person allowed cannot be read: rather no limit than a wrong one
        known = {(one.scope, one.unit): one.amount for one in limits.limits.each}
        most = dict.fromkeys(known, 0.0)
        for balance in (one for part in judged for one in part.verdict.balances):
            key = balance.scope, balance.unit
            most[key] = max(most[key], balance.used / balance.limit)
            if balance.scope != budgets.SESSION:  # what was allowed to one is no other's
                known[key] = balance.limit
        for (scope, unit), limit in known.items():
            is_cost = unit == budgets.USD
            found.put(
                series.BUDGET_LIMIT_USD if is_cost else series.BUDGET_LIMIT_TOKENS, (scope,), limit
            )
            found.put(series.BUDGET_USED, (scope, unit), most[scope, unit])


def _month(now: datetime) -> str:
    """The first day of the month."""
    return now.date().replace(day=1).isoformat()
