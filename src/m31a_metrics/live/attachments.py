"""What attachments to SDKs share: whose call it is, in which phase, and that it counts once.

An attachment hears of a call when it begins and when it is answered, and records the answer in
the session of the Collector that was in force when it began (`in_force`), else in that
of the Collector that it was attached with.

Several may hear of one call: a framework's, that of the SDK beneath it, a span's. Those that
begin inside one another share an `_Exchange`, by a context variable, and the first to record or
claim it has it. Where a framework lost the context, ids tell: an answer with an id counts as
often as the one attachment says that heard it most often, for some servers give one id to many
answers.

Nothing that goes wrong here reaches the host, but BudgetExceeded, and that before a request.
"""

from __future__ import annotations

from _thread import RLock
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from contextvars import ContextVar
from itertools import count
from os import register_at_fork
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING

from msgspec import Struct

from m31a_metrics.collector.log import exception
from m31a_metrics.collector.scopes import in_force
from m31a_metrics.errors import BudgetExceeded
from m31a_metrics.events import LLMInteraction
from m31a_metrics.figures import call_key
from m31a_metrics.model import UNKNOWN_USAGE, Usage, WorkflowPhase

if TYPE_CHECKING:
    from m31a_metrics import Collector

Detach = Callable[[], None]
"""Ends what `attach` began; a second call does nothing."""

PHASE_UNSAID = WorkflowPhase.EXECUTE.value
"""Where calls count of a session that entered no phase."""

_IDS_MAX = 4_096
_REPEATS_MAX = 100
"""Answers that are told apart by id, of all sessions of this process; the oldest go first."""


class Answer(Struct):
    """What is known of a model's answer. Where nobody reported its usage, that is unknown."""

    usage: Usage = UNKNOWN_USAGE
    model: str | None = None
    response_id: str = ""
    tier: str | None = None
    web_search_count: int = 0
    cost: float | None = None
    duration_ms: float | None = None  # None: from the call's beginning until now


class _Exchange:
    """A call to a model or a tool, as all attachments hear of it; `owner` records it."""

    __slots__ = ("collector_id", "heard_by", "is_over", "owner", "response_id")

    def __init__(self, collector_id: int) -> None:
        # Contexts keep it: so it keeps neither a Collector nor an attachment alive.
        self.collector_id = collector_id
        self.heard_by: list[int] = []
        self.owner: int | None = None
        self.response_id = ""
        self.is_over = False


class _Heard:
    """Answers of one id: how often each attachment heard of one, and when any was recorded."""

    __slots__ = ("recorded", "times")

    def __init__(self, first: tuple[int, int] | None) -> None:
        # Numbers from the row that attachments have theirs from tell what was before what.
        self.times: dict[int, int] = {} if first is None else {first[0]: 1}
        self.recorded: list[int] = [] if first is None else [first[1]]

    def is_new(self, number: int, *, is_theirs: bool) -> bool:
        """Hear of an answer once more; tell whether this attachment is to record it."""
        if len(self.recorded) >= _REPEATS_MAX:
            self.times.clear()
            self.recorded[:] = (-1,)  # there was one, before all
        self.times[number] = times = self.times.get(number, 0) + 1
        # What was recorded before this attachment was made, it cannot have heard of.
        if is_theirs or times <= len(self.recorded) - bisect_right(self.recorded, number):
            return False
        self.recorded.append(next(_numbers))
        return True


_Current = ContextVar[_Exchange | None]
model_exchange: _Current = ContextVar("m31a_metrics.model_exchange", default=None)
"""The call to a model that is going on here."""
_tool_exchange: _Current = ContextVar("m31a_metrics.tool_exchange", default=None)

_numbers = count()
_lock = RLock()  # the garbage collector may end a stream while its thread holds it
_heard: OrderedDict[tuple[int, str], _Heard | tuple[int, int]] = OrderedDict()
"""By Collector and response id; as long as one attachment heard of it once: which, and when."""


def _in_child() -> None:
    global _lock
    _lock = RLock()  # a thread that a forked child does not have may hold the parent's


register_at_fork(after_in_child=_in_child)


def is_count(value: object) -> bool:
    """Tell whether a count of tokens was reported."""
    kind = type(value)
    if kind is int or kind is float:
        return value >= 0  # type: ignore[operator]  # mypy does not know `kind`
    return False


_were_said: set[str] = set()


def harmless(what: str, error: Exception) -> None:
    """Log what went wrong here, once of a kind: the host is not to hear of it otherwise."""
    kind = f"{what}: {type(error).__name__}"
    if kind not in _were_said:
        _were_said.add(kind)
        exception(f"{what}, and is not recorded", error)


class Attachment:
    """One `attach`. `collector` is whose session calls are of that are made in no other's.

    None: such calls are not recorded.
    """

    def __init__(self, collector: Collector | None) -> None:
        from m31a_metrics import Collector

        if collector is not None and not isinstance(collector, Collector):
            raise TypeError(f"collector must be a Collector, not {type(collector).__name__}")
        self.number = next(_numbers)
        self._collector = collector

    def model_call(self, *, claims: bool = False) -> Call | None:
        """A request to a model begins; None where nobody records it. Raises BudgetExceeded.

        `claims` says that nobody knows the answer better, so that others leave it alone.
        """
        try:
            return self._begin(model_exchange, claims=claims, costs=True)
        except BudgetExceeded:
            raise
        except Exception as error:  # noqa: BLE001 - the host goes on whatever is wrong here
            harmless("a request could not be followed", error)
            return None

    def tool_call(self) -> Call | None:
        """A tool begins to run; None where nobody records it."""
        try:
            return self._begin(_tool_exchange, claims=False, costs=False)
        except Exception as error:  # noqa: BLE001 - the host goes on whatever is wrong here
            harmless("a tool call could not be followed", error)
            return None

    def _begin(self, current: _Current, *, claims: bool, costs: bool) -> Call | None:
        found = in_force()
        collector: Collector | None
        collector, phase = (self._collector, None) if found is None else found
        if collector is None or not collector.enabled:
            return None
        if costs:
            collector.check_budget()
        exchange = current.get()
        if (
            exchange is None
            or exchange.is_over
            or exchange.collector_id != id(collector)
            or self.number in exchange.heard_by
        ):
            exchange = _Exchange(id(collector))
            current.set(exchange)
        exchange.heard_by.append(self.number)
        if claims and exchange.owner is None:
            exchange.owner = self.number
        return Call(self.number, collector, exchange, phase or collector.phase_entered)


class Call:
    """One call, as one attachment hears of it. Of `answered`, `ran` and `failed` the first counts.

    None of them raises.
    """

    __slots__ = (
        "_exchange", "_is_over", "_is_repeated", "_number", "_phase", "_start_ns", "collector",
    )  # fmt: skip

    def __init__(
        self, number: int, collector: Collector, exchange: _Exchange, phase: str | None
    ) -> None:
        self.collector = collector
        self._number = number
        self._exchange = exchange
        self._phase = phase or PHASE_UNSAID
        self._is_over = self._is_repeated = False
        self._start_ns = perf_counter_ns()

    def failed(self) -> None:
        """Nothing was answered: an error, a timeout, a refusal."""
        self._is_over = True
        exchange = self._exchange
        if self._number in exchange.heard_by:
            exchange.heard_by.remove(self._number)
        if exchange.owner == self._number:
            exchange.owner = None
        if not exchange.heard_by:
            exchange.is_over = True

    def answered(self, answer: Answer) -> None:
        """The model answered, and will say no more."""
        self._over(answer.response_id, lambda: self._record(answer))

    def ran(
        self, name: str, *, success: bool, error: str | None = None, ran_ms: float | None = None
    ) -> None:
        """The tool ran, for so long; None: until now."""
        took_ms = self._ran_ms() if ran_ms is None else ran_ms
        record = self.collector.record_tool_call
        self._over("", lambda: record(name or "unknown", success, took_ms, error=error))

    def _over(self, response_id: str, record: Callable[[], None]) -> None:
        if self._is_over:
            return
        self._is_over = True
        try:
            if self._is_ours(response_id):
                record()
        except BudgetExceeded:
            pass  # the answer is there and paid for: the next request is what is refused
        except Exception as error:  # noqa: BLE001 - the host goes on whatever is wrong here
            harmless("a call could not be recorded", error)
        # Until the outermost has heard its end: what begins then is another exchange.
        exchange = self._exchange
        if exchange.heard_by and exchange.heard_by[0] == self._number:
            exchange.is_over = True

    def _ran_ms(self) -> float:
        return (perf_counter_ns() - self._start_ns) / 1e6

    def _is_ours(self, response_id: str) -> bool:
        """Tell whether to record the answer: it is nobody else's, and was not recorded."""
        exchange = self._exchange
        is_theirs = exchange.owner not in (None, self._number) and not (
            response_id and exchange.response_id and exchange.response_id != response_id
        )
        if not is_theirs:
            exchange.owner = self._number
            exchange.response_id = response_id
        if not response_id:
            return not is_theirs
        key = (id(self.collector), response_id)
        with _lock:
            heard = _heard.get(key)
            if heard is None and not is_theirs:
                _heard[key] = self._number, next(_numbers)
                if len(_heard) > _IDS_MAX:
                    _heard.popitem(last=False)
                return True
            if not isinstance(heard, _Heard):
                heard = _heard[key] = _Heard(heard)
            _heard.move_to_end(key)
            self._is_repeated = bool(heard.recorded)
            return heard.is_new(self._number, is_theirs=is_theirs)

    def _record(self, answer: Answer) -> None:
        t_us = time_ns() // 1000
        key = call_key(answer.response_id, t_us) if answer.response_id else None
        if self._is_repeated:
            key = f"{answer.response_id}@{t_us}"  # the server gave it to an earlier answer, too
        self.collector.record(
            LLMInteraction(
                t_us,
                self._phase,
                usage=answer.usage,
                cost=answer.cost,
                model=answer.model or None,
                duration_ms=self._ran_ms() if answer.duration_ms is None else answer.duration_ms,
                tier=answer.tier,
                web_search_count=answer.web_search_count,
                id=key,
            )
        )
