"""What one `record_tool_call` costs."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from bench import contestants
from bench.measure import Rounds, Row, per_call_ns
from m31a_metrics import Collector

WHOLE_MS = 7
FRACTION_MS = 123.456789


class _Empty:
    def record_tool_call(self, name: str, success: bool, duration_ms: int | float) -> None:
        pass


def _calls(record: Callable[..., object], duration: int | float, calls: int) -> float:
    def run() -> None:
        for _ in range(calls):
            record("Bash", True, duration)

    return per_call_ns(run, calls)


def _others(loop: contestants.Loop, duration: int | float, calls: int) -> float:
    return per_call_ns(lambda: loop(duration, calls), calls)


def _warm(session: str, directory: Path, *, journal: bool | Literal["write"] = True) -> Collector:
    collector = Collector(session, directory, enabled=True, journal=journal)
    collector.record_tool_call("Bash", True, 1)
    return collector


def against_others(directory: Path, *, rounds: int = 40, calls: int = 20_000) -> list[Row]:
    """The hot path beside other libraries."""
    times = Rounds()
    prometheus = contestants.prometheus()
    opentelemetry = contestants.opentelemetry()
    logging_json = contestants.logging_json(directory)
    sqlite = contestants.sqlite(directory)
    disabled = Collector("disabled", directory, enabled=False)
    empty = _Empty()
    for number in range(rounds):
        # A session for each round, as a session has some thousands of calls.
        journal = _warm(f"whole-{number}", directory)
        times.add("whole", _calls(journal.record_tool_call, WHOLE_MS, calls))
        times.add("prometheus whole", _others(prometheus, WHOLE_MS, calls))
        journal.stop()
        journal = _warm(f"fraction-{number}", directory)
        times.add("fraction", _calls(journal.record_tool_call, FRACTION_MS, calls))
        times.add("prometheus fraction", _others(prometheus, FRACTION_MS, calls))
        journal.stop()
        journal = _warm(f"written-{number}", directory, journal="write")
        times.add("written", _calls(journal.record_tool_call, WHOLE_MS, calls))
        journal.stop()
        memory = _warm(f"memory-{number}", directory, journal=False)
        times.add("memory", _calls(memory.record_tool_call, WHOLE_MS, calls))
        times.add("disabled", _calls(disabled.record_tool_call, WHOLE_MS, calls))
        times.add("empty", _calls(empty.record_tool_call, WHOLE_MS, calls))
        few = calls // 10
        times.add("opentelemetry", _others(opentelemetry, WHOLE_MS, few))
        times.add("logging", _others(logging_json, WHOLE_MS, few))
        times.add("sqlite", _others(sqlite, WHOLE_MS, few))
    return [
        times.row("journal, whole ms / prometheus_client", "whole", "prometheus whole", 0.45),
        times.row("journal, float / prometheus_client", "fraction", "prometheus fraction", 0.55),
        times.row("journal by `write` / prometheus_client", "written", "prometheus whole", None),
        times.row("journal by `write` / mapped", "written", "whole", None),
        times.row("journal / opentelemetry-sdk", "whole", "opentelemetry", 0.05),
        times.row("journal / logging to JSON lines", "whole", "logging", None),
        times.row("journal / sqlite3", "whole", "sqlite", None),
        times.row("journal=False / prometheus_client", "memory", "prometheus whole", 0.2),
        times.row("disabled / an empty method", "disabled", "empty", 1.4),
    ]


def threads(directory: Path, *, rounds: int = 10, calls: int = 40_000) -> Row:
    """Eight threads together against one thread doing the same number of calls."""
    times = Rounds()
    for number in range(rounds):
        collector = _warm(f"one-{number}", directory)
        times.add("one", _calls(collector.record_tool_call, WHOLE_MS, calls))
        collector.stop()
        collector = _warm(f"eight-{number}", directory)
        record = collector.record_tool_call

        def share(record: Callable[..., object] = record) -> None:
            for _ in range(calls // 8):
                record("Bash", True, WHOLE_MS)

        def run(share: Callable[[], None] = share) -> None:
            workers = [threading.Thread(target=share) for _ in range(8)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()

        times.add("eight", per_call_ns(run, calls))
        assert collector.snapshot().tools[0].call_count == 1 + calls // 8 * 8
        collector.stop()
    rate = 1 / times.ratio("eight", "one")
    return Row("8 threads' rate / one thread's", rate, 0.8, at_least=True)


def many_tools(directory: Path, *, rounds: int = 10, calls: int = 20_000) -> Row:
    """A call among 1,000 tools against a call of the only tool."""
    times = Rounds()
    names = [f"tool-{number}" for number in range(1000)]
    for number in range(rounds):
        for what, tools in (("one", names[:1]), ("thousand", names)):
            collector = Collector(f"{what}-{number}-tools", directory, enabled=True)
            for name in tools:
                collector.record_tool_call(name, True, 1)
            record = collector.record_tool_call
            sequence = tools * (calls // len(tools))

            def run(record: Callable[..., object] = record, sequence: list[str] = sequence) -> None:
                for name in sequence:
                    record(name, True, WHOLE_MS)

            times.add(what, per_call_ns(run, len(sequence)))
            collector.stop()
    return times.row("a call among 1,000 tools / of one", "thousand", "one", None)


def snapshots(directory: Path) -> list[Row]:
    """A snapshot of 20 tools, at rest and in the middle of recording."""
    collector = Collector("snapshots", directory, enabled=True)
    for number in range(20):
        collector.record_tool_call(f"tool-{number}", True, 5)
        collector.record_tool_call(f"tool-{number}", False, 5)
    times = Rounds()
    worst_ns = 0.0
    for _ in range(2000):
        times.add("at rest", per_call_ns(collector.snapshot, 1))
        for _ in range(5):
            collector.record_tool_call("tool-1", True, 5)
        worst_ns = max(worst_ns, per_call_ns(collector.snapshot, 1))
    collector.stop()
    median_us = sorted(times.times_ns["at rest"])[1000] / 1000
    return [
        Row("snapshot of 20 tools, nothing pending (median)", median_us, 10, "µs"),
        Row("snapshot of 20 tools, the worst of 2,000", worst_ns / 1000, 500, "µs"),
    ]


def memory(directory: Path, *, tools: int = 1000, calls: int = 300_000) -> list[Row]:
    """Memory per tool, and growth with the number of events."""
    collector = Collector("memory-of-tools", directory, enabled=True)
    collector.record_tool_call("first", True, 1)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number in range(tools):
        collector.record_tool_call(f"tool-{number}", True, number)
        collector.record_tool_call(f"tool-{number}", False, number)
    gc.collect()
    after_tools, _ = tracemalloc.get_traced_memory()
    for number in range(calls):
        collector.record_tool_call("first", True, number)
    gc.collect()
    after_calls, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    collector.stop()
    growth = (after_calls - after_tools) / calls
    return [
        Row("memory per tool, both outcomes seen", (after_tools - before) / tools, 1024, "bytes"),
        Row("memory per further event", growth, 0.1, "bytes", note=f"{calls:,} events"),
    ]
