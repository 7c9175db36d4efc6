"""Budgets: what the table of limits may say, and what a use of it comes to."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics import budgets
from m31a_metrics.budgets import DAY, MONTH, SCOPES, SESSION, TOKENS, UNITS, USD, Limit, Limits, Use
from m31a_metrics.errors import ConfigError
from m31a_metrics.units import HOUR_US, LARGEST, NANO_PER_USD

CENT = NANO_PER_USD // 100

amounts = st.integers(1, LARGEST)
limit = st.builds(Limit, st.sampled_from(SCOPES), st.sampled_from(UNITS), amounts)
use = st.builds(
    Use,
    cost_nano=st.integers(0, LARGEST),
    total_tokens=st.integers(0, LARGEST),
    unpriced_tokens=st.integers(0, LARGEST),
    active_us=st.integers(0, LARGEST),
)
uses = st.dictionaries(st.sampled_from(SCOPES), use)
some_limits = st.builds(
    Limits, st.lists(limit, max_size=6).map(tuple), st.floats(0.01, 1, allow_nan=False)
)


def test_all_limits_can_be_set() -> None:
    """Each key becomes a limit in whole numbers, and the share to warn at is kept."""
    table = {
        "session_usd": 5.0,
        "day_usd": 20,
        "month_usd": 0.000000001,
        "session_tokens": 1,
        "day_tokens": 2_000_000,
        "month_tokens": LARGEST,
        "warn_at": 0.5,
    }
    read = budgets.limits(table, "config.toml")
    assert read.each == (
        Limit(SESSION, USD, 5 * NANO_PER_USD),
        Limit(DAY, USD, 20 * NANO_PER_USD),
        Limit(MONTH, USD, 1),
        Limit(SESSION, TOKENS, 1),
        Limit(DAY, TOKENS, 2_000_000),
        Limit(MONTH, TOKENS, LARGEST),
    )
    assert read.warn_at == 0.5
    assert read.of(DAY, MONTH).each == (*read.each[1:3], *read.each[4:])
    assert not budgets.limits({"warn_at": 1}, "")
    assert budgets.limits({"day_usd": 1}, "").warn_at == budgets.WARN_AT


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"sesion_usd": 1}, "unknown key 'sesion_usd' in [metrics.budget]; did you mean 'session"),
        ({"day": 1}, "unknown key 'day' in [metrics.budget]; did you mean 'day_usd'"),
        ({"warn": 1}, "unknown key 'warn' in [metrics.budget]; did you mean 'warn_at'"),
        ({"day_usd": 0}, "metrics.budget.day_usd must be a number of US dollars above 0, not 0"),
        ({"day_usd": "5"}, "metrics.budget.day_usd must be a number of US dollars above 0"),
        ({"day_usd": True}, "metrics.budget.day_usd must be a number of US dollars above 0"),
        ({"day_usd": math.nan}, "metrics.budget.day_usd must be a number of US dollars above 0"),
        ({"day_usd": 1e-10}, "metrics.budget.day_usd must be a number of US dollars above 0"),
        ({"day_usd": 1e9}, "metrics.budget.day_usd must be a number of US dollars above 0"),
        ({"day_tokens": 1.5}, "metrics.budget.day_tokens must be a whole number of tokens"),
        ({"day_tokens": -1}, "metrics.budget.day_tokens must be a whole number of tokens above 0"),
        ({"warn_at": 80}, "metrics.budget.warn_at must be a share of the limits above 0"),
        ({"warn_at": 0}, "metrics.budget.warn_at must be a share of the limits"),
        ({"warn_at": True}, "metrics.budget.warn_at must be a share of the limits"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(table: dict[str, Any], words: str) -> None:
    """What is no limit is refused with the file, the key, and what would be one."""
    with pytest.raises(ConfigError) as raised:
        budgets.limits(table, "/etc/config.toml")
    assert f"/etc/config.toml: {words}" in str(raised.value)


def test_what_a_budget_says() -> None:
    """Below the share nothing, from it on a warning, at the limit a stop; a grant takes it back."""
    five = Limits((Limit(SESSION, USD, 500 * CENT),))
    state = [
        (bool(verdict.warns), bool(verdict.stops), verdict.is_near)
        for cents in (399, 400, 499, 500, 700)
        for verdict in [budgets.judge(five, {SESSION: Use(cost_nano=cents * CENT)})]
    ]
    assert state == [
        (False, False, False),
        (True, False, True),
        (True, False, True),
        (False, True, True),
        (False, True, True),
    ]
    more = [Limit(SESSION, USD, 500 * CENT), Limit(DAY, USD, CENT), Limit(SESSION, TOKENS, 1)]
    (balance,) = budgets.judge(five, {SESSION: Use(cost_nano=700 * CENT)}, more).balances
    assert (balance.limit, balance.granted, balance.left) == (1000 * CENT, 500 * CENT, 300 * CENT)
    assert not balance.is_near


def test_rates_are_per_active_hour() -> None:
    """Use by active time gives the rate, how long what is left lasts, and until when."""
    limits = Limits((Limit(DAY, USD, 500 * CENT), Limit(DAY, TOKENS, 1000)))
    used = Use(200 * CENT, 100, unpriced_tokens=7, active_us=HOUR_US)
    cost, tokens = budgets.judge(limits, {DAY: used}).balances
    assert cost.per_hour == 200 * CENT
    assert cost.spent_after_us == HOUR_US * 3 // 2
    assert cost.unpriced_tokens == 7
    assert (tokens.per_hour, tokens.spent_after_us) == (100, 9 * HOUR_US)
    assert tokens.unpriced_tokens == 0
    assert cost.spent_at_us(0, 1, None) == HOUR_US * 3 // 2
    assert cost.spent_at_us(0, 2, None) == HOUR_US * 3 // 4  # two that run spend it twice as fast
    assert cost.spent_at_us(0, 0, None) is None
    assert cost.spent_at_us(0, 1, HOUR_US) is None  # the day ends before that
    (idle,) = budgets.judge(limits.of(DAY), {DAY: Use(1)}).balances[:1]
    assert idle.per_hour is None
    assert idle.spent_after_us is None


def test_the_tightest_has_the_least_left() -> None:
    """Of several limits in a unit it is the one that stops first; of another unit, none."""
    limits = Limits((Limit(DAY, USD, 9), Limit(SESSION, USD, 3), Limit(MONTH, USD, 3)))
    verdict = budgets.judge(limits, {SESSION: Use(), DAY: Use(cost_nano=8), MONTH: Use()})
    tightest = verdict.tightest()
    assert tightest is not None
    assert tightest.scope == DAY
    assert verdict.tightest(TOKENS) is None


@given(some_limits, uses, uses, st.lists(limit, max_size=4))
def test_more_use_is_never_freer(
    limits: Limits, used: dict[str, Use], more: dict[str, Use], grants: list[Limit]
) -> None:
    """Whatever is used in addition, no stop or warning goes away; a grant brings none."""
    both = {
        scope: Use(
            one.cost_nano + other.cost_nano,
            one.total_tokens + other.total_tokens,
            one.unpriced_tokens + other.unpriced_tokens,
            one.active_us + other.active_us,
        )
        for scope, one in used.items()
        for other in [more.get(scope, Use())]
    }
    before, after = budgets.judge(limits, used), budgets.judge(limits, both)
    allowed = budgets.judge(limits, used, grants)
    for was, then, freer in zip(before.balances, after.balances, allowed.balances, strict=True):
        assert was.is_spent <= then.is_spent
        assert was.is_near <= then.is_near
        assert freer.is_spent <= was.is_spent
        assert freer.is_near <= was.is_near


@given(some_limits, uses, st.lists(limit, max_size=4))
def test_a_balance_adds_up(limits: Limits, used: dict[str, Use], grants: list[Limit]) -> None:
    """Each limit whose use is known is judged once; what is used and left makes it up."""
    verdict = budgets.judge(limits, used, grants)
    judged = [one for one in limits.each if one.scope in used]
    assert [(one.scope, one.unit) for one in verdict.balances] == [
        (one.scope, one.unit) for one in judged
    ]
    for one, balance in zip(judged, verdict.balances, strict=True):
        assert balance.limit == one.amount + balance.granted
        assert balance.granted == sum(
            grant.amount for grant in grants if (grant.scope, grant.unit) == (one.scope, one.unit)
        )
        assert min(balance.used, balance.limit) + balance.left == balance.limit
        assert balance.is_spent == (balance.left == 0)
        assert balance.is_spent <= balance.is_near
        after_us = balance.spent_after_us
        assert (after_us == 0) >= balance.is_spent
        assert after_us is None or after_us >= 0
    assert {id(one) for one in verdict.stops}.isdisjoint(map(id, verdict.warns))
    assert verdict.is_near == bool(verdict.stops or verdict.warns)


@pytest.mark.parametrize(
    ("unit", "amount", "words"),
    [
        (USD, 5 * NANO_PER_USD, "USD 5.00"),
        (USD, 1_234 * NANO_PER_USD + 567 * CENT // 100, "USD 1,234.05"),
        (USD, 4_999_999_999, "USD 4.99"),
        (USD, 12_345_678, "USD 0.0123"),
        (USD, 50 * CENT, "USD 0.50"),
        (USD, 0, "USD 0.00"),
        (TOKENS, 1, "1 token"),
        (TOKENS, 1_200, "1,200 tokens"),
    ],
)
def test_amounts_for_people(unit: str, amount: int, words: str) -> None:
    """Two places, four below a dollar that is not whole cents, never rounded up."""
    assert budgets.written(unit, amount) == words
