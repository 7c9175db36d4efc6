"""A budget for a session that a host records: the record call that crosses it says so.

With a limit in USD the rates of a model are resolved at its first call without a cost, which
imports the price library where this machine has not kept them yet: the one exception to
pricing at a flush.
"""

from __future__ import annotations

from _thread import RLock
from collections.abc import Callable
from os import getpid
from typing import Any

from msgspec import Struct

from m31a_metrics import budgets
from m31a_metrics.budgets import SESSION, TOKENS, USD, Limit, Limits, Use
from m31a_metrics.collector import lifecycle
from m31a_metrics.collector.log import exception
from m31a_metrics.collector.writer import TROUBLE
from m31a_metrics.errors import BudgetExceeded
from m31a_metrics.events import Counts, Event, LLMInteraction
from m31a_metrics.model import SessionMetrics
from m31a_metrics.tally import Price
from m31a_metrics.units import nano_usd


class Budget(Struct, frozen=True, kw_only=True):
    """What one session may use, in US dollars, in tokens, or both: `Collector(budget=...)`.

    Reached, each record call of a model's answer raises BudgetExceeded after it has recorded
    the answer. With `on_exceeded` nothing is raised: it is called with that error, once, and
    may raise it. What it raises otherwise is logged.

    Raises TypeError and ValueError for what is no amount above 0, or no limit at all.
    """

    usd: float | None = None
    tokens: int | None = None
    on_exceeded: Callable[[BudgetExceeded], object] | None = None

    def __post_init__(self) -> None:
        if self.usd is None and self.tokens is None:
            raise ValueError("a Budget needs usd or tokens")
        _check(self.usd, "usd", USD, "a number of US dollars", int | float)
        _check(self.tokens, "tokens", TOKENS, "a whole number of tokens", int)

    def limits(self) -> Limits:
        """The same as limits of a session."""
        given = ((USD, self.usd), (TOKENS, self.tokens))
        amounts = [(unit, budgets.amount_of(value, unit)) for unit, value in given]
        return Limits(tuple(Limit(SESSION, unit, amount) for unit, amount in amounts if amount))


def _check(value: Any, argument: str, unit: str, what: str, kind: Any) -> None:
    if value is None:
        return
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{argument} must be {what}, not {type(value).__name__}")
    if budgets.amount_of(value, unit) is None:
        raise ValueError(f"{argument} must be {what} above 0, not {value}")


class Meter:
    """Counts what a session uses against its budget. It is called with each recorded event.

    `held` is what the session held when it was opened; what other processes record meanwhile
    is not known here. `on_event` is the host's own, and is called first.
    """

    def __init__(
        self,
        budget: Budget,
        session_id: str,
        held: SessionMetrics,
        price: Price,
        on_event: Callable[[Event], object] | None,
    ) -> None:
        self._limits = budget.limits()
        self._on_exceeded = budget.on_exceeded
        self._session_id = session_id
        self._price = price if budget.usd is not None else None
        self._on_event = on_event
        self._used = _of(held)
        self._is_told = False
        self._refused: BudgetExceeded | None = None  # what the callback raised
        # By process: in a forked child a thread that it does not have may hold the parent's.
        # Reentrant: a signal handler may record, too.
        self._locks: dict[int, RLock] = {}

    def __call__(self, event: Event) -> None:
        """Count an event that was recorded. Raises BudgetExceeded."""
        error = self._count(event)
        if self._on_event is not None:
            try:
                self._on_event(event)
            except BudgetExceeded:
                raise
            except Exception as raised:  # noqa: BLE001 - a host's own code may raise anything
                exception("on_event raised", raised)
        if error is not None:
            self._tell(error)

    def check(self) -> None:
        """Raise BudgetExceeded where it is used up, and a record call would."""
        if self._on_exceeded is not None:
            if self._refused is not None:
                raise self._refused
            return
        with self._locks.setdefault(getpid(), RLock()):
            used = self._used
        error = self._judged(used)
        if error is not None:
            raise error

    def _count(self, event: Event) -> BudgetExceeded | None:
        if type(event) is LLMInteraction:
            use = self._use_of(event)
        elif type(event) is Counts:
            use = _of(event.metrics)
        else:
            return None
        with self._locks.setdefault(getpid(), RLock()):
            self._used = used = _added(self._used, use)
        return self._judged(used)

    def _judged(self, used: Use) -> BudgetExceeded | None:
        stops = budgets.judge(self._limits, {SESSION: used}).stops
        return BudgetExceeded(self._words(stops[0], used)) if stops else None

    def _use_of(self, event: LLMInteraction) -> Use:
        cost_usd, tokens = event.cost, event.usage.total
        if cost_usd is None and self._price is not None and not lifecycle.is_ending():
            try:
                cost_usd = self._price(event)
            except TROUBLE:
                pass  # nobody knows its price now; a flush asks again
        if cost_usd is None:
            return Use(0, tokens, tokens)
        return Use(nano_usd(cost_usd), tokens)

    def _words(self, balance: budgets.Balance, used: Use) -> str:
        amount, limit = (
            budgets.written(balance.unit, part) for part in (balance.used, balance.limit)
        )
        unknown = ""
        if balance.unit == USD and used.unpriced_tokens:
            unknown = f", beside {used.unpriced_tokens:,} tokens whose price nobody knows"
        return f"session {self._session_id} has used {amount} of {limit}{unknown}"

    def _tell(self, error: BudgetExceeded) -> None:
        if self._on_exceeded is None:
            raise error
        with self._locks.setdefault(getpid(), RLock()):
            was_told, self._is_told = self._is_told, True
        if was_told:
            return
        try:
            self._on_exceeded(error)
        except BudgetExceeded as refused:
            self._refused = refused
            raise
        except Exception as raised:  # noqa: BLE001 - a host's own code may raise anything
            exception("on_exceeded raised", raised)


def _of(metrics: SessionMetrics) -> Use:
    rows = metrics.llms
    return Use(
        sum(nano_usd(row.cost) for row in rows),
        sum(row.total_tokens for row in rows),
        sum(row.unpriced_tokens for row in rows),
    )


def _added(one: Use, other: Use) -> Use:
    return Use(
        one.cost_nano + other.cost_nano,
        one.total_tokens + other.total_tokens,
        one.unpriced_tokens + other.unpriced_tokens,
    )
