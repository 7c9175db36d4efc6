"""Which folders a question is about: those that the environment names when it is asked."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from m31a_metrics import Collector, config, query
from m31a_metrics.answers import Slice
from m31a_metrics.catalog import ask
from m31a_metrics.catalog.agents import Roots, places
from m31a_metrics.catalog.find_session import ask_named, load_named
from m31a_metrics.catalog.forget_sessions import find
from m31a_metrics.catalog.import_sessions import import_transcripts
from m31a_metrics.catalog.refresh import quiet
from m31a_metrics.config import Config
from tests import transcripts
from tests.sources.golden import GOLDEN
from tests.transcripts import ONE, TOTAL, TWO, answer

NAMED_BY = {
    "claude-code": ("CLAUDE_CONFIG_DIR", "2.1-modes"),
    "codex": ("CODEX_HOME", "exec-0.140"),
    "gemini-cli": ("GEMINI_CLI_HOME", "lines-0.40"),
    "copilot-cli": ("COPILOT_HOME", "folder-1.0"),
    "pi": ("PI_CODING_AGENT_DIR", "format-3"),
    "qwen": ("QWEN_HOME", "branch-0.21"),
    "opencode": ("XDG_DATA_HOME", "files-1.0"),
}
"""The variable that names an agent's folder, and a folder as the agent keeps it."""


@pytest.fixture
def settings(clean_home: Path) -> Config:
    """The configuration of an empty home."""
    return config.defaults()


@pytest.fixture
def home(clean_home: Path) -> Path:
    """A home with two folders of Claude Code, each with a session of its own."""
    for session_id, name in ((ONE, "work"), (TWO, "own")):
        folder = clean_home / name
        transcripts.write(folder, session_id, answer(name))
        (folder / ".claude").rename(clean_home / f".claude-{name}")
    return clean_home


def named(home: Path, *names: str) -> dict[str, str]:
    """An environment that names some of these folders."""
    folders = ",".join(f"{home}/.claude-{name}" for name in names)
    return {"HOME": str(home), "CLAUDE_CONFIG_DIR": folders}


def asked(
    settings: Config, environ: dict[str, str], *, all_folders: bool = False
) -> tuple[set[str], list[str]]:
    """The sessions that a question is about, and what is said of others."""
    with ask(settings, environ, all_folders=all_folders) as asking:
        rows = asking.answers.sessions(Slice())
        (total,) = asking.answers.totals(Slice())
        assert (total.session_count, total.total_tokens) == (
            len(rows),
            sum(row.total_tokens for row in rows),
        )
        for by in ("day", "agent"):
            parts = asking.answers.totals(Slice(), by)
            assert sum(part.total_tokens for part in parts) == total.total_tokens
        return {row.session_id for row in rows}, list(asking.notes)


def test_a_question_is_about_the_folders_that_are_named(settings: Config, home: Path) -> None:
    """Whatever was asked before, and in which order; what is left out is said."""
    for names, expected in (
        (["work"], {ONE}),
        (["own"], {TWO}),
        (["work"], {ONE}),
        (["work", "own"], {ONE, TWO}),
    ):
        found, notes = asked(settings, named(home, *names))
        assert found == expected
    assert notes == []
    found, (note,) = asked(settings, named(home, "own"))
    assert "1 session of other folders" in note
    assert f"{home}/.claude-work/projects" in note
    assert "--all-folders" in note
    assert asked(settings, named(home, "own"), all_folders=True) == ({ONE, TWO}, [])


def test_what_is_gone_belongs_to_its_folder(settings: Config, home: Path) -> None:
    """A session whose file was deleted counts where its folder is named, and nowhere else."""
    asked(settings, named(home, "work", "own"))
    (path,) = home.glob(f".claude-work/projects/*/{ONE}.jsonl")
    path.unlink()
    assert asked(settings, named(home, "own"))[0] == {TWO}
    assert asked(settings, named(home, "work"))[0] == {ONE}


def test_a_copy_in_a_named_folder_counts(settings: Config, home: Path) -> None:
    """A session that lies in two folders is of both, and one."""
    shutil.copytree(
        home / ".claude-work/projects", home / ".claude-own/projects", dirs_exist_ok=True
    )
    assert asked(settings, named(home, "work", "own"))[0] == {ONE, TWO}
    assert asked(settings, named(home, "own"))[0] == {ONE, TWO}
    assert asked(settings, named(home, "work"))[0] == {ONE}


def test_by_whatever_path(settings: Config, home: Path) -> None:
    """A link to a folder, and a folder within or above another, name what lies there."""
    asked(settings, named(home, "work", "own"))
    (home / ".claude-link").symlink_to(home / ".claude-own")
    assert asked(settings, named(home, "link"))[0] == {TWO}
    (path,) = home.glob(f".claude-own/projects/*/{TWO}.jsonl")
    path.unlink()
    assert asked(settings, named(home, "link"))[0] == {TWO}
    roots = Roots(named(home, "link"), settings.sessions_dir)
    projects = f"{home}/.claude-own/projects"
    assert roots.containing("claude-code", f"{home}/.claude-link/projects/a/b.jsonl") == projects
    assert roots.has("claude-code", f"{projects}/a")
    assert not roots.has("claude-code", f"{projects}-not")
    assert roots.has("nobody-knows", "/anywhere")


def test_a_folder_within_another_may_be_named_later(settings: Config, clean_home: Path) -> None:
    """What was read below a folder is found below one that lies in it."""
    inner = clean_home / "outer/inner"
    shutil.copytree(GOLDEN / "pi/format-3/sessions", inner)
    outer = {"HOME": str(clean_home), "PI_CODING_AGENT_SESSION_DIR": str(clean_home / "outer")}
    found, _ = asked(settings, outer)
    assert found
    within = outer | {"PI_CODING_AGENT_SESSION_DIR": str(inner)}
    assert asked(settings, within) == (found, [])
    assert asked(settings, outer) == (found, [])


@pytest.mark.parametrize("agent", NAMED_BY)
def test_of_every_agent(settings: Config, clean_home: Path, agent: str) -> None:
    """The variable that names an agent's folder says what a question is about."""
    variable, shape = NAMED_BY[agent]
    environ = {"HOME": str(clean_home)}
    there = environ | {variable: str(GOLDEN / agent / shape)}
    found, _ = asked(settings, there)
    assert found
    for elsewhere in (environ, environ | {variable: str(clean_home / "empty")}):
        left, notes = asked(settings, elsewhere)
        assert left == set()
        assert "other folders" in notes[0]
        assert asked(settings, elsewhere, all_folders=True)[0] == found
    assert asked(settings, there) == (found, [])


def test_the_logs_of_aider(settings: Config, clean_home: Path) -> None:
    """A variable names the log; settings of the folder where somebody is choose none."""
    environ = {"HOME": str(clean_home)}
    (log,) = (GOLDEN / "aider/log-0.86").iterdir()
    found, _ = asked(settings, environ | {"AIDER_ANALYTICS_LOG": str(log)})
    assert found
    assert asked(settings, environ) == (found, [])
    assert asked(settings, environ | {"AIDER_ANALYTICS_LOG": f"{clean_home}/other"})[0] == set()


def test_recordings_of_another_directory(settings: Config, clean_home: Path) -> None:
    """The directory of recorded sessions is a folder like the others."""
    other = replace(settings, sessions_dir=f"{clean_home}/other")
    for name, directory in (("here", settings.sessions_dir), ("there", other.sessions_dir)):
        with Collector(name, directory) as collector:
            collector.record_tool_call("Bash", True, 1)
    environ = {"HOME": str(clean_home)}
    assert asked(settings, environ)[0] == {"here"}
    assert asked(other, environ)[0] == {"there"}
    assert asked(settings, environ)[0] == {"here"}


def test_the_transcript_decides(settings: Config, home: Path) -> None:
    """An imported copy does not make its session one of every folder while that is there."""
    environ = named(home, "own")
    import_transcripts(settings, places(["claude-code"], environ), quiet)
    assert asked(settings, environ)[0] == {TWO}
    found, notes = asked(settings, named(home, "work"))
    assert (found, len(notes)) == ({ONE}, 1)


def test_whoever_names_a_session_means_it(settings: Config, home: Path) -> None:
    """By its id a session is found in whatever folder; `last` is of those that are named."""
    asked(settings, named(home, "work", "own"))
    environ = named(home, "own")
    assert load_named(settings, ONE, environ).record.session_id == ONE
    with ask_named(settings, ONE[:6], environ) as one:
        (total,) = one.answers.totals(one.which)
        assert total.total_tokens == TOTAL
    assert load_named(settings, "last", environ).record.session_id == TWO


def test_forgetting_means_what_a_question_means(settings: Config, home: Path) -> None:
    """A slice is of the folders that are named; a name is of any, and so is all."""
    asked(settings, named(home, "work", "own"))
    environ = named(home, "own")

    def found(names: Sequence[str], *, all_folders: bool) -> set[str]:
        targets = find(settings, environ, names, [Slice()], all_folders=all_folders).targets
        return {target.row.session_id for target in targets}

    assert found([], all_folders=False) == {TWO}
    assert found([ONE], all_folders=False) == {ONE, TWO}
    assert found([], all_folders=True) == {ONE, TWO}


def test_in_python(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`query.open` asks about the folders that are named, and about all if told so."""
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", f"{home}/.claude-work")
    with query.open() as machine:
        assert [row.session_id for row in machine.sessions()] == [ONE]
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", f"{home}/.claude-own")
    with query.open() as machine:
        assert [row.session_id for row in machine.sessions()] == [TWO]
        assert any("--all-folders" in problem for problem in machine.problems)
    with query.open(all_folders=True) as machine:
        assert {row.session_id for row in machine.sessions()} == {ONE, TWO}
