"""Who runs where, and under which labels: said in the first event, and kept by the session."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics import Collector, events
from m31a_metrics.catalog.records import read_recording
from m31a_metrics.errors import StorageError
from m31a_metrics.events import SessionStart, encode
from m31a_metrics.record import SessionRecord
from m31a_metrics.session import Session
from m31a_metrics.validation import LABELS_MAX
from tests import children

Warnings = Callable[[], list[str]]

SAID: dict[str, Any] = {
    "project": "/src/shop",
    "branch": "main",
    "agent": "my-bot",
    "labels": {"prompt": "b", "temperature": "0.7"},
}


def record(directory: Path, session_id: str = "one") -> SessionRecord:
    """The session as the index is told of it."""
    found = read_recording(Session(str(directory), session_id))
    assert found is not None
    return found.summed(lambda _: None)


def facts(of: SessionRecord) -> dict[str, Any]:
    """What a Collector can say of a session."""
    return {name: getattr(of, name) for name in SAID}


def starts(directory: Path) -> list[SessionStart]:
    """The events with which the journals of the session begin."""
    journals = Session(str(directory), "one").parts().journals
    found = [journal.events[0] for journal in journals]
    assert all(isinstance(event, SessionStart) for event in found)
    return [event for event in found if isinstance(event, SessionStart)]


def test_what_is_said_stands_in_the_first_event(tmp_path: Path) -> None:
    """One `session_start` has it all, and the session is known by it."""
    with Collector("one", tmp_path, **SAID) as collector:
        collector.record_tool_call("Bash", True, 5)
    (start,) = starts(tmp_path)
    assert {name: getattr(start, name) for name in SAID} == SAID
    assert facts(record(tmp_path)) == SAID


def test_nothing_said_leaves_the_event_as_it_was(tmp_path: Path) -> None:
    """Without arguments, and with no labels in the dict, the line has a time and no more."""
    with Collector("one", tmp_path, labels={}):
        pass
    (start,) = starts(tmp_path)
    assert encode(start) == b'{"event":"session_start","t_us":%d}' % start.t_us
    assert facts(record(tmp_path)) == {"project": "", "branch": "", "agent": "m31a", "labels": {}}


def test_what_was_said_first_stays(tmp_path: Path) -> None:
    """A later Collector adds the labels that are missing, and changes none."""
    for labels, branch in (({"prompt": "a"}, None), ({"prompt": "b", "team": "x"}, "fix")):
        with Collector("one", tmp_path, branch=branch, labels=labels) as collector:
            collector.record_tool_call("Bash", True, 5)
    assert record(tmp_path).labels == {"prompt": "a", "team": "x"}
    assert record(tmp_path).branch == "fix"


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_order_of_arrival_does_not_matter(tmp_path: Path, order: tuple[int, ...]) -> None:
    """The earliest word for each fact counts, in whatever order the events were written."""
    said = [
        SessionStart(1, agent="a", labels={"prompt": "a"}),
        SessionStart(2, agent="b", branch="main", labels={"prompt": "b", "team": "x"}),
        SessionStart(2, branch="fix", labels={"team": "y"}),
    ]
    session = Session(str(tmp_path), "one")
    for place in order:
        if place < 2:
            session.append([said[place]])
        else:
            # A writer of its own, whose name comes last at equal times.
            (tmp_path / "one" / "events").mkdir(parents=True, exist_ok=True)
            path = tmp_path / "one" / "events" / "zz.jsonl"
            path.write_bytes(encode(said[2]) + b"\n")
    found = record(tmp_path)
    assert (found.agent, found.branch) == ("a", "main")
    assert found.labels == {"prompt": "a", "team": "x"}


def test_a_forked_child_says_it_too(tmp_path: Path) -> None:
    """The child's own journal begins with the same, in case the parent's is lost."""
    with Collector("one", tmp_path, **SAID) as collector:

        def child() -> None:
            collector.record_tool_call("Bash", True, 5)
            collector.stop()

        assert children.run(child) == 0
    assert [start.labels for start in starts(tmp_path)] == [SAID["labels"]] * 2


def test_what_a_full_disk_did_not_take_is_said_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal that a flush begins for what was in memory says it before the sums."""

    def fails(_: Session) -> None:
        raise StorageError("no space left")

    with monkeypatch.context() as full:
        full.setattr(Session, "begin_journal", fails)
        collector = Collector("one", tmp_path, **SAID)
        collector.record_tool_call("Bash", True, 5)
    collector.stop()
    (journal,) = Session(str(tmp_path), "one").parts().journals
    assert [type(event) for event in journal.events] == [SessionStart, events.Counts]
    assert facts(record(tmp_path)) == SAID
    assert record(tmp_path).tools[0].call_count == 1


def test_without_a_journal_they_are_not_kept(tmp_path: Path, warnings: Warnings) -> None:
    """METRICS.json has no place for them, which one warning says."""
    with Collector("one", tmp_path, journal=False, **SAID) as collector:
        collector.record_tool_call("Bash", True, 5)
    assert record(tmp_path).labels == {}
    assert warnings() == [
        "project, branch, agent and labels of one are not kept, for that takes a journal"
    ]


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"project": 3}, TypeError, "project must be a str"),
    ({"project": ""}, ValueError, "project must not be empty"),
    ({"project": "x" * 4097}, ValueError, "project must be at most 4,096"),
    ({"branch": "a\nb"}, ValueError, "branch must have no control characters"),
    ({"branch": "x" * 256}, ValueError, "branch must be at most 255"),
    ({"agent": "my bot"}, ValueError, "agent must be at most 64 letters"),
    ({"agent": "-bot"}, ValueError, "begin with a letter or digit"),
    ({"labels": [("prompt", "b")]}, TypeError, "labels must be a mapping"),
    ({"labels": {1: "b"}}, TypeError, "labels' names must be a str"),
    ({"labels": {"": "b"}}, ValueError, "labels' names must not be empty"),
    ({"labels": {"a=b": "b"}}, ValueError, "labels' names must be at most 40 letters"),
    ({"labels": {"x" * 41: "b"}}, ValueError, "labels' names must be at most 40 letters"),
    ({"labels": {"prompt": 3}}, TypeError, r"labels\['prompt'\] must be a str"),
    ({"labels": {"prompt": ""}}, ValueError, r"labels\['prompt'\] must not be empty"),
    ({"labels": {"prompt": "x" * 101}}, ValueError, r"labels\['prompt'\] must be at most 100"),
    ({"labels": {"prompt": "a\x1bb"}}, ValueError, "no control characters"),
    ({"labels": {"prompt": "a\u202eb"}}, ValueError, "no control characters"),
    ({"labels": {"prompt": "a,b"}}, ValueError, "no comma"),
    ({"labels": {"prompt": " a"}}, ValueError, "no space at its ends"),
    (
        {"labels": {f"n{at}": "x" for at in range(LABELS_MAX + 1)}},
        ValueError,
        "labels must be at most 16, not 17",
    ),
]


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize(("arguments", "kind", "words"), WRONG)
def test_wrong_arguments_raise_and_change_nothing(
    tmp_path: Path,
    arguments: dict[str, Any],
    kind: type[Exception],
    words: str,
    *,
    enabled: bool,
) -> None:
    """Each names its argument, of a Collector that is switched off no less."""
    with pytest.raises(kind, match=words):
        Collector("one", tmp_path, enabled=enabled, **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_journal_that_says_too_much_is_bounded(tmp_path: Path) -> None:
    """Labels that no Collector takes are passed over; of too many the first count."""
    many = {f"n{at:02}": "x" for at in range(LABELS_MAX)}
    start = SessionStart(1, labels={"a b": "x", "ok": "a\nb", "long": "x" * 101, **many, "z": "z"})
    Session(str(tmp_path), "one").append([start])
    assert record(tmp_path).labels == many


def test_the_bounds_are_of_characters(tmp_path: Path) -> None:
    """As many labels as may be, each as long as may be, are kept whole."""
    labels = {f"{at:x}" * 40: "ä" * 100 for at in range(LABELS_MAX)}
    with Collector("one", tmp_path, labels=labels, project="p" * 4096):
        pass
    assert record(tmp_path).labels == labels
