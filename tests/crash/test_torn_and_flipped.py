"""Damaged files: bits flipped, bytes lost or doubled, ends torn off, at random.

Whatever happens to a file of a session, reading and continuing the session ends well or
with a MetricsError that names a file, and what the undamaged files hold is still there.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from m31a_metrics import (
    Collector,
    LLMMetric,
    MetricsError,
    PhaseMetric,
    SessionMetrics,
    Usage,
    journal,
    load,
    save,
)
from m31a_metrics import events as e
from m31a_metrics.checkup import examine
from m31a_metrics.events import Event
from m31a_metrics.model import ToolMetric
from m31a_metrics.session import Session

ID = "damaged"

Mutation = Callable[[bytes, random.Random], bytes]


def flip(data: bytes, chance: random.Random) -> bytes:
    """One bit the other way round."""
    changed = bytearray(data)
    changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut(data: bytes, chance: random.Random) -> bytes:
    """The end is missing."""
    return data[: chance.randrange(len(data))]


def lose(data: bytes, chance: random.Random) -> bytes:
    """A piece in the middle is missing."""
    at = chance.randrange(len(data))
    return data[:at] + data[at + chance.randrange(1, 40) :]


def insert(data: bytes, chance: random.Random) -> bytes:
    """A few bytes too many."""
    at = chance.randrange(len(data))
    return data[:at] + chance.randbytes(chance.randrange(1, 12)) + data[at:]


def double(data: bytes, chance: random.Random) -> bytes:
    """A piece stands there twice."""
    at = chance.randrange(len(data))
    end = at + chance.randrange(1, 200)
    return data[:end] + data[at:end] + data[end:]


def zero(data: bytes, chance: random.Random) -> bytes:
    """A block that never reached the disk."""
    at = chance.randrange(len(data))
    end = min(at + chance.randrange(1, 512), len(data))
    return data[:at] + bytes(end - at) + data[end:]


def enlarge(data: bytes, chance: random.Random) -> bytes:
    """A number that became absurd."""
    digits = [at for at in range(len(data)) if data[at : at + 1].isdigit()]
    if not digits:
        return flip(data, chance)
    at = chance.choice(digits)
    return data[:at] + chance.choice([b"9" * 400, b"-1e999", b"9" * 19, b"null"]) + data[at:]


MUTATIONS: list[Mutation] = [flip, flip, flip, cut, lose, insert, double, zero, enlarge]


def one_of_each() -> list[Event]:
    """Every event there is, one of them with an id, and the sums of a time without a disk."""
    metrics = SessionMetrics(
        ID,
        datetime(2026, 7, 1, tzinfo=UTC),
        datetime(2026, 7, 2, 3, 4, 5, 678, tzinfo=UTC),
        [ToolMetric("Bash", 3, 2, 1, 30, 10.0, unknown={"mine": [1, {"a": 2}]})],
        [LLMMetric("plan", 10, 20, 30, 0.25, 1, "ab12", True, 7)],
        [PhaseMetric("plan", 5, 1, 1, 1, True, 1, 1, 5, 1, 1, 1)],
        plan_outcomes=[{"outcome": "done", "at": "2026-07-01T00:00:00Z"}],
        startup={"ms": 12.5},
        unknown={"other": None},
    )
    usage = Usage(10, 5, 16, cache_read_tokens=3, reasoning_tokens=1)
    return [
        e.ToolCall(10, "Bash", True, 1.5, 7, "exit N"),
        e.LLMInteraction(11, "plan", usage, 0.125, "claude", 12, id="x1"),
        e.PhaseTransition(12, "plan"),
        e.PhaseDuration(13, "plan", 99.5, True),
        e.HealTrigger(14, "execute"),
        e.HealOutcome(15, "execute", False, 3),
        e.HealLoop(16, "execute"),
        e.BisectTrigger(17, "execute"),
        e.BisectOutcome(18, "execute", True),
        e.EditStrategy(19, "exact_match"),
        e.Compaction(20, "auto", 100, 50, 3),
        e.Subagent(21, "search", usage, 4.5, True),
        e.PermissionWait(22, 1000, "Bash", False),
        e.Counts(1_800_000_000_000_000, metrics),
    ]


@pytest.fixture(scope="module")
def undamaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session with a base, two journals, and a METRICS.json that lacks the latest events."""
    directory = tmp_path_factory.mktemp("undamaged")
    save(directory, ID, SessionMetrics(ID, tools=[ToolMetric("Bash", 7, 6, 1, 70, 10.0)]))
    with Collector(ID, directory) as collector:
        for event in one_of_each():
            collector.record(event)
        for number in range(20):
            collector.record_tool_call("Read", number % 3 != 0, number)
    session = Session(str(directory), ID)
    session.append([e.ToolCall(number, "Write", True, 1, id=f"w{number}") for number in range(5)])
    session.flush()
    session.append([e.ToolCall(number, "Late", True, 1) for number in range(5)])
    return directory


@pytest.fixture(autouse=True)
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """No power failure here: thousands of repetitions need not wait for the disk."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


class Case:
    """A copy of the undamaged session, one file of which is then damaged."""

    def __init__(self, undamaged: Path, directory: Path) -> None:
        shutil.copytree(undamaged, directory, dirs_exist_ok=True)
        self.directory = directory
        self.session = Session(str(directory), ID)
        self.root = directory / ID
        names = [
            "METRICS.json",
            *(f"events/{path.name}" for path in (self.root / "events").iterdir()),
        ]
        self.files = {name: (self.root / name).read_bytes() for name in sorted(names)}
        self.journal = next(name for name in self.files if name[-6] != "s" and ".jsonl" in name)

    def restore(self) -> None:
        """Put every file back, and take away what was made meanwhile."""
        for folder in (self.root, self.root / "events"):
            for path in folder.iterdir():
                name = str(path.relative_to(self.root))
                if path.is_file() and name not in self.files:
                    path.unlink()
        for name, data in self.files.items():
            (self.root / name).write_bytes(data)

    def damage(self, name: str, data: bytes) -> None:
        """Put back all files but one."""
        self.restore()
        (self.root / name).write_bytes(data)


def use(case: Case) -> None:
    """Everything one can do with a session; only MetricsErrors are allowed, that name a file."""
    uses: list[Callable[[], object]] = [
        lambda: load(case.directory, ID),
        case.session.detail,
        lambda: examine(case.session),
        case.session.flush,
        lambda: record_one(case),
        lambda: case.session.append([e.ToolCall(1, "Bash", True, 1)]),
        lambda: load(case.directory, ID),
        lambda: examine(case.session, fix=True),
    ]
    for one in uses:
        try:
            one()
        except MetricsError as error:
            assert str(case.root) in str(error)
    load(case.directory, ID)  # which a repair makes possible, whatever was damaged


def record_one(case: Case) -> None:
    """Continue the session. No damage is an exception to the host."""
    with Collector(ID, case.directory) as collector:
        collector.record_tool_call("Bash", True, 1)
        collector.snapshot()


def mutate_all(case: Case, repetitions: int, seed: int) -> None:
    """Damage one file after another in one way after another and use the session each time."""
    chance = random.Random(seed)
    names = [name for name in case.files if name != "events/.lock"]
    for _ in range(repetitions):
        name, mutation = chance.choice(names), chance.choice(MUTATIONS)
        case.damage(name, mutation(case.files[name], chance))
        use(case)


def test_no_damage_raises_anything_else(tmp_path: Path, undamaged: Path) -> None:
    """A hundred damaged sessions are read, continued, examined and repaired."""
    mutate_all(Case(undamaged, tmp_path), 100, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(4))
def test_thousands_of_damages_raise_nothing_else(
    tmp_path: Path, undamaged: Path, seed: int
) -> None:
    """The same, thousands of times."""
    mutate_all(Case(undamaged, tmp_path), 2500, seed=100 + seed)


@pytest.mark.parametrize("times", [60, pytest.param(1_000, marks=pytest.mark.soak)])
@pytest.mark.parametrize("name", ["METRICS.json", "events/.covered"])
def test_undamaged_journals_tell_all(
    tmp_path: Path, undamaged: Path, name: str, times: int
) -> None:
    """However METRICS.json or `.covered` are damaged, a load counts what it counted before."""
    case = Case(undamaged, tmp_path)
    expected = load(undamaged, ID)
    chance = random.Random(2)
    for _ in range(times):
        case.damage(name, chance.choice(MUTATIONS)(case.files[name], chance))
        assert load(tmp_path, ID) == expected
        case.session.flush()
        assert load(tmp_path, ID) == expected
        assert case.session.is_current()


def test_a_damaged_file_is_set_aside(tmp_path: Path, undamaged: Path) -> None:
    """A METRICS.json that cannot be read is kept beside the new one, byte for byte."""
    case = Case(undamaged, tmp_path)
    broken = case.files["METRICS.json"][:-20]
    case.damage("METRICS.json", broken)
    with Collector(ID, tmp_path):
        pass
    (aside,) = case.root.glob("METRICS.json.bad-*")
    assert aside.read_bytes() == broken


def test_a_flip_in_a_journal_costs_a_line_or_two(tmp_path: Path, undamaged: Path) -> None:
    """One flipped bit loses the line it hits (a newline: two), and the line is named."""
    case = Case(undamaged, tmp_path)
    whole = journal.read(case.session.events, Path(case.journal).name)
    lines = len(whole.events)
    assert (whole.damaged, lines) == (0, 35)
    chance = random.Random(3)
    for _ in range(300):
        case.damage(case.journal, flip(case.files[case.journal], chance))
        flipped = journal.read(case.session.events, whole.name)
        lost = lines - len(flipped.events)
        assert 0 <= lost <= 2
        if lost and flipped.damaged:
            assert flipped.reasons[0].startswith("line ")
        # Only at the end may a damaged line pass for one that a kill has torn.
        assert flipped.damaged or not lost or flipped.events[:1] == whole.events[:1]


def test_a_damaged_line_is_counted_and_named(tmp_path: Path, undamaged: Path) -> None:
    """The third and fourth line are damaged: two, by number, and all others count."""
    case = Case(undamaged, tmp_path)
    lines = case.files[case.journal].split(b"\n")
    lines[2] = lines[2].replace(b'"', b"'", 1)
    lines[3] = b"\xff" + lines[3]
    case.damage(case.journal, b"\n".join(lines))
    read = journal.read(case.session.events, Path(case.journal).name)
    assert read.damaged == 2
    assert [reason.partition(":")[0] for reason in read.reasons] == ["line 3", "line 4"]
    assert len(read.events) == 33
