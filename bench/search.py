"""Searching what was said, beside ripgrep on the same files, in turns, the page cache warm.

Needs the corpus generator and samples of the reference material in ../shared, and ripgrep (on
PATH, or M31_RG naming its program); says what is missing otherwise. ripgrep counts lines and
writes no texts (`rg -c`), as finding does.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from bench.measure import M31, PYTHON, Row, Run, peak_mb
from m31a_metrics.catalog.agents import process_count
from m31a_metrics.patterns import Pattern
from m31a_metrics.record_search import find_records

_SHARED = Path(__file__).parents[2] / "shared"
_BYTES = "512MiB"
_ROUNDS = 9

_WORDS = {
    "a word that is nowhere": "zzqqxxnowhere",
    "a rare word": "idempotent",
    "a rare short word": "zqzq",
    "a word of hundreds of places": "refactoring",
    "a word that is everywhere, up to 1,000 places": "error",
}


def rows(directory: Path) -> list[Row]:
    """Compare finding and whole commands with ripgrep; empty where parts are missing."""
    ripgrep = os.environ.get("M31_RG") or shutil.which("rg")
    if not (_SHARED / "tools").is_dir() or not ripgrep:
        sys.stdout.write("(left out: needs ../shared and ripgrep, on PATH or by M31_RG)\n")
        return []
    corpus = directory / "claude"
    _make(corpus)
    files = [(str(path), -1) for path in sorted(corpus.rglob("*.jsonl"))]
    threads = process_count(os.path.getsize(path) for path, _ in files)
    measured = []
    for what, words in _WORDS.items():
        theirs = [ripgrep, "--fixed-strings", "--count", "--", words, str(corpus)]
        ratios = []
        for _ in range(_ROUNDS):
            began_s = perf_counter()
            find_records(Pattern(words), files, threads=threads)
            ours_s = perf_counter() - began_s
            ratios.append(ours_s / _wall_s(theirs))
        measured.append(_row(f"finding {what} / ripgrep", ratios, 2.0))
    return [*measured, *_commands(directory, corpus, ripgrep)]


def _commands(directory: Path, corpus: Path, ripgrep: str) -> list[Row]:
    environ = dict(os.environ, CLAUDE_CONFIG_DIR=str(corpus), HOME=str(directory))
    Run([*M31, "index"], environ)  # the first question reads all sessions
    measured = []
    for what, arguments, theirs in (
        ("a rare word", ["idempotent"], ["--fixed-strings", "idempotent"]),
        ("a rare word in any case", ["-i", "Idempotent"], ["-i", "--fixed-strings", "Idempotent"]),
        ("a regular expression", ["-e", "idempot[a-z]+"], ["idempot[a-z]+"]),
    ):
        command = [*M31, "grep", *arguments, "--limit", "50"]
        ratios, times = [], []
        for _ in range(_ROUNDS):
            times.append(Run(command, environ).wall_s)
            ratios.append(times[-1] / _wall_s([ripgrep, "--count", *theirs, str(corpus)]))
        row = _row(f"m31 grep, {what}, 50 places with turn and phase / ripgrep", ratios)
        row = Row(row.what, row.figure, None, note=f"{statistics.median(times):.2f} s; {row.note}")
        measured.append(row)
    peak = peak_mb(["grep", "refactoring", "--limit", "50"], environ, directory)
    return [*measured, Row("m31 grep, peak memory", peak, 150, "MB")]


def _wall_s(command: Sequence[str]) -> float:
    began_s = perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return perf_counter() - began_s


def _row(what: str, ratios: Sequence[float], limit: float | None = None) -> Row:
    note = f"best {min(ratios):.2f}, worst {max(ratios):.2f} of {len(ratios)} rounds"
    return Row(what, statistics.median(ratios), limit, note=note)


def _make(corpus: Path) -> None:
    subprocess.run(
        [
            PYTHON,
            _SHARED / "tools" / "gen_corpus.py",
            *("--agent", "claude", "--samples", _SHARED / "samples" / "claude-code"),
            *("--out", corpus, "--files", "600", "--bytes", _BYTES),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
