"""Hosts at a limit of memory or of descriptors: they go on, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from m31a_metrics import Collector
from m31a_metrics.collector import writer

HOST = """
import resource, sys
from m31a_metrics import Collector, load
limit = getattr(resource, sys.argv[2])
collector = Collector("one", sys.argv[1])
for number in range(20_000):
    collector.record_tool_call(f"tool {number % 3000}", True, 1)
grown = [sys.intern(f"a name {number}") for number in range(5_000)]
before = resource.getrlimit(limit)
resource.setrlimit(limit, (eval(sys.argv[3]), before[1]))
flushed = collector.flush()
for number in range(5_000):
    collector.record_tool_call(f"late {number % 100}", True, 1)
collector.detail()
collector.stop()
resource.setrlimit(limit, before)
later = collector.flush()
collector.stop()
calls = sum(tool.call_count for tool in load(sys.argv[1], "one").tools)
print(flushed, later, calls)
"""
"""It has not imported `logging`, for which there is neither memory nor a descriptor then.

The table of interned names is grown before: where it cannot grow, CPython 3.13.0 crashes by
itself, at the next name.
"""

HELD = 'int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() + 65536'


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        pytest.param(
            "RLIMIT_AS",
            HELD,
            marks=pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="Linux's"),
        ),
        ("RLIMIT_NOFILE", "3"),
    ],
)
def test_nothing_is_raised_and_nothing_lost(tmp_path: Path, limit: str, value: str) -> None:
    """A flush is refused, no call raises where no warning can be logged, later all is there."""
    done = subprocess.run(
        [sys.executable, "-c", HOST, str(tmp_path), limit, value],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(tmp_path)},
        timeout=300,
    )
    assert (done.stdout, done.returncode) == ("False True 25000\n", 0), done.stderr


def test_a_handler_that_raises_or_records(tmp_path: Path) -> None:
    """What a host's own log handler does to a warning reaches neither the record nor the flush."""
    host = """
import logging, sys
from m31a_metrics import Collector
class Handler(logging.Handler):
    def emit(self, record):
        collector.record_tool_call("logged", True, -1)
        raise OSError("the log is full")
logging.getLogger("m31a_metrics").addHandler(Handler())
collector = Collector("one", sys.argv[1])
collector.record_tool_call("Bash", True, -1)
print({tool.name: tool.call_count for tool in collector.snapshot().tools})
"""
    done = subprocess.run(
        [sys.executable, "-c", host, str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("{'logged': 1, 'Bash': 1}\n", "", 0)


def test_what_c_makes_of_an_error_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A SystemError in its place is one as well: the flush is refused, and the next one writes."""

    def merge(*_: object) -> NoReturn:
        raise SystemError("ToolRow returned a result with an exception set") from MemoryError()

    collector = Collector("one", tmp_path)
    collector.record_tool_call("Bash", True, 1)
    with monkeypatch.context() as patch:
        patch.setattr(writer, "merge", merge)
        assert not collector.flush()
    assert caplog.messages == ["metrics of one not written: there is no memory left"]
    assert collector.flush()
    collector.stop()
