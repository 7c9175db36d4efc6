"""Finding what is wrong with a session's directory, and repairing it without loss."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from m31a_metrics import Collector, LLMMetric, PhaseMetric, SessionMetrics, Usage, load, save
from m31a_metrics.checkup import Finding, examine, session_names
from m31a_metrics.codec import decode
from m31a_metrics.events import SessionStart, ToolCall
from m31a_metrics.model import ToolMetric
from m31a_metrics.session import Session
from tests import children

ID = "sick"


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A session in good order: a base, a closed journal, a shared one, METRICS.json."""
    base = SessionMetrics(
        ID,
        tools=[ToolMetric("Bash", 7, 6, 1, 70, 10.0)],
        llms=[LLMMetric("plan", 1, 2, 3, 0.1, 1)],
        phases=[PhaseMetric("plan", 40, 1, 1, 0, True), PhaseMetric("ship", 9, 1, success=True)],
    )
    save(tmp_path, ID, base)
    with Collector(ID, tmp_path) as collector:
        collector.record_tool_call("Bash", True, 5)
        collector.record_tool_call("Read", False, 1)
        collector.record_llm_interaction("plan", Usage(10, 20), 0.2)
        collector.record_phase_duration("plan", 50, success=False)
    one = Session(str(tmp_path), ID)
    one.append([ToolCall(1, "Hook", True, 1)])
    one.flush()
    return one


def file(session: Session, name: str) -> Path:
    """A file of the session."""
    return Path(session.directory) / name


def journal_of(session: Session) -> Path:
    """The Collector's own journal."""
    (path,) = (p for p in Path(session.events).glob("*.jsonl") if p.name != "hooks.jsonl")
    return path


def only(findings: list[Finding]) -> Finding:
    """The one finding there is."""
    (finding,) = findings
    return finding


def killed(session: Session) -> None:
    """Leave a journal whose writer was killed after five calls."""

    def die() -> None:
        collector = Collector(session.session_id, os.path.dirname(session.directory))
        for _ in range(5):
            collector.record_tool_call("Bash", True, 1)
        os.kill(os.getpid(), signal.SIGKILL)

    assert children.run(die) == -signal.SIGKILL


def test_nothing_wrong(session: Session) -> None:
    """A session in good order has no findings, and looking changes nothing."""
    before = {path: path.stat().st_mtime_ns for path in Path(session.directory).rglob("*")}
    assert examine(session) == examine(session, fix=True) == []
    assert {path: path.stat().st_mtime_ns for path in Path(session.directory).rglob("*")} == before


def test_a_session_of_m31a_is_left_as_it_is(tmp_path: Path) -> None:
    """Without journals there is nothing to look at but METRICS.json, and nothing is made."""
    save(tmp_path, ID, SessionMetrics(ID))
    (tmp_path / ID / "plan.json").write_text("M31A's own")
    assert examine(Session(str(tmp_path), ID), fix=True) == []
    assert sorted(os.listdir(tmp_path / ID)) == ["METRICS.json", "plan.json"]


def test_no_such_session(tmp_path: Path) -> None:
    """A directory that is not there has no findings and is not made."""
    assert examine(Session(str(tmp_path), "none"), fix=True) == []
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [
        ("", 0o755, 0o700),
        ("events", 0o777, 0o700),
        ("METRICS.json", 0o644, 0o600),
        ("events/hooks.jsonl", 0o660, 0o600),
        ("events/base.json", 0o604, 0o600),
        ("events/.covered", 0o666, 0o600),
        ("events/.lock", 0o640, 0o600),
    ],
)
def test_modes(session: Session, name: str, wrong: int, right: int) -> None:
    """A mode that lets others in is found and set right."""
    file(session, name).chmod(wrong)
    finding = only(examine(session))
    assert (finding.file, finding.problem, finding.is_left) == (name, f"has mode {wrong:04o}", True)
    finding = only(examine(session, fix=True))
    assert (finding.done, finding.is_left) == (f"its mode is {right:04o} now", False)
    assert file(session, name).stat().st_mode & 0o777 == right
    assert examine(session) == []


@pytest.mark.parametrize("data", [b"", b"{", b'{"session_id": 7}', b"\x00" * 300])
def test_damaged_metrics(session: Session, data: bytes) -> None:
    """A METRICS.json that cannot be read is kept aside and made anew from the journals."""
    path = file(session, "METRICS.json")
    whole = path.read_bytes()
    path.write_bytes(data)
    finding = only(examine(session))
    assert finding.file == "METRICS.json"
    assert finding.problem.startswith("is damaged: ")
    assert path.read_bytes() == data
    finding = only(examine(session, fix=True))
    found = re.fullmatch(r"set aside as (METRICS\.json\.bad-\d+) and made anew", finding.done)
    assert found
    assert file(session, found[1]).read_bytes() == data
    assert path.read_bytes() == whole
    assert examine(session) == []


def test_damaged_metrics_of_m31a(tmp_path: Path) -> None:
    """Without journals there is nothing to make it from; it is kept aside all the same."""
    save(tmp_path, ID, SessionMetrics(ID))
    path = tmp_path / ID / "METRICS.json"
    path.write_bytes(b"{")
    session = Session(str(tmp_path), ID)
    finding = only(examine(session, fix=True))
    assert finding.done.endswith("; there was nothing to make it anew from")
    assert not path.exists()
    assert load(tmp_path, ID) is None
    assert examine(session) == []


def test_damaged_base(session: Session) -> None:
    """A base that cannot be read is what METRICS.json counts more than the journals do."""
    whole = session.load()
    assert whole is not None
    file(session, "events/base.json").write_bytes(b'{"tools": [')
    finding = only(examine(session, fix=True))
    assert re.fullmatch(r"set aside as base\.json\.bad-\d+ and made anew", finding.done)
    base = decode(file(session, "events/base.json").read_bytes())
    assert [(tool.name, tool.call_count, tool.fail_count) for tool in base.tools] == [
        ("Bash", 7, 1)
    ]
    assert [(phase.phase, phase.transition_count) for phase in base.phases] == [
        ("plan", 1),
        ("ship", 1),
    ]
    session.flush()
    again = session.load()
    assert again is not None
    assert again.llms[0].cost == pytest.approx(whole.llms[0].cost, rel=1e-9)
    again.llms = whole.llms
    assert again == whole
    assert examine(session) == []


def test_damaged_base_of_a_session_that_went_on(session: Session) -> None:
    """What came after METRICS.json was written is not taken for the base's."""
    killed(session)
    file(session, "events/base.json").write_bytes(b"")
    examine(session, fix=True)
    metrics = session.load()
    assert metrics is not None
    assert {tool.name: tool.call_count for tool in metrics.tools} == {
        "Bash": 13,
        "Read": 1,
        "Hook": 1,
    }
    assert examine(session) == []


def test_damaged_base_and_nothing_to_tell_it_from(session: Session) -> None:
    """Where nobody knows what METRICS.json covers, its figures stand: they are the larger ones."""
    counted = file(session, "METRICS.json").read_bytes()
    file(session, "events/base.json").write_bytes(b"")
    file(session, "events/.covered").unlink()
    finding = only(examine(session, fix=True))
    assert re.fullmatch(r"set aside as base\.json\.bad-\d+ and made anew", finding.done)
    assert decode(counted).tools == decode(file(session, "METRICS.json").read_bytes()).tools
    assert examine(session) == []


def test_damaged_base_and_metrics(session: Session) -> None:
    """Both damaged: both kept aside, and `.covered` still has the sums of both."""
    whole = session.load()
    file(session, "events/base.json").write_bytes(b"?")
    file(session, "METRICS.json").write_bytes(b"?")
    first, second = examine(session, fix=True)
    assert re.fullmatch(r"set aside as METRICS\.json\.bad-\d+ and made anew", first.done)
    assert re.fullmatch(r"set aside as base\.json\.bad-\d+ and made anew", second.done)
    assert session.load() == whole
    assert examine(session) == []


def test_all_sums_damaged(session: Session) -> None:
    """METRICS.json, base and `.covered`: what can be read is kept aside, and the journals count."""
    for name in ("METRICS.json", "events/base.json", "events/.covered"):
        file(session, name).write_bytes(b"?")
    first, second = examine(session, fix=True)
    assert first.done.startswith("set aside as METRICS.json.bad-")
    assert second.done.startswith("set aside as base.json.bad-")
    assert second.done.endswith("nothing to make it anew from")
    metrics = session.load()
    assert metrics is not None
    assert metrics.tools[0].call_count == 1
    assert examine(session) == []


@pytest.mark.parametrize(
    ("data", "problem"),
    [(b"\xff{", "cannot be read"), (b"{}", "does not fit, so readers read every journal")],
)
def test_a_note_of_no_use(session: Session, data: bytes, problem: str) -> None:
    """A damaged `.covered` is written anew."""
    file(session, "events/.covered").write_bytes(data)
    finding = only(examine(session))
    assert (finding.file, finding.problem) == ("events/.covered", problem)
    assert only(examine(session, fix=True)).done == "written anew"
    assert session.is_current()
    assert examine(session) == []


@pytest.mark.parametrize("missing", [True, False])
def test_metrics_that_are_behind(session: Session, missing: bool) -> None:
    """Events that METRICS.json lacks are found, and counted by a repair."""
    if missing:
        file(session, "METRICS.json").unlink()
    session.append([ToolCall(2, "Late", True, 1)])
    finding = only(examine(session))
    assert finding.file == "METRICS.json"
    assert ("is missing" in finding.problem) == missing
    assert only(examine(session, fix=True)).done == "written anew"
    assert b'"Late"' in file(session, "METRICS.json").read_bytes()
    assert examine(session) == []


def test_what_a_killed_writer_left(session: Session) -> None:
    """A dead writer's empty tail is cut off, its lines stay and METRICS.json counts them."""
    killed(session)
    tail, behind = examine(session)
    assert re.fullmatch(r"ends in \d{3},\d{3} empty bytes: its writer was killed", tail.problem)
    assert behind.file == "METRICS.json"
    tail, behind = examine(session, fix=True)
    assert re.fullmatch(r"cut \d{3},\d{3} bytes off", tail.done)
    assert file(session, tail.file).read_bytes().count(b"\n") == 6
    metrics = decode(file(session, "METRICS.json").read_bytes())
    assert metrics.tools[0].call_count == 13
    assert examine(session) == []


def test_a_torn_last_line(session: Session) -> None:
    """A line that was never finished is told by its length, and cut off."""
    path = journal_of(session)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"event":"tool_ca\n\n\n')
    assert only(examine(session)).problem == "ends in 17 bytes of a torn line"
    examine(session, fix=True)
    assert path.read_bytes() == whole
    assert examine(session) == []


@pytest.mark.parametrize("shared", [True, False])
def test_damaged_lines(session: Session, shared: bool) -> None:
    """Lines that cannot be read are kept beside the journal, and blanked in it."""
    session.append([ToolCall(number, "Hook", True, 1) for number in range(9)])
    session.flush()
    whole = session.load()
    path = file(session, "events/hooks.jsonl") if shared else journal_of(session)
    lines = path.read_bytes().split(b"\n")
    lines[1] = lines[1].replace(b":", b";")
    lines[3] = b"\xfe" + lines[3][1:]
    path.write_bytes(b"\n".join(lines))
    size = path.stat().st_size
    assert [one.problem for one in examine(session)] == [
        "has lost events that METRICS.json counts",
        "line 2, 4 cannot be read",
    ]
    lost, finding = examine(session, fix=True)
    assert lost.done == "their sums are kept in base.json"
    found = re.fullmatch(r"kept in (\S+\.bad-\d+) and blanked", finding.done)
    assert found
    assert file(session, f"events/{found[1]}").read_bytes() == lines[1] + b"\n" + lines[3] + b"\n"
    assert path.stat().st_size == size
    assert path.read_bytes().split() == [*filter(None, (lines[0], lines[2], *lines[4:]))]
    assert examine(session) == []
    file(session, "METRICS.json").unlink()
    file(session, "events/.covered").unlink()
    assert session.load() == whole


def test_lines_of_a_newer_version(session: Session) -> None:
    """An event of a kind we do not know is told and left where it is: a newer version reads it."""
    path = file(session, "events/hooks.jsonl")
    path.write_bytes(path.read_bytes() + b'\n{"event":"thought","t_us":5}\n')
    whole = path.read_bytes()
    (finding,) = [one for one in examine(session, fix=True) if one.file.endswith("hooks.jsonl")]
    assert finding.harmless
    assert "newer version" in finding.problem
    assert path.read_bytes() == whole


def test_a_living_writer_is_told_and_left_alone(session: Session) -> None:
    """What a living process writes is no problem, and no byte of it is changed."""
    with Collector(ID, os.path.dirname(session.directory)) as collector:
        collector.record_tool_call("Bash", True, 1)
        journals = {path: path.read_bytes() for path in Path(session.events).glob("*.jsonl")}
        for fix in (False, True):
            writer, behind = examine(session, fix=fix)
            assert writer.problem == "is being written by a living process"
            assert (writer.harmless, behind.harmless) == (True, True)
            assert behind.file == "METRICS.json"
        assert {
            path: path.read_bytes() for path in Path(session.events).glob("*.jsonl")
        } == journals
        assert not only(examine(session)).is_left
        collector.record_tool_call("Bash", True, 1)
    metrics = session.load()
    assert metrics is not None
    assert metrics.tools[0].call_count == 10


def test_leftovers_of_killed_writers(session: Session) -> None:
    """Half written files of dead processes go; those of living ones stay."""
    dead = children.start(lambda: None)
    children.wait(dead)
    gone = [f".METRICS.json.{dead}-0123abcd.tmp", f"events/.base.json.{dead}-0123abcd.tmp"]
    stays = f".METRICS.json.{os.getpid()}-0123abcd.tmp"
    for name in (*gone, stays):
        file(session, name).write_bytes(b"{")
        file(session, name).chmod(0o600)
    assert [finding.file for finding in examine(session)] == gone
    assert [finding.done for finding in examine(session, fix=True)] == ["deleted", "deleted"]
    assert file(session, stays).exists()
    assert examine(session) == []


def fifo(path: Path) -> None:
    """Make a pipe."""
    os.mkfifo(path)


def link(path: Path) -> None:
    """Make a symbolic link that leads nowhere."""
    path.symlink_to("elsewhere")


@pytest.mark.parametrize("make", [fifo, link, Path.mkdir])
@pytest.mark.parametrize(
    "name",
    ["METRICS.json", "events/base.json", "events/.covered", "events/.lock", "events/hooks.jsonl"],
)
def test_things_in_place_of_files(
    session: Session, name: str, make: Callable[[Path], object]
) -> None:
    """A link, a pipe or a directory in place of a file is moved aside, and the session works."""
    file(session, name).unlink()
    make(file(session, name))
    assert name in [finding.file for finding in examine(session)]
    findings = examine(session, fix=True)
    assert not [finding for finding in findings if finding.is_left]
    assert findings[0].done.startswith(f"set aside as {os.path.basename(name)}.bad-")
    assert examine(session) == []
    session.flush()
    assert load(os.path.dirname(session.directory), ID) is not None


def test_a_link_in_place_of_the_events(session: Session, tmp_path: Path) -> None:
    """A link in place of the directory of journals is moved aside; METRICS.json still counts."""
    os.rename(session.events, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", session.events)
    finding = only(examine(session))
    assert (finding.file, finding.problem) == (
        "events",
        "is a symbolic link, which is not followed",
    )
    assert only(examine(session, fix=True)).done.startswith("set aside as events.bad-")
    assert examine(session) == []
    metrics = session.load()
    assert metrics is not None
    assert metrics.tools[0].call_count == 8
    assert len(list((tmp_path / "elsewhere").iterdir())) == 5


def test_foreign_files(session: Session) -> None:
    """What is no file of ours among the journals is told, and for a person to move."""
    file(session, "events/notes.txt").write_text("mine")
    finding = only(examine(session, fix=True))
    assert (finding.file, finding.is_left) == ("events/notes.txt", True)
    assert file(session, "events/notes.txt").read_text() == "mine"


def test_a_link_in_place_of_the_session(session: Session, tmp_path: Path) -> None:
    """It is named with the others, told, and left to a person."""
    (tmp_path / "alias").symlink_to(session.directory)
    assert session_names(str(tmp_path)) == ["alias", ID]
    finding = only(examine(Session(str(tmp_path), "alias"), fix=True))
    assert (finding.file, finding.is_left) == ("", True)
    assert (tmp_path / "alias").is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_another_users_files(session: Session) -> None:
    """What belongs to somebody else is told and not touched."""
    os.chown(file(session, "METRICS.json"), children.NOBODY, -1)
    finding = only(examine(session, fix=True))
    assert "belongs to user 65534" in finding.problem
    os.chown(session.directory, children.NOBODY, -1)
    finding = only(examine(session, fix=True))
    assert (finding.file, finding.is_left) == ("", True)


def test_a_repair_that_fails_is_told(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that refuses the repair is named instead of what was to be done."""
    file(session, "METRICS.json").write_bytes(b"{")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    finding = only(examine(session, fix=True))
    assert finding.is_left
    assert finding.remedy.startswith("could not be repaired: cannot write ")
    assert "No space left on device" in finding.remedy


def test_names_of_sessions(tmp_path: Path) -> None:
    """Only what can be a session is looked at; a missing directory has none."""
    (tmp_path / "b").mkdir()
    (tmp_path / "a").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "-x").symlink_to("b")
    assert session_names(str(tmp_path)) == ["a", "b"]
    assert session_names(str(tmp_path / "none")) == []


def test_what_was_set_aside_is_not_found_again(session: Session) -> None:
    """A repaired session is in order, with the damaged file beside it."""
    file(session, "METRICS.json").write_bytes(b"{")
    examine(session, fix=True)
    assert examine(session) == []
    assert json.loads(file(session, "METRICS.json").read_bytes())["session_id"] == ID


def test_what_hooks_tell_of_is_never_written_down(tmp_path: Path) -> None:
    """They keep events and no METRICS.json: readers add these up, and nothing is wrong."""
    hooked = Session(str(tmp_path), "hooked")
    start = SessionStart(1, agent="codex", native_id="hooked")
    hooked.append([start, ToolCall(2, "Bash", True, 5, id="a")])
    assert examine(hooked) == []
    hooked.flush()
    hooked.append([ToolCall(3, "Bash", True, 5, id="b")])
    assert examine(hooked) == []
