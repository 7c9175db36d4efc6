"""A journal that somebody cuts, empties, replaces, moves or removes while it is written.

What a store into a mapping does behind the end of a file is a SIGBUS, so each of these
runs in a child: it must come to its own end.

Between a look at the file and the store that follows nothing helps (docs/decisions/
held-files.md). So every cut here comes when the last look is too old to be trusted.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from m31a_metrics import Collector, Usage, load
from m31a_metrics.journal.writer import MOST_TRUST_US
from m31a_metrics.session import Session
from tests import children

ID = "cut"

Way = Literal["write"] | bool


@pytest.fixture(params=[True, "write"], ids=["mapped", "by write"])
def way(request: pytest.FixtureRequest) -> Way:
    """Both ways of writing a journal."""
    found: Way = request.param
    return found


def begin(directory: Path, way: Way) -> Collector:
    """A Collector with a few events of several kinds."""
    collector = Collector(ID, directory, journal=way)
    collector.record_llm_interaction("plan", Usage(5, 5), 0.25, model="m")
    record(collector, 10)
    return collector


def record(collector: Collector, number: int) -> None:
    """Plain calls, and then a pause until the file would be looked at again."""
    for _ in range(number):
        collector.record_tool_call("Bash", True, 2)
    time.sleep(2 * MOST_TRUST_US / 1e6)


def journals(directory: Path) -> list[Path]:
    """The journals of the session, the newest last."""
    found = (directory / ID / "events").glob("*.jsonl")
    return sorted(found, key=lambda path: path.stat().st_ctime_ns)


def check(directory: Path, calls: int) -> None:
    """Every reader finds that many calls, from METRICS.json and from the journals alone."""
    metrics = load(directory, ID)
    assert metrics is not None
    assert metrics.tools[0].call_count == calls
    assert (metrics.llms[0].total_tokens, metrics.llms[0].cost) == (10, 0.25)
    (directory / ID / "METRICS.json").unlink(missing_ok=True)
    folded = load(directory, ID)
    assert folded is not None
    assert folded.tools == metrics.tools
    assert folded.llms == metrics.llms
    assert not any(journal.damaged for journal in Session(str(directory), ID).parts().journals)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def emptied_by_a_shell(path: Path) -> None:
    subprocess.run(["sh", "-c", ': > "$0"', str(path)], check=True)


def copied_and_emptied(path: Path) -> None:
    (path.parent / "rotated.1").write_bytes(path.read_bytes())
    with path.open("w"):
        pass


def cut_in_a_line(path: Path) -> None:
    os.truncate(path, 250)


def cut_by_one_page(path: Path) -> None:
    os.truncate(path, max(path.stat().st_size - 4096, 0))


def emptied_and_filled_with_other_words(path: Path) -> None:
    path.write_bytes(b"\n" * 100)


def replaced(path: Path) -> None:
    copy = path.with_suffix(".tmp")
    copy.write_bytes(path.read_bytes()[:100])
    copy.rename(path)


def moved(path: Path) -> None:
    path.rename(path.with_suffix(".old"))


def removed(path: Path) -> None:
    path.unlink()


CUTS = [
    emptied,
    emptied_by_a_shell,
    copied_and_emptied,
    cut_in_a_line,
    cut_by_one_page,
    emptied_and_filled_with_other_words,
    replaced,
    moved,
    removed,
]
Cut = Callable[[Path], None]

SILENT = {replaced, moved, removed, cut_by_one_page}
"""What is noticed at the next flush only, or cost no line: nobody need be told."""


@pytest.mark.parametrize("cut", CUTS)
def test_the_host_goes_on(tmp_path: Path, way: Way, cut: Cut, warnings: list[str]) -> None:
    """The next event finds the host alive; what was cut away is written once more, and said."""

    def task() -> None:
        collector = begin(tmp_path, way)
        (journal,) = journals(tmp_path)
        cut(journal)
        record(collector, 5)
        assert collector.snapshot().tools[0].call_count == 15
        if cut not in SILENT:
            assert len(warnings) == 1
            assert f"what {ID} holds is written once more: {journal}" in warnings[0]
        assert collector.flush()
        record(collector, 5)
        collector.stop()
        assert len(warnings) <= 1

    assert children.run(task) == 0
    check(tmp_path, 20)


# Not a fork after the journals went: METRICS.json is then the child's base, and stays so.
@pytest.mark.parametrize(
    ("cut", "end"),
    [
        (cut, end)
        for cut in CUTS
        for end in ("flush", "stop", "drop", "kill", "error", "fork")
        if end != "fork" or cut not in (moved, removed)
    ],
)
def test_whatever_comes_next(tmp_path: Path, way: Way, cut: Cut, end: str) -> None:
    """Flushing, stopping, dropping, forking and a slow record are as safe as a plain one."""

    def task() -> None:
        collector = begin(tmp_path, way)
        collector.flush()
        cut(journals(tmp_path)[0])
        if end == "error":
            collector.record_tool_call("Bash", True, 2, error="no such file")
            collector.stop()
        elif end == "fork":
            assert children.run(lambda: record(collector, 1)) == 0
            collector.stop()
        elif end == "kill":
            record(collector, 1)
            collector.flush()
            os.kill(os.getpid(), 9)
        elif end == "flush":
            assert collector.flush()
        elif end == "stop":
            collector.stop()
        else:
            del collector

    assert children.run(task) == (-9 if end == "kill" else 0)
    if end != "drop":  # the counts went with the Collector; METRICS.json has them
        check(tmp_path, 10 + (end in ("error", "fork", "kill")))


def test_again_and_again(tmp_path: Path, way: Way, warnings: list[str]) -> None:
    """One that is cut after every few events loses nothing and says it once."""

    def task() -> None:
        collector = begin(tmp_path, way)
        for number in range(20):
            emptied(journals(tmp_path)[-1])
            record(collector, 10)
            if number % 5 == 0:
                collector.flush()
        collector.stop()
        assert len(warnings) == 1

    assert children.run(task) == 0
    check(tmp_path, 210)


def test_a_kill_after_the_cut(tmp_path: Path, way: Way) -> None:
    """Once an event was recorded after the cut, a kill loses nothing of before it either."""

    def task() -> None:
        collector = begin(tmp_path, way)
        emptied(journals(tmp_path)[0])
        record(collector, 5)
        os.kill(os.getpid(), 9)

    assert children.run(task) == -9
    check(tmp_path, 15)


def test_closed_journals_that_are_cut(tmp_path: Path, way: Way) -> None:
    """A rotation of journals that are closed already is noticed at the next flush."""

    def task() -> None:
        collector = begin(tmp_path, way)
        collector.stop()
        record(collector, 5)
        for journal in journals(tmp_path)[:1]:
            emptied(journal)
        collector.stop()

    assert children.run(task) == 0
    check(tmp_path, 15)


def test_a_journal_that_was_grown(tmp_path: Path) -> None:
    """In a later window, too: lines of earlier ones are counted from memory."""

    def task() -> None:
        collector = begin(tmp_path, True)
        record(collector, 9_000)
        cut_by_one_page(journals(tmp_path)[0])
        record(collector, 1)
        emptied(journals(tmp_path)[-1])
        record(collector, 9_000)
        collector.stop()

    assert children.run(task) == 0
    check(tmp_path, 18_011)


def punch(path: Path) -> None:
    """Take the blocks of a file's first page away, as a tool that saves space does."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(path, os.O_RDWR)
    keep_size, punch_hole = 1, 2
    result = libc.fallocate(
        descriptor, keep_size | punch_hole, ctypes.c_long(0), ctypes.c_long(4096)
    )
    number = ctypes.get_errno()
    os.close(descriptor)
    if result:
        pytest.skip(f"needs a file system that can punch holes ({os.strerror(number)})")


@pytest.mark.skipif(sys.platform != "linux", reason="needs fallocate of Linux")
def test_a_hole(tmp_path: Path) -> None:
    """A hole in the middle takes lines away and leaves the length: they are written once more."""
    collector = begin(tmp_path, True)
    record(collector, 100)
    punch(journals(tmp_path)[0])
    collector.stop()
    del collector
    metrics = load(tmp_path, ID)
    assert metrics is not None
    assert metrics.tools[0].call_count == 110
    (tmp_path / ID / "METRICS.json").unlink()
    assert load(tmp_path, ID) == metrics


@pytest.mark.skipif(sys.platform != "linux", reason="needs fallocate of Linux")
def test_a_hole_in_written_lines(tmp_path: Path) -> None:
    """By write no room is taken beforehand, so a hole is not noticed; the reader names it."""
    collector = begin(tmp_path, "write")
    record(collector, 100)
    punch(journals(tmp_path)[0])
    collector.stop()
    del collector
    (journal,) = Session(str(tmp_path), ID).parts().journals
    assert journal.damaged


def test_threads_are_cut_off_together(tmp_path: Path, way: Way) -> None:
    """Threads that record at once all find the new journal; nobody dies, nothing is lost."""

    def task() -> None:
        collector = begin(tmp_path, way)
        # Its action runs while all wait, so no thread is between its look and its store.
        together = threading.Barrier(4, lambda: emptied(journals(tmp_path)[-1]))

        def some() -> None:
            for _ in range(5):
                together.wait()
                record(collector, 10)

        threads = [threading.Thread(target=some) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert collector.snapshot().tools[0].call_count == 210
        collector.stop()

    assert children.run(task) == 0
    check(tmp_path, 210)
