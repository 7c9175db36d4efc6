"""Threads: whoever records what at which moment, the session is the sum of its parts."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m31a_metrics import Collector, SessionMetrics, Usage, events, load
from m31a_metrics.codec import decode
from m31a_metrics.collector import collector as collector_module
from m31a_metrics.collector import writer
from m31a_metrics.collector.writer import SessionWriter
from m31a_metrics.events import ToolCall
from m31a_metrics.session import Session
from m31a_metrics.tally import Known, Tally, merge
from tests import children, naive
from tests import strategies as some
from tests.strategies import assert_same

Call = tuple[str, tuple[object, ...]]


@pytest.fixture(autouse=True)
def switch_often() -> Iterator[None]:
    """Let Python switch threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


names = st.sampled_from(["Bash", "Read", "größer"])
phases = st.sampled_from(["plan", "execute"])
usages = st.builds(Usage, st.integers(0, 1000), st.integers(0, 1000), st.none() | st.integers(0, 5))
durations_ms = st.integers(0, 1000) | st.floats(0, 1000)


def call(kind: type[events.Event], *fields: st.SearchStrategy[object]) -> st.SearchStrategy[Call]:
    """A record call that gives an event of this kind, its time left out."""
    name = kind.__struct_config__.tag
    return st.tuples(st.just(f"record_{name}"), st.tuples(*fields))


calls = st.one_of(
    call(events.ToolCall, names, some.flags, durations_ms),
    call(events.ToolCall, names, some.flags, durations_ms),
    call(events.LLMInteraction, phases, usages, st.none() | st.floats(0, 10)),
    call(events.PhaseTransition, phases),
    call(events.HealTrigger, phases),
    call(events.HealOutcome, phases, some.flags, st.none() | durations_ms),
    call(events.HealLoop, phases),
    call(events.BisectTrigger, phases),
    call(events.BisectOutcome, phases, some.flags),
    call(events.EditStrategy, names),
    # One id is one event, whichever thread comes first.
    st.tuples(
        st.just("record"),
        st.sampled_from(
            [(events.ToolCall(n, "named", n % 2 == 0, n, id=f"id-{n}"),) for n in range(1, 4)]
        ),
    ),
)
KINDS = {f"record_{kind.__struct_config__.tag}": kind for kind in events.Event.__args__}


def expected(shares: list[list[Call]]) -> SessionMetrics:
    """The sums, added up by hand; times and the order of rows are for the clock to say."""
    recorded: list[events.Event] = []
    for method, args in [one for share in shares for one in share]:
        if method != "record":
            recorded.append(KINDS[method](1, *args))
        elif args[0] not in recorded:
            recorded.append(args[0])  # type: ignore[arg-type]
    return naive.metrics(recorded or [events.UserTurn(1)])


def run_together(*targets: Callable[[], object]) -> None:
    """Run functions in threads that start at one moment; raise what any of them raised."""
    barrier = threading.Barrier(len(targets))
    raised: list[BaseException] = []

    def run(target: Callable[[], object]) -> None:
        barrier.wait()
        try:
            target()
        except BaseException as error:  # noqa: BLE001 - told below, in the test's own thread
            raised.append(error)

    threads = [threading.Thread(target=run, args=(target,)) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


def without_times(metrics: SessionMetrics) -> SessionMetrics:
    metrics.session_id = ""
    metrics.started_at = metrics.updated_at = SessionMetrics().started_at
    return metrics


@given(st.lists(st.lists(calls, max_size=25), min_size=1, max_size=6), some.flags)
@settings(max_examples=60, deadline=None)
def test_any_order_is_the_sum_of_its_parts(
    tmp_path_factory: pytest.TempPathFactory, shares: list[list[Call]], journal: bool
) -> None:
    """Any calls from any threads, a flush at any moment: counts exact, costs within 1e-9."""
    directory = tmp_path_factory.mktemp("threads")
    collector = Collector("session", directory, journal=journal)

    def record(share: list[Call]) -> None:
        for method, args in share:
            getattr(collector, method)(*args)

    run_together(
        *[lambda share=share: record(share) for share in shares],
        collector.flush,
        collector.snapshot,
    )
    assert_same(
        without_times(collector.snapshot()), without_times(expected(shares)), in_order=False
    )
    if journal:
        folded = Session(str(directory), "session").fold()
        assert_same(folded.metrics("session"), collector.snapshot(), in_order=False)
    assert collector.flush() is True
    assert load(directory, "session") == collector.snapshot()
    collector.stop()
    assert load(directory, "session") == collector.snapshot()


def hammer(collector: Collector, tool: str, times: int) -> Callable[[], None]:
    """Record the same calls as fast as a thread can, most of them on the hot path."""

    def record() -> None:
        for number in range(times):
            collector.record_tool_call("shared", number % 3 != 0, number % 7)
            collector.record_tool_call(tool, True, 0.5)
            if number % 100 == 0:
                collector.record_llm_interaction("plan", Usage(2, 1), 0.1)
                collector.record_tool_call(f"{tool}-{number}", False, 1, error="Error")

    return record


def check_hammered(metrics: SessionMetrics | None, threads: int, times: int) -> None:
    assert metrics is not None
    tools = {tool.name: tool for tool in metrics.tools}
    assert len(tools) == 1 + threads + threads * len(range(0, times, 100))
    shared = tools["shared"]
    assert shared.call_count == threads * times
    assert shared.fail_count == threads * len(range(0, times, 3))
    assert shared.total_duration_ms == threads * sum(number % 7 for number in range(times))
    assert [tools[f"tool-{n}"].call_count for n in range(threads)] == [times] * threads
    (llm,) = metrics.llms
    assert llm.total_tokens == 3 * llm.interaction_count == 3 * threads * len(range(0, times, 100))
    assert llm.cost == pytest.approx(0.1 * llm.interaction_count, rel=1e-9)


def hammers(collectors: list[Collector], times: int) -> list[Callable[[], None]]:
    return [hammer(one, f"tool-{number}", times) for number, one in enumerate(collectors)]


@pytest.mark.parametrize("journal", [True, False])
def test_many_windows_of_many_threads(tmp_path: Path, *, journal: bool) -> None:
    """Eight threads fill window after window of the journal while another flushes."""
    collector = Collector("session", tmp_path, journal=journal)
    done = threading.Event()
    snapshots: list[int] = []

    def flush_and_look() -> None:
        while not done.is_set():
            assert collector.flush() is True
            snapshots.append(sum(tool.call_count for tool in collector.snapshot().tools))
            decode((tmp_path / "session" / "METRICS.json").read_bytes(), "")

    flusher = threading.Thread(target=flush_and_look)
    flusher.start()
    try:
        run_together(*hammers([collector] * 8, 5000))
    finally:
        done.set()
        flusher.join()
    assert snapshots == sorted(snapshots)
    check_hammered(collector.snapshot(), 8, 5000)
    if journal:
        # Before any further flush: METRICS.json must not claim a line that it does not count.
        check_hammered(load(tmp_path, "session"), 8, 5000)
        session = Session(str(tmp_path), "session")
        folded, journals = session.fold(), session.parts().journals
        assert not any(one.damaged for one in journals)
        assert_same(folded.metrics("session"), collector.snapshot(), in_order=False)
    collector.stop()
    check_hammered(load(tmp_path, "session"), 8, 5000)


def test_first_calls_at_one_moment(tmp_path: Path) -> None:
    """Threads that meet each tool and phase for the first time together make one row of it."""
    collector = Collector("session", tmp_path)

    def record() -> None:
        for number in range(300):
            collector.record_tool_call(f"tool-{number}", True, 1)
            collector.record_llm_interaction(f"phase-{number}", Usage(2, 1), 0.5, model="m")
            collector.record_heal_trigger(f"phase-{number}")

    run_together(*[record] * 8)
    metrics = collector.snapshot()
    assert [tool.call_count for tool in metrics.tools] == [8] * 300
    assert [(llm.total_tokens, llm.cost) for llm in metrics.llms] == [(24, 4.0)] * 300
    assert [phase.heal_trigger_count for phase in metrics.phases] == [8] * 300
    collector.stop()
    assert load(tmp_path, "session") == collector.snapshot()


@pytest.mark.parametrize("hot", [True, False])
def test_an_event_in_the_middle_of_a_flush(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, hot: bool
) -> None:
    """A call that falls between a flush's two looks, at journal and counts, is not hidden."""
    collector = Collector("session", tmp_path)
    collector.record_tool_call("Bash", True, 1)

    def merge_while_others_record(*parts: Tally) -> Tally:
        merged = merge(*parts)
        collector.record_tool_call("Bash", True, 1, error=None if hot else "Error")
        return merged

    with monkeypatch.context() as patch:
        patch.setattr(writer, "merge", merge_while_others_record)
        assert collector.flush() is True
    written = decode((tmp_path / "session" / "METRICS.json").read_bytes(), "")
    assert written.tools[0].call_count == 1
    metrics = load(tmp_path, "session")
    assert metrics is not None
    assert metrics.tools[0].call_count == collector.snapshot().tools[0].call_count == 2
    collector.stop()


def act_in_the_middle(
    monkeypatch: pytest.MonkeyPatch, collector: Collector, act: Callable[[], object]
) -> None:
    """Let one plain call be interrupted, between its first look and its count."""

    def time_ns() -> int:
        monkeypatch.setattr(collector_module, "time_ns", time.time_ns)
        act()
        return time.time_ns()

    collector.record_tool_call("Bash", True, 1)
    monkeypatch.setattr(collector_module, "time_ns", time_ns)
    collector.record_tool_call("Bash", True, 1)


def test_an_id_that_is_flushed_while_another_thread_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between asking whether an id is known and counting it, a flush may have made it known."""
    collector = Collector("session", tmp_path)
    call = events.ToolCall(1, "Bash", True, 1, id="one")
    collector.record(call)
    asked = SessionWriter._is_counted

    def asked_and_flushed(event_id: str, known: Known | None) -> bool:
        monkeypatch.undo()
        found = asked(event_id, known)
        assert collector.flush()
        return found

    monkeypatch.setattr(SessionWriter, "_is_counted", staticmethod(asked_and_flushed))
    collector.record(call)
    assert collector.snapshot().tools[0].call_count == 1
    collector.stop()


def test_a_call_in_the_middle_of_which_all_is_written_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that begins before its journal was found cut, and counts after it, counts once."""
    collector = Collector("session", tmp_path)

    def cut_and_flush() -> None:
        (journal,) = (tmp_path / "session" / "events").glob("*.jsonl")
        os.truncate(journal, 0)
        assert collector.flush()

    act_in_the_middle(monkeypatch, collector, cut_and_flush)
    collector.stop()
    for metrics in (collector.snapshot(), load(tmp_path, "session")):
        assert metrics is not None
        assert metrics.tools[0].call_count == 2
    (tmp_path / "session" / "METRICS.json").unlink()
    metrics = load(tmp_path, "session")
    assert metrics is not None
    assert metrics.tools[0].call_count == 2


def test_a_call_in_the_middle_of_which_the_process_forks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call goes on in both processes, and each counts it in its own journal."""

    def task() -> None:
        collector = Collector("session", tmp_path)
        pids: list[int] = []
        act_in_the_middle(monkeypatch, collector, lambda: pids.append(os.fork()))
        if not pids[0]:
            os._exit(0)
        assert children.wait(pids[0]) == 0
        collector.record_tool_call("Bash", True, 1)
        collector.stop()

    assert children.run(task) == 0
    session = Session(str(tmp_path), "session")
    counts = [
        sum(isinstance(event, ToolCall) for event in one.events) for one in session.parts().journals
    ]
    assert sorted(counts) == [1, 3]
    assert session.fold().metrics("").tools[0].call_count == 4
    metrics = load(tmp_path, "session")
    assert metrics is not None
    assert metrics.tools[0].call_count == 4


def test_stop_while_others_record(tmp_path: Path) -> None:
    """Stopping again and again in the middle of it all: later events open further journals."""
    collector = Collector("session", tmp_path)

    def stop() -> None:
        for _ in range(5):
            collector.stop()
            time.sleep(0.002)

    run_together(*hammers([collector] * 4, 2000), stop, stop)
    check_hammered(collector.snapshot(), 4, 2000)
    session = Session(str(tmp_path), "session")
    folded, journals = session.fold(), session.parts().journals
    assert not any(one.damaged for one in journals)
    check_hammered(folded.metrics("session"), 4, 2000)
    check_hammered(load(tmp_path, "session"), 4, 2000)
    collector.stop()
    check_hammered(load(tmp_path, "session"), 4, 2000)


def test_collectors_of_one_session_in_threads(tmp_path: Path) -> None:
    """Four Collectors on one session, each in its own thread and flushing: they add up."""
    collectors = [Collector("session", tmp_path) for _ in range(4)]

    def flush(collector: Collector) -> None:
        for _ in range(5):
            assert collector.flush() is True

    run_together(
        *hammers(collectors, 2000),
        *[lambda one=one: flush(one) for one in collectors],
    )
    check_hammered(load(tmp_path, "session"), 4, 2000)
    for collector in collectors:
        collector.flush()
        check_hammered(collector.snapshot(), 4, 2000)
        collector.stop()
    check_hammered(load(tmp_path, "session"), 4, 2000)


def test_collectors_come_and_go_in_threads(tmp_path: Path) -> None:
    """Sessions within a session: opened, used and stopped by eight threads at once."""

    def come_and_go() -> None:
        for _ in range(5):
            with Collector("session", tmp_path) as collector:
                collector.record_tool_call("Bash", True, 2)
                collector.record_tool_call("Bash", True, 2)

    run_together(*[come_and_go] * 8)
    metrics = load(tmp_path, "session")
    assert metrics is not None
    assert (metrics.tools[0].call_count, metrics.tools[0].total_duration_ms) == (80, 160)
