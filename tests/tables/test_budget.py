"""The table of budgets: a row for each limit, and what people see of it."""

from __future__ import annotations

from datetime import UTC, datetime

from m31a_metrics import budgets
from m31a_metrics.budgets import DAY, MONTH, SESSION, TOKENS, USD, Limit, Limits, Use
from m31a_metrics.table import Table
from m31a_metrics.tables.budget import HOW_TO_LIMIT, Budgeted, budget, how_to_allow
from m31a_metrics.units import DAY_US, HOUR_US, NANO_PER_USD, YEAR_1971_US

LIMITS = Limits((Limit(SESSION, USD, 5 * NANO_PER_USD), Limit(DAY, TOKENS, 1000)))


def part(
    scope: str, use: Use, *grants: Limit, running_count: int = 1, limits: Limits = LIMITS
) -> Budgeted:
    """A session, a day or a month that used so much; none ends before the third day of 1971."""
    verdict = budgets.judge(limits, {scope: use}, grants)
    return Budgeted(scope, f"the {scope}", use, verdict, running_count, YEAR_1971_US + 2 * DAY_US)


def shown(table: Table) -> list[dict[str, object]]:
    """The rows by their columns."""
    names = [column.name for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in table.rows]


def test_each_limit_has_its_row() -> None:
    """Use, limit, left and rate are in the row's unit; what has no limit in USD has its cost."""
    use = Use(2 * NANO_PER_USD, 800, unpriced_tokens=30, active_us=HOUR_US)
    table = budget([part(SESSION, use), part(DAY, use)], YEAR_1971_US, whole=True)
    session, day_cost, day = shown(table)
    assert session == {
        "scope": "session",
        "which": "the session",
        "unit": "usd",
        "used": 2.0,
        "limit": 5.0,
        "granted": 0.0,
        "left": 3.0,
        "per_active_hour": 2.0,
        "lasts_ms": 5_400_000.0,
        "spent_at": datetime(1971, 1, 1, 1, 30, tzinfo=UTC),
        "unpriced_tokens": 30,
        "state": "free",
    }
    assert [day_cost[name] for name in ("used", "limit", "left", "state", "per_active_hour")] == [
        2.0, None, None, None, 2.0
    ]  # fmt: skip
    assert [day[name] for name in ("used", "limit", "left", "state", "per_active_hour")] == [
        800, 1000, 200, "near", 800
    ]  # fmt: skip
    assert (
        "30 tokens are unpriced (nobody gave their cost), so cost leaves them out." in table.notes
    )


def test_what_is_spent_says_how_to_go_on() -> None:
    """The command that allows more names the session, or the day; a spent limit has no time."""
    table = budget([part(SESSION, Use(5 * NANO_PER_USD, active_us=1))], 0, whole=True)
    (row,) = shown(table)
    assert (row["state"], row["left"], row["lasts_ms"], row["spent_at"]) == ("spent", 0, 0, None)
    assert "m31 budget allow --session the session +5" in table.notes[-1]
    assert how_to_allow(part(DAY, Use())) == "m31 budget allow --day +5"


def test_without_limits_there_is_use() -> None:
    """Nobody set a limit: what is used is shown all the same, and how to set one."""
    use = Use(NANO_PER_USD)
    table = budget([part(MONTH, use, limits=Limits())], 0)
    assert [column.name for column in table.columns] == [
        "scope", "which", "unit", "used", "per_active_hour"
    ]  # fmt: skip
    assert table.rows == [("month", "the month", "usd", 1.0, None)]
    assert table.notes == [HOW_TO_LIMIT]


def test_people_see_what_there_is() -> None:
    """What was allowed in addition is a column where anything was."""
    use = Use(NANO_PER_USD, active_us=HOUR_US)
    names = [column.name for column in budget([part(SESSION, use)], 0).columns]
    assert "granted" not in names
    assert "unpriced_tokens" not in names
    more = budget([part(SESSION, use, Limit(SESSION, USD, NANO_PER_USD))], 0)
    (row,) = shown(more)
    assert (row["limit"], row["granted"]) == (6.0, 1.0)
