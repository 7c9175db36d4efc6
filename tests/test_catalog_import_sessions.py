"""Importing: what is written of other agents' transcripts, when, and what never is."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from m31a_metrics import Collector, config, events, journal, load, save, sources
from m31a_metrics.answers import Slice
from m31a_metrics.catalog import ask, import_sessions
from m31a_metrics.catalog.agents import Place, places
from m31a_metrics.catalog.find_session import load_named
from m31a_metrics.catalog.import_sessions import (
    COPY,
    EMPTY,
    FAILED,
    IMPORTED,
    RECORDED,
    SKIPPED,
    UNCHANGED,
    Imported,
    import_transcripts,
    journal_name,
    staging,
)
from m31a_metrics.catalog.load import Loader
from m31a_metrics.catalog.records import session_name
from m31a_metrics.config import Config
from m31a_metrics.model import SessionMetrics
from m31a_metrics.phases import infer
from m31a_metrics.rates import pricer
from m31a_metrics.session import Session
from m31a_metrics.tally import Tally
from tests.sources.golden import GOLDEN
from tests.sources.test_claude_code import ONE, TWO, answer, result, said, use, write

AGENT = "claude-code"
MARK = "xyzzyplugh"
"""Stands wherever people's text does, and must stand nowhere in what is written."""


@pytest.fixture
def settings(tmp_path: Path) -> Config:
    """A configuration whose sessions are in an empty place."""
    return config.Config(str(tmp_path / "sessions"), str(tmp_path / "metrics.db"))


@pytest.fixture
def claude(tmp_path: Path) -> Path:
    """Where Claude Code keeps a project's transcripts: one session is there."""
    project = tmp_path / "claude" / "projects" / "shop"
    write(project / f"{ONE}.jsonl", *session())
    return project


def session(first: int = 1) -> list[str]:
    """A session's lines: a prompt, two calls (one failed), two responses."""
    return [
        said(1, f"please {MARK}"),
        answer(2, f"m{first}", 7, use("a", "Bash", command=f"echo {MARK}", description=MARK)),
        result(3, "a", f"{MARK} on stdout"),
        answer(4, f"m{first + 1}", 9, use("b", "Edit", file_path=f"/home/alice/{MARK}.py")),
        result(5, "b", f"no such file '/home/alice/{MARK}'", is_error=True),
    ]


def run(settings: Config, claude: Path, **more: int) -> list[Imported]:
    """Import what Claude Code has there, in this process."""
    environ = {"CLAUDE_CONFIG_DIR": str(claude.parents[1])}
    found = places([AGENT], environ)
    return import_transcripts(settings, found, quiet, **{"processes": 1, **more})  # type: ignore[arg-type] # dry=True is one


def quiet(_done: int, _total: int) -> None:
    pass


def states(done: list[Imported]) -> list[str]:
    return sorted(one.state for one in done)


def tree(directory: str | Path) -> dict[str, tuple[bytes, int]]:
    """Every file below a folder: what it holds and when it was changed."""
    found = (path for path in Path(directory).rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def test_a_transcript_becomes_a_session(settings: Config, claude: Path) -> None:
    """METRICS.json has the transcript's tally, and its journal the events, start first."""
    assert states(run(settings, claude)) == [IMPORTED]
    metrics = load(settings.sessions_dir, ONE)
    assert metrics is not None
    assert [(tool.name, tool.call_count, tool.fail_count) for tool in metrics.tools] == [
        ("Bash", 1, 0),
        ("Edit", 1, 1),
    ]
    kept = journal.read(f"{settings.sessions_dir}/{ONE}/events", journal_name(AGENT))
    start = kept.events[0]
    assert isinstance(start, events.SessionStart)
    assert (start.agent, start.version, start.native_id) == (AGENT, "2.1.0", ONE)
    assert (start.project, start.branch) == ("/home/alice/shop", "main")
    assert kept.damaged == 0


GOLDEN_ENVIRON = {
    "claude-code": "CLAUDE_CONFIG_DIR",
    "codex": "CODEX_HOME",
    "gemini-cli": "GEMINI_CLI_HOME",
    "copilot-cli": "COPILOT_HOME",
    "pi": "PI_CODING_AGENT_DIR",
    "qwen": "QWEN_HOME",
}


@pytest.mark.parametrize(
    ("agent", "folder"),
    [
        (agent, folder)
        for agent in GOLDEN_ENVIRON
        for folder in sorted(path for path in (GOLDEN / agent).iterdir() if path.is_dir())
    ],
    ids=lambda value: value.name if isinstance(value, Path) else value,
)
def test_what_is_loaded_is_what_was_read(settings: Config, agent: str, folder: Path) -> None:
    """Of each golden transcript, with its phases, `load`, a fold and the tally agree."""
    found = places([agent], {GOLDEN_ENVIRON[agent]: str(folder)})
    price = pricer(settings)
    for place in found:
        for one in import_transcripts(settings, [place], quiet, processes=1):
            if one.state != IMPORTED:
                assert one.reason
                continue
            transcript = sources.source(agent).read(place.path)
            tally = Tally(price)
            for order, event in enumerate(infer(transcript).events):
                tally.add(event, order)
            expected = tally.metrics(one.session_id)
            assert load(settings.sessions_dir, one.session_id) == expected
            again = Session(settings.sessions_dir, one.session_id, price)
            assert again.is_current()
            assert again.fold().metrics(one.session_id) == expected


def test_importing_again_writes_nothing(settings: Config, claude: Path) -> None:
    """A transcript that did not change leaves every byte and time as it was."""
    fork = GOLDEN / AGENT / "fork" / "projects" / "shop"
    shutil.copytree(fork, claude, dirs_exist_ok=True)
    run(settings, claude)
    before = tree(settings.sessions_dir)
    assert states(run(settings, claude)) == [UNCHANGED] * 3
    assert tree(settings.sessions_dir) == before


def test_a_transcript_that_grew_replaces_its_journal(settings: Config, claude: Path) -> None:
    """Its session holds the new events too, each once."""
    run(settings, claude)
    with open(claude / f"{ONE}.jsonl", "a", encoding="utf-8") as file:
        file.write(answer(8, "m3", 5) + "\n")
    assert states(run(settings, claude)) == [IMPORTED]
    metrics = load(settings.sessions_dir, ONE)
    assert metrics is not None
    assert sum(llm.completion_tokens for llm in metrics.llms) == 7 + 9 + 5
    assert states(run(settings, claude)) == [UNCHANGED]
    assert os.listdir(settings.sessions_dir) == [ONE]


def test_a_torn_import_is_mended(settings: Config, claude: Path) -> None:
    """A session whose METRICS.json or note is gone, or old, is written again."""
    run(settings, claude)
    whole = {path: data for path, (data, _) in tree(settings.sessions_dir).items()}
    for path in whole:
        if path.endswith((".lock", ".jsonl")):
            continue  # without its journal it is no import any more
        os.unlink(path)
        assert states(run(settings, claude)) == [IMPORTED], path
        now = {path: data for path, (data, _) in tree(settings.sessions_dir).items()}
        assert {path: now[path] for path in whole} == whole


def test_a_dry_run_writes_nothing(settings: Config, claude: Path, tmp_path: Path) -> None:
    """It tells what would be done, and makes no file or folder anywhere."""
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    assert states(run(settings, claude, dry=True)) == [IMPORTED]
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


def test_no_text_of_people_is_written(settings: Config, claude: Path) -> None:
    """Prompts, commands, outputs, file names and errors stay in the transcript."""
    run(settings, claude)
    written = tree(settings.sessions_dir)
    assert len(written) >= 3
    assert [path for path, (data, _) in written.items() if MARK.encode() in data] == []


def test_modes_are_private(settings: Config, claude: Path) -> None:
    """Files are 0600 and directories 0700, whatever the umask."""
    before = os.umask(0)
    try:
        run(settings, claude)
    finally:
        os.umask(before)
    for path in [Path(settings.sessions_dir), *Path(settings.sessions_dir).rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_processes_agree_with_one(settings: Config, claude: Path, tmp_path: Path) -> None:
    """What several processes stage is what one does."""
    for number in range(5):
        write(claude / f"{number}{ONE[1:]}.jsonl", *session(10 * number + 2))
    several = config.Config(str(tmp_path / "several"), settings.index)
    one, two = run(settings, claude), run(several, claude, processes=2)
    assert states(one) == states(two)

    def held(directory: str) -> dict[str, bytes]:
        return {path[len(directory) :]: data for path, (data, _) in tree(directory).items()}

    assert held(settings.sessions_dir) == held(several.sessions_dir)


# -- sessions that others hold, too -----------------------------------------------------


def test_a_recorded_session_is_left_alone(settings: Config, claude: Path) -> None:
    """Recorded by hooks or a Collector, it would count twice: skipped, and not touched."""
    with Collector(ONE, settings.sessions_dir) as collector:
        collector.record_tool_call("Bash", True, 5)
    before = tree(settings.sessions_dir)
    (done,) = run(settings, claude)
    assert (done.state, done.reason) == (SKIPPED, RECORDED)
    assert tree(settings.sessions_dir) == before


def test_an_imported_session_that_is_recorded_into_is_left_alone(
    settings: Config, claude: Path
) -> None:
    """A journal that joins an import keeps the next import away."""
    run(settings, claude)
    Session(settings.sessions_dir, ONE).append(
        [events.ToolCall(t_us=1, name="Late", success=True, duration_ms=1)]
    )
    before = tree(settings.sessions_dir)
    assert [one.reason for one in run(settings, claude)] == [RECORDED]
    assert tree(settings.sessions_dir) == before


def test_a_metrics_file_of_others_is_left_alone(settings: Config, claude: Path) -> None:
    """A METRICS.json without journals was written by somebody else, and stays."""
    save(settings.sessions_dir, ONE, SessionMetrics(ONE))
    before = tree(settings.sessions_dir)
    assert [one.reason for one in run(settings, claude)] == [RECORDED]
    assert tree(settings.sessions_dir) == before


def test_a_replay_counts_once(settings: Config, claude: Path) -> None:
    """A fork's session leaves out what it has of its parent; a mere copy is skipped."""
    shop = "/home/alice/shop"
    parent = session()
    fork = [text.replace(ONE, TWO) for text in parent] + [
        answer(60, "m9", 100, sessionId=TWO, cwd=shop)
    ]
    write(claude / f"{TWO}.jsonl", *fork)
    assert states(run(settings, claude)) == [IMPORTED, IMPORTED]
    loaded = [load(settings.sessions_dir, name) for name in (ONE, TWO)]
    assert sum(llm.completion_tokens for one in loaded if one for llm in one.llms) == 116
    (claude / "copy").mkdir()
    shutil.copy(claude / f"{ONE}.jsonl", claude / "copy" / f"{ONE}.jsonl")
    done = run(settings, claude)
    assert states(done) == [SKIPPED, UNCHANGED, UNCHANGED]
    assert [one.reason for one in done if one.state == SKIPPED] == [COPY]


def test_two_transcripts_with_one_id_get_a_directory_each(settings: Config, claude: Path) -> None:
    """A session that went on in another file loses nothing, however often it is imported."""
    later = [answer(90, "m7", 50)]
    write(claude / "other" / f"{ONE}.jsonl", *later)
    for expected in (IMPORTED, UNCHANGED):
        assert states(run(settings, claude)) == [expected] * 2
    names = os.listdir(settings.sessions_dir)
    assert len(names) == 2
    other = f"{claude}/other/{ONE}.jsonl"
    assert set(names) == import_sessions.copy_names(AGENT, ONE, other)
    loaded = [load(settings.sessions_dir, name) for name in names]
    assert sum(llm.completion_tokens for one in loaded if one for llm in one.llms) == 66


# -- what cannot be imported ------------------------------------------------------------


def test_one_that_cannot_be_read_hides_no_other(settings: Config, claude: Path) -> None:
    """A file of another format is named, damage is counted, and the rest is imported."""
    (claude / "foreign.jsonl").write_text('{"something": "else"}\n')
    with open(claude / f"{ONE}.jsonl", "ab") as file:
        file.write(b'{"type":"assistant","message":{"usa\n' + answer(9, "m5", 1).encode() + b"\n")
    done = {os.path.basename(one.path): one for one in run(settings, claude)}
    assert done["foreign.jsonl"].state == FAILED
    assert "foreign.jsonl" in done["foreign.jsonl"].reason
    assert (done[f"{ONE}.jsonl"].state, done[f"{ONE}.jsonl"].damage.count) == (IMPORTED, 1)


def test_a_link_in_place_of_a_session_is_not_followed(
    settings: Config, claude: Path, tmp_path: Path
) -> None:
    """It is named, what it leads to stays, and the others are imported."""
    write(claude / f"{TWO}.jsonl", *(text.replace(ONE, TWO) for text in session(5)))
    (tmp_path / "elsewhere").mkdir()
    os.makedirs(settings.sessions_dir)
    os.symlink(tmp_path / "elsewhere", f"{settings.sessions_dir}/{ONE}")
    done = {one.session_id: one for one in run(settings, claude)}
    assert done[ONE].state == FAILED
    assert "symbolic link" in done[ONE].reason
    assert done[TWO].state == IMPORTED
    assert os.listdir(tmp_path / "elsewhere") == []


def test_where_nothing_happened_nothing_is_written(settings: Config, claude: Path) -> None:
    """A transcript without events is skipped."""
    write(claude / f"{ONE}.jsonl", said(1, isMeta=True))
    assert [(one.state, one.reason) for one in run(settings, claude)] == [(SKIPPED, EMPTY)]
    assert os.listdir(settings.sessions_dir) == []


def test_what_a_killed_import_left_is_removed(settings: Config, claude: Path) -> None:
    """Also at once, and where its process id is another's now; one of a living import stays."""
    with staging(settings.sessions_dir, dry=False) as living:
        assert living is not None
        for name in (".import-999999999-0a", ".import-1-0b", ".import-odd"):
            Path(settings.sessions_dir, name).mkdir(parents=True)
        run(settings, claude)
        left = {os.path.basename(living), ".import-1-0b", ".import-odd", ONE}
        assert set(os.listdir(settings.sessions_dir)) == left
    run(settings, claude)
    assert os.listdir(settings.sessions_dir) == [ONE]


def test_a_bare_file_is_told_by_its_records(settings: Config, tmp_path: Path) -> None:
    """A Place without an agent is read by the source whose format it has."""
    path = write(tmp_path / "anywhere.txt", *session())
    (done,) = import_transcripts(settings, [Place("", path, 1, 0)], quiet)
    assert (done.agent, done.state, done.session_id) == (AGENT, IMPORTED, ONE)


def test_names_of_directories() -> None:
    """An id that can name a directory does; any other gets a stable name of its own."""
    assert session_name("codex", ONE, "/a") == ONE
    strange = session_name("codex", "../../etc", "/a")
    assert strange == session_name("codex", "../../etc", "/b")
    assert strange.startswith("codex-")
    assert session_name("aider", "", "/a") != session_name("aider", "", "/b")
    assert import_sessions.journal_name("pi") == "import-pi.jsonl"


def test_what_hooks_told_is_joined_with_the_copy(settings: Config, claude: Path) -> None:
    """Hooks record under the session's id: the copy lies beside, and both are one session."""
    path = claude / f"{ONE}.jsonl"
    alone = Loader(settings).load(AGENT, str(path)).record
    last_us = alone.updated_us
    told: list[events.Event] = [
        events.SessionStart(last_us, agent=AGENT, native_id=ONE),
        events.UserTurn(last_us - 1),
        events.ToolCall(last_us + 1, "Bash", True, 77, id="only-hooks"),
    ]
    Session(settings.sessions_dir, ONE).append(told)
    assert states(run(settings, claude)) == [IMPORTED]
    assert states(run(settings, claude)) == [UNCHANGED]
    environ = {"CLAUDE_CONFIG_DIR": str(claude.parents[1])}

    def counted(where: Config) -> tuple[int, int, int]:
        with ask(where, environ) as asking:
            (row,) = asking.answers.sessions(Slice(session=ONE))
        assert row.session_id == ONE
        return row.call_count, row.total_tokens, row.active_us

    before = counted(settings)
    assert before[0] == sum(tool.call_count for tool in alone.tools) + 1
    path.unlink()
    assert counted(settings)[:2] == before[:2]
    # And so it is where nobody ever saw the transcript.
    anew = replace(settings, index=f"{settings.index}.anew")
    assert counted(anew)[:2] == before[:2]
    one = load_named(anew, ONE, environ)
    assert sum(tool.call_count for tool in one.metrics.tools) == before[0]
    assert (one.record.user_turn_count, one.record.is_recorded) == (alone.user_turn_count, False)
