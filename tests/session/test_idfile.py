"""`.ids`: what was written is found, whatever is not ours is noticed."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m31a_metrics import Collector, events
from m31a_metrics.events import ToolCall
from m31a_metrics.session import IDS, Session, idfile
from m31a_metrics.session.covered import Run
from m31a_metrics.session.idfile import CountedIds
from m31a_metrics.tally import Ids, hashed

ID = "session"


def ids_of(items: dict[int, int]) -> Ids:
    """Ids in memory."""
    ids = Ids()
    for key, t_us in items.items():
        ids.take(key, t_us)
    return ids


def never() -> Ids:
    """Fail where the journals would be read."""
    raise AssertionError("the file should have been enough")


def written(directory: Path, *parts: dict[int, int]) -> list[Run]:
    """The runs of a file to which these were added one after another."""
    runs: list[Run] = []
    for part in parts:
        runs = CountedIds(str(directory), runs, never).add(ids_of(part))
    return runs


keys = st.integers(0, 2**64 - 1) | st.integers(0, 3) | st.integers(2**64 - 4, 2**64 - 1)
parts = st.lists(st.dictionaries(keys, st.integers(0, 2**58), max_size=600), max_size=5)


@settings(max_examples=40, deadline=None)
@given(parts, st.lists(keys), st.sampled_from([2, 32]))
def test_what_was_written_is_found(
    tmp_path_factory: pytest.TempPathFactory,
    added: list[dict[int, int]],
    others: list[int],
    runs_max: int,
) -> None:
    """In any number of runs, merged or not: each id with the time of its first run."""
    directory = tmp_path_factory.mktemp("ids")
    expected: dict[int, int] = {}
    fresh = []
    for part in added:
        fresh.append({key: t_us for key, t_us in part.items() if key not in expected})
        expected |= fresh[-1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(idfile, "_RUNS_MAX", runs_max)
        ids = CountedIds(str(directory), written(directory, *fresh), never)
    for key in (*expected, *others):
        assert ids.get(key) == expected.get(key)


def test_a_look_up_reads_a_few_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 200,000 ids three or four blocks of 4 KiB, and not the file."""
    chance = random.Random(1)
    items = {chance.getrandbits(64): number for number in range(200_000)}
    ids = CountedIds(str(tmp_path), written(tmp_path, items), never)
    reads = 0
    pread = os.pread

    def counted(descriptor: int, size: int, at: int) -> bytes:
        nonlocal reads
        reads += 1
        assert size == 4096
        return pread(descriptor, size, at)

    monkeypatch.setattr(os, "pread", counted)
    asked = [*list(items)[:500], *(chance.getrandbits(64) for _ in range(500))]
    assert [ids.get(key) for key in asked] == [items.get(key) for key in asked]
    assert reads < 4 * len(asked)


def flip(data: bytes, at: int) -> bytes:
    """Change one bit."""
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


@pytest.mark.parametrize("damage", ["gone", "empty", "short", "flipped", "another's"])
def test_a_file_of_no_use(tmp_path: Path, damage: str) -> None:
    """Whatever became of it: the ids are read from the journals, and the file is made anew."""
    items = {hashed(f"id-{number}"): number for number in range(1_000)}
    runs = written(tmp_path, items)
    path = tmp_path / IDS
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "another's":
        written(tmp_path, items)
    else:
        path.write_bytes(
            {"empty": b"", "short": data[:-4096], "flipped": flip(data, 5_000)}[damage]
        )
    derived: list[int] = []

    def derive() -> Ids:
        derived.append(1)
        return ids_of(items)

    ids = CountedIds(str(tmp_path), runs, derive)
    assert [ids.get(key) for key in items] == list(items.values())
    assert derived == [1]
    again = CountedIds(str(tmp_path), ids.add(ids_of({7: 7})), never)
    assert [again.get(key) for key in (7, *items)] == [7, *items.values()]


def test_writing_to_a_file_of_no_use(tmp_path: Path) -> None:
    """Found out when a run is added: the ids come from the journals."""
    items = {hashed(f"id-{number}"): number for number in range(1_000)}
    runs = written(tmp_path, items, {1: 1})
    (tmp_path / IDS).write_bytes(b"")
    ids = CountedIds(str(tmp_path), runs, lambda: ids_of(items))
    again = CountedIds(str(tmp_path), ids.add(ids_of({7: 7})), never)
    assert [again.get(key) for key in (7, *items)] == [7, *items.values()]


def call(name: str, t_us: int = 5) -> ToolCall:
    """An event with an id."""
    return events.ToolCall(t_us, "Bash", True, 1, id=name)


@pytest.mark.parametrize("damaged", [False, True])
def test_an_id_counts_once_across_processes(tmp_path: Path, damaged: bool) -> None:
    """The next recorder refuses what METRICS.json counts, and a flush what others repeat."""
    with Collector(ID, tmp_path) as collector:
        for number in range(300):
            collector.record(call(f"id-{number}"))
    session = Session(str(tmp_path), ID)
    if damaged:
        Path(session.events, IDS).write_bytes(b"?" * 9_000)
    with Collector(ID, tmp_path) as collector:
        for number in range(295, 305):
            collector.record(call(f"id-{number}"))
        assert collector.snapshot().tools[0].call_count == 305
        session.append([call("id-3"), call("id-304"), call("id-305")])
    metrics = session.load()
    assert metrics is not None
    assert metrics.tools[0].call_count == 306
    assert session.fold().metrics(ID).tools == metrics.tools


def test_what_was_flushed_is_not_kept_in_memory(tmp_path: Path) -> None:
    """A Collector forgets the ids that are in the file, and still refuses them."""
    with Collector(ID, tmp_path) as collector:
        for _ in range(3):
            for number in range(100):
                collector.record(call(f"id-{number}"))
            assert collector.flush()
            assert len(collector._writer.tally.ids) == 0
        assert collector.snapshot().tools[0].call_count == 100


def test_an_earlier_event_takes_the_place_of_a_later_one(tmp_path: Path) -> None:
    """Found in a later flush, in another journal: METRICS.json counts the earlier one."""
    with Collector(ID, tmp_path) as collector:
        collector.record(events.ToolCall(9, "late", True, 1, id="x"))
        assert collector.flush()
        session = Session(str(tmp_path), ID)
        session.append([events.ToolCall(3, "early", True, 1, id="x")])
        for _ in range(2):
            assert collector.flush()
            metrics = session.load()
            assert metrics is not None
            assert [tool.name for tool in metrics.tools] == ["early"]
            assert collector.snapshot() == metrics
