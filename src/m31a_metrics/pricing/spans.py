"""The stretches of time in which no rule of the price library changes.

Its rules are "from this date on" and "between these times of each day", all in UTC. The
library itself is asked in the middle of each stretch, so its order of rules stays its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec import Struct

from m31a_metrics.pricing.rates import DAY_US, FOREVER_US

if TYPE_CHECKING:
    from genai_prices.types import StartDateConstraint, TimeOfDateConstraint

_EPOCH = date(1970, 1, 1)
_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)


class Span(Struct, frozen=True):
    """A stretch of time as in Rates, and `at`, a moment within it."""

    from_us: int
    until_us: int
    day_from_us: int
    day_until_us: int
    at: datetime


def spans(
    constraints: Iterable[StartDateConstraint | TimeOfDateConstraint | None],
) -> Iterator[Span]:
    """Yield the stretches between the edges of these rules, ascending; together they are all time.

    Raises LookupError for a kind of rule that is not known here.
    """
    from genai_prices.types import StartDateConstraint, TimeOfDateConstraint

    dates: set[date] = set()
    times = {0, DAY_US}
    for constraint in constraints:
        if isinstance(constraint, StartDateConstraint):
            dates.add(constraint.start_date)
        elif isinstance(constraint, TimeOfDateConstraint):
            times |= {_of_day(constraint.start_time), _of_day(constraint.end_time)}
        elif constraint is not None:
            raise LookupError(f"prices depend on a {type(constraint).__name__}")
    days = sorted(dates)
    # Before the first date any day will do.
    first_days = [days[0] - _DAY if days else _EPOCH, *days]
    edges = [0, *((day - _EPOCH) // _MICROSECOND for day in days), FOREVER_US]
    for day, (from_us, until_us) in zip(first_days, pairwise(edges), strict=True):
        for day_from_us, day_until_us in pairwise(sorted(times)):
            midnight = datetime.combine(day, time(), UTC)
            at = midnight + day_from_us * _MICROSECOND
            yield Span(from_us, until_us, day_from_us, day_until_us, at)


def _of_day(at: time) -> int:
    """Microseconds of the UTC day; a time without a zone is UTC, as in the library."""
    moment = datetime.combine(_EPOCH, at, at.tzinfo or UTC).astimezone(UTC)
    midnight = datetime.combine(moment.date(), time(), UTC)
    return (moment - midnight) // _MICROSECOND
