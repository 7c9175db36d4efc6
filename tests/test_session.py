"""A session directory as a whole: what is loaded, folded, flushed, kept as base, repaired."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from m31a_metrics import (
    Collector,
    DamagedMetrics,
    LLMMetric,
    SessionHasJournals,
    SessionMetrics,
    StorageError,
    load,
    new_session_id,
    save,
)
from m31a_metrics.codec import decode
from m31a_metrics.events import PhaseDuration, SessionStart, ToolCall, UserTurn
from m31a_metrics.model import ToolMetric
from m31a_metrics.session import Session
from tests import children

ID = "session"


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A session that is not there yet."""
    return Session(str(tmp_path), ID)


def calls(metrics: SessionMetrics | None) -> dict[str, int]:
    """Calls by tool; none where there is no session."""
    return {tool.name: tool.call_count for tool in metrics.tools} if metrics else {}


def file(session: Session, name: str = "METRICS.json") -> Path:
    """A file of the session."""
    return Path(session.directory) / name


def call(name: str = "Bash", t_us: int = 1, id_: str | None = None) -> ToolCall:
    """A tool call."""
    return ToolCall(t_us, name, True, 10, id=id_)


def old_session(name: str = "m31a's own") -> SessionMetrics:
    """What M31A wrote before anybody journalled."""
    return SessionMetrics(
        name,
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 2, tzinfo=UTC),
        [ToolMetric("Bash", 7, 6, 1, 70, 10.0)],
        unknown={"added_by": "a newer M31A"},
    )


# ---- load and save


def test_no_session(session: Session, tmp_path: Path) -> None:
    """Nothing there: None, and nothing is made by asking."""
    assert session.load() is None
    assert session.detail().durations == []
    assert not session.has_journals()
    assert session.is_current()
    assert load(tmp_path / "none", ID) is None
    assert not list(tmp_path.iterdir())


def test_an_empty_directory_is_no_session(session: Session) -> None:
    """A directory without METRICS.json and journals holds no session."""
    os.mkdir(session.directory)
    assert session.load() is None
    os.mkdir(session.events)
    assert session.load() is None


def test_save_and_load(session: Session, tmp_path: Path) -> None:
    """What is saved is loaded, by path or text, and saved over."""
    save(tmp_path, ID, old_session())
    assert load(str(tmp_path), ID) == session.load() == old_session()
    save(str(tmp_path), ID, SessionMetrics("other"))
    assert load(tmp_path, ID) == SessionMetrics("other")
    assert os.listdir(session.directory) == ["METRICS.json"]


def test_save_would_hide_journals(session: Session) -> None:
    """A session with journals is written through them, and the error says how."""
    session.append([call()])
    with pytest.raises(SessionHasJournals, match=f"{session.directory} has journals.*m31 record"):
        session.save(SessionMetrics())
    assert calls(session.load()) == {"Bash": 1}


def test_save_refuses_what_json_cannot_say(session: Session) -> None:
    """NaN raises ValueError naming the field, and nothing is made."""
    with pytest.raises(ValueError, match="cost"):
        session.save(SessionMetrics(llms=[LLMMetric("plan", cost=float("nan"))]))
    assert not os.path.exists(session.directory)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"tools": 5}', b"\xff" * 10])
def test_damage_is_named(session: Session, data: bytes) -> None:
    """File, place and reason, and the remedy; nothing is moved by reading."""
    save(os.path.dirname(session.directory), ID, SessionMetrics())
    file(session).write_bytes(data)
    with pytest.raises(
        DamagedMetrics, match=f"^{file(session)} is damaged: .*; `m31 doctor --fix`"
    ):
        session.load()
    assert os.listdir(session.directory) == ["METRICS.json"]


def test_ids_are_eight_hex_characters() -> None:
    """As M31A's, and not the same twice."""
    ids = {new_session_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(one) == 8 and int(one, 16) >= 0 for one in ids)


# ---- the base


def test_m31as_file_becomes_the_base(session: Session) -> None:
    """Copied once, byte for byte; its counts, id and unknown keys go on."""
    session.save(old_session())
    written = file(session).read_bytes()
    session.append([call(t_us=1_800_000_000_000_000)])
    assert file(session, "events/base.json").read_bytes() == written
    assert file(session).read_bytes() == written
    metrics = session.load()
    assert metrics is not None
    assert calls(metrics) == {"Bash": 8}
    assert (metrics.session_id, metrics.unknown) == ("m31a's own", {"added_by": "a newer M31A"})
    assert metrics.started_at == datetime(2026, 1, 1, tzinfo=UTC)
    for _ in range(3):
        session.flush()
        assert decode(file(session).read_bytes()) == session.load() == metrics
    assert file(session, "events/base.json").read_bytes() == written


def test_a_damaged_file_is_no_base(session: Session) -> None:
    """It is set aside with the first event, and the journal counts alone."""
    session.save(old_session())
    file(session).write_bytes(b"{")
    session.append([call()])
    assert calls(session.load()) == {"Bash": 1}
    assert not file(session, "events/base.json").exists()
    (aside,) = Path(session.directory).glob("METRICS.json.bad-*")
    assert aside.read_bytes() == b"{"


def test_a_base_alone_is_a_session(session: Session) -> None:
    """Killed between base and journal, with METRICS.json gone: the base tells."""
    session.save(old_session())
    os.mkdir(session.events)
    os.rename(file(session), file(session, "events/base.json"))
    assert session.load() == old_session()
    session.flush()
    assert decode(file(session).read_bytes()) == old_session()


def test_a_damaged_base_is_made_anew(session: Session) -> None:
    """Whoever comes to write next makes it of METRICS.json, less what the journals count."""
    session.save(old_session())
    session.append([call("Read")])
    session.flush()
    session.append([call("Late")])
    file(session, "events/base.json").write_bytes(b"{")
    with pytest.raises(DamagedMetrics, match="base.json is damaged"):
        session.load()
    with Collector(ID, os.path.dirname(session.directory)) as collector:
        collector.record_tool_call("Bash", True, 1)
    assert calls(session.load()) == {"Bash": 8, "Read": 1, "Late": 1}
    assert len(list(Path(session.events).glob("base.json.bad-*"))) == 1


# ---- journals newer than METRICS.json


def test_load_folds_what_metrics_lacks(session: Session) -> None:
    """Events after the flush are counted by a load, which writes nothing."""
    session.append([call()])
    session.flush()
    assert session.is_current()
    session.append([call("Read")])
    before = file(session).read_bytes()
    assert not session.is_current()
    assert calls(session.load()) == {"Bash": 1, "Read": 1}
    assert file(session).read_bytes() == before


def test_load_believes_a_current_file(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where METRICS.json covers the journals, they are not read."""
    session.append([call()])
    session.flush()
    monkeypatch.setattr(Session, "count", None)
    assert calls(session.load()) == {"Bash": 1}


@pytest.mark.parametrize("touch", [-3600, 3600])
def test_times_of_files_do_not_matter(session: Session, touch: int) -> None:
    """A journal that looks older than METRICS.json is read all the same."""
    session.append([call()])
    session.flush()
    session.append([call()])
    stamp = time.time() + touch
    os.utime(file(session, "events/hooks.jsonl"), (stamp, stamp))
    assert calls(session.load()) == {"Bash": 2}


def test_a_file_that_somebody_else_wrote(session: Session) -> None:
    """A METRICS.json that is not the one of `.covered` is not believed, whatever its size."""
    session.append([call()])
    session.flush()
    data = file(session).read_bytes()
    file(session).write_bytes(data.replace(b'"call_count": 1', b'"call_count": 9'))
    assert calls(session.load()) == {"Bash": 1}


@pytest.mark.parametrize("digit", range(3))
def test_a_length_that_was_changed(session: Session, digit: int) -> None:
    """`.covered` is checked as well: a longer length would hide events."""
    session.append([call()])
    session.flush()
    session.append([call()])
    note = json.loads(file(session, "events/.covered").read_bytes())
    note["journals"]["hooks.jsonl"] += 10**digit * 8
    file(session, "events/.covered").write_text(json.dumps(note, separators=(",", ":")))
    assert calls(session.load()) == {"Bash": 2}


@pytest.mark.parametrize("name", ["METRICS.json", "events/.covered", "events/.lock"])
def test_a_file_that_is_gone(session: Session, name: str) -> None:
    """None of these is needed: the journals have it all."""
    session.append([call()])
    session.flush()
    file(session, name).unlink()
    assert calls(session.load()) == {"Bash": 1}
    session.flush()
    assert calls(session.load()) == {"Bash": 1}
    assert session.is_current()


# ---- appending and refreshing


def test_the_first_append_starts_the_session(session: Session) -> None:
    """A new session begins with a `session_start` of the first event's time."""
    session.append([call(t_us=5)])
    session.append([call(t_us=6)])
    (journal,) = session.parts().journals
    assert [type(event) for event in journal.events] == [SessionStart, ToolCall, ToolCall]
    assert journal.events[0].t_us == 5


def test_nothing_to_append(session: Session) -> None:
    """No events only make the session; on one that is there they do nothing."""
    session.append([])
    assert session.load() is not None
    size = file(session, "events/hooks.jsonl").stat().st_size
    session.append([])
    assert file(session, "events/hooks.jsonl").stat().st_size == size


def test_an_id_counts_once(session: Session) -> None:
    """The earliest by time, whichever journal it stands in."""
    session.append([call("late", 9, "x"), call("early", 3, "x"), call("other", 1, "y")])
    assert calls(session.load()) == {"other": 1, "early": 1}
    with Collector(ID, os.path.dirname(session.directory)) as collector:
        collector.record(call("again", 1, "x"))
    assert calls(session.load()) == {"other": 1, "early": 1}


def test_refresh(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """METRICS.json is brought up to date where that is cheap, and left behind where not."""
    session.append([call()])
    session.refresh()
    assert session.is_current()
    session.append([call()])
    monkeypatch.setattr("m31a_metrics.session.session.REFRESH_BYTES", 10)
    session.refresh()
    assert not session.is_current()
    assert calls(session.load()) == {"Bash": 2}


def test_latest_events_and_percentiles(session: Session) -> None:
    """Detail comes from the journals, all of them, in the order of time."""
    session.append([call("a", 3), UserTurn(9), PhaseDuration(5, "plan", 1.5, True)])
    with Collector(ID, os.path.dirname(session.directory)) as collector:
        collector.record(call("b", 4))
    detail = session.detail()
    assert [one.name for one in detail.durations] in (["a", "b"], ["b", "a"])
    events = [one.event for one in detail.latest if one.event != "session_start"]
    assert events == ["tool_call", "tool_call", "phase_duration", "user_turn"]


# ---- the lock


def test_flush_takes_turns(session: Session) -> None:
    """Whoever cannot have the lock in time is told where it is."""
    session.append([call()])

    def hold() -> None:
        with session.locked():
            os.kill(os.getpid(), signal.SIGSTOP)

    pid = children.start(hold)
    os.waitpid(pid, os.WUNTRACED)
    try:
        with (
            pytest.raises(StorageError, match="events/.lock has been held by another process"),
            session.locked(timeout_s=0.05),
        ):
            pass
        # Recording and reading need no lock.
        session.append([call()])
        assert calls(session.load()) == {"Bash": 2}
    finally:
        os.kill(pid, signal.SIGCONT)
    assert children.wait(pid) == 0
    session.flush()


def test_threads_take_turns(session: Session) -> None:
    """Two threads of one process never hold the lock together; one thread may take it twice."""
    inside = 0

    def work() -> None:
        nonlocal inside
        for _ in range(20):
            with session.locked(), session.locked():
                inside += 1
                assert inside == 1
                time.sleep(0.0005)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(children.PATIENCE_S)
    assert inside == 0


def test_a_dead_holder_holds_nothing(session: Session) -> None:
    """A process that is killed in the middle of a flush leaves no lock behind."""

    def die() -> None:
        with session.locked():
            os.kill(os.getpid(), signal.SIGKILL)

    assert children.run(die) == -signal.SIGKILL
    session.append([call()])
    session.flush()


# ---- joining


def test_joining_trims_the_dead(session: Session) -> None:
    """The next flush cuts what killed ones left; a living one's file stays."""
    directory = os.path.dirname(session.directory)

    def die() -> None:
        collector = Collector(ID, directory)
        collector.record_tool_call("Bash", True, 1)
        os.kill(os.getpid(), signal.SIGKILL)

    assert children.run(die) == -signal.SIGKILL
    (dead,) = Path(session.events).glob("*.jsonl")
    assert dead.stat().st_size > 100_000
    assert [one.cut_bytes > 0 for one in session.trim(dry=True)] == [True]
    living = Collector(ID, directory)
    assert living.flush()
    assert dead.stat().st_size < 1000
    Collector(ID, directory).stop()
    assert {one.alive for one in session.trim(dry=True)} == {True, False}
    living.stop()
    assert calls(session.load()) == {"Bash": 1}
