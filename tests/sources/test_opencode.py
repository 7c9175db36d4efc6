"""OpenCode: databases of both generations, folders of files, and exported sessions."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from m31a_metrics.errors import MetricsError, NotThisFormat, SessionNotFound, StorageError
from m31a_metrics.events import LLMInteraction, ToolCall, UserTurn
from m31a_metrics.foreign_files import Folders
from m31a_metrics.sources import opencode
from m31a_metrics.sources.opencode import Database
from m31a_metrics.sources.opencode.fold import Where, outcome
from m31a_metrics.sources.opencode.records import Part, State, Time
from m31a_metrics.sources.opencode.store import Turn
from m31a_metrics.transcript import Damage, Transcript
from tests.conftest import Sample
from tests.sources import samples
from tests.sources.golden import GOLDEN, check

AGENT = "opencode"


class _Folder:
    """A source that finds its sessions where a test has put them."""

    NAME = AGENT

    def __init__(self, data: Path) -> None:
        self._data = data

    def find(self, environ: Mapping[str, str], folders: Folders | None = None) -> Iterator[str]:
        exports = sorted(Path(environ["XDG_DATA_HOME"]).glob("session.json"))
        yield from map(str, exports)
        yield from opencode.find({"XDG_DATA_HOME": str(self._data)}, folders)

    def read(self, path: str, skip: frozenset[str] = frozenset()) -> Transcript:
        read = opencode.read(path, skip)
        read.damage.reasons = [one.replace(str(self._data), "") for one in read.damage.reasons]
        return read


def database(folder: Path, shape: str, name: str = "opencode.db") -> Path:
    """Make the database that a shape's SQL describes, as OpenCode has it: in WAL mode."""
    path = folder / "opencode" / name
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript((GOLDEN / AGENT / shape / "opencode.sql").read_text())
    return path


@pytest.mark.parametrize("shape", ["files-0.3", "files-1.0", "export-1.2"])
def test_files_give_the_same_events(shape: str) -> None:
    """Each layout of files, and an export, read as they did when somebody last looked."""
    folder = GOLDEN / AGENT / shape
    check(_Folder(folder), AGENT, shape, {"XDG_DATA_HOME": str(folder)})


@pytest.mark.parametrize("shape", ["database-1.14", "database-2.0"])
def test_databases_give_the_same_events(shape: str, tmp_path: Path) -> None:
    """A database of each generation reads as it did when somebody last looked."""
    path = database(tmp_path, shape)
    folder = GOLDEN / AGENT / shape
    check(_Folder(tmp_path), AGENT, shape, {"XDG_DATA_HOME": str(folder)})
    assert os.listdir(path.parent) == [path.name]


ROOT = "ses_0001root"
RESPONSE = (
    "INSERT INTO message VALUES ('msg_9%d', 'ses_0001root', 1780000050000, 0, "
    '\'{"role":"assistant","time":{"created":178000005%d},"modelID":"m","providerID":"openai",'
    '"tokens":{"input":1,"output":%d}}\')'
)


def responses(path: Path | str) -> int:
    """How many responses of the model a session has."""
    return sum(isinstance(event, LLMInteraction) for event in opencode.read(str(path)).events)


def state_of(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything that can be told of the files of a folder."""
    stats = {path.name: (path.stat(), path.read_bytes()) for path in folder.iterdir()}
    return {name: (stat.st_mtime_ns, stat.st_size, data) for name, (stat, data) in stats.items()}


WRITES = """
import sqlite3, sys
writer = sqlite3.connect(sys.argv[1], isolation_level=None)
for line in sys.stdin:
    writer.execute(line).fetchall()
    print(flush=True)
"""


def test_reading_beside_a_writer_leaves_nothing(tmp_path: Path) -> None:
    """While OpenCode writes, each read sees all that is committed, and touches no file."""
    path = database(tmp_path, "database-1.14")
    session = f"{path}::{ROOT}"
    before = responses(session)
    with subprocess.Popen(
        [sys.executable, "-c", WRITES, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as writer:

        def execute(sql: str) -> None:
            print(sql, file=writer.stdin)
            assert writer.stdout is not None
            assert writer.stdout.readline()

        for number, step in enumerate(("", "TRUNCATE", "", "PASSIVE", "", "RESTART", "")):
            execute(RESPONSE % (number, number, number + 1))
            if step:
                execute(f"PRAGMA wal_checkpoint({step})")
            there = state_of(path.parent)
            assert responses(session) == before + number + 1
            assert state_of(path.parent) == there
        execute("BEGIN IMMEDIATE")
        execute(RESPONSE % (9, 9, 9))
        assert responses(session) == before + 7, "what is not committed is not there"
        assert writer.stdin is not None
        writer.stdin.close()
    assert list(state_of(path.parent)) == [path.name]


def test_a_database_that_changes_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no lock can be taken a change is noticed, and what was read is not used."""
    path = database(tmp_path, "database-1.14")
    before = responses(f"{path}::{ROOT}")
    turns = Database.turns

    def changing(self: Database, session_id: str, damage: Damage) -> Iterator[Turn]:
        monkeypatch.setattr(Database, "turns", turns)
        with closing(sqlite3.connect(path)) as writer, writer:
            writer.execute(RESPONSE % (1, 1, 1))
        return turns(self, session_id, damage)

    monkeypatch.setattr(Database, "turns", changing)
    assert responses(f"{path}::{ROOT}") == before + 1


KILLED = """
import os, signal, sqlite3, sys
writer = sqlite3.connect(sys.argv[1], isolation_level=None)
writer.execute(sys.argv[2])
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("lost", ["", "opencode.db-shm"])
def test_what_a_killed_opencode_left_is_read(lost: str, tmp_path: Path) -> None:
    """What was committed and never moved into the database counts, also without the -shm."""
    path = database(tmp_path, "database-1.14")
    before = responses(f"{path}::{ROOT}")
    subprocess.run([sys.executable, "-c", KILLED, str(path), RESPONSE % (1, 1, 1)], check=False)
    assert (path.parent / "opencode.db-wal").stat().st_size
    if lost:
        (path.parent / lost).unlink()
    there = state_of(path.parent)
    assert responses(f"{path}::{ROOT}") == before + 1
    assert state_of(path.parent) == there


def test_a_read_only_folder_is_read(tmp_path: Path) -> None:
    """A database that may not be written, in a folder that may not be, reads the same."""
    path = database(tmp_path, "database-2.0")
    expected = opencode.read(f"{path}::ses_0011root").events
    path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        assert opencode.read(f"{path}::ses_0011root").events == expected
    finally:
        path.parent.chmod(0o700)


def test_a_database_without_wal_is_read(tmp_path: Path) -> None:
    """On file systems where WAL does not work OpenCode does without; so do we."""
    path = database(tmp_path, "database-1.14")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    assert responses(f"{path}::{ROOT}") == 3
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize(
    ("error", "wait_ms", "denied"),
    [
        ("The user rejected permission to use this specific tool call.", 9_000.0, True),
        ("The user dismissed this question", 9_000.0, True),
        ("The user has specified a rule which prevents you from using this", None, True),
        ("Tool execution aborted", None, False),
        ("File not found: a.ts", None, False),
    ],
)
def test_what_was_not_let_run_is_denied(error: str, wait_ms: float | None, denied: bool) -> None:
    """A person's refusal took the time that passed, a rule's none; what was aborted had begun."""
    took = Time(start=1_780_000_000_000, end=1_780_000_009_000)
    part = Part(type="tool", tool="edit", state=State(status="error", error=error, time=took))
    found = outcome(part, "c", Where(0, "r", "", ""))
    assert found.event is not None
    assert found.call.denied is found.event.denied is denied
    assert found.event.wait_ms == wait_ms
    assert found.event.duration_ms == (0 if denied else 9_000.0)


def test_a_fork_counts_only_what_is_its_own(tmp_path: Path) -> None:
    """Given the keys of the session it was forked from, a fork has what came after."""
    path = database(tmp_path, "database-1.14")
    original = opencode.read(f"{path}::{ROOT}")
    known = frozenset(e.id for e in original.events if isinstance(e, LLMInteraction) and e.id)
    fork = opencode.read(f"{path}::ses_0003fork", known)
    assert [type(event).__name__ for event in fork.events] == [
        "SessionStart",
        "UserTurn",
        "LLMInteraction",
    ]
    assert not fork.calls
    assert (fork.effects.replayed_responses, fork.effects.replayed_tokens) == (1, 9_620)
    assert fork.facts.started_us == 1_780_000_100_000_000


def test_each_session_is_found_once(tmp_path: Path) -> None:
    """Of a session in a database and in files the database's is read; subagents are parts."""
    shutil.copytree(GOLDEN / AGENT / "files-1.0" / "opencode", tmp_path / "opencode")
    path = database(tmp_path, "database-2.0")
    copied = "ses_4a1b0001ffeRootRootRoot01"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO session VALUES (?, 'p1', NULL, 's', '/x', 't', '1.2.0', 1, 1)", (copied,)
        )
    other = database(tmp_path, "database-1.14", "opencode-dev.db")
    (tmp_path / "opencode" / "opencode-empty.db").write_bytes(b"")
    assert list(opencode.find({"XDG_DATA_HOME": str(tmp_path)})) == [
        f"{other}::{ROOT}",
        f"{other}::ses_0003fork",
        f"{path}::ses_0011root",
        f"{path}::ses_0013left",
        f"{path}::{copied}",
    ]


def test_databases_are_found_where_the_environment_says(tmp_path: Path) -> None:
    """OPENCODE_DB names one by its path, or by its name in OpenCode's folder; HOME is default."""
    share = tmp_path / ".local" / "share"
    share.mkdir(parents=True)
    usual = database(share, "database-1.14")
    elsewhere = database(tmp_path, "database-2.0", "mine.db")
    home = {"HOME": str(tmp_path)}
    assert {one.partition("::")[0] for one in opencode.find(home)} == {str(usual)}
    named = home | {"OPENCODE_DB": str(elsewhere)}
    assert next(iter(opencode.find(named))) == f"{elsewhere}::ses_0011root"
    relative = {"XDG_DATA_HOME": str(tmp_path), "OPENCODE_DB": "mine.db"}
    assert next(iter(opencode.find(relative))) == f"{elsewhere}::ses_0011root"
    nothing = {"HOME": str(tmp_path / "nowhere"), "OPENCODE_DB": ":memory:"}
    assert not list(opencode.find(nothing))


def test_refusals_say_why(tmp_path: Path) -> None:
    """What is no session, or is not there, or cannot be read, is told in one sentence."""
    path = database(tmp_path, "database-1.14")
    with pytest.raises(SessionNotFound, match="holds 2 sessions; name one of them: .*::ses_0001"):
        opencode.read(str(path))
    with pytest.raises(SessionNotFound, match="holds no session nobody"):
        opencode.read(f"{path}::nobody")
    with pytest.raises(StorageError, match="cannot read .*gone.db: No such file"):
        opencode.read(f"{tmp_path}/gone.db::x")
    foreign = tmp_path / "foreign.db"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE message (id)")
    with pytest.raises(NotThisFormat, match="has not the tables of OpenCode"):
        opencode.read(str(foreign))
    (tmp_path / "bad.db").write_bytes(path.read_bytes()[:100] + b"\xff" * 4_000)
    with pytest.raises(StorageError, match="bad.db"):
        opencode.read(f"{tmp_path}/bad.db::x")
    for number, (data, why) in enumerate((
        ('{"id":"p","messageID":"m","type":"text"}', "a piece of an OpenCode session"),
        ('{"info":{"id":"x"},"messages":[]}', "without a session's keys"),
        ('{"id":1}\n{"id":2}\n', "JSON Lines"),
        ('{"id":', "neither a database nor JSON"),
        ("[]", "does not begin as one object"),
        ("", "does not begin as one object"),
    )):  # fmt: skip
        file = tmp_path / f"{number}.json"
        file.write_text(data)
        with pytest.raises(NotThisFormat, match=why):
            opencode.read(str(file))


def test_a_damaged_session_file_costs_only_itself(tmp_path: Path) -> None:
    """Where a session's own file is torn its messages still count."""
    shutil.copytree(GOLDEN / AGENT / "files-1.0" / "opencode", tmp_path / "opencode")
    path = next(tmp_path.rglob("*Root01.json"))
    before = responses(path)
    path.write_bytes(path.read_bytes()[:50])
    assert responses(path) == before == 5
    assert opencode.read(str(path)).damage.count == 1


def test_a_lone_database_session_needs_no_name(tmp_path: Path) -> None:
    """A database with one session is that session."""
    path = database(tmp_path, "database-2.0")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM session WHERE id = 'ses_0013left'")
    assert opencode.read(str(path)).facts.native_id == "ses_0011root"


@pytest.fixture
def unfolded(sample: Sample, tmp_path: Path) -> Path:
    """The folders of the samples, whose paths are in their names with `__` for `/`."""
    for name in samples.OPENCODE:
        target = tmp_path / name.replace("__", "/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(sample(AGENT, name), target)
    return tmp_path / "agent-sessions"


def test_the_samples_reconcile(unfolded: Path) -> None:
    """Every session of the samples is read without damage, and every call is paired."""
    read = {path.stem: opencode.read(str(path)) for path in unfolded.rglob("ses_*.json")}
    assert sorted(read) == ["ses_s_stage0_drift", "ses_s_stage0_large", "ses_s_stage0_small"]
    assert not any(one.damage.count for one in read.values())
    calls = [call for one in read.values() for call in one.calls]
    assert [call.success for call in calls].count(None) == 0
    assert len(calls) == 3
    large = read["ses_s_stage0_large"].events
    assert [e.usage.total for e in large if isinstance(e, LLMInteraction)] == [136]
    assert [e.success for e in large if isinstance(e, ToolCall)] == [False]
    assert len([e for e in large if isinstance(e, UserTurn)]) == 2


def test_every_sample_file_is_read_or_refused_with_a_reason(sample: Sample) -> None:
    """By itself a session's file has no messages, which is said; a piece of one is refused."""
    for name in samples.OPENCODE:
        path = sample(AGENT, name)
        try:
            read = opencode.read(str(path))
        except MetricsError as error:
            assert "__session__" not in path.name
            assert isinstance(error, NotThisFormat)
            assert str(path) in str(error)
        else:
            assert "__session__" in path.name
            assert "the session's messages are not there" in read.damage.reasons[0]
            assert json.loads(path.read_text())["id"] == read.facts.native_id
