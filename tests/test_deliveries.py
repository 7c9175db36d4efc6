from __future__ import annotations

import os
import stat
from array import array
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from m31a_metrics import deliveries
from m31a_metrics.active_time import MODEL_WAIT_US
from m31a_metrics.deliveries import Deliveries, Line, Sent
from m31a_metrics.errors import StorageError
from m31a_metrics.genai import Point
from m31a_metrics.spans import ENDED_AFTER_US, Prefix

ONE, TWO = "1" * 32, "2" * 32
_COST = [Point("m31a.cost", (("gen_ai.agent.name", "pi"),), 1, 0.5)]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "exports" / "otlp-1.jsonl")


def opened(path: str) -> Deliveries:
    return Deliveries(path, "http://there", 7)


def note(path: str, *lines: Line) -> None:
    sent = opened(path)
    for line in lines:
        sent.note(line)
    sent.close()


def of(path: str, session: str) -> Sent:
    sent = opened(path)
    sent.close()
    return sent.of(session)


def test_what_was_sent_is_known_to_the_next_process(path: str) -> None:
    """Ids and phases of a session that goes on add up; when it has ended they are its prefix."""
    note(path, Line(ONE, ids=deliveries.packed([5, 2**64 - 1]), phases=[(3, "plan")]))
    note(path, Line(ONE, "m", 9, ids=deliveries.packed([6])), Line(TWO, ids="garbage"))
    assert of(path, ONE) == Sent(
        "m", 9, None, Prefix(), array("Q", [5, 2**64 - 1, 6]), frozenset({(3, "plan")})
    )
    note(path, Line(ONE, "n", 11, ended_us=10, prefix=Prefix(3, 11)))
    assert of(path, ONE) == Sent("n", 11, 10, Prefix(3, 11))
    assert not of(path, TWO).ids


def test_metrics_move_with_what_was_sent(path: str) -> None:
    """Each line holds what it added, and the sums are those of all lines."""
    note(path, Line(ONE, points=_COST), Line(TWO, points=_COST))
    sent = opened(path)
    assert [(one.count, one.sum) for one in sent.measured.points()] == [(2, 1.0)]
    assert (sent.head.start_us, sent.head.destination) == (7, "http://there")
    sent.close()


def test_a_line_that_was_cut_off_costs_only_itself(path: str) -> None:
    """Killed while it wrote: what came before stands, and what comes after is whole."""
    note(path, Line(ONE, ids=deliveries.packed([5])), Line(TWO, ids=deliveries.packed([6])))
    file = Path(path)
    file.write_bytes(file.read_bytes()[:-9])
    note(path, Line(ONE, ids=deliveries.packed([8])))
    assert of(path, ONE).ids == array("Q", [5, 8])
    assert of(path, TWO) == Sent()


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe\n", b'{"format":99,"destination":"x"}\n'])
def test_a_file_of_nobody_knows_what_is_begun_anew(path: str, damage: bytes) -> None:
    """Nothing of it is believed, so that all is sent again: twice is better than never."""
    os.makedirs(os.path.dirname(path), mode=0o700)
    Path(path).write_bytes(damage)
    note(path, Line(ONE, ids=deliveries.packed([5])))
    assert of(path, ONE).ids == array("Q", [5])


def test_one_process_at_a_time_sends_to_a_destination(path: str) -> None:
    """A second one is told so, and not that it may send the same."""
    first = opened(path)
    with (
        ThreadPoolExecutor() as other,
        pytest.raises(StorageError, match="another process is sending to http://there"),
    ):
        other.submit(opened, path).result()
    first.close()
    opened(path).close()


def test_a_disk_that_refuses_is_told(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be kept is no success."""
    sent = opened(path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("m31a_metrics.store.write_all", full)
    with pytest.raises(StorageError, match="No space left"):
        sent.note(Line(ONE, ids=deliveries.packed([5])))
    assert sent.of(ONE) == Sent()
    monkeypatch.undo()
    sent.close()


def test_a_long_file_is_written_anew(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an ended session no longer needs goes; all that counts stays, sums too."""
    monkeypatch.setattr(deliveries, "_SPARE_BYTES", 1_000)
    ended = Line(ONE, "m", 9, ended_us=8, prefix=Prefix(400, 1), points=_COST)
    going = Line(TWO, ids=deliveries.packed([7]), phases=[(3, "plan")], points=_COST)
    ids = [Line(ONE, ids=deliveries.packed(range(at, at + 50))) for at in range(0, 400, 50)]
    note(path, *ids, ended, going)
    before = os.path.getsize(path)
    sent = opened(path)
    sent.close()
    assert os.path.getsize(path) < before / 4
    assert sent.of(ONE) == of(path, ONE) == Sent("m", 9, 8, Prefix(400, 1))
    assert of(path, TWO) == Sent("", 0, None, Prefix(), array("Q", [7]), frozenset({(3, "plan")}))
    again = opened(path)
    again.close()
    assert again.measured.points() == sent.measured.points()
    assert again.head == sent.head


def test_files_are_of_one_user_and_one_destination(path: str) -> None:
    """Mode 0600 in a folder of 0700; another address, or other headers, have another file."""
    opened(path).close()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
    names = {
        deliveries.path("/d", place, secret)
        for place in ("http://a", "http://b")
        for secret in ("", "key-of-one", "key-of-another")
    }
    assert len(names) == 6
    assert not any("key" in name for name in names)


def test_a_session_is_erased_with_the_sums_that_it_is_in(path: str) -> None:
    """The others stay; what metrics add up to begins anew, for names of tools are in it."""
    note(path, Line(ONE, "m", points=_COST), Line(TWO, "n", 4, ended_us=3, points=_COST))
    folder = os.path.dirname(path)
    assert deliveries.holding(folder, [ONE]) == [path]
    assert deliveries.erase(folder, [ONE], 99) == []
    assert deliveries.holding(folder, [ONE]) == []
    sent = opened(path)
    assert (sent.of(ONE), sent.of(TWO).ended_us) == (Sent(), 3)
    assert (sent.measured.points(), sent.head.start_us) == ([], 99)
    with ThreadPoolExecutor() as other:
        (remaining,) = other.submit(deliveries.erase, folder, [TWO], 99).result()
    assert "another process is sending" in remaining
    sent.close()


def test_a_session_is_due_when_it_changed_or_its_time_has_come() -> None:
    """What is kept back is sent ten minutes or an hour later, and then once."""
    sent = Sent("m", looked_us=1_000)
    assert sent.is_due("other", 1_000, 1_001)
    assert not sent.is_due("m", 1_000, 1_001)
    assert sent.is_due("m", 1_000, 1_000 + MODEL_WAIT_US)
    sent.looked_us += MODEL_WAIT_US
    assert not sent.is_due("m", 1_000, 2_000 + MODEL_WAIT_US)
    assert sent.is_due("m", 1_000, 1_000 + ENDED_AFTER_US)
    sent.ended_us = 1_000
    assert not sent.is_due("m", 1_000, 1_000 + ENDED_AFTER_US)
