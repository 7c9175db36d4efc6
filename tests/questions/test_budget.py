"""What may still be used: which sessions and which days are asked about."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from m31a_metrics.answers import Answers, SessionRow, Slice, TotalsRow
from m31a_metrics.budgets import DAY, MONTH, SESSION, USD, Limit, Limits, Use
from m31a_metrics.questions.ask import Ask
from m31a_metrics.questions.budget import budget, parts
from m31a_metrics.timestamps import Today, micros
from m31a_metrics.units import DAY_US, HOUR_US, NANO_PER_USD
from tests.questions.invented import Invented

NOW = datetime(2026, 6, 20, 15, 30, tzinfo=UTC)
FROM_US = micros(datetime(2026, 6, 20, tzinfo=UTC))
MONTH_US = micros(datetime(2026, 6, 1, tzinfo=UTC))
TODAY = Today("2026-06-20", "2026-06", FROM_US, FROM_US + DAY_US, MONTH_US, MONTH_US + 30 * DAY_US)
LIMITS = Limits(tuple(Limit(scope, USD, 5 * NANO_PER_USD) for scope in (SESSION, DAY, MONTH)))


def session(name: str, ago: timedelta, cost_usd: int) -> SessionRow:
    """A session with its last event so long ago, active for an hour."""
    return SessionRow(
        agent="codex",
        session_id=name,
        updated_us=micros(NOW - ago),
        cost_nano=cost_usd * NANO_PER_USD,
        active_us=HOUR_US,
    )


def test_what_runs_the_day_and_the_month(zone: Callable[[str], None]) -> None:
    """Sessions that run have a row each, with what they were allowed; then day and month.

    What nobody vouches for is not in them.
    """
    zone("UTC")
    running, ended = session("a", timedelta(), 2), session("b", timedelta(hours=1), 9)
    answers = Invented(
        sessions=[running, ended], totals=[TotalsRow(cost_nano=4 * NANO_PER_USD, active_us=HOUR_US)]
    )
    allowed = {"a": [Limit(SESSION, USD, NANO_PER_USD)], "": [Limit(DAY, USD, 3 * NANO_PER_USD)]}

    def granted(row: SessionRow | None) -> list[Limit]:
        return allowed["" if row is None else row.session_id]

    def unverified(asked: Answers, row: SessionRow | None) -> dict[str, Use]:
        assert asked is answers
        return {DAY if row is None else SESSION: Use(NANO_PER_USD)}

    ask = Ask(answers, Slice(), NOW)
    (panel,) = budget(ask, LIMITS, TODAY, granted, unverified, whole=True)
    table = panel.table
    at = [column.name for column in table.columns]
    rows = [tuple(row[at.index(name)] for name in ("which", "used", "left")) for row in table.rows]
    assert rows == [("a", 1.0, 5.0), ("2026-06-20", 3.0, 5.0), ("2026-06", 4.0, 1.0)]
    assert [which for name, which in answers.asked if name == "totals"] == [
        Slice(first_day="2026-06-20", last_day="2026-06-20"),
        Slice(first_day="2026-06-01", last_day="2026-06-20"),
    ]


def test_another_zone_asks_between_the_machines_moments(zone: Callable[[str], None]) -> None:
    """Where the process has other days than the machine, no day of its own is asked for."""
    for name in ("Europe/Berlin", "Pacific/Kiritimati", "XXX-0:15"):
        zone(name)
        assert parts(TODAY) == [
            (DAY, Slice(since_us=FROM_US, until_us=FROM_US + DAY_US)),
            (MONTH, Slice(since_us=MONTH_US, until_us=FROM_US + DAY_US)),
        ]


def test_a_day_that_only_begins_the_same_is_another(zone: Callable[[str], None]) -> None:
    """Two zones may share a midnight and part at noon, when one of them sets its clocks."""
    zone("UTC")
    shorter = Today(
        TODAY.day, TODAY.month, FROM_US, FROM_US + 23 * HOUR_US, MONTH_US, TODAY.month_until_us
    )
    assert parts(shorter)[0] == (DAY, Slice(since_us=FROM_US, until_us=FROM_US + 23 * HOUR_US))
