"""Equal work for others: one counter by tool and outcome, one histogram of durations.

Each returns a loop that records so many calls of the tool "Bash" of one duration, as a host
would write it: bound methods called in place, without a function of ours around them,
durations in the library's own unit, everything cached that its docs advise to cache.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

Loop = Callable[[float, int], None]
"""Records calls of a duration (milliseconds), so many times."""


def prometheus() -> Loop:
    """prometheus_client with cached children; durations in seconds, as its buckets are."""
    from prometheus_client import CollectorRegistry, Counter, Histogram

    registry = CollectorRegistry()
    calls = Counter("tool_calls", "calls", ["tool", "outcome"], registry=registry)
    durations = Histogram("tool_duration_seconds", "durations", ["tool"], registry=registry)
    increment = calls.labels("Bash", "success").inc
    observe = durations.labels("Bash").observe

    def loop(duration_ms: float, times: int) -> None:
        duration_s = duration_ms / 1000
        for _ in range(times):
            increment()
            observe(duration_s)

    return loop


def opentelemetry() -> Loop:
    """opentelemetry-sdk with an in-memory reader, attributes made once."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    meter = MeterProvider(metric_readers=[InMemoryMetricReader()]).get_meter("bench")
    add = meter.create_counter("tool_calls").add
    observe = meter.create_histogram("tool_duration").record
    outcome = {"tool": "Bash", "outcome": "success"}
    tool = {"tool": "Bash"}

    def loop(duration_ms: float, times: int) -> None:
        for _ in range(times):
            add(1, outcome)
            observe(duration_ms, tool)

    return loop


def logging_json(directory: Path) -> Loop:
    """The standard library's logging, one JSON line per call into a file."""
    logger = logging.getLogger("bench.json")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    handler = logging.FileHandler(directory / "log.jsonl")
    line = '{"t":%(created)f,"event":"tool_call","name":"Bash","duration_ms":%(message)s}'
    handler.setFormatter(logging.Formatter(line))
    logger.addHandler(handler)
    info = logger.info

    def loop(duration_ms: float, times: int) -> None:
        for _ in range(times):
            info(duration_ms)

    return loop


def sqlite(directory: Path) -> Loop:
    """sqlite3 in WAL mode, a transaction per call: what survives a kill as ours does."""
    connection = sqlite3.connect(directory / "calls.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("CREATE TABLE calls (t_us, name, success, duration_ms)")
    execute = connection.execute
    statement = "INSERT INTO calls VALUES (unixepoch('subsec') * 1000000, 'Bash', 1, ?)"

    def loop(duration_ms: float, times: int) -> None:
        for _ in range(times):
            execute(statement, (duration_ms,))

    return loop
