"""What the index costs: questions at a thousand, ten and a hundred thousand sessions.

The sessions of `bench.invented`. Each question is asked several times of a file that the
system has in memory, and the median counts. A cold build reads real journals.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterator
from datetime import datetime, time
from itertools import islice
from pathlib import Path
from time import perf_counter, time_ns

from msgspec.structs import replace

from bench.invented import EVENTS, TODAY, journals, records
from bench.measure import M31, Row, Run, forget_index, peak_mb
from m31a_metrics import config
from m31a_metrics.answers import Answers, Slice
from m31a_metrics.catalog import ask
from m31a_metrics.events import ToolCall
from m31a_metrics.history import History
from m31a_metrics.questions.ask import Ask
from m31a_metrics.questions.compare import compare, side
from m31a_metrics.record import ToolDay
from m31a_metrics.session import Session
from m31a_metrics.slices import previous
from m31a_metrics.table import Panel

SIZES = (1_000, 10_000, 100_000)
_BATCH = 500
_TIMES = 7
_TOUCHED = 1_000

_ALL = Slice()
_MONTH = Slice(first_day=f"{TODAY:%Y-%m}-01", last_day=str(TODAY))
_BEFORE = previous(_MONTH, datetime.combine(TODAY, time.min)) or _ALL


def _compared(index: Answers) -> list[Panel]:
    now = datetime.combine(TODAY, time.min)
    return compare(side(Ask(index, _MONTH, now), "A"), side(Ask(index, _BEFORE, now), "B"))


QUESTIONS: list[tuple[str, float | None, Callable[[Answers], object]]] = [
    ("the latest 50 sessions", 20, lambda index: index.sessions(_ALL, limit=50)),
    ("the 50 most expensive", None, lambda index: index.sessions(_ALL, sort="cost_nano", limit=50)),
    ("tools with percentiles, a year", 150, lambda index: index.tools(_ALL)),
    ("tools with percentiles, 20 days", 150, lambda index: index.tools(_MONTH)),
    ("phases and heals, a year", 100, lambda index: index.phases(_ALL)),
    ("cost by month and model", None, lambda index: index.llms(_ALL, ("month", "model"))),
    ("totals by day, a year", None, lambda index: index.totals(_ALL, "day")),
    ("sessions with a text", 50, lambda index: index.sessions(Slice(text="0-1111"), limit=50)),
    ("a text that one session has", 50, lambda index: index.sessions(Slice(text="00000003-1"))),
    ("the 50 most expensive heals", None, lambda index: index.heals(_ALL, 50)),
    ("the 20 most frequent failures", 50, lambda index: index.failures(_ALL, 20)),
    ("tools of one model, 20 days", 200, lambda index: index.tools(_of_model())),
    ("20 days against the 20 before", 600, _compared),
]
"""What is asked, with how long that may take of the index (ms), at 100,000 sessions."""


def _of_model() -> Slice:
    return replace(_MONTH, model="claude-opus*")


def rows(directory: Path) -> Iterator[Row]:
    """Each question at each size, one session that grew, a cold build, a warm process."""
    yield from _questions(directory)
    yield from _processes(directory)


def _questions(directory: Path) -> Iterator[Row]:
    times_ms: dict[str, list[float]] = {}
    sizes_mb = []
    for count in SIZES:
        path = directory / f"{count}.db"
        fill(path, count)
        sizes_mb.append(path.stat().st_size / 1e6)
        with History(str(path)) as index:
            for what, _, question in QUESTIONS:
                times_ms.setdefault(what, []).append(median_ms(lambda: question(index)))  # noqa: B023 - called at once
            times_ms.setdefault(_GREW, []).append(_grow(index))
    for what, limit in [*((what, limit) for what, limit, _ in QUESTIONS), (_GREW, 20.0)]:
        small, middle, large = times_ms[what]
        note = f"{small:,.2f} at 1,000, {middle:,.2f} at 10,000"
        yield Row(f"{what}, of 100,000", large, limit, "ms", note=note)
    note = f"{sizes_mb[0]:,.0f} MB at 1,000, {sizes_mb[1]:,.0f} MB at 10,000"
    yield Row("the file, of 100,000 sessions", sizes_mb[2], None, "MB", note=note)


_GREW = "one session that grew, written again"


def fill(path: Path, count: int, *, is_real_sized: bool = False) -> None:
    """Make an index of invented sessions."""
    source = records(count, is_real_sized=is_real_sized)
    with History(str(path)) as index:
        while some := list(islice(source, _BATCH)):
            with index.batch():
                for record in some:
                    index.put(record)


def median_ms(ask: Callable[[], object], times_asked: int = _TIMES) -> float:
    """Ask several times; the median of how long that takes."""
    times = []
    for _ in range(times_asked):
        start = perf_counter()
        ask()
        times.append((perf_counter() - start) * 1000)
    return statistics.median(times)


def _grow(index: History) -> float:
    record = next(records(1))
    index.put(record)

    def put() -> None:
        more = ToolDay(record.tools[0].day, "Bash", "plan", call_count=1)
        more.ran.add(perf_counter())
        record.tools.append(more)
        index.put(record)

    return median_ms(put)


def _processes(directory: Path) -> Iterator[Row]:
    home = directory / "home"
    sessions_dir = home / ".m31a" / "sessions"
    sessions_dir.mkdir(parents=True)
    journals(sessions_dir, _TOUCHED)
    environ = {**os.environ, "HOME": str(home)}
    index = home / ".m31a" / "metrics.db"
    colds = []
    for _ in range(3):
        forget_index(environ)
        colds.append(Run([*M31, "index"], environ))
    best = min(colds, key=lambda run: run.wall_s)
    yield Row(
        "cold build from journals",
        _TOUCHED / best.wall_s,
        800,
        "sessions/s",
        at_least=True,
        note=f"`m31 index`, {_TOUCHED:,} sessions of {EVENTS} events; {best.cpu_s:.2f} s CPU "
        "in all but the workers",
    )
    forget_index(environ)
    yield Row("its peak memory", peak_mb(["index"], environ, directory), 250, "MB")
    (directory / f"{SIZES[-1]}.db").replace(index)
    Run([*M31, "tools"], environ)
    warm = [Run([*M31, "tools"], environ) for _ in range(_TIMES)]
    yield Row(
        "m31 tools, from process start",
        statistics.median(run.wall_s for run in warm),
        0.3,
        "s",
        note=f"{SIZES[-1]:,} sessions known, {_TOUCHED:,} looked at; "
        f"best {min(run.wall_s for run in warm):.2f}",
    )
    yield Row("its peak memory", peak_mb(["tools"], environ, directory), 250, "MB")
    changed = []
    settings = replace(config.defaults(), sessions_dir=str(sessions_dir), index=str(index))
    for number in range(_TIMES):
        call = ToolCall(t_us=time_ns() // 1000, name="Bash", success=True, duration_ms=number)
        Session(str(sessions_dir), f"{number:08x}").append([call])
        start = perf_counter()
        with ask(settings, {}):
            changed.append((perf_counter() - start) * 1000)
    yield Row(
        "asking after one of 1,000 sessions changed",
        statistics.median(changed),
        None,
        "ms",
        note=f"best {min(changed):.1f}; looking at all of them, reading and writing the one",
    )
