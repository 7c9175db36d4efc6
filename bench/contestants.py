"""Equal work for others: one counter by tool and outcome, one histogram of durations.

Each returns a function that records one call of the tool "Bash" that took `duration`
(milliseconds), with everything that can be cached cached, as its own docs advise.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

Recorder = Callable[[int | float], object]


def prometheus() -> Recorder:
    """prometheus_client with cached children."""
    from prometheus_client import CollectorRegistry, Counter, Histogram

    registry = CollectorRegistry()
    calls = Counter("tool_calls", "calls", ["tool", "outcome"], registry=registry)
    durations = Histogram("tool_duration", "durations", ["tool"], registry=registry)
    increment = calls.labels("Bash", "success").inc
    observe = durations.labels("Bash").observe

    def record(duration: int | float) -> None:
        increment()
        observe(duration)

    return record


def opentelemetry() -> Recorder:
    """opentelemetry-sdk with an in-memory reader, attributes made once."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    meter = MeterProvider(metric_readers=[InMemoryMetricReader()]).get_meter("bench")
    add = meter.create_counter("tool_calls").add
    observe = meter.create_histogram("tool_duration").record
    outcome = {"tool": "Bash", "outcome": "success"}
    tool = {"tool": "Bash"}

    def record(duration: int | float) -> None:
        add(1, outcome)
        observe(duration, tool)

    return record


def logging_json(directory: Path) -> Recorder:
    """The standard library's logging, one JSON line per call into a file."""
    logger = logging.getLogger("bench.json")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    handler = logging.FileHandler(directory / "log.jsonl")
    line = '{"t":%(created)f,"event":"tool_call","name":"Bash","duration_ms":%(message)s}'
    handler.setFormatter(logging.Formatter(line))
    logger.addHandler(handler)
    info = logger.info

    def record(duration: int | float) -> None:
        info(duration)

    return record


def sqlite(directory: Path) -> Recorder:
    """sqlite3 in WAL mode, a transaction per call: what survives a kill as ours does."""
    connection = sqlite3.connect(directory / "calls.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("CREATE TABLE calls (t_us, name, success, duration_ms)")
    execute = connection.execute
    statement = "INSERT INTO calls VALUES (unixepoch('subsec') * 1000000, 'Bash', 1, ?)"

    def record(duration: int | float) -> None:
        execute(statement, (duration,))

    return record
