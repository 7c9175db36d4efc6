"""Reading a gigabyte of Claude Code transcripts, beside ccusage, in turns.

Needs the corpus generator and samples of the reference material in ../shared, and
ccusage (`npm install -g ccusage`, or M31_CCUSAGE naming its program); says what is
missing otherwise. ccusage counts tokens and cost; m31 pairs tool calls and errors too, and
keeps what it read in its index. Each run of m31 is a cold one: the page cache is warm, but
there is no index, as on a machine's first day.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.measure import M31, PYTHON, Row, Run, forget_index, peak_mb

_READ_ALONE = """import os
from m31a_metrics import config, rates, sources
from m31a_metrics.catalog.agents import process_count
from m31a_metrics.catalog.records import record_of
from m31a_metrics.catalog.workers import work
price, source = rates.pricer(config.read()), sources.source("claude-code")
def one(path: str) -> int:
    return len(record_of(path, source.read(path), None, price).llms)
paths = list(source.find(os.environ))
sizes = list(map(os.path.getsize, paths))
sum(count for _, count in work(paths, sizes, one, int, process_count(sizes)))
"""
"""What a command does that keeps nothing and infers nothing: reads, pairs, prices, adds up."""

_SHARED = Path(__file__).parents[2] / "shared"
_BYTES = "1GiB"
_ROUNDS = 5


def _cold(command: Sequence[str], environ: dict[str, str], *, one_core: bool = False) -> Run:
    """Run without what an earlier run left in the index."""
    forget_index(environ)
    return Run(command, environ, one_core=one_core)


def rows(directory: Path) -> list[Row]:
    """Compare reading, importing and memory with ccusage; empty where parts are missing."""
    ccusage = os.environ.get("M31_CCUSAGE") or shutil.which("ccusage")
    if not (_SHARED / "tools").is_dir() or not ccusage or not hasattr(os, "sched_setaffinity"):
        sys.stdout.write(
            "(left out: needs ../shared, Linux, and ccusage: npm install -g ccusage)\n"
        )
        return []
    _corpus(directory)
    environ = dict(os.environ, CLAUDE_CONFIG_DIR=str(directory / "claude"), HOME=str(directory))
    peer = [ccusage, "claude", "daily", "--offline", "--json"]
    ours = [*M31, "cost", "--agent", "claude-code"]
    read = [PYTHON, "-c", _READ_ALONE]
    _cold(ours, environ)  # warms the page cache; resolves the prices, as once a machine
    alone, reading, together, reading_together, again, imports = [], [], [], [], [], []
    for number in range(_ROUNDS):
        theirs = Run([*peer, "--single-thread"], environ, one_core=True)
        mine = _cold(ours, environ, one_core=True)
        alone.append(mine.cpu_s / theirs.cpu_s)
        reading.append(Run(read, environ, one_core=True).cpu_s / theirs.cpu_s)
        theirs_together = Run(peer, environ)
        together.append(_cold(ours, environ).wall_s / theirs_together.wall_s)
        reading_together.append(Run(read, environ).wall_s / theirs_together.wall_s)
        again.append(Run(ours, environ).wall_s / theirs_together.wall_s)
        target = str(directory / f"imported-{number}")
        wrote = Run(
            [*M31, "import", "claude-code", "--sessions-dir", target], environ, one_core=True
        )
        imports.append(wrote.cpu_s / theirs.cpu_s)
    forget_index(environ)
    peak = peak_mb(["cost", "--agent", "claude-code"], environ, directory)
    return [
        _row("m31 cost, no index yet / ccusage, CPU on one core", alone, 0.85),
        _row("reading, pairing, prices and sums of it / ccusage, CPU on one core", reading),
        _row("m31 cost, no index yet / ccusage, wall, all cores", together, 1.0),
        _row(
            "reading, pairing, prices and sums of it / ccusage, wall, all cores", reading_together
        ),
        _row("m31 import / ccusage, CPU on one core", imports, 1.3),
        _row("m31 cost, every time after the first / ccusage, wall, all cores", again),
        Row("m31 cost, no index yet, peak memory", peak, 150, "MB"),
    ]


def _row(what: str, ratios: Sequence[float], limit: float | None = None) -> Row:
    note = f"best {min(ratios):.2f}, worst {max(ratios):.2f} of {len(ratios)} rounds"
    return Row(what, statistics.median(ratios), limit, note=note)


def _corpus(directory: Path) -> None:
    subprocess.run(
        [
            PYTHON,
            _SHARED / "tools" / "gen_corpus.py",
            *("--agent", "claude", "--samples", _SHARED / "samples" / "claude-code"),
            *("--out", directory / "claude", "--files", "2000", "--bytes", _BYTES),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
