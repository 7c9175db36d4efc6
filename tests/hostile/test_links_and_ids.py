"""Links, pipes and directories where our files belong, ids that lead elsewhere, odd numbers."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics import (
    Collector,
    ForeignFile,
    InvalidSessionId,
    MetricsError,
    SessionMetrics,
    Usage,
    load,
    save,
)
from m31a_metrics.events import ToolCall
from m31a_metrics.session import Session

ID = "linked"


def fifo(path: Path) -> None:
    """A pipe, which would keep a reader waiting and swallow what is written."""
    os.mkfifo(path)


def dangling(path: Path) -> None:
    """A link to nowhere, which a careless writer would make a file of."""
    path.symlink_to(path.parent / "made-by-mistake")


def directory(path: Path) -> None:
    """A directory with something in it."""
    path.mkdir()
    (path / "precious").write_text("mine")


THINGS = [fifo, dangling, directory]
FILES = ["METRICS.json", "events", "events/base.json", "events/.covered", "events/.lock"]
FILES += ["events/hooks.jsonl", "events/1-0123abcd.jsonl"]


def tree(path: Path) -> dict[str, str]:
    """What is there, links not followed: names, and what kind of thing each is."""
    return {
        str(one.relative_to(path)): f"{os.lstat(one).st_mode:o}"
        for one in path.rglob("*")
        if not one.name.endswith(".tmp")
    }


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A session of one call that a Collector recorded."""
    with Collector(ID, tmp_path) as collector:
        collector.record_tool_call("Bash", True, 1)
    return Session(str(tmp_path), ID)


@pytest.mark.parametrize("make", THINGS)
@pytest.mark.parametrize("name", FILES)
def test_things_in_place_of_files(
    session: Session, tmp_path: Path, warnings: list[str], name: str, make: Callable[[Path], None]
) -> None:
    """No call follows, empties or hangs on them; each ends well or names the thing."""
    path = Path(session.directory) / name
    if path.is_dir():
        os.rename(path, tmp_path / "elsewhere")
    path.unlink(missing_ok=True)
    make(path)
    kind = os.lstat(path).st_mode
    for call in (
        session.load,
        session.detail,
        session.flush,
        lambda: session.append([ToolCall(1, "Bash", True, 1)]),
        lambda: save(tmp_path, ID, SessionMetrics()),
    ):
        try:
            call()
        except MetricsError as error:
            assert session.directory in str(error)
    with Collector(ID, tmp_path) as collector:
        collector.record_tool_call("Bash", True, 1)
    assert len(warnings) <= 1
    assert all(session.directory in text for text in warnings)
    assert not (path.parent / "made-by-mistake").exists()
    if make is directory:
        assert (path / "precious").read_text() == "mine"
    elif name not in ("METRICS.json", "events/.covered"):
        assert os.lstat(path).st_mode == kind  # those two may be replaced, never followed


@pytest.mark.parametrize("name", FILES[:2])
def test_the_thing_is_named(session: Session, name: str) -> None:
    """The message says which path is a link and what to do about it."""
    path = Path(session.directory) / name
    os.rename(path, path.with_name("aside"))
    path.symlink_to("aside")
    with pytest.raises(ForeignFile, match=f"^{path} is a symbolic link, .*; move it|remove it"):
        session.load()


def test_a_link_in_place_of_the_session(
    session: Session, tmp_path: Path, warnings: list[str]
) -> None:
    """A session directory that is a link is neither read nor written through."""
    (tmp_path / "alias").symlink_to(ID)
    before = tree(tmp_path)
    with pytest.raises(ForeignFile, match="alias is a symbolic link"):
        load(tmp_path, "alias")
    with pytest.raises(ForeignFile, match="alias is a symbolic link"):
        save(tmp_path, "alias", SessionMetrics())
    with Collector("alias", tmp_path) as collector:
        collector.record_tool_call("Bash", True, 1)
        assert collector.snapshot().tools[0].call_count == 1
    assert len(warnings) == 1
    assert "alias is a symbolic link" in warnings[0]
    assert tree(tmp_path) == before


def test_a_file_in_place_of_the_session(tmp_path: Path, warnings: list[str]) -> None:
    """A plain file where the session or all sessions should be stays as it is."""
    (tmp_path / "file").write_text("mine")
    with Collector("file", tmp_path) as collector:
        collector.record_tool_call("Bash", True, 1)
    with Collector(ID, tmp_path / "file") as collector:
        collector.record_tool_call("Bash", True, 1)
    assert len(warnings) == 2
    for sessions_dir, name in ((tmp_path, "file"), (tmp_path / "file", ID)):
        with pytest.raises(MetricsError, match=f"{tmp_path}/file"):
            load(sessions_dir, name)
    assert (tmp_path / "file").read_text() == "mine"
    assert tree(tmp_path).keys() == {"file"}


BAD_IDS = ["../x", "..", ".", "", "a/b", "/etc/x", "a" * 129, "a\0b", "\0", "-x", "ä", " "]


@pytest.mark.parametrize("session_id", BAD_IDS)
@pytest.mark.parametrize("enabled", [True, False])
def test_bad_ids(tmp_path: Path, session_id: str, enabled: bool) -> None:
    """No door takes an id that could lead out of the directory, and nothing is made."""
    home = tmp_path / "a" / "b"
    doors: list[Callable[[], object]] = [
        lambda: Collector(session_id, home, enabled=enabled),
        lambda: load(home, session_id),
        lambda: save(home, session_id, SessionMetrics()),
        lambda: Session(str(home), session_id),
    ]
    for door in doors:
        with pytest.raises(InvalidSessionId, match="cannot name a directory"):
            door()
        with pytest.raises(ValueError, match="session id"):
            door()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("session_id", [None, 5, b"x", True])
def test_ids_that_are_no_strings(tmp_path: Path, session_id: Any) -> None:
    """A TypeError names the argument."""
    with pytest.raises(TypeError, match="session_id"):
        Collector(session_id, tmp_path)


def test_the_id_inside_a_file_is_data(tmp_path: Path) -> None:
    """Whatever M31A wrote as `session_id`, it is loaded, kept, and leads nowhere."""
    metrics = SessionMetrics("../../etc/passwd")
    save(tmp_path, ID, metrics)
    with Collector(ID, tmp_path) as collector:
        collector.record_tool_call("Bash", True, 1)
    loaded = load(tmp_path, ID)
    assert loaded is not None
    assert loaded.session_id == "../../etc/passwd"
    assert [path.name for path in tmp_path.iterdir()] == [ID]


class Float64(float):
    """As numpy's float64: a float that is not exactly one."""

    def __repr__(self) -> str:
        return f"np.float64({float(self)})"


class Int(int):
    """An int that is not exactly one."""


NUMBERS: list[Any] = [math.nan, math.inf, -math.inf, Float64("nan"), 2**53 + 1, 1e300, 10**400]
OTHERS: list[Any] = [True, False, None, "12", b"1", [1], Fraction(1, 2), 1j, object()]


@pytest.fixture
def collector(tmp_path: Path) -> Collector:
    """A Collector that has recorded one call of each outcome, so that its hot path is hot."""
    collector = Collector(ID, tmp_path)
    collector.record_tool_call("Bash", True, 1)
    collector.record_tool_call("Bash", False, 1)
    return collector


def refused(collector: Collector, number: Any, argument: str, call: Callable[[], object]) -> None:
    """Expect an error that names the argument, and no change, in memory or on disk."""
    before = collector.snapshot()
    journal = Path(collector._writer.journal.path) if collector._writer.journal else Path()
    lines = journal.read_bytes()
    expected = TypeError if any(number is one for one in OTHERS) else ValueError
    with pytest.raises(expected, match=argument):
        call()
    assert collector.snapshot() == before
    assert journal.read_bytes() == lines


@pytest.mark.parametrize("number", [*NUMBERS, *OTHERS])
def test_impossible_durations(collector: Collector, number: Any) -> None:
    """NaN, infinities, numbers beyond 2**53, booleans and other types name the argument."""
    refused(
        collector, number, "duration_ms", lambda: collector.record_tool_call("Bash", True, number)
    )
    refused(
        collector, number, "duration_ms", lambda: collector.record_tool_call("New", False, number)
    )
    refused(
        collector, number, "duration_ms", lambda: collector.record_phase_duration("p", number, True)
    )
    if number is not None:
        refused(
            collector,
            number,
            "wait_ms",
            lambda: collector.record_tool_call("Bash", True, 1, wait_ms=number),
        )
        refused(
            collector,
            number,
            "duration_ms",
            lambda: collector.record_heal_outcome("p", True, number),
        )


@pytest.mark.parametrize("cost", [math.nan, math.inf, -math.inf, 1e16, 10**400, *OTHERS])
def test_impossible_costs(collector: Collector, cost: Any) -> None:
    """The same of costs, but for None, which means that nobody knows it."""
    if cost is not None:
        call = lambda: collector.record_llm_interaction("p", Usage(1, 1), cost)  # noqa: E731 - one line
        refused(collector, cost, "cost", call)


def test_numbers_that_are_almost_plain(collector: Collector, tmp_path: Path) -> None:
    """Subclasses of float and int count as the numbers that they are, in memory and on disk."""
    collector.record_tool_call("Numpy", True, Float64(2.5))
    collector.record_tool_call("Numpy", True, Float64(1.25))
    collector.record_tool_call("Numpy", True, Int(3))
    collector.record_llm_interaction("p", Usage(1, 1), Float64(0.5))
    live = collector.snapshot()
    assert live.tools[1].total_duration_ms == 2 + 1 + 3
    assert live.llms[0].cost == 0.5
    assert load(tmp_path, ID) == live
    assert collector.flush()
    assert load(tmp_path, ID) == live


@pytest.mark.parametrize("name", ["", None, 5, b"Bash", ["Bash"], {}])
def test_impossible_names(collector: Collector, name: Any) -> None:
    """An empty name, or one that is no string (nor hashable), names the argument."""
    before = collector.snapshot()
    with pytest.raises(ValueError if name == "" else TypeError, match="name"):
        collector.record_tool_call(name, True, 1)
    assert collector.snapshot() == before


@pytest.mark.parametrize(
    "name", ["a\nb", 'a"b', "a\0b", "\u2028", "\ud800", "é", "💥", "{", "}" * 9]
)
def test_names_that_need_care(collector: Collector, tmp_path: Path, name: str) -> None:
    """Line ends, quotes, braces and lone surrogates in a name keep every line whole."""
    for success in (True, False, True, False):
        collector.record_tool_call(name, success, 1)
    live = collector.snapshot()
    assert live.tools[1].call_count == 4
    assert load(tmp_path, ID) == live
    collector.stop()
    assert load(tmp_path, ID) == live
