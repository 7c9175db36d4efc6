"""`python -m bench`: run everything, print the report; `--write` keeps it in the docs."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path

from bench import dashboard, index, phases, recording, screen, startup, transcripts
from bench.measure import Row

_REPORT = Path(__file__).parents[1] / "docs" / "performance.md"
_START = "<!-- figures: made by `python -m bench --write` -->\n"
_END = "<!-- end of figures -->"

_PARTS: dict[str, Callable[[Path], Iterable[Row]]] = {
    "Recording one tool call": recording.against_others,
    "Threads and tools": lambda directory: [
        recording.threads(directory),
        recording.many_tools(directory),
    ],
    "Snapshots": recording.snapshots,
    "Memory": recording.memory,
    "Phases and heals, against labelled sessions": phases.scores,
    "Inferring phases": phases.cost,
    "Whole processes": startup.processes,
    "The index of all sessions": index.rows,
    "The dashboard": dashboard.rows,
    "The live screen": screen.rows,
    "A gigabyte of Claude Code transcripts": transcripts.rows,
}


def machine() -> str:
    """One line about where the figures come from."""
    model = "unknown processor"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = lines[0].partition(":")[2].strip() if lines else model
    others = ", ".join(
        f"{name} {version(name)}"
        for name in ("msgspec", "prometheus-client", "opentelemetry-sdk", "click", "textual")
    )
    return (
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores of {model}; {others}"
    )


def report() -> Iterable[str]:
    """Yield the report line by line, as it is measured."""
    yield f"Measured on {machine()}.\n"
    for title, part in _PARTS.items():
        with tempfile.TemporaryDirectory(prefix="m31-bench-") as directory:
            rows = list(part(Path(directory)))
        yield f"\n### {title}\n"
        yield "\n| what | figure | target | met | best times |\n|---|---:|---:|---|---|\n"
        for row in rows:
            sign = "≥" if row.at_least else "≤"
            target = "" if row.limit is None else f"{sign} {row.limit:g}"
            met = {None: "", True: "yes", False: "**no**"}[row.met]
            yield f"| {row.what} | {row.figure:,.2f} {row.unit} | {target} | {met} | {row.note} |\n"


def main() -> None:
    """Print the report; with `--write`, put it between the marks of docs/performance.md."""
    lines = []
    for line in report():
        sys.stdout.write(line)
        sys.stdout.flush()
        lines.append(line)
    if "--write" in sys.argv[1:]:
        page = _REPORT.read_text()
        head, _, rest = page.partition(_START)
        _, _, tail = rest.partition(_END)
        _REPORT.write_text(head + _START + "".join(lines) + _END + tail)


main()
