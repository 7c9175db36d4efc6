"""A budget given to a Collector: who crosses it hears of it, and nothing is lost by that."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics import Budget, BudgetExceeded, Collector, Usage, events, load, rates
from m31a_metrics.collector import lifecycle

Warnings = Callable[[], list[str]]


def answer(collector: Collector, cost: float | None = None, *, tokens: int = 10) -> bool:
    """Record an answer of a model; tell whether the budget is reached."""
    try:
        collector.record_llm_interaction("plan", Usage(tokens, 0), cost, model="m")
    except BudgetExceeded:
        return True
    return False


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models whose price was asked for: each token of `m` costs a cent."""
    models: list[str] = []

    def price(event: events.LLMInteraction) -> float | None:
        models.append(str(event.model))
        return event.usage.total / 100 if event.model == "m" else None

    monkeypatch.setattr(rates, "price", price)
    return models


@pytest.mark.parametrize("journal", [True, False])
def test_the_call_that_crosses_it_raises(tmp_path: Path, *, journal: bool) -> None:
    """The answer that reaches the limit is recorded, then raised of, as is each later one."""
    with Collector("limited", tmp_path, journal=journal, budget=Budget(usd=1.0)) as limited:
        assert [answer(limited, 0.4) for _ in range(4)] == [False, False, True, True]
        limited.record_tool_call("Bash", True, 1)
        limited.record_phase_transition("ship")
    held = load(tmp_path, "limited")
    assert held is not None
    assert (held.llms[0].interaction_count, held.llms[0].cost) == (4, 1.6)


def test_what_it_says(tmp_path: Path) -> None:
    """The error names the session, what was used and of how much, and what nobody priced."""
    collector = Collector("s1", tmp_path, budget=Budget(usd=0.5))
    answer(collector, None, tokens=1200)
    with pytest.raises(BudgetExceeded) as raised:
        collector.record_llm_interaction("plan", Usage(1, 1), 0.52)
    assert str(raised.value) == (
        "session s1 has used USD 0.52 of USD 0.50, beside 1,200 tokens whose price nobody knows"
    )
    by_tokens = Collector("s2", tmp_path, budget=Budget(tokens=1000))
    with pytest.raises(BudgetExceeded, match=r"^session s2 has used 1,000 tokens of 1,000 tokens$"):
        by_tokens.record_llm_interaction("plan", Usage(900, 100))


def test_a_model_is_priced_at_its_call(tmp_path: Path, asked: list[str]) -> None:
    """What came without a cost counts at its price; a given cost is not asked for."""
    collector = Collector("s1", tmp_path, budget=Budget(usd=1))
    assert [answer(collector), answer(collector, 0.8), answer(collector)] == [False, False, True]
    assert asked == ["m", "m"]
    collector.stop()
    held = load(tmp_path, "s1")
    assert held is not None
    assert held.llms[0].cost == pytest.approx(1.0)


def test_a_budget_in_tokens_asks_for_no_price(tmp_path: Path, asked: list[str]) -> None:
    """Rates are resolved in a record call only where a limit is in money."""
    collector = Collector("s1", tmp_path, budget=Budget(tokens=15))
    assert [answer(collector), answer(collector)] == [False, True]
    assert asked == []
    collector.stop()


def test_no_price_is_asked_for_at_the_end(
    tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the interpreter ends nothing is imported: what has no cost then is unknown."""
    collector = Collector("s1", tmp_path, budget=Budget(usd=0.01))
    with monkeypatch.context() as ending:
        ending.setattr(lifecycle, "is_ending", lambda: True)
        assert not answer(collector)
    assert asked == []
    assert answer(collector)


def test_a_price_that_cannot_be_asked_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A price library that fails to load is no end of recording."""

    def fail(_: events.LLMInteraction) -> float | None:
        raise ImportError("no library")

    with monkeypatch.context() as broken:
        broken.setattr(rates, "price", fail)
        collector = Collector("s1", tmp_path, budget=Budget(usd=0.01))
        assert not answer(collector)
    assert collector.snapshot().llms[0].interaction_count == 1


def test_calling_back(tmp_path: Path, warnings: Warnings) -> None:
    """With a callback nothing is raised; it hears once, and its own errors are logged."""
    heard: list[Any] = []

    def hear(error: BudgetExceeded) -> None:
        heard.append(error)
        raise RuntimeError("the host's own bug")

    collector = Collector("s1", tmp_path, budget=Budget(tokens=25, on_exceeded=hear))
    assert [answer(collector) for _ in range(5)] == [False] * 5
    assert [str(error) for error in heard] == ["session s1 has used 30 tokens of 25 tokens"]
    assert warnings() == ["on_exceeded raised"]


def test_the_callback_may_raise_it(tmp_path: Path) -> None:
    """A host that decides itself lets the error out by raising it."""

    def decide(error: BudgetExceeded) -> None:
        raise error

    collector = Collector("s1", tmp_path, budget=Budget(tokens=10, on_exceeded=decide))
    assert [answer(collector), answer(collector)] == [True, False]


def test_it_can_be_asked_before_a_request(tmp_path: Path) -> None:
    """Who asks hears of a budget that is used up what a record call says, and nothing before."""
    collector = Collector("s1", tmp_path, budget=Budget(tokens=15))
    collector.check_budget()
    assert [answer(collector), answer(collector)] == [False, True]
    with pytest.raises(BudgetExceeded, match="session s1 has used 20 tokens of 15 tokens"):
        collector.check_budget()
    collector.stop()
    with pytest.raises(BudgetExceeded):  # what the session held already
        Collector("s1", tmp_path, budget=Budget(tokens=15)).check_budget()
    Collector("s2", tmp_path).check_budget()


@pytest.mark.parametrize("raises", [True, False])
def test_asking_goes_by_the_callback(tmp_path: Path, *, raises: bool) -> None:
    """Where the host decides itself, a request is refused if its callback raised, and only then."""

    def decide(error: BudgetExceeded) -> None:
        if raises:
            raise error

    collector = Collector("s1", tmp_path, budget=Budget(tokens=10, on_exceeded=decide))
    assert answer(collector) is raises
    if raises:
        with pytest.raises(BudgetExceeded):
            collector.check_budget()
    else:
        collector.check_budget()


def test_the_hosts_own_callback_goes_on(tmp_path: Path, warnings: Warnings) -> None:
    """`on_event` hears each event, the one that crosses too, and what it raises is logged."""
    heard: list[str] = []

    def hear(event: events.Event) -> None:
        heard.append(type(event).__name__)
        if len(heard) == 2:
            raise RuntimeError("the host's own bug")

    collector = Collector("s1", tmp_path, on_event=hear, budget=Budget(tokens=15))
    collector.record_tool_call("Bash", True, 1)
    assert [answer(collector), answer(collector)] == [False, True]
    assert heard == ["ToolCall", "LLMInteraction", "LLMInteraction"]
    assert warnings() == ["on_event raised"]


def test_tool_calls_stay_quick(tmp_path: Path) -> None:
    """A budget takes nothing off the hot path: a tool's second call is a plain one."""
    collector = Collector("s1", tmp_path, budget=Budget(usd=1))
    collector.record_tool_call("Bash", True, 1)
    assert "Bash" in collector._succeeded


def test_a_session_that_goes_on_has_used_what_it_holds(tmp_path: Path, asked: list[str]) -> None:
    """What was recorded before counts, priced, also where a kill left only its journal."""
    first = Collector("s1", tmp_path)
    answer(first)
    assert asked == []
    collector = Collector("s1", tmp_path, budget=Budget(usd=0.15, tokens=1000))
    assert answer(collector)
    first.stop()


def test_an_id_that_counts_once_is_paid_once(tmp_path: Path) -> None:
    """An answer that is told twice is used once."""
    collector = Collector("s1", tmp_path, budget=Budget(usd=1))
    event = events.LLMInteraction(1, "plan", Usage(1, 1), 0.7, id="r1")
    collector.record(event)
    collector.record(event)
    with pytest.raises(BudgetExceeded):
        collector.record(events.LLMInteraction(1, "plan", Usage(1, 1), 0.7, id="r2"))


def test_switched_off_it_limits_nothing(tmp_path: Path) -> None:
    """A Collector that does not record counts nothing, so it stops nobody."""
    collector = Collector("s1", tmp_path, enabled=False, budget=Budget(tokens=1))
    assert not answer(collector)
    collector.check_budget()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({}, ValueError, "a Budget needs usd or tokens"),
        ({"usd": 0}, ValueError, "usd must be a number of US dollars above 0, not 0"),
        ({"usd": float("nan")}, ValueError, "usd must be a number of US dollars above 0, not nan"),
        ({"usd": "5"}, TypeError, "usd must be a number of US dollars, not str"),
        ({"usd": True}, TypeError, "usd must be a number of US dollars, not bool"),
        ({"tokens": 1.5}, TypeError, "tokens must be a whole number of tokens, not float"),
        ({"tokens": -1}, ValueError, "tokens must be a whole number of tokens above 0, not -1"),
    ],
)
def test_a_wrong_budget_is_named(
    arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    """What is no amount is refused when the budget is made."""
    with pytest.raises(error, match=f"^{words}$"):
        Budget(**arguments)


def test_only_a_budget_is_one(tmp_path: Path) -> None:
    """A number says neither dollars nor tokens."""
    with pytest.raises(TypeError, match="budget must be a Budget, not float"):
        Collector("s1", tmp_path, budget=5.0)  # type: ignore[arg-type]


def test_threads_share_it(tmp_path: Path) -> None:
    """However many threads record, exactly those that cross it or come after hear of it."""
    collector = Collector("s1", tmp_path, budget=Budget(tokens=501))
    stopped: list[bool] = []

    def work() -> None:
        stopped.extend(answer(collector, tokens=1) for _ in range(250))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stopped.count(True) == 500
    assert collector.snapshot().llms[0].interaction_count == 1000


def test_a_child_goes_on_with_it(tmp_path: Path) -> None:
    """A forked child has used what its parent had, and waits for no lock of its parent's."""
    collector = Collector("s1", tmp_path, budget=Budget(tokens=25))
    assert not answer(collector)
    meter: Any = collector._after
    with meter._locks.setdefault(os.getpid(), threading.RLock()):  # held by the thread that forks
        pid = os.fork()
        if pid == 0:
            os._exit(int([answer(collector), answer(collector)] == [False, True]))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


@given(
    costs=st.lists(st.integers(0, 10_000).map(lambda mills: mills / 1000), max_size=20),
    limit=st.integers(1, 30_000).map(lambda mills: mills / 1000),
)
def test_exactly_from_the_limit_on(costs: list[float], limit: float) -> None:
    """Whatever the costs, an answer is raised of where the sum so far is the limit or more."""
    with TemporaryDirectory() as folder:
        collector = Collector("s1", folder, journal=False, budget=Budget(usd=limit))
        stopped = [answer(collector, cost) for cost in costs]
        sums = [sum(round(one * 1000) for one in costs[: at + 1]) for at in range(len(costs))]
        assert stopped == [mills >= round(limit * 1000) for mills in sums]
