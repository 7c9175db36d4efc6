"""What an agent is told over MCP: its own project's figures, short, and nobody's words."""

from __future__ import annotations

import csv
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from m31a_metrics import mcp, query
from m31a_metrics.cli.app import COMMANDS, load
from m31a_metrics.table import Column, Table, Unit
from tests.cli import test_texts_stay as texts
from tests.repositories import git
from tests.transcripts import NOW, ONE, TWO, answer, call, prompt, write
from tools.mcp_tools import PATH
from tools.mcp_tools import written as tools_written

WITHIN = "0b7e2f14-3333-4333-8333-000000000003"
ASKED: dict[str, list[dict[str, Any]]] = {
    "sessions": [{}, {"by": "agent"}, {"sort": "cost", "limit": 5}, {"text": "main"}],
    "session": [{}, {"session": "last"}],
    "tools": [{}, {"session": "last"}, {"by": "day"}, {"tool": "Edit"}, {"sort": "calls"}],
    "phases": [{}, {"session": "last"}, {"by": "week"}],
    "cost": [{}, {"session": "last"}, {"by": "model"}],
    "heals": [{}, {"by": "phase"}],
    "errors": [{}, {"by": "tool"}],
    "blocks": [{}, {"since": "2026-06-01"}],
    "compare": [{"a": "last", "b": "all"}, {"a": "2026-06"}],
}


@pytest.fixture
def folders(clean_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sessions in a repository, in a folder of it, and in one whose name begins alike."""
    source = clean_home / "src"
    (source / "app" / "web").mkdir(parents=True)
    (source / "app-other").mkdir()
    git(source / "app", "init", "--quiet")
    for number, (name, folder) in enumerate(
        ((ONE, "app"), (WITHIN, "app/web"), (TWO, "app-other"))
    ):
        at = NOW + timedelta(hours=number)
        lines = [prompt(at), *call(f"a{number}", at, ran_s=1 + number), answer(f"b{number}", at)]
        write(clean_home, name, *lines, project=str(source / folder))
    monkeypatch.chdir(source / "app")
    for name in mcp.SESSION_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return source


def ask(name: str, *, all_projects: bool = False, **arguments: object) -> str:
    """An answer that is one."""
    text, is_error = mcp.call(name, arguments, all_projects=all_projects, debug=True)
    assert not is_error, text
    return text


def refused(name: str, **arguments: object) -> str:
    """Why there is no answer."""
    text, is_error = mcp.call(name, arguments, all_projects=False, debug=True)
    assert is_error, text
    return text


def rows(text: str) -> list[dict[str, str]]:
    """The rows of the first table of an answer."""
    lines = [line for line in text.split("\n\n")[1].splitlines() if not line.startswith("Note")]
    head = next(at for at, line in enumerate(lines) if "," in line and " " not in line)
    return list(csv.DictReader(lines[head:]))


def test_the_tools_are_the_commands_and_take_their_options() -> None:
    """Same words: a name, an option or a part of `--by` that no command has is none here."""
    called = {"session": "show"}
    for name, tool in mcp.TOOLS.items():
        command = called.get(name, name)
        assert command in COMMANDS
        options = {option for one in load(command).params for option in (*one.opts, "session")}
        known = {one.lstrip("-") for one in options} | {"name"}
        assert {one.name for one in tool.accepted} <= known, name
    assert ASKED.keys() == mcp.TOOLS.keys()


def test_what_the_server_lists_is_what_is_declared() -> None:
    """The file beside the server is made of this; `python -m tools.mcp_tools` makes it anew."""
    assert PATH.read_text(encoding="utf-8") == tools_written()
    listed = {tool["name"]: tool["inputSchema"] for tool in json.loads(tools_written())["tools"]}
    assert listed.keys() == mcp.TOOLS.keys()
    assert listed["compare"]["required"] == ["a"]
    assert "all_projects" not in json.dumps(listed)
    assert len(json.dumps(mcp.listing(), separators=(",", ":"))) < 10_000


def test_every_tool_speaks_of_this_project_alone(folders: Path) -> None:
    """Of the repository and the folders in it; of its neighbour not even the name."""
    for name, several in ASKED.items():
        for arguments in several:
            text = ask(name, **arguments)
            assert text.startswith(f"project {folders}/app\n"), text
            assert "other" not in text, text
            assert TWO[:8] not in text, text
    assert len(rows(ask("sessions"))) == 2


def test_another_projects_session_is_not_there(folders: Path) -> None:
    """By its id, by a beginning of it, or as a side of a comparison."""
    for name in (TWO, TWO[:6], str(folders), "../app-other", "nothing"):
        assert "no session has the id or prefix" in refused("session", session=name)
        assert refused("compare", a=name, b="all")
        assert refused("tools", session=name)
    several = refused("session", session=ONE[:8])
    assert "is the beginning of several sessions" in several
    assert TWO[:8] not in several
    assert "No session of project" in ask("tools", project="app-other")


def test_all_projects_are_the_persons_choice(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the option of whoever starts it; no argument asks for them."""
    assert len(rows(ask("sessions", all_projects=True))) == 3
    assert TWO in ask("session", all_projects=True, session=TWO[:6])
    assert "takes no" in refused("sessions", all_folders=True)
    monkeypatch.chdir(folders.parent)
    assert "no project" in refused("sessions")
    assert len(rows(ask("sessions", all_projects=True))) == 3


def test_a_folder_within_a_repository_is_of_it(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever in it the agent was started."""
    monkeypatch.chdir(folders / "app" / "web")
    assert len(rows(ask("sessions"))) == 2
    monkeypatch.chdir(folders / "app-other")
    assert len(rows(ask("sessions"))) == 1


def test_the_agents_own_session_is_known_by_its_environment(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Claude Code tells; where nobody does, or it is not there yet, it is the project's latest."""
    assert f"Session {WITHIN}" in ask("session")
    monkeypatch.setenv("CLAUDE_CODE_SESSION_ID", ONE)
    assert f"Session {ONE}" in ask("session")
    (row,) = rows(ask("tools", session="own"))
    assert row["elapsed_ms"] == "1000"
    monkeypatch.setenv("CLAUDE_CODE_SESSION_ID", "0b7e2f14-9999-4999-8999-000000000009")
    assert "this is the latest" in ask("session")


def test_figures_are_those_of_the_commands(folders: Path) -> None:
    """Row by row, of columns that both have."""
    with query.open() as machine:
        for name in ("tools", "phases", "cost"):
            table = getattr(machine, name)(project=f"{folders}/app")
            told = rows(ask(name, all_projects=True, project=f"{folders}/app"))
            assert len(told) == len(table)
            for mine, theirs in zip(told, table.to_dicts(), strict=True):
                for column in mine.keys() & {"call_count", "fail_count", "total_tokens"}:
                    assert mine[column] == str(theirs[column])


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("tools", {"colour": "red"}, "tools takes no 'colour'"),
        ("tools", {"by": "colour"}, "tools has no part 'colour'. by is tool, day"),
        ("tools", {"by": "label:"}, "no part"),
        ("tools", {"limit": 0}, "from 1 to 100"),
        ("tools", {"limit": True}, "from 1 to 100"),
        ("tools", {"limit": "5"}, "from 1 to 100"),
        ("tools", {"since": 7}, "since is text"),
        ("tools", {"since": "yesteryear"}, "is no time"),
        ("tools", {"since": "7d", "until": "2020-01-01"}, "ends before it begins"),
        ("tools", {"agent": "nobody"}, "is not one of"),
        ("tools", {"sort": "colour"}, "no column 'colour'"),
        ("tools", {"session": "last", "since": "7d"}, "since is for many sessions"),
        ("compare", {}, "compare needs a"),
        ("compare", {"a": "all"}, "Compare all with what?"),
        ("compare", {"a": "colour=red", "b": "all"}, "no 'colour'"),
    ],
)
def test_what_makes_no_sense_is_said(
    folders: Path, name: str, arguments: dict[str, object], words: str
) -> None:
    """In a sentence that tells the model what to write instead."""
    assert words in refused(name, **arguments)
    assert folders.exists()


def test_a_bug_is_no_end(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named by its kind, without the text of the error, which may hold anything."""

    def broken(_: object) -> list[Any]:
        raise KeyError("somebody's words")

    tool = mcp.TOOLS["tools"]
    monkeypatch.setitem(mcp.TOOLS, "tools", replace(tool, answer=broken))
    text, is_error = mcp.call("tools", {}, all_projects=False)
    assert is_error
    assert "KeyError" in text
    assert "words" not in text


def test_what_is_added_up_is_all_there_is(folders: Path) -> None:
    """A list is cut where the index reads it; parts and other orders need all of it."""
    for given, enough in (
        ({}, mcp.ROWS + 1),
        ({"limit": 5}, 6),
        ({"limit": 5, "by": "phase"}, None),
    ):
        one = mcp.Call(None, None, given, [])  # type: ignore[arg-type]
        assert one.enough == enough
    assert len(rows(ask("sessions", limit=1))) == 1
    assert "there are more" in ask("sessions", limit=1)
    (row,) = rows(ask("sessions", by="agent", limit=1))
    assert row["session_count"] == "2"
    assert folders.exists()


def _table(count: int, by: str = "tool") -> Table:
    columns = [Column(by, by), Column("n", "N", Unit.COUNT), Column("bar", "B", Unit.BAR)]
    return Table("Many", columns, [(f"{by} {at} " + "x" * 500, at, 0.5) for at in range(count)])


def test_an_answer_is_bounded() -> None:
    """In rows, in characters of a cell and of it all; what is left out is said, with the way on."""
    text = mcp.written("all projects", [_table(1_000)] * 20, ["A note."], mcp.ROWS_MAX)
    assert len(text) <= mcp.TEXT_MAX
    assert "there are more: narrow" in text
    assert "More tables are left out" in text
    assert text.endswith("A note.")
    assert max(map(len, text.splitlines())) < mcp.CELL_MAX + 50
    assert "bar" not in text
    few = mcp.written("all projects", [_table(30)], [], 5)
    assert "The first 5 rows, and there are more" in few
    assert "The last 5 rows" in mcp.written("all projects", [_table(30, "day")], [], 5)
    assert "day 29" in mcp.written("all projects", [_table(30, "day")], [], 5)
    assert "more" not in mcp.written("all projects", [_table(5)], [], 5)


def test_what_names_hold_is_harmless() -> None:
    """Control characters, ends of lines, halves of characters: on one line, and as escapes."""
    columns = [Column("tool", "Tool"), Column("n", "N", Unit.COUNT)]
    table = Table("T", columns, [("a\x1b[31m\n\u202eb\ud800", 1)])
    line = mcp.written("all projects", [table], []).splitlines()[-1]
    assert line == "a[31m \\u202eb?,1"


def test_nobodys_words_are_in_an_answer(clean_home: Path) -> None:
    """Of sessions of six agents whose prompts, answers, titles and outputs hold a word of ours."""
    for make in (texts.claude_code, texts.codex, texts.gemini_cli, texts.qwen, texts.copilot_cli):
        make(clean_home)
    texts.pi(clean_home)
    assert len(rows(ask("sessions", all_projects=True))) == 6
    for name, several in ASKED.items():
        for arguments in several:
            assert texts.WORD not in ask(name, all_projects=True, **arguments)
    assert texts.holding(clean_home) == []
    assert os.path.exists(clean_home / ".m31a" / "metrics.db")
