"""Answers out of a fleet's database: the shared texts, sums and histograms added up there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from msgspec import MsgspecError
from msgspec.structs import replace

from m31a_metrics.answers import FailureRow, HealRow, RateLimitRow, SessionRow, Slice
from m31a_metrics.errors import FleetRefused
from m31a_metrics.fleet.client import Client, written
from m31a_metrics.folding.reading import SESSIONS_NAMED, Reading, latest_few
from m31a_metrics.histogram import Histogram
from m31a_metrics.queries import Chosen, Dialect, Query, texts
from m31a_metrics.queries.tables import OWNERS

ROWS_MAX = 100_000
"""No query gives more rows: what an answer moves is bounded by its parts, not by the fleet."""

_SETTINGS: dict[str, str | int] = {
    "distributed_product_mode": "local",
    "max_result_rows": ROWS_MAX,
    "result_overflow_mode": "throw",
}
_FAILURES_AT_ONCE = 100

_NUMBER = "toInt64OrZero(substring({0}, %d, %d))"
_YEAR, _MONTH, _DAY = (_NUMBER % place for place in ((1, 4), (6, 2), (9, 2)))
_YEARS = f"({_YEAR} - ({_MONTH} <= 2))"  # those of which a leap day comes last
_WEEK = (
    f"intDiv(365 * {_YEARS} + intDiv({_YEARS}, 4) - intDiv({_YEARS}, 100) + "
    f"intDiv({_YEARS}, 400) + intDiv(153 * (({_MONTH} + 9) % 12) + 2, 5) + {_DAY} + 1, 7)"
)
"""The number of a week since the year 0: a Date of ClickHouse's is of 1970 to 2105 alone."""

_RULES = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_", "*": "%"})

DIALECT = Dialect(
    contains="position({}, {}) > 0",
    begins="position({}, {}) = 1",
    fits="{} LIKE {}",
    pattern=lambda name: name.translate(_RULES),
    week=_WEEK,
    month="substring({}, 1, 7)",
    # Without the cast a bucket begins anew at 2^32 calls.
    ran="sumMap(ran_bucket, CAST(ran_count AS Array(UInt64)))",
    more_facts=OWNERS,
)


class FleetReading(Reading):
    """The questions of `answers.Answers`, asked of a ClickHouse.

    An answer of several queries may see what was pushed between them. `is_partial`: shards
    that do not answer are passed over. Raises FleetUnreachable, and FleetRefused: also for an
    answer of more than ROWS_MAX rows.
    """

    dialect = DIALECT
    sessions_at_once = 4_000  # each text reads the whole fleet; 256 KiB are what one may have

    def __init__(self, client: Client, *, is_partial: bool = False) -> None:
        self.client = client
        self._settings = _SETTINGS | ({"skip_unavailable_shards": 1} if is_partial else {})

    def ask(self, query: Query) -> Iterator[tuple[Any, ...]]:
        """Give the rows of a query."""
        return map(tuple, self.client.rows(written(query), self._settings))

    def add_ran(self, histogram: Histogram, ran: Any, longest_ms: float) -> None:
        """Add a histogram that comes as its buckets and how many calls each holds."""
        histogram.merge(Histogram(dict(zip(*ran, strict=True)), longest_ms))

    def session_rows(self, query: Query) -> list[SessionRow]:
        """Give sessions without a path: a file of that name is on another machine."""
        with self._legible():
            rows = super().session_rows(query)
        for row in rows:
            row.path = ""
        return rows

    def heals(self, which: Slice, limit: int | None = None) -> list[HealRow]:
        """Failures that agents set out to heal, the most expensive first, then the longest."""
        with self._legible():
            return super().heals(which, limit)

    def rate_limits(self, which: Slice) -> list[RateLimitRow]:
        """Of each agent the limits of its provider, as they were told last."""
        with self._legible():
            return super().rate_limits(which)

    @contextmanager
    def _legible(self) -> Iterator[None]:
        """Say what is wrong where a row is not as this version writes it: anybody may push."""
        try:
            yield
        except MsgspecError as error:
            raise FleetRefused(
                f"{self.client.address} holds a session that this m31 cannot read ({error}): "
                "update m31, or have it forgotten where it was pushed"
            ) from error

    def name_sessions(self, chosen: Chosen, rows: Sequence[FailureRow]) -> None:
        """Say of ways to fail in which sessions they were seen, many of them by one query."""
        for start in range(0, len(rows), _FAILURES_AT_ONCE):
            some = rows[start : start + _FAILURES_AT_ONCE]
            parameters = dict(chosen.parameters)
            ways = []
            for at, row in enumerate(some):
                parameters |= {f"failed_tool_{at}": row.tool, f"failed_line_{at}": row.line}
                ways.append(f"(:failed_tool_{at}, :failed_line_{at})")
            query = texts.failed_in(
                replace(chosen, parameters=parameters),
                f"(tool, line) IN ({', '.join(ways)})",
                f"{4 * SESSIONS_NAMED} BY tool, line",
            )
            found: dict[tuple[str, str], list[str]] = {}
            for tool, line, session_id in self.ask(query):
                found.setdefault((tool, line), []).append(session_id)
            for row in some:
                row.session_ids = latest_few(found.get((row.tool, row.line), ()))
