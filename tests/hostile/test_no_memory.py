"""No memory left, or an interrupt in the middle: the host goes on, and nothing is lost."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from m31a_metrics import Collector, Usage, codec, load, rates
from m31a_metrics.collector import writer
from m31a_metrics.events import ToolCall
from m31a_metrics.journal import writer as journal_writer
from m31a_metrics.session import Session
from m31a_metrics.store import HeldFile
from tests import children
from tests.children import Counters

ID = "memory"
MIB = 1 << 20


def limit(more: int | None) -> None:
    """Let this process have so many bytes more than it has now; None: as many as there are."""
    at_most = resource.RLIM_INFINITY
    if more is not None:
        with open("/proc/self/statm") as statm:
            at_most = int(statm.read().split()[0]) * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (at_most, resource.RLIM_INFINITY))


def calls(directory: Path) -> int:
    """How many calls the session counts, by METRICS.json and by the journals alone."""
    path = directory / ID / "METRICS.json"
    written = codec.decode(path.read_bytes(), "")
    path.unlink()
    folded = load(directory, ID)
    assert folded is not None
    assert folded.tools == written.tools
    return sum(tool.call_count for tool in written.tools)


def fill(session: Session) -> None:
    """Calls that others recorded: 80 MB of them, in 40,000 lines."""
    for _ in range(4):
        session.append([ToolCall(n, "R" * 2_000, True, 1) for n in range(10_000)])


needs_limits = pytest.mark.skipif(
    sys.platform != "linux", reason="needs a system that keeps to RLIMIT_AS"
)


@needs_limits
@pytest.mark.parametrize("more", [0, 1 << 16, 1 << 18, MIB, 4 * MIB])
@pytest.mark.parametrize("way", [True, "write"])
def test_recording_goes_on(
    tmp_path: Path, way: bool | Literal["write"], more: int, warnings: list[str]
) -> None:
    """Where no window can be mapped counts stay in memory; a later flush writes them all."""
    returned = Counters()

    def task() -> None:
        collector = Collector(ID, tmp_path, journal=way)
        collector.record_tool_call("Bash", True, 1)
        limit(more)
        for number in range(20_000):
            collector.record_tool_call("Bash", True, number)
            returned[0] += 1
        collector.flush()
        limit(None)
        assert collector.flush()
        assert len(warnings) <= 1
        collector.record_tool_call("Bash", True, 1)
        collector.stop()

    assert children.run(task) == 0
    assert returned[0] == 20_000
    assert calls(tmp_path) == 20_002


@needs_limits
def test_opening_what_is_too_much(tmp_path: Path, warnings: list[str]) -> None:
    """A Collector on a session that it cannot read records all the same."""
    fill(Session(str(tmp_path), ID))

    def task() -> None:
        Collector("warm", tmp_path).stop()  # what is loaded once is not the point
        limit(MIB)
        collector = Collector(ID, tmp_path)
        for _ in range(100):
            collector.record_tool_call("Bash", True, 1)
        limit(None)
        assert collector.flush()
        collector.stop()
        assert len(warnings) <= 1

    assert children.run(task) == 0
    assert calls(tmp_path) == 40_100


def no_memory(*_: object, **__: object) -> None:
    """What any call may come to."""
    raise MemoryError


PLACES: list[tuple[Any, str]] = [
    (codec, "encode"),
    (codec, "decode"),
    (Session, "count"),
    (Session, "begin_journal"),
    (Session, "flush_with"),
    (Session, "follow"),
    (journal_writer, "map_window"),
    (HeldFile, "fill"),
    (writer, "encode"),
    (writer, "merge"),
]


@pytest.mark.parametrize(("owner", "name"), PLACES)
def test_anywhere(
    tmp_path: Path, warnings: list[str], owner: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it runs out, while opening, recording or flushing, all counts in the end."""

    def record(collector: Collector) -> None:
        for _ in range(9_000):
            collector.record_tool_call("Bash", True, 1)
        collector.record_tool_call("Bash", False, 1, error="no such file")
        collector.record_llm_interaction("plan", Usage(1, 1), model="m")
        collector.detail()

    before = Collector(ID, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, no_memory)
        during = Collector(ID, tmp_path)
        for collector in (before, during):
            record(collector)
            collector.flush()
            record(collector)
            collector.flush()
    assert warnings
    assert all("there is no memory left" in warning for warning in warnings)
    for collector in (before, during):
        assert collector.flush()
        collector.stop()
    assert calls(tmp_path) == 4 * 9_001


def interrupt(*_: object, **__: object) -> None:
    """What a person's Ctrl-C does to any call."""
    raise KeyboardInterrupt


@pytest.mark.parametrize("raises", [no_memory, interrupt])
def test_a_price_that_cannot_be_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raises: Callable[..., Any]
) -> None:
    """What waits for a price waits on when asking for it fails in the middle."""
    monkeypatch.setattr(rates, "price", raises)
    with Collector(ID, tmp_path) as collector:
        collector.record_llm_interaction("plan", Usage(1, 1), model="m")
        try:
            assert not collector.flush()
        except KeyboardInterrupt:
            assert raises is interrupt
        monkeypatch.setattr(rates, "price", lambda _: 0.5)
        assert collector.flush()
        assert collector.snapshot().llms[0].cost == 0.5


@pytest.mark.parametrize("raises", [no_memory, interrupt])
def test_what_no_journal_took_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raises: Callable[..., Any]
) -> None:
    """Sums that a flush was about to journal stay in memory when that fails in the middle."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(HeldFile, "fill", refuse)
        collector = Collector(ID, tmp_path)
        for _ in range(10):
            collector.record_tool_call("Bash", True, 1)
    with monkeypatch.context() as patch:
        patch.setattr(Session, "begin_journal", raises)
        try:
            assert not collector.flush()
        except KeyboardInterrupt:
            assert raises is interrupt
    assert collector.flush()
    collector.stop()
    assert calls(tmp_path) == 10
