"""What a whole process costs, against a bare Python in the same environment."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.measure import PYTHON, Rounds, Row, process_s
from m31a_metrics import LLMMetric, PhaseMetric, SessionMetrics, ToolMetric, save

_TOOLS = ("Bash", "Read", "Edit", "Grep", "Write", "Glob", "Task", "WebFetch")


def sessions(directory: Path, count: int) -> None:
    """Write sessions as M31A leaves them, eight tools and three phases each."""
    start = datetime(2026, 6, 20, 10, tzinfo=UTC)
    for number in range(count):
        at = start + timedelta(minutes=number)
        metrics = SessionMetrics(
            f"{number:08x}",
            at,
            at + timedelta(minutes=15),
            [ToolMetric(name, 40, 38, 2, 4520, 113.0) for name in _TOOLS],
            [LLMMetric(phase, 45_000, 12_000, 57_000, 0.38, 15) for phase in ("plan", "execute")],
            [PhaseMetric(phase, 180_000, 1, 2, 1, True) for phase in ("plan", "execute", "ship")],
        )
        save(directory, f"{number:08x}", metrics)


def processes(directory: Path, *, rounds: int = 15) -> list[Row]:
    """Import, and `m31 sessions` over 1,000 sessions."""
    sessions_dir = directory / ".m31a" / "sessions"
    sessions(sessions_dir, 1000)
    environ = {**os.environ, "HOME": str(directory)}
    table = [PYTHON, "-c", "from m31a_metrics.cli import main; main()", "sessions"]
    commands = {
        "bare": [PYTHON, "-c", "pass"],
        "msgspec": [PYTHON, "-c", "import msgspec"],
        "import": [PYTHON, "-c", "import m31a_metrics"],
        "sessions": table,
        "sessions anew": [*table, "--sessions-dir", str(sessions_dir)],
    }
    times = Rounds()
    for number in range(rounds + 1):
        for name, command in commands.items():
            (time_s,) = process_s(command, 1, environ)
            if number:  # the first round warms the page cache and the .pyc files
                times.add(name, time_s * 1e9)

    def row(what: str, name: str, limit: float | None) -> Row:
        note = f"{times.best_ns(name) / 1e6:.0f} ms against {times.best_ns('bare') / 1e6:.0f}"
        median = f"; median of rounds {times.median_ratio(name, 'bare'):.1f}"
        return Row(what, times.ratio(name, "bare"), limit, note=note + median)

    return [
        row("import msgspec / bare Python", "msgspec", None),
        row("import m31a_metrics / bare Python", "import", 4.5),
        row("m31 sessions, 1,000 sessions, piped / bare Python", "sessions", 16),
        row("the same with --sessions-dir, which keeps no index", "sessions anew", None),
    ]
