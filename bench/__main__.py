"""`python -m bench [PART ...]`: measure, print the report; `--write` keeps it in the docs."""

from __future__ import annotations

import compileall
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path

import m31a_metrics
from bench import (
    dashboard,
    fleet,
    index,
    live,
    mcp,
    metrics,
    opening,
    otlp,
    parquet,
    phases,
    receiver,
    recording,
    screen,
    sdks,
    search,
    startup,
    transcripts,
)
from bench.measure import Row

_REPORT = Path(__file__).parents[1] / "docs" / "performance.md"
_START = "<!-- figures: made by `python -m bench --write` -->\n"
_END = "<!-- end of figures -->"

_PARTS: dict[str, tuple[str, Callable[[Path], Iterable[Row]]]] = {
    "recording": ("Recording one tool call", recording.against_others),
    "threads": (
        "Threads and tools",
        lambda directory: [recording.threads(directory), recording.many_tools(directory)],
    ),
    "snapshots": ("Snapshots", recording.snapshots),
    "memory": ("Memory", recording.memory),
    "opening": ("Long sessions", opening.rows),
    "scores": ("Phases and heals, against labelled sessions", phases.scores),
    "phases": ("Inferring phases", phases.cost),
    "processes": ("Whole processes", startup.processes),
    "live": ("In coding agents", live.rows),
    "receiver": ("Taking OTLP", receiver.rows),
    "mcp": ("Questions of agents", mcp.rows),
    "sdks": ("In Python SDKs", sdks.rows),
    "index": ("The index of all sessions", index.rows),
    "fleet": ("A fleet in ClickHouse", fleet.rows),
    "million": ("A fleet of a million sessions", fleet.million),
    "parquet": ("Tables for other programs", parquet.rows),
    "dashboard": ("The dashboard", dashboard.rows),
    "export": ("Exports", otlp.rows),
    "screen": ("The live screen", screen.rows),
    "search": ("Searching what was said", search.rows),
    "metrics": ("Metrics for Prometheus", metrics.rows),
    "transcripts": ("A gigabyte of Claude Code transcripts", transcripts.rows),
}
"""Name -> title of its section, and what measures it."""

_BY_NAME = ("million",)
"""Parts that take half an hour, and are measured where they are named."""


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


def section(title: str, part: Callable[[Path], Iterable[Row]]) -> str:
    """Measure one part; its section of the report says on which machine."""
    with tempfile.TemporaryDirectory(prefix="m31-bench-") as directory:
        rows = list(part(Path(directory)))
    lines = [
        f"### {title}\n\n{machine()}.\n\n",
        "| what | figure | target | met | best times |\n|---|---:|---:|---|---|\n",
    ]
    for row in rows:
        sign = "≥" if row.at_least else "≤"
        target = "" if row.limit is None else f"{sign} {row.limit:g}"
        met = {None: "", True: "yes", False: "**no**"}[row.met]
        figure = f"{row.figure:,.2f} {row.unit}"
        lines.append(f"| {row.what} | {figure} | {target} | {met} | {row.note} |\n")
    return "".join(lines) + "\n"


def keep(measured: dict[str, str]) -> None:
    """Put sections, by title, in the place of those of these titles in docs/performance.md."""
    head, _, rest = _REPORT.read_text().partition(_START)
    kept, _, tail = rest.partition(_END)
    sections = {text.partition("\n")[0]: f"### {text}" for text in kept.split("### ")[1:]}
    sections |= measured
    titles = [title for title, _ in _PARTS.values()]
    text = "".join(sections[title] for title in titles if title in sections)
    _REPORT.write_text(f"{head}{_START}{text}{_END}{tail}")


def main() -> None:
    """Measure the parts named, or all; with `--write`, keep each in docs/performance.md."""
    names = [name for name in sys.argv[1:] if name != "--write"]
    unknown = [name for name in names if name not in _PARTS]
    if unknown:
        sys.exit(f"there is no part {unknown[0]!r}; there are: {', '.join(_PARTS)}")
    # As an installer leaves it; where bytecode is not written, each process would compile anew.
    compileall.compile_dir(Path(m31a_metrics.__file__).parent, quiet=1)
    for name in names or [name for name in _PARTS if name not in _BY_NAME]:
        title, part = _PARTS[name]
        text = section(title, part)
        sys.stdout.write(text)
        sys.stdout.flush()
        if "--write" in sys.argv[1:]:
            keep({title: text})


main()
