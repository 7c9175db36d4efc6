"""Forgetting: what goes, what stays, and that nothing of what went is found again."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from m31a_metrics import (
    Collector,
    SessionMetrics,
    ToolMetric,
    config,
    deliveries,
    events,
    genai,
    journal,
    load,
    save,
)
from m31a_metrics.answers import SessionRow, Slice
from m31a_metrics.catalog import ask
from m31a_metrics.catalog.agents import places
from m31a_metrics.catalog.find_session import load_named
from m31a_metrics.catalog.forget_sessions import Found, find, forget
from m31a_metrics.catalog.import_sessions import FORGOTTEN, SKIPPED, import_transcripts, staging
from m31a_metrics.catalog.load import Unread
from m31a_metrics.catalog.refresh import quiet
from m31a_metrics.catalog.running import RunningSessions
from m31a_metrics.catalog.traces import PLACES
from m31a_metrics.errors import (
    MetricsError,
    SessionForgotten,
    SessionNotFound,
    StorageError,
)
from m31a_metrics.folding.nested import session_key
from m31a_metrics.forgotten import Leaving, remember
from m31a_metrics.history import History, erasure
from m31a_metrics.history.pushed import Pushed
from m31a_metrics.session import Session
from m31a_metrics.spans import trace_id
from m31a_metrics.transcript import SessionRef
from tests import children, transcripts
from tests.history.test_source_files import kept
from tests.sources.golden import GOLDEN
from tests.test_catalog_import_sessions import GOLDEN_ENVIRON
from tests.transcripts import MODEL, NOW, ONE, TWO, answer, call, prompt

THREE = "5e12aa90-3333-4333-8333-000000000003"
HOUR = timedelta(hours=1)

WORDS = (
    ONE,
    "wreckers",  # its project
    "SmeltOre",  # its tool
    "tin-model-9",  # its model
    "QuarryError",  # how it failed
)
"""What only the session that is forgotten has."""


@pytest.fixture
def home(clean_home: Path) -> Path:
    """A home with the transcript of a session that is to be forgotten, and another one."""
    write_both(clean_home)
    return clean_home


def write_both(home: Path) -> None:
    """Write the transcripts of a session that is to be forgotten, and of another one."""
    transcripts.write(
        home,
        ONE,
        prompt(NOW - HOUR),
        answer("a", NOW - HOUR, model="tin-model-9"),
        *failed_call("b", NOW, tool="SmeltOre"),
        project="/src/wreckers",
    )
    transcripts.write(home, TWO, answer("c", NOW + HOUR), *call("d", NOW + HOUR))


def failed_call(key: str, at: object, *, tool: str) -> list[dict[str, object]]:
    """A call that failed, with a line that only it has."""
    use, result = call(key, at, tool=tool)  # type: ignore[arg-type] # a datetime
    content = result["message"]["content"][0]
    content |= {"is_error": True, "content": "QuarryError: the pit fell in"}
    return [use, result]


def environ(home: Path) -> dict[str, str]:
    """The variables of that home alone."""
    return {"HOME": str(home)}


def looked_for(home: Path, *names: str, which: Slice | None = None) -> Found:
    """What forgetting these would remove."""
    slices = [] if which is None else [which]
    return find(config.defaults(), environ(home), names, slices)


def forgotten(home: Path, *names: str, which: Slice | None = None) -> list[str]:
    """Forget, and give what remains."""
    return forget(config.defaults(), looked_for(home, *names, which=which))


def rows(home: Path, *, rebuild: bool = False) -> dict[str, SessionRow]:
    """All sessions by id."""
    with ask(config.defaults(), environ(home), rebuild=rebuild) as asking:
        return {row.session_id: row for row in asking.answers.sessions(Slice())}


def import_all(home: Path) -> list[tuple[str, str]]:
    """Import what is there; what became of each, and why."""
    found = places(["claude-code"], environ(home))
    done = import_transcripts(config.defaults(), found, quiet)
    return [(one.state, one.reason) for one in done]


def holding(home: Path, words: tuple[str, ...] = WORDS) -> list[str]:
    """The files below ~/.m31a that hold any of these words, and those that are named so."""
    found = []
    for folder, folders, names in os.walk(home / ".m31a"):
        for name in (*folders, *names):
            path = Path(folder, name)
            data = path.read_bytes().lower() if path.is_file() else b""
            if any(one.lower().encode() in data or one in name for one in words):
                found.append(str(path.relative_to(home)))
    return found


# Where something of sessions is kept: how each comes to hold the words. A place that is added
# to PLACES is added here, or the test below fails.


def fill_recordings(home: Path) -> None:
    """An import, and what a killed one left staged."""
    import_all(home)
    session = home / ".m31a" / "sessions" / ONE
    shutil.copy(session / "METRICS.json", session / "METRICS.json.bad-1764000000000")
    shutil.copy(session / "METRICS.json", session / ".METRICS.json.999999999-0badc0de.tmp")
    (session / "events" / "base.json.bad-1764000000000").write_text("SmeltOre")
    (session / "events" / "nobody.knows").write_text("SmeltOre")
    shutil.copytree(session, home / ".m31a" / "sessions" / ".import-999999999-0a" / "1-0")


def fill_fleet(home: Path) -> None:
    """What was pushed to a fleet: that it is to be told is kept, and whom it is about is not."""
    rows(home)
    with History(config.defaults().index) as history:
        key = session_key("claude-code", ONE)
        sent = Pushed(key, 1, b"mark", b"look", "2026-06-20", "wreckers")
        history.note_pushed("clickhouse://there:8443/team", [sent])


def fill_index(home: Path) -> None:
    """The index, with what a longer one left in its free pages; and one beside it."""
    rows(home)
    index = config.defaults().index
    with sqlite3.connect(index) as connection:
        connection.execute("CREATE TABLE was (text)")
        connection.execute("INSERT INTO was VALUES (?)", (" ".join(WORDS) * 1000,))
        connection.execute("DROP TABLE was")
    connection.close()
    other = replace(config.defaults(), index=str(home / ".m31a" / "Pacific-Apia.db"))
    with ask(other, environ(home)):
        pass


def fill_damaged_index(home: Path) -> None:
    """An index that was damaged, with its log."""
    rows(home)
    index = Path(config.defaults().index)
    shutil.copy(index, f"{index}.bad-1764000000001")
    data = bytearray(index.read_bytes())
    data[:4096] = bytes(4096)
    Path(f"{index}.bad-1764000000002").write_bytes(data)
    Path(f"{index}.bad-1764000000002-wal").write_text("SmeltOre")


def fill_rates(home: Path) -> None:
    """Prices that were looked up."""
    (home / ".m31a" / "cache").mkdir(parents=True, exist_ok=True)
    (home / ".m31a" / "cache" / "rates.json").write_text('{"models":{"tin-model-9":[]}}')


def fill_live(home: Path) -> None:
    """What a settling, a hook and a status line left."""
    for path in (
        f"settling/{ONE}",
        *(f"settling/{ONE}.{ending}" for ending in ("json", "used", "lock", "next")),
        f"totals/{ONE}",
        f"warned/{ONE}",
        f"verdicts/{ONE}.json",
        f"verdicts/{ONE}.allow.json",
    ):
        place = home / ".m31a" / "live" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("/src/wreckers")


def fill_export(home: Path) -> None:
    """What was sent of it to a receiver: the names of its tools are in the sums of metrics."""
    key = f"{trace_id(SessionRef('claude-code', ONE)):032x}"
    path = deliveries.path(deliveries.folder(config.defaults().forgotten), "http://there")
    sent = deliveries.Deliveries(path, "http://there", 1)
    points = [genai.Point("m31a.cost", (("gen_ai.tool.name", "SmeltOre"),), 1, 1.0)]
    sent.note(deliveries.Line(key, phases=[(1, "wreckers")], points=points))
    sent.note(deliveries.Line("0" * 32, points=points))
    sent.close()


def fill_half_written(home: Path) -> None:
    """What killed processes were writing."""
    for folder in (".m31a", ".m31a/cache", ".m31a/sessions", ".m31a/live", ".m31a/live/settling"):
        (home / folder).mkdir(parents=True, exist_ok=True)
        (home / folder / ".rates.json.999999999-0badc0de.tmp").write_text("tin-model-9")


FILLED: dict[str, Callable[[Path], None]] = {
    "recording": fill_recordings,
    "fleet": fill_fleet,
    "index": fill_index,
    "damaged index": fill_damaged_index,
    "rates": fill_rates,
    "live": fill_live,
    "export": fill_export,
    "half written file": fill_half_written,
}


def test_every_place_is_searched() -> None:
    """Whatever keeps something of sessions has its part in the tests below."""
    assert [place.name for place in PLACES] == list(FILLED)


@pytest.mark.parametrize("place", [*FILLED, "all"])
def test_nothing_is_found_of_what_was_forgotten(home: Path, place: str) -> None:
    """All bytes of all files are searched, whichever place held the session; the rest stays."""
    for fill in FILLED.values() if place == "all" else [FILLED[place]]:
        fill(home)
    assert holding(home)
    others = {TWO: rows(home)[TWO]}
    assert forgotten(home, ONE) == []
    assert holding(home) == []
    assert rows(home) == others
    assert holding(home) == []
    if place in ("recording", "all"):
        assert load(config.defaults().sessions_dir, TWO) is not None


def test_what_would_be_removed_is_counted(home: Path) -> None:
    """Files, bytes and rows, by session and by place, and nothing is changed by looking."""
    for fill in FILLED.values():
        fill(home)
    before = holding(home)
    found = looked_for(home, ONE)
    assert holding(home) == before
    (target,) = found.targets
    assert (target.row.session_id, target.running) == (ONE, "")
    files = [path for path in (home / ".m31a/sessions" / ONE).rglob("*") if path.is_file()]
    assert target.file_count == len(files) == 7
    assert target.byte_count == sum(path.stat().st_size for path in files)
    assert target.row_count > 10
    found_in = {trace.place for trace in found.traces}
    assert found_in == {*FILLED, "abandoned import"}
    indexes = [trace for trace in found.traces if trace.place == "index"]
    assert [os.path.basename(trace.path) for trace in indexes] == ["Pacific-Apia.db", "metrics.db"]
    assert all(trace.row_count for trace in indexes)


def test_it_does_not_come_back(home: Path) -> None:
    """Not by a look, a rebuild, a deleted index, an import, another path, a copy or its changes."""
    forgotten(home, ONE)
    folder = home / ".claude" / "projects"
    (path,) = folder.glob(f"*/{ONE}.jsonl")
    assert list(rows(home)) == [TWO]
    assert list(rows(home, rebuild=True)) == [TWO]
    os.unlink(config.defaults().index)
    assert list(rows(home)) == [TWO]
    (folder / "moved").mkdir()
    shutil.copy(path, folder / "moved" / f"{ONE}.jsonl")
    shutil.copy(path, folder / "moved" / f"{THREE}.jsonl")  # a copy under another id
    assert list(rows(home)) == [TWO]
    with path.open("a") as file:
        file.write(path.read_text().splitlines()[-1] + "\n")
    assert list(rows(home)) == [TWO]
    assert sorted(import_all(home)) == [("imported", ""), *[(SKIPPED, FORGOTTEN)] * 3]
    assert list(rows(home)) == [TWO]
    path.chmod(0)
    path.write_bytes(b"\xff" * 50)
    rows(home)
    assert holding(home, (*WORDS, THREE)) == []


def test_it_is_not_read_by_its_path_either(home: Path) -> None:
    """Who names the transcript is told why, and how to undo it."""
    forgotten(home, ONE)
    (path,) = home.glob(f".claude/projects/*/{ONE}.jsonl")
    with pytest.raises(SessionForgotten, match=r"\.m31a/forgotten"):
        load_named(config.defaults(), str(path), environ(home))
    with pytest.raises(SessionNotFound):
        load_named(config.defaults(), ONE, environ(home))


def test_it_is_not_followed(home: Path) -> None:
    """A live screen passes it over, though its agent goes on writing."""
    forgotten(home, ONE)
    (path,) = home.glob(f".claude/projects/*/{ONE}.jsonl")
    now = datetime.now(UTC).replace(microsecond=0)
    transcripts.write(home, ONE, *call("x", now), project="/src/wreckers")
    transcripts.write(home, TWO, *call("y", now))
    os.utime(path)
    running = RunningSessions(config.defaults(), environ(home))
    assert [one.session_id for one in running.look()] == [TWO]
    assert [one.session_id for one in running.look()] == [TWO]


def test_the_list_that_is_deleted_brings_it_back(home: Path) -> None:
    """The next question reads what was forgotten, and counts as if nothing had been."""
    before = rows(home)
    forgotten(home, ONE)
    os.unlink(config.defaults().forgotten)
    assert rows(home) == before


def test_a_fork_keeps_its_own_share(home: Path) -> None:
    """What it copied is neither its own nor found any more; its figures do not change."""
    copied = (home / ".claude/projects/-src-wreckers" / f"{ONE}.jsonl").read_text()
    own = transcripts.write(home, THREE, answer("e", NOW + 2 * HOUR), project="/src/yard")
    own.write_text(copied + own.read_text())
    os.utime(own, (1_782_000_000, 1_782_000_000))
    words = tuple(word for word in WORDS if word != "wreckers")  # the fork runs there, too
    before = rows(home)
    assert before[THREE].call_count == 0
    assert forgotten(home, ONE) == []
    assert holding(home, words) == []
    now = rows(home)
    assert set(now) == {TWO, THREE}
    for name in ("call_count", "total_tokens", "cost_nano", "project"):
        assert getattr(now[THREE], name) == getattr(before[THREE], name)
    assert now[THREE].models == [MODEL]
    assert rows(home, rebuild=True) == now
    assert holding(home, words) == []
    states = import_all(home)
    assert sorted(states) == [("imported", ""), ("imported", ""), (SKIPPED, FORGOTTEN)]
    assert holding(home, words) == []


def test_subagents_that_are_left_behind_are_not_read(home: Path) -> None:
    """Their transcripts belong to the session, also when its own is deleted one day."""
    (path,) = home.glob(f".claude/projects/*/{ONE}.jsonl")
    agents = path.with_suffix("") / "subagents"
    agents.mkdir(parents=True)
    lines = transcripts.write(home, "x", *call("s", NOW, tool="SmeltOre")).read_text()
    own = lines.replace('"sessionId": "x"', f'"sessionId": "{ONE}"').replace(
        "/src/app", "/src/wreckers"
    )
    (agents / "agent-0a1b2c3d.jsonl").write_text(own)
    (home / ".claude/projects/-src-app/x.jsonl").unlink()
    assert rows(home)[ONE].call_count == 2
    forgotten(home, ONE)
    path.unlink()
    assert list(rows(home)) == [TWO]
    assert holding(home) == []


@pytest.mark.parametrize("folder", ["", "events"])
def test_a_directory_without_files_goes_with_the_next(home: Path, folder: str) -> None:
    """Whoever forgot a session was killed before its directory, which has its name, was gone."""
    here = Path(config.defaults().sessions_dir)
    with Collector("ingots", here) as collector:
        collector.record_tool_call("Bash", True, 1)
    forgotten(home, "ingots")
    (here / "ingots" / folder).mkdir(parents=True)
    forgotten(home, ONE)
    assert not (here / "ingots").exists()


@pytest.mark.parametrize("kind", ["journal", "metrics"])
def test_a_recording_goes_and_the_rest_of_its_directory_stays(home: Path, kind: str) -> None:
    """METRICS.json and journals are removed; M31A's other files stay, byte for byte."""
    here = config.defaults().sessions_dir
    if kind == "journal":
        with Collector("nightly", here) as collector:
            collector.record_tool_call("SmeltOre", True, 5)
    else:
        save(here, "nightly", SessionMetrics("nightly", NOW, NOW, [ToolMetric("SmeltOre", 1, 1)]))
    (Path(here) / "nightly" / "STATE.md").write_text("M31A's own")
    assert forgotten(home, "nightly") == []
    assert os.listdir(Path(here) / "nightly") == ["STATE.md"]
    assert (Path(here) / "nightly" / "STATE.md").read_text() == "M31A's own"
    shutil.rmtree(Path(here) / "nightly")
    forgotten(home, ONE)  # it used the tool, too
    assert holding(home, ("SmeltOre", "nightly")) == []


def test_a_new_recording_of_the_same_name_counts(home: Path) -> None:
    """Nothing that is recorded from then on is hidden; what a backup brings back is."""
    here = Path(config.defaults().sessions_dir)
    with Collector("nightly", str(here)) as collector:
        collector.record_tool_call("Old", True, 5)
    shutil.copytree(here / "nightly", home / "backup")
    forgotten(home, "nightly")
    assert not (here / "nightly").exists()
    shutil.copytree(home / "backup", here / "nightly")
    assert "nightly" not in rows(home)
    shutil.rmtree(here / "nightly")
    with Collector("nightly", str(here)) as collector:
        collector.record_tool_call("New", True, 5)
    assert rows(home)["nightly"].call_count == 1


def test_a_slice_chooses_whole_sessions(home: Path) -> None:
    """All that fits a slice goes, each once, and no other."""
    for name in ("one", "two"):
        with Collector(name, config.defaults().sessions_dir) as collector:
            collector.record_tool_call("Bash", True, 5)
    found = looked_for(home, which=Slice(agents=("m31a",)))
    assert sorted(target.row.session_id for target in found.targets) == ["one", "two"]
    assert forget(config.defaults(), found) == []
    assert set(rows(home)) == {ONE, TWO}
    assert forgotten(home, which=Slice(project="wreckers")) == []
    assert set(rows(home)) == {TWO}
    assert forgotten(home, which=Slice()) == []
    assert rows(home) == {}


def test_names(home: Path) -> None:
    """By id, beginning, path of a transcript, of a directory and of a METRICS.json, and `last`."""
    here = config.defaults().sessions_dir
    with Collector("nightly", here) as collector:
        collector.record_tool_call("Bash", True, 5)
    (path,) = home.glob(f".claude/projects/*/{ONE}.jsonl")
    shutil.copy(path, home / "elsewhere.jsonl")
    for name, session_id in (
        (ONE[:5], ONE),
        (str(path), ONE),
        (str(home / "elsewhere.jsonl"), ONE),
        (f"{here}/nightly", "nightly"),
        (f"{here}/nightly/METRICS.json", "nightly"),
        ("last", "nightly"),
    ):
        (target,) = looked_for(home, name).targets
        assert target.row.session_id == session_id, name
    for name in ("nobody", f"{here}/nobody", str(home)):
        with pytest.raises(SessionNotFound):
            looked_for(home, name)
    forgotten(home, ONE, "nightly")
    for name in (ONE, str(path), "nightly", f"{here}/nightly"):
        found = looked_for(home, name)
        assert (found.targets, found.again) == ([], [name])


def test_a_damaged_recording_can_be_forgotten(home: Path) -> None:
    """One that nobody can read, and that is in no question, goes by its name."""
    directory = Path(config.defaults().sessions_dir, "broken")
    directory.mkdir(parents=True)
    (directory / "METRICS.json").write_text("{SmeltOre")
    assert forgotten(home, "broken") == []
    assert not directory.exists()
    assert holding(home, ("broken",)) == []


def test_running_sessions_are_told(home: Path) -> None:
    """A living recorder, a run that goes on, a transcript and a METRICS.json of this minute."""
    here = config.defaults().sessions_dir
    now = datetime.now(UTC).replace(microsecond=0)
    transcripts.write(home, THREE, *call("e", now - timedelta(minutes=1)))
    save(here, "theirs", SessionMetrics("theirs", now, now, [ToolMetric("Bash", 1, 1)]))
    session = Session(here, "command")
    session.append([events.ToolCall(1, "Bash", True, 1)])
    with Collector("living", here) as collector, journal.hold(session.events):
        collector.record_tool_call("Bash", True, 5)
        found = looked_for(home, which=Slice())
        running = {target.row.session_id for target in found.targets if target.running}
        assert running == {"living", "command", "theirs", THREE}
        assert forget(config.defaults(), found) == []
        assert set(rows(home)) == running
    found = looked_for(home, "living", "command")
    assert [target.running for target in found.targets] == ["", ""]


def test_what_begins_to_run_meanwhile_stays(home: Path) -> None:
    """Between the look and the answer a recorder may come, and an agent may go on."""
    here = config.defaults().sessions_dir
    with Collector("nightly", here) as collector:
        collector.record_tool_call("Bash", True, 5)
    found = looked_for(home, which=Slice())
    (path,) = home.glob(f".claude/projects/*/{ONE}.jsonl")
    os.utime(path)
    with Collector("nightly", here) as collector:
        collector.record_tool_call("Bash", True, 5)
        remaining = forget(config.defaults(), found)
    assert [sentence.split(" is left")[0] for sentence in remaining] == [ONE, "nightly"]
    assert {target.row.session_id for target in found.leaving} == {TWO}
    assert rows(home)["nightly"].call_count == 2
    assert set(rows(home)) == {ONE, "nightly"}


def test_a_reader_is_waited_for_and_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process is in the middle of reading, a sentence says what remains."""
    monkeypatch.setattr(erasure, "PATIENCE_S", 0.1)
    rows(home)
    reader = sqlite3.connect(config.defaults().index)
    reader.execute("BEGIN")
    reader.execute("SELECT COUNT(*) FROM sessions").fetchone()
    (sentence,) = forgotten(home, ONE)
    assert "metrics.db-wal" in sentence
    reader.close()
    assert forgotten(home, ONE) == []
    assert holding(home) == []


def test_an_index_that_is_open_elsewhere_is_emptied(home: Path) -> None:
    """A server that asks now and then keeps the file open, which is in nobody's way."""
    rows(home)
    with History(config.defaults().index) as server:
        assert len(server.sessions(Slice())) == 2
        assert forgotten(home, ONE) == []
        assert holding(home) == []
        assert len(server.sessions(Slice())) == 1


def test_another_programs_files_stay(home: Path) -> None:
    """Databases and texts that the configuration named by mistake are set aside, not removed."""
    rows(home)
    folder = home / ".m31a"
    with sqlite3.connect(folder / "other.db") as connection:
        connection.execute("CREATE TABLE theirs (text)")
        connection.execute("INSERT INTO theirs VALUES (?)", (ONE,))
    connection.close()
    with sqlite3.connect(folder / "metrics.db.bad-1") as connection:
        connection.execute("CREATE TABLE theirs (text)")
    connection.close()
    (folder / "metrics.db.bad-1-wal").write_bytes(b"\0theirs")
    (folder / "metrics.db.bad-2").write_text("a page of notes")
    (folder / "engine.bin.bad-3").write_bytes(b"\0theirs")
    theirs = [path for path in folder.iterdir() if path.is_file() and path.name != "metrics.db"]
    before = {path: path.read_bytes() for path in theirs}
    assert forgotten(home, ONE) == []
    after = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert {path: after[path] for path in before} == before


def test_an_index_of_a_later_version_is_named(home: Path) -> None:
    """It cannot be cleaned by us: a sentence says that it still holds the session."""
    other = replace(config.defaults(), index=str(home / ".m31a" / "later.db"))
    with ask(other, environ(home)):
        pass
    with sqlite3.connect(other.index) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    (sentence,) = forgotten(home, ONE)
    assert "later.db" in sentence
    assert list(rows(home)) == [TWO]


def test_an_import_that_goes_on_is_waited_for(home: Path) -> None:
    """What it has staged may be of a session that is forgotten: nothing is removed under it."""
    here = config.defaults().sessions_dir
    with staging(here, dry=False) as folder:
        assert folder is not None
        with pytest.raises(StorageError, match="import"):
            looked_for(home, ONE)
    assert forgotten(home, ONE) == []


def test_what_is_read_only_is_refused_whole(open_home: Path) -> None:
    """One sentence, and nothing is removed, written down or changed."""
    write_both(open_home)
    import_all(open_home)
    rows(open_home)

    def task() -> None:
        here = config.defaults()
        for path in (
            here.sessions_dir,
            f"{here.sessions_dir}/{ONE}/events",
            open_home / ".m31a",
        ):
            found = looked_for(open_home, ONE)
            os.chmod(path, 0o500)
            with pytest.raises(StorageError, match="read-only"):
                forget(here, found)
            os.chmod(path, 0o700)
            assert not os.path.exists(here.forgotten)
        assert set(rows(open_home)) == {ONE, TWO}

    children.give_to_nobody(open_home)
    assert children.run(children.as_nobody(task)) == 0


def test_an_index_that_cannot_be_changed_is_refused(home: Path) -> None:
    """An index in memory may answer questions; forgetting in it would forget nothing."""
    here = replace(config.defaults(), index=str(home))
    with pytest.raises(MetricsError, match="nothing can be forgotten"):
        find(here, environ(home), [ONE], [])


def test_a_directory_of_its_own(home: Path) -> None:
    """With --sessions-dir: the sessions of that directory, and their rows in every index."""
    import_all(home)
    there = str(home / "there")
    for directory in (there, config.defaults().sessions_dir):
        with Collector("nightly", directory) as collector:
            collector.record_tool_call("Bash", True, 5)
    shutil.copytree(home / ".m31a/sessions" / ONE, home / "there" / ONE)
    rows(home)
    here = replace(config.defaults(), sessions_dir=there)
    found = find(here, environ(home), [], [Slice()], only_dir=True)
    assert sorted(target.row.session_id for target in found.targets) == [ONE, "nightly"]
    assert forget(here, found) == []
    assert os.listdir(there) == []
    # The recording of that name elsewhere is another; the agent's session is the same one.
    assert set(rows(home)) == {TWO, "nightly"}
    assert holding(home) == []


def test_it_is_kept_in_mind_where_the_index_is_elsewhere(home: Path) -> None:
    """The list stays where it is when the index moves, or what was forgotten would come back."""
    forgotten(home, ONE)
    here = replace(config.defaults(), index=str(home / "elsewhere" / "metrics.db"))
    with ask(here, environ(home)) as asking:
        assert [row.session_id for row in asking.answers.sessions(Slice())] == [TWO]


def test_what_is_forgotten_while_it_is_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was reading the session when another forgot it does not bring it back."""

    def before(unread: Unread, history: History, told: object) -> object:
        monkeypatch.setattr(Unread, "still_wanted", wanted)
        remember(config.defaults().forgotten, [Leaving("claude-code", ONE, [], [], 1)])
        return wanted(unread, history, told)  # type: ignore[arg-type] # as it was given

    wanted = Unread.still_wanted
    monkeypatch.setattr(Unread, "still_wanted", before)
    rows(home)
    assert list(rows(home)) == [TWO]


DAYS = [NOW + timedelta(hours=13 * number) for number in range(8)]
KEYS = "abcdefgh"
"""Events: each has a time of its own, so that a session begins with its first."""


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sets(st.sampled_from(KEYS), min_size=1, max_size=5), min_size=2, max_size=5),
    st.data(),
)
def test_the_sums_are_those_of_what_is_left(
    tmp_path_factory: pytest.TempPathFactory, held: list[set[str]], data: st.DataObject
) -> None:
    """Whatever is forgotten, in whatever steps: no other figure changes, and each sum is right."""
    with new_home(tmp_path_factory) as home:
        ids = [f"{number:08}-1111-4111-8111-00000000000{number}" for number in range(len(held))]
        for session_id, keys in zip(ids, held, strict=True):
            lines = [answer(key, DAYS[KEYS.index(key)]) for key in sorted(keys)]
            transcripts.write(home, session_id, *lines)
        before = rows(home)
        left = dict(before)
        for _ in range(data.draw(st.integers(1, 3), "steps") if left else 0):
            some = data.draw(st.sets(st.sampled_from(sorted(left)), min_size=1), "forgotten")
            assert forgotten(home, *sorted(some)) == []
            left = {name: row for name, row in left.items() if name not in some}
            assert_is(home, left)
            if not left:
                break
        os.unlink(config.defaults().index)
        assert_is(home, left)


def assert_is(home: Path, left: dict[str, SessionRow]) -> None:
    """The index holds these sessions as they were, its sums are theirs, and so is one made anew."""
    now = rows(home)
    assert {name: row.total_tokens for name, row in now.items()} == {
        name: row.total_tokens for name, row in left.items()
    }
    with ask(config.defaults(), environ(home)) as asking:
        for by in ("day", "month", "project", ""):
            summed = sum(row.total_tokens for row in asking.answers.totals(Slice(), by))
            assert summed == sum(row.total_tokens for row in left.values())
        assert asking.history.unreconciled() == []
        one = kept(asking.history)
    index = config.defaults().index
    os.rename(index, f"{index}.old")
    with ask(config.defaults(), environ(home)) as asking:
        other = kept(asking.history)
    os.unlink(index)
    os.rename(f"{index}.old", index)
    assert one == other


@contextmanager
def new_home(factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home for one example."""
    home = factory.mktemp("example")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        yield home


VARIABLES = {**GOLDEN_ENVIRON, "opencode": "XDG_DATA_HOME"}
GOLDEN_SHAPES = [
    (agent, folder.name)
    for agent in VARIABLES
    for folder in sorted(path for path in (GOLDEN / agent).iterdir() if path.is_dir())
]


@pytest.mark.parametrize(("agent", "shape"), GOLDEN_SHAPES, ids=map("/".join, GOLDEN_SHAPES))
def test_every_agents_sessions_can_be_forgotten(
    clean_home: Path, tmp_path: Path, agent: str, shape: str
) -> None:
    """One by one, whatever each agent keeps in which files; and also when it deletes some."""
    folder = tmp_path / "agent"
    shutil.copytree(GOLDEN / agent / shape, folder)
    variables = {VARIABLES[agent]: str(folder)}
    here = config.defaults()

    def now() -> dict[str, int]:
        with ask(here, variables) as asking:
            return {row.session_id: row.total_tokens for row in asking.answers.sessions(Slice())}

    before = now()
    while before:
        session_id = min(before)
        with ask(here, variables) as asking:
            (row,) = [
                one for one in asking.answers.sessions(Slice()) if one.session_id == session_id
            ]
        found = find(here, variables, [session_id], [])
        assert forget(here, found) == []
        del before[session_id]
        assert now() == before
        words = tuple(filter(None, (session_id, row.native_id)))
        assert holding(clean_home, words) == []
    for path in sorted(folder.rglob("*"), key=lambda path: len(path.name)):
        if path.is_file():
            path.unlink()
            assert now() == {}, path
