"""What agents wait for, beside a bare Python: a hook, the status line; and a settling behind them.

Starts are paired: one of each in turn. The hook is an asynchronous one of a tool call with a
kilobyte of input, whose settling is not due; the status line has verdicts to read, and a cost
that changed. The settling is of a transcript of 60 MB that grew by one call since the last one.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, time

from bench.measure import PYTHON, Rounds, Row

SESSION = "0b7e2f14-1111-4111-8111-000000000001"
TRANSCRIPT_BYTES = 60 << 20
_ROUNDS = 60
_BARE = os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)
_START = "import sys;sys.path[:0]=sys.argv[1:2];import {0};{0}.main(*sys.argv[1:])"
"""As the command that is installed starts a program: a module, whose bytecode is kept."""

_SETTLE = """import sys
from time import perf_counter
import m31a_metrics.phases.inference, m31a_metrics.phases.context, m31a_metrics.phases.heals
import m31a_metrics.sources.claude_code
from m31a_metrics import settle
began = perf_counter()
code = settle.main(sys.argv[1:4])
print(perf_counter() - began)
sys.exit(code)
"""
"""Tells how long a settling took beyond interpreter start and imports."""


def rows(directory: Path) -> Iterator[Row]:
    """Compare starts, and time settlings."""
    environ = dict(os.environ, HOME=str(directory))
    path = directory / ".claude" / "projects" / "-src-app" / f"{SESSION}.jsonl"
    path.parent.mkdir(parents=True)
    at = _write(path)
    live_dir = str(directory / ".m31a" / "live")
    _took_ms(path, environ)  # writes the programs, resolves the prices, makes the index
    yield from _starts(live_dir, str(path), environ)
    yield from _settlings(Path(live_dir), path, at, environ)


def _starts(live_dir: str, path: str, environ: dict[str, str]) -> Iterator[Row]:
    used = {"session_id": SESSION, "transcript_path": path, "cwd": "/src/app"}
    tool = {"tool_name": "Bash", "tool_input": {"command": "x" * 1024}, "duration_ms": 12}
    hook = used | tool | {"hook_event_name": "PostToolUse", "tool_response": {"stdout": "ok"}}
    limits = {"five_hour": {"used_percentage": 12, "resets_at": 4_000_000_000}}
    status = used | {"context_window": {"used_percentage": 40}, "rate_limits": limits}
    commands: dict[str, tuple[list[str], dict[str, object]]] = {
        "bare": ([_BARE, "-I", "-S", "-c", "pass"], {})
    }
    for program, given, more in (("hook", hook, ["claude-code"]), ("statusline", status, [])):
        if os.path.exists(f"{live_dir}/{program}.py"):
            start = _START.format(program)
            commands[program] = [_BARE, "-I", "-S", "-c", start, live_dir, *more], given
    times = Rounds()
    settled = Path(live_dir, "settling", SESSION)
    settled.touch()
    for number in range(_ROUNDS + 1):
        for name, (command, given) in commands.items():
            soon_s = time() + 2.9
            os.utime(settled, (soon_s, soon_s))  # one waits for its time already
            own = {"tool_use_id": f"toolu_{number}", "cost": {"total_cost_usd": number / 100}}
            began = perf_counter()
            subprocess.run(
                command,
                input=json.dumps(given | own).encode(),
                env=environ,
                stdout=subprocess.DEVNULL,
                check=True,
            )
            if number:  # the first round warms the page cache, and writes bytecode
                times.add(name, (perf_counter() - began) * 1e9)
    journal = Path(environ["HOME"], ".m31a", "sessions", SESSION, "events", "hooks.jsonl")
    lines = journal.read_text().splitlines()
    for kind, name in (("tool_call", "hook"), ("agent_totals", "statusline")):
        kept = sum(f'"event":"{kind}"' in line for line in lines)
        assert kept == (_ROUNDS + 1 if name in commands else 0), f"{name} kept {kept} events"
    for name, what, limit in (("hook", "a hook", 1.25), ("statusline", "the status line", 2.5)):
        if name in commands:
            note = (
                f"{times.best_ns(name) / 1e6:.1f} ms against {times.best_ns('bare') / 1e6:.1f}; "
                f"best against best {times.ratio(name, 'bare'):.2f}"
            )
            figure = times.median_ratio(name, "bare")
            yield Row(f"{what} / `python -I -S -c pass`, median of pairs", figure, limit, note=note)


def _settlings(live_dir: Path, path: Path, at: datetime, environ: dict[str, str]) -> Iterator[Row]:
    """Settle after each call; then once more with nothing kept."""
    grown: list[float] = []
    walls: list[float] = []
    for number in range(11):
        at += timedelta(seconds=10)
        with path.open("a") as file:
            file.writelines(_call(f"z{number}", at, 600))
        began = perf_counter()
        took_ms = _took_ms(path, environ)
        if number:
            grown.append(took_ms)
            walls.append((perf_counter() - began) * 1000)
    note = f"best {min(grown):.1f}, worst {max(grown):.1f}; with start and imports "
    yield Row(
        "settling a transcript of 60 MB that grew by a call, beyond start and imports",
        statistics.median(grown),
        100,
        "ms",
        note=note + f"{statistics.median(walls):.0f} ms",
    )
    (live_dir / "settling" / f"{SESSION}.json").unlink()
    yield Row("the same, read whole", _took_ms(path, environ), None, "ms")


def _took_ms(path: Path, environ: dict[str, str]) -> float:
    command = [PYTHON, "-P", "-c", _SETTLE, "claude-code", SESSION, str(path)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    return float(done.stdout) * 1000


def _write(path: Path) -> datetime:
    """Write calls until the file is long enough; when the last one was."""
    at = datetime.now(UTC) - timedelta(hours=20)
    size = number = 0
    with path.open("w") as file:
        while size < TRANSCRIPT_BYTES:
            at += timedelta(seconds=5)
            for line in _call(f"a{number}", at, 5_000):
                size += file.write(line)
            number += 1
    return at


def _call(key: str, at: datetime, printed: int) -> Iterator[str]:
    """A response that runs a command, and what that printed."""
    usage = {"input_tokens": 3, "output_tokens": 200, "cache_read_input_tokens": 40_000}
    command = {"command": "python -m pytest -q tests"}
    use = {"type": "tool_use", "id": f"toolu_{key}", "name": "Bash", "input": command}
    result = {"type": "tool_result", "tool_use_id": f"toolu_{key}", "content": "x" * printed}
    answer = {"id": f"msg_{key}", "role": "assistant", "model": "claude-sonnet-4-5-20250929"}
    envelope = {"sessionId": SESSION, "cwd": "/src/app", "version": "2.1.0", "gitBranch": "main"}
    for kind, moment, message in (
        ("assistant", at, answer | {"usage": usage, "content": [use]}),
        ("user", at + timedelta(seconds=2), {"role": "user", "content": [result]}),
    ):
        told = {"type": kind, "uuid": f"{kind}-{key}", "requestId": f"req_{key}"}
        line = envelope | told | {"timestamp": moment.isoformat(), "message": message}
        yield json.dumps(line) + "\n"
