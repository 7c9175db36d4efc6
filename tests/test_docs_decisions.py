"""What docs/decisions claims of CPython and of the kernel holds on the machine at hand."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from m31a_metrics import Collector
from m31a_metrics.events import ToolCall
from m31a_metrics.session import Session

THREADS = 8
CALLS = 20_000


@pytest.fixture
def switching_often() -> Iterator[None]:
    """Threads change as often as CPython lets them."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("switching_often")
def test_recording_without_a_lock_is_exact(tmp_path: Path) -> None:
    """Memory, journal and METRICS.json hold each call of eight threads, flushes among them."""
    collector = Collector("one", tmp_path)

    def record() -> None:
        for n in range(CALLS):
            collector.record_tool_call("Bash", True, n % 7)

    threads = [Thread(target=record) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        collector.flush()
    for thread in threads:
        thread.join()
    tool = collector.snapshot().tools[0]
    collector.stop()

    assert tool.call_count == THREADS * CALLS
    assert tool.total_duration_ms == THREADS * sum(n % 7 for n in range(CALLS))
    session = Session(str(tmp_path), "one")
    journals = session.parts().journals
    in_journals = sum(isinstance(event, ToolCall) for one in journals for event in one.events)
    assert (in_journals, sum(one.damaged for one in journals)) == (THREADS * CALLS, 0)
    assert session.is_current()
    loaded = session.load()
    assert loaded is not None
    assert loaded.tools == [tool]
