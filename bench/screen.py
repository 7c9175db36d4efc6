"""The live screen: drawing a large session anew, and `m31 watch` beside a session at work."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from time import process_time, sleep

from bench.measure import PYTHON, Row

_TOOLS, _PHASES, _EVENTS = 50, 20, 100_000
_REFRESHES = 40
_WARM_S, _WATCHED_S = 8, 30

_RECORDER = """
import itertools, sys, time
from m31a_metrics import Collector, Usage
with Collector("live", sys.argv[1]) as collector:
    for number in itertools.count():
        if number % 10:
            collector.record_tool_call(f"tool{number % 7}", number % 9 != 0, number % 977)
        else:
            collector.record_llm_interaction(
                "execute", Usage(9_000, 400), cost=0.03, model="model"
            )
        time.sleep(0.1)
"""


def rows(directory: Path) -> Iterable[Row]:
    """Measure both; the second needs /proc."""
    yield from _refresh(directory / "large")
    if sys.platform == "linux":
        yield _watch(directory / "live")


def _refresh(directory: Path) -> list[Row]:
    from m31a_metrics import Collector, Usage

    with Collector("large", directory) as collector:
        for number in range(_EVENTS):
            phase = f"phase{number * _PHASES // _EVENTS}"
            if number % (_EVENTS // _PHASES) == 0:
                collector.record_phase_transition(phase)
            elif number % 10 == 0:
                usage = Usage(9_000, 400)
                collector.record_llm_interaction(
                    phase, usage, cost=0.03, model=f"model{number % 4}"
                )
            else:
                collector.record_tool_call(f"tool{number % _TOOLS}", number % 9 != 0, number % 977)
        sizes = {"80x24": (80, 24), "160x50": (160, 50)}
        return [
            Row(
                f"refresh at {name}: {_TOOLS} tools, {_PHASES} phases, {_EVENTS:,} events, CPU",
                asyncio.run(_drawn_ms(collector, size)),
                50,
                "ms",
                note=f"median of {_REFRESHES}, ten new events before each",
            )
            for name, size in sizes.items()
        ]


async def _drawn_ms(collector: object, size: tuple[int, int]) -> float:
    """CPU time from asking to lying still again, of the whole process."""
    from m31a_metrics import Collector
    from m31a_metrics.views.screen.app import WatchApp, Watched
    from m31a_metrics.views.screen.view import MetricsView

    assert isinstance(collector, Collector)
    app = WatchApp(Watched("", collector.snapshot, collector.detail), interval_s=3_600)
    times = []
    async with app.run_test(size=size) as pilot:
        await app.workers.wait_for_complete()
        await pilot.pause()
        view = app.screen.query_one(MetricsView)
        for _ in range(_REFRESHES):
            for number in range(10):
                collector.record_tool_call(f"tool{number}", True, number)
            began_s = process_time()
            view.refresh_now()
            await app.workers.wait_for_complete()
            await pilot.pause()
            times.append((process_time() - began_s) * 1e3)
    return median(times)


def _watch(directory: Path) -> Row:
    """Of one core, while another process records ten events a second."""
    recorder = subprocess.Popen([PYTHON, "-c", _RECORDER, directory])
    ours, theirs = pty.openpty()
    command = "import sys; from m31a_metrics.cli import main; sys.exit(main())"
    watch = subprocess.Popen(
        [PYTHON, "-c", command, "watch", "live", "--sessions-dir", directory],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=dict(os.environ, TERM="xterm-256color", COLUMNS="160", LINES="50"),
    )
    os.close(theirs)
    threading.Thread(target=_drain, args=(ours,), daemon=True).start()
    try:
        sleep(_WARM_S)
        before_s = _cpu_s(watch.pid)
        sleep(_WATCHED_S)
        used_s = _cpu_s(watch.pid) - before_s
    finally:
        for process in (watch, recorder):
            process.terminate()
            process.wait()
    figure = used_s / _WATCHED_S * 100
    return Row("m31 watch at 160x50, ten events a second, CPU", figure, 5, "% of a core")


def _drain(descriptor: int) -> None:
    try:
        while os.read(descriptor, 1 << 16):
            pass
    except OSError:
        pass  # how Linux says that the other end was closed


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
