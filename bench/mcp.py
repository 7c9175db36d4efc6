"""The MCP server, beside a bare Python: to its list of tools, and to its answers.

Starts are paired: one of each in turn. A client here does what agents do at each start, says
`initialize` and asks for the list, and reads both answers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import perf_counter
from typing import IO, Any

from bench.measure import PYTHON, Rounds, Row, process_s
from bench.startup import sessions
from m31a_metrics.live import mcp_server

_ROUNDS = 40
_COMMAND = [PYTHON, "-P", "-E", mcp_server.__file__, mcp_server.ALL_PROJECTS]
_START = {"method": "initialize", "params": {"protocolVersion": mcp_server.VERSIONS[0]}}
_LIST = {"method": "tools/list"}
_CALL = {"method": "tools/call", "params": {"name": "tools", "arguments": {}}}


def rows(directory: Path) -> Iterator[Row]:
    """Compare starts; then ask of 1,000 sessions, and once more."""
    environ = {**os.environ, "HOME": str(directory)}
    times = Rounds()
    peak_mb = 0.0
    for number in range(_ROUNDS + 1):
        (bare_s,) = process_s([PYTHON, "-c", "pass"], 1, environ)
        began = perf_counter()
        with _started(environ) as server:
            _ask(server, _START)
            listed = _ask(server, _LIST)
            listed_s = perf_counter() - began
            peak_mb = max(peak_mb, _peak_mb(server.pid))
        assert len(listed["tools"]) == 9
        if number:  # the first round warms the page cache and the .pyc files
            times.add("bare", bare_s * 1e9)
            times.add("list", listed_s * 1e9)
    note = f"{times.best_ns('list') / 1e6:.1f} ms against {times.best_ns('bare') / 1e6:.1f}"
    median = f"; median of pairs {times.median_ratio('list', 'bare'):.2f}"
    what = "from start to the list of tools / bare Python"
    yield Row(what, times.ratio("list", "bare"), 6, note=note + median)
    if sys.platform == "linux":
        yield Row("memory with the list told", peak_mb, 30, "MB")
    sessions(directory / ".m31a" / "sessions", 1000)
    with _started(environ) as server:
        for what in (
            "the first question, of 1,000 sessions that are read for it",
            "the next, with the package and the index there",
        ):
            began = perf_counter()
            answer = _ask(server, _CALL)
            yield Row(what, (perf_counter() - began) * 1000, None, "ms")
            assert answer["isError"] is False, answer
        if sys.platform == "linux":
            yield Row("memory after questions", _peak_mb(server.pid), None, "MB")


def _started(environ: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ, cwd=environ["HOME"]
    )


def _ask(server: subprocess.Popen[bytes], message: Mapping[str, object]) -> dict[str, Any]:
    sent, answers = _pipe(server.stdin), _pipe(server.stdout)
    sent.write(json.dumps({"jsonrpc": "2.0", "id": 1, **message}).encode() + b"\n")
    sent.flush()
    result: dict[str, Any] = json.loads(answers.readline())["result"]
    return result


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def _peak_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0
