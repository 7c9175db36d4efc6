"""The power fails at any moment: whatever a flush has acknowledged is there, or named as lost.

On a model of a disk (tests/crash/disks.py) that may lose all that was not synced, page by page
and name by name. In the cases where a disk obeys no sync, or somebody cuts a journal,
METRICS.json has the larger figures, and they stay.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from m31a_metrics import Collector, SessionMetrics, Usage, load, save
from m31a_metrics.catalog.records import damage, read_recording
from m31a_metrics.checkup import examine
from m31a_metrics.events import ToolCall
from m31a_metrics.model import ToolMetric
from m31a_metrics.session import Session
from tests.crash.disks import Disk

ID = "power"

Acknowledge = Callable[[int], None]
Scenario = Callable[[str, Acknowledge], object]


def calls(metrics: SessionMetrics | None) -> int:
    """How many calls a session counts; none where there is no session."""
    return sum(tool.call_count for tool in metrics.tools) if metrics else 0


def record_and_flush(directory: str, acknowledge: Acknowledge) -> None:
    """A Collector that flushes now and then, and stops."""
    collector = Collector(ID, directory, enabled=True)
    for round_ in range(1, 4):
        for number in range(60):
            collector.record_tool_call("Bash", number % 7 > 0, number)
        collector.record_llm_interaction("plan", Usage(5, 5), 0.25)
        assert collector.flush()
        acknowledge(60 * round_)
    collector.record_tool_call("Bash", True, 1)
    collector.stop()
    acknowledge(181)


def record_ids(directory: str, acknowledge: Acknowledge) -> None:
    """Events with ids, some of them told twice, by a Collector and by short-lived commands."""
    collector = Collector(ID, directory, enabled=True)
    session = Session(directory, ID)
    for round_ in range(3):
        for number in range(round_ * 10, round_ * 10 + 15):
            collector.record(ToolCall(number, "Bash", True, 1, id=f"id-{number}"))
        session.append([ToolCall(3, "Bash", True, 1, id="id-3")])
        assert collector.flush()
        acknowledge(round_ * 10 + 15)
    collector.stop()


def continue_m31as(directory: str, acknowledge: Acknowledge) -> None:
    """A session that M31A wrote is continued."""
    save(directory, ID, SessionMetrics(ID, tools=[ToolMetric("Bash", 7, 7, 0, 70, 10.0)]))
    acknowledge(7)
    with Collector(ID, directory, enabled=True) as collector:
        collector.record_tool_call("Bash", True, 5)
        assert collector.flush()
        acknowledge(8)
        collector.record_tool_call("Bash", True, 5)
    acknowledge(9)


def record_commands(directory: str, acknowledge: Acknowledge) -> None:
    """`m31 record`, again and again."""
    for number in range(1, 6):
        session = Session(directory, ID)
        session.append([ToolCall(number, "Deploy", True, 1)])
        session.refresh()
        acknowledge(number)


def record_side_by_side(directory: str, acknowledge: Acknowledge) -> None:
    """Two Collectors and short-lived commands flush by turns, each for all."""
    one, two = (Collector(ID, directory, enabled=True) for _ in range(2))
    session = Session(directory, ID)
    done = 0
    for collector in (one, two, one, two):
        for each in (one, two):
            each.record_tool_call("Bash", True, 1)
        session.append([ToolCall(5, "Deploy", True, 1)])
        done += 3
        assert collector.flush()
        acknowledge(done)
    one.stop()
    two.stop()


SCENARIOS: list[Scenario] = [
    record_and_flush,
    record_ids,
    continue_m31as,
    record_commands,
    record_side_by_side,
]


class Outage:
    """Lets the power fail at moments of a scenario, and looks at what is left each time."""

    def __init__(self, disk: Disk, to: Path, chance: random.Random, every: int) -> None:
        self.acknowledged = 0
        self.looks = 0
        self._disk = disk
        self._to = to
        self._chance = chance
        self._every = every
        self._is_looking = False
        disk.at_moment = self._at_moment

    def acknowledge(self, count: int) -> None:
        """From here on so many calls must be there whatever happens."""
        self.acknowledged = count
        self._look()

    def _at_moment(self) -> None:
        if self._chance.randrange(self._every) == 0:
            self._look()

    def _look(self) -> None:
        if self._is_looking:
            return  # these calls are the look's own
        self._is_looking = True
        try:
            share = self._chance.choice([0.0, 0.2, 0.5, 0.8, 1.0])
            found = self._disk.survivors(self._chance, self._to / str(self.looks), share)
            self.looks += 1
            check(found, self.acknowledged)
            shutil.rmtree(found)
        finally:
            self._is_looking = False


def check(found: Path, acknowledged: int) -> None:
    """Readers find what was acknowledged, and whoever writes next takes none of it away."""
    left = load(found, ID)
    counted = calls(left)
    assert counted >= acknowledged
    if left is not None:
        recording = read_recording(Session(str(found), ID))
        assert recording is not None
        row = recording.summed(lambda _: None)
        assert sum(tool.call_count for tool in row.tools) == counted
    for number in (1, 2):
        with Collector(ID, found, enabled=True) as collector:
            collector.record_tool_call("Bash", True, 1)
            assert calls(collector.snapshot()) == counted + number
        assert calls(load(found, ID)) == counted + number
    # Whoever reads everything finds no less.
    (found / ID / "events" / ".covered").unlink()
    assert calls(load(found, ID)) == counted + 2


def outages(scenario: Scenario, tmp_path: Path, seed: int, every: int, deaf_to: str = "") -> int:
    """Let the power fail again and again while a scenario runs; return how often it did."""
    root = tmp_path / f"disk-{seed}"
    root.mkdir()
    copies = tmp_path / f"copies-{seed}"
    copies.mkdir()
    disk = Disk(root, deaf_to)
    outage = Outage(disk, copies, random.Random(seed), every)
    with pytest.MonkeyPatch.context() as patch:
        disk.listen(patch)
        scenario(str(root), outage.acknowledge)
    disk.close()
    return outage.looks


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_what_was_acknowledged_survives(tmp_path: Path, scenario: Scenario) -> None:
    """Whatever of the unsynced reached the disk: a flush's word holds."""
    assert outages(scenario, tmp_path, 1, 12) > 5


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_disk_that_does_not_obey(tmp_path: Path, scenario: Scenario) -> None:
    """Journals are lost in spite of their sync: the figures of METRICS.json stand."""
    assert outages(scenario, tmp_path, 2, 12, ".jsonl") > 5


@pytest.mark.soak
@pytest.mark.parametrize("deaf_to", ["", ".jsonl"], ids=["obeying", "deaf"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_hundreds_of_outages(tmp_path: Path, scenario: Scenario, deaf_to: str) -> None:
    """The same at every call to the disk, in many ways each."""
    looks = sum(outages(scenario, tmp_path, seed, 1, deaf_to) for seed in range(10, 15))
    print(f"\n{scenario.__name__}: {looks} power failures, nothing acknowledged lost")  # noqa: T201 - soak figures go into docs/performance.md


# ---- what a disk leaves of a journal


def flushed(directory: Path, number: int = 1_000) -> tuple[Session, Path]:
    """A session whose recorder was killed after a flush, and its journal."""
    collector = Collector(ID, directory)
    for _ in range(number):
        collector.record_tool_call("Bash", True, 5)
    assert collector.flush()
    session = Session(str(directory), ID)
    (path,) = Path(session.events).glob("*.jsonl")
    copy = directory.parent / "copy"
    shutil.copytree(directory, copy)
    collector.stop()
    shutil.rmtree(directory)
    copy.rename(directory)
    return session, path


def half(path: Path) -> None:
    """The first pages were written back, the last ones were not."""
    data = path.read_bytes()
    path.write_bytes(data[:45_056].ljust(len(data), b"\0"))


def short(path: Path) -> None:
    """Its new length never reached the disk."""
    os.truncate(path, 40_000)


def zeros(path: Path) -> None:
    """Nothing but its length did."""
    path.write_bytes(bytes(path.stat().st_size))


def hole(path: Path) -> None:
    """A page in the middle did not."""
    data = path.read_bytes()
    path.write_bytes(data[:8_192] + bytes(4_096) + data[12_288:])


LEFT: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "half": half,
    "short": short,
    "gone": lambda path: path.unlink(),
    "zeros": zeros,
    "hole": hole,
}


@pytest.mark.parametrize("left", LEFT)
@pytest.mark.parametrize("noted", [True, False])
def test_what_is_left_of_a_journal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, left: str, noted: bool
) -> None:
    """It is named by whoever looks, the larger figures stay, and doctor makes them last."""
    session, path = flushed(tmp_path / "sessions")
    LEFT[left](path)
    if not noted:
        Path(session.events, ".covered").unlink()
    is_told = noted or left != "gone"  # a METRICS.json without journals is a session, too
    assert calls(session.load()) == calls(session.count().tally.metrics("")) == 1_000
    recording = read_recording(session)
    assert recording is not None
    row = recording.summed(lambda _: None)
    assert sum(tool.call_count for tool in row.tools) == 1_000
    assert bool(damage(row)) == is_told
    following = session.follow()
    following.look()
    assert calls(following.metrics()) == 1_000
    assert bool([one for one in examine(session) if "has lost" in one.problem]) == is_told
    with Collector(ID, tmp_path / "sessions") as collector:
        collector.record_tool_call("Bash", True, 5)
        assert calls(collector.snapshot()) == 1_001
    assert calls(session.load()) == 1_001
    if left != "hole":
        assert bool(caplog.messages) == is_told
    for one in examine(session, fix=True):
        assert one.done
    assert examine(session) == []
    assert calls(session.load()) == 1_001
    for name in ("METRICS.json", "events/.covered"):
        Path(session.directory, name).unlink()
    assert calls(session.load()) == 1_001


@pytest.mark.parametrize("left", ["empty", "gone", "zeros", "half"])
def test_what_is_left_of_the_shared_journal(tmp_path: Path, left: str) -> None:
    """Short-lived commands go on appending to what is left, and what they add counts."""
    session = Session(str(tmp_path), ID)
    for number in range(5):
        session.append([ToolCall(10 + number, "Deploy", True, 1)])
    session.refresh()
    path = Path(session.events, "hooks.jsonl")
    data = path.read_bytes()
    if left == "half":
        lines = data.splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:5]))
    else:
        LEFT[left](path)
    assert calls(session.load()) == 5
    session.append([ToolCall(20, "Deploy", True, 1)])
    assert calls(session.load()) == 6
    session.refresh()
    assert calls(session.load()) == 6
    while path.stat().st_size <= len(data):
        session.append([ToolCall(30, "Deploy", True, 1)])
        session.refresh()
    counted = calls(session.load())
    Path(session.events, ".covered").unlink()
    assert calls(session.load()) == counted == calls(session.fold().metrics(""))
    examine(session, fix=True)
    assert examine(session) == []
    assert calls(session.load()) == counted
