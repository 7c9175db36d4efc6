"""Budgets: what may be used in a session, a day and a month, and what that means for its use.

    [metrics.budget]
    session_usd = 5.0
    day_usd = 20
    month_tokens = 200_000_000
    warn_at = 0.8

Pure: limits, use so far and what a person allowed in addition go in, a verdict comes out.
Amounts are whole numbers, nano-USD or tokens. Tokens of which nobody knows the price are no
part of a use in USD: they are named beside it, as unknown, and never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from m31a_metrics.errors import ConfigError
from m31a_metrics.units import HOUR_US, LARGEST, NANO_PER_USD, nano_usd, usd

SESSION, DAY, MONTH = SCOPES = ("session", "day", "month")
"""What a limit is of: one session, or a day or a month of this machine."""

USD, TOKENS = UNITS = ("usd", "tokens")

WARN_AT = 0.8
"""The share of a limit from which on people are warned, unless they set another."""

_WARN_AT = "warn_at"
_LIMITS = {f"{scope}_{unit}": (scope, unit) for unit in UNITS for scope in SCOPES}
_LARGEST_USD = LARGEST // NANO_PER_USD


class Limit(Struct, frozen=True):
    """How much may be used in a scope: `amount` in nano-USD or tokens, as `unit` says."""

    scope: str
    unit: str
    amount: int


class Limits(Struct, frozen=True):
    """All limits of a machine; from `warn_at` (a share) of one on, people are warned."""

    each: tuple[Limit, ...] = ()
    warn_at: float = WARN_AT

    def __bool__(self) -> bool:
        return bool(self.each)

    def of(self, *scopes: str) -> Limits:
        """Keep the limits of these scopes."""
        return Limits(tuple(one for one in self.each if one.scope in scopes), self.warn_at)


class Use(Struct, frozen=True):
    """What was used in a scope so far; `unpriced_tokens` are not in the cost, and unknown."""

    cost_nano: int = 0
    total_tokens: int = 0
    unpriced_tokens: int = 0
    active_us: int = 0

    def of(self, unit: str) -> int:
        """The use in nano-USD or tokens."""
        return self.cost_nano if unit == USD else self.total_tokens

    def without(self, other: Use) -> Use:
        """What is left of it without another; never less than nothing."""
        return Use(
            *(max(getattr(self, one) - getattr(other, one), 0) for one in self.__struct_fields__)
        )

    def per_hour(self, unit: str) -> float | None:
        """The rate of use per active hour; None while there is no active time."""
        return self.of(unit) * HOUR_US / self.active_us if self.active_us > 0 else None


class Balance(Struct, frozen=True):
    """One limit and its use. `limit` includes `granted`, what a person allowed in addition.

    `warn_from` is the amount from which on people are warned. Amounts are nano-USD or tokens,
    as `unit` says.
    """

    scope: str
    unit: str
    limit: int
    granted: int
    warn_from: float
    use: Use

    @property
    def used(self) -> int:
        """The use in the unit of the limit."""
        return self.use.of(self.unit)

    @property
    def unpriced_tokens(self) -> int:
        """Tokens that are not in a use in USD, because nobody knows what they cost."""
        return self.use.unpriced_tokens if self.unit == USD else 0

    @property
    def left(self) -> int:
        """What may still be used; never below 0."""
        return max(self.limit - self.used, 0)

    @property
    def is_spent(self) -> bool:
        """Tell whether nothing is left: who can be stopped is stopped."""
        return self.used >= self.limit

    @property
    def is_near(self) -> bool:
        """Tell whether people are to be warned, or nothing is left."""
        return self.is_spent or self.used >= self.warn_from

    @property
    def per_hour(self) -> float | None:
        """The rate of use per active hour; None while there is no active time."""
        return self.use.per_hour(self.unit)

    @property
    def spent_after_us(self) -> int | None:
        """After how much more active time all is spent at that rate; None: nobody can tell."""
        if self.is_spent:
            return 0
        if self.use.active_us <= 0 or self.used <= 0:
            return None
        return min(self.left * self.use.active_us // self.used, LARGEST)

    def spent_at_us(self, now_us: int, running_count: int, until_us: int | None) -> int | None:
        """When it is spent, if so many sessions go on as until now (Unix microseconds).

        None where none is running, where nobody can tell, and where the scope ends before
        that (`until_us`).
        """
        after_us = self.spent_after_us
        if after_us is None or running_count < 1:
            return None
        at_us = now_us + after_us // running_count
        return at_us if until_us is None or at_us < until_us else None


class Verdict(Struct, frozen=True):
    """What the limits say of the use: a balance each, in the order of the limits."""

    balances: tuple[Balance, ...] = ()

    @property
    def stops(self) -> list[Balance]:
        """Of which nothing is left."""
        return [one for one in self.balances if one.is_spent]

    @property
    def warns(self) -> list[Balance]:
        """Of which little is left, but something."""
        return [one for one in self.balances if one.is_near and not one.is_spent]

    @property
    def is_near(self) -> bool:
        """Tell whether anything is to be stopped or warned of."""
        return any(one.is_near for one in self.balances)

    def tightest(self, unit: str = USD) -> Balance | None:
        """The balance in this unit of which the least is left; of equals the first."""
        balances = [one for one in self.balances if one.unit == unit]
        return min(balances, key=lambda one: one.left, default=None)


def judge(limits: Limits, used: Mapping[str, Use], grants: Iterable[Limit] = ()) -> Verdict:
    """Set the use of scopes against the limits; a scope whose use is not given is not judged.

    `grants` are what a person allowed in addition to a limit of the same scope and unit, in
    the session, day or month that the use is of.
    """
    granted: dict[tuple[str, str], int] = {}
    for grant in grants:
        key = grant.scope, grant.unit
        granted[key] = granted.get(key, 0) + grant.amount
    balances = []
    for one in limits.each:
        use = used.get(one.scope)
        if use is None:
            continue
        more = granted.get((one.scope, one.unit), 0)
        limit = one.amount + more
        balances.append(Balance(one.scope, one.unit, limit, more, limit * limits.warn_at, use))
    return Verdict(tuple(balances))


def written(unit: str, amount: int) -> str:
    """Write an amount for people: `USD 5.02`, `1,200 tokens`.

    Rounded down, so that what is not spent never reads as if it were.
    """
    if unit == TOKENS:
        return f"{amount:,} token{'' if amount == 1 else 's'}"
    places = 2 if amount >= NANO_PER_USD or amount % 10_000_000 == 0 else 4
    step = 10 ** (9 - places)
    return f"USD {usd(amount // step * step):,.{places}f}"


def amount_of(value: Any, unit: str) -> int | None:
    """Read an amount as people write it: USD, or whole tokens; None for what is none.

    It is above 0, and no more than a whole number holds in every JSON reader.
    """
    if isinstance(value, bool) or not isinstance(value, int if unit == TOKENS else int | float):
        return None
    if not 0 < value <= (LARGEST if unit == TOKENS else _LARGEST_USD):
        return None
    return int(value) if unit == TOKENS else nano_usd(value) or None


def limits(table: Mapping[str, Any], path: str) -> Limits:
    """Read `[metrics.budget]`; `path` is the configuration file's, for messages.

    Raises ConfigError, naming the file, the key and the remedy.
    """
    found = []
    for key, value in table.items():
        if key == _WARN_AT:
            continue
        if key not in _LIMITS:
            raise ConfigError(f"{path}: unknown key {key!r} in [metrics.budget]{_nearest(key)}")
        scope, unit = _LIMITS[key]
        amount = amount_of(value, unit)
        if amount is None:
            what = "whole number of tokens" if unit == TOKENS else "number of US dollars"
            raise ConfigError(
                f"{path}: metrics.budget.{key} must be a {what} above 0, not {value!r}"
            )
        found.append(Limit(scope, unit, amount))
    warn_at = table.get(_WARN_AT, WARN_AT)
    is_number = isinstance(warn_at, int | float) and not isinstance(warn_at, bool)
    if not is_number or not 0 < warn_at <= 1:
        raise ConfigError(
            f"{path}: metrics.budget.{_WARN_AT} must be a share of the limits above 0 and up "
            f"to 1, as {WARN_AT}, not {warn_at!r}"
        )
    return Limits(tuple(found), float(warn_at))


def _nearest(key: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key, [*_LIMITS, _WARN_AT], n=1, cutoff=0.0)
    return f"; did you mean {near[0]!r}?" if near else ""
