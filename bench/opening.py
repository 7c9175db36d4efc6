"""What a session of millions of events costs whoever opens it, forks in it, or reads it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Row
from m31a_metrics.session.covered import COVERED

EVENTS = 5_000_000
_PARENT_EVENTS = 1_000_000

_MEASURED = """
import json, time
from m31a_metrics import Collector, load

def peak_mb():  # not getrusage's, which begins with what the parent had
    with open("/proc/self/status") as file:
        return int(next(line for line in file if line.startswith("VmHWM")).split()[1]) / 1024

before_mb, began = peak_mb(), time.perf_counter()
{what}
print(json.dumps([(time.perf_counter() - began) * 1e3, peak_mb() - before_mb]))
"""


def _write(directory: Path, count: int, *, ids: bool) -> None:
    """Write a session of plain tool calls by a Collector that stops, as its METRICS.json covers it.

    A line is written by hand: what is measured is who comes next.
    """
    events = directory / "session" / "events"
    events.mkdir(parents=True, mode=0o700)
    with (events / "1-00000001.jsonl").open("w", encoding="ascii") as file:
        file.write('{"event":"session_start","t_us":1790000000000000}\n')
        for number in range(count):
            own = f'"id":"call-{number:012d}",' if ids else ""
            file.write(
                f'{{"event":"tool_call",{own}"t_us":{1_790_000_000_000_000 + number},"name":"Bash",'
                f'"success":true,"duration_ms":{number % 64}}}\n'
            )


def _measure(directory: Path, what: str) -> tuple[float, float]:
    """Run it in a process of its own; give milliseconds, and MB beyond those of the import."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED.format(what=what)],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, "HOME": str(directory)},
    )
    took_ms, more_mb = json.loads(done.stdout)
    return took_ms, more_mb


def rows(directory: Path) -> Iterator[Row]:
    """Fold, open and fork."""
    for ids in (False, True):
        place = directory / ("ids" if ids else "plain")
        _write(place, EVENTS, ids=ids)
        of = f"{EVENTS / 1e6:.0f} million events {'with' if ids else 'without'} ids"
        load = f"assert load({str(place)!r}, 'session').tools[0].call_count == {EVENTS}"
        took_ms, more_mb = _measure(directory, load)
        yield Row(
            f"folding {of}, no METRICS.json: memory",
            more_mb,
            None if ids else 100,
            "MB",
            note=f"{took_ms / 1e3:.1f} s",
        )
        _measure(directory, f"Collector('session', {str(place)!r}).stop()")
        assert (place / "session" / "events" / COVERED).is_file()
        opening = f"c = Collector('session', {str(place)!r}); c.record_tool_call('y', True, 1)"
        tries = [_measure(directory, opening) for _ in range(5)]
        best_ms, best_mb = min(tries)
        yield Row(
            f"opening {of}, covered", best_ms, 20, "ms", note="a Collector, and its first event"
        )
        yield Row(f"opening {of}, covered: memory", best_mb, 40, "MB", note="beyond the import")
    yield _forked(directory)


def _forked(directory: Path) -> Row:
    what = f"""
import os
c = Collector('parent', {str(directory)!r})
for _ in range({_PARENT_EVENTS}):
    c.record_tool_call('x', True, 1)
reading, writing = os.pipe()
if not os.fork():
    began = time.perf_counter()
    c.record_tool_call('child', True, 1)
    os.write(writing, str((time.perf_counter() - began) * 1e3).encode())
    os._exit(0)
os.wait()
took_ms = float(os.read(reading, 100))
print(json.dumps([took_ms, 0])); raise SystemExit
"""
    took_ms, _ = min(_measure(directory, what) for _ in range(3))
    note = f"after {_PARENT_EVENTS:,} events of the parent's"
    return Row("first event in a forked child", took_ms, 20, "ms", note=note)
