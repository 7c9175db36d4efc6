"""What a scrape costs, and how many series it has, where many names are in use."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time

from msgspec.structs import replace

from bench import invented
from bench.measure import Row
from m31a_metrics import config
from m31a_metrics.catalog.exporter import Exporter
from m31a_metrics.exports.prometheus import exposition
from m31a_metrics.history import History
from m31a_metrics.record import SessionRecord
from m31a_metrics.views.web.index_thread import Noted

SESSIONS = 10_000
AGENTS, TOOLS, PROJECTS, MODELS = 8, 200, 50, 30
ROUNDS = 15

SERIES_LIMIT, COLLECT_LIMIT_MS = 10_000, 500


def rows(directory: Path) -> list[Row]:
    """Collect for a heavy user, the index warm; the quickest of several rounds counts."""
    path = str(directory / "heavy.db")
    now = datetime(2026, 11, 20, 18, tzinfo=UTC)
    with History(path) as history:
        with history.batch():
            for record in heavy(SESSIONS):
                history.put(record)
        exporter = Exporter(config.defaults())
        began_s = process_time()
        exporter.prepare(Noted(history, ()), now)
        prepared_ms = (process_time() - began_s) * 1000
        walls_ms, cpus_ms = [], []
        written = b""
        growing = list(heavy(ROUNDS))
        for record in growing:
            record.tools[0].call_count += 1  # or nothing would have to be asked again
            history.put(record)
            began_s, began_cpu_s = perf_counter(), process_time()
            written, _type = exposition(exporter.collect(Noted(history, ()), now))
            walls_ms.append((perf_counter() - began_s) * 1000)
            cpus_ms.append((process_time() - began_cpu_s) * 1000)
    series = sum(line[:1] != b"#" for line in written.splitlines())
    who = f"{AGENTS} agents, {TOOLS} tools, {PROJECTS} projects, {MODELS} models"
    note = f"{SESSIONS:,} sessions; {len(written):,} bytes; by the clock {min(walls_ms):.0f} ms"
    return [
        Row("series of a heavy user", series, SERIES_LIMIT, "", note=who),
        Row("before the first scrape, once, CPU", prepared_ms, None, "ms"),
        Row("a collect, asked and written, CPU", min(cpus_ms), COLLECT_LIMIT_MS, "ms", note=note),
    ]


def heavy(count: int) -> Iterator[SessionRecord]:
    """Yield invented sessions whose agents, tools, projects and models are many."""
    chance = random.Random(8)
    for number, record in enumerate(invented.records(count)):
        record.agent = f"agent-{number % AGENTS}"
        record.project = f"/home/dev/src/project-{chance.randrange(PROJECTS)}"
        models = [f"model-{chance.randrange(MODELS)}" for _ in range(2)]
        record.models = models
        tools = {tool: f"mcp__{chance.randrange(TOOLS)}" for tool in invented.TOOLS}
        record.tools = [replace(row, tool=tools[row.tool]) for row in record.tools]
        record.llms = [replace(row, model=models[at % 2]) for at, row in enumerate(record.llms)]
        yield record
