"""`m31 mcp`: installed, looked at, removed; and the server as a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics import Collector
from m31a_metrics.cli.options import consent
from m31a_metrics.live import install, mcp_server
from tests.cli.conftest import M31

STATE = '{\n  "numStartups": 3\n}\n'
HOSTILE = "open({!r}, 'w').close()\n"


@pytest.fixture
def home(clean_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with Claude Code and Codex, on a machine that nobody manages; no agent asks."""
    monkeypatch.setattr(install, "MANAGED", ())
    monkeypatch.setenv("PATH", "/nowhere")
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "QWEN_HOME", "GEMINI_CLI_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(consent, "agent_here", lambda _: "")
    (clean_home / ".claude.json").write_text(STATE)
    (clean_home / ".claude").mkdir()
    (clean_home / ".codex").mkdir()
    return clean_home


def servers(path: Path) -> dict[str, Any]:
    """The servers of a JSON file."""
    found: dict[str, Any] = json.loads(path.read_text())["mcpServers"]
    return found


def test_install_shows_what_changes_and_does_it(m31: M31, home: Path) -> None:
    """The lines, the files, the programs; a second time changes nothing."""
    said = m31("mcp", "install")
    assert said.code == 0, said
    assert '+  "mcpServers": {' in said.out
    assert "+[mcp_servers.m31]" in said.out
    program = home / ".m31a" / "live" / "mcp_server.py"
    assert servers(home / ".claude.json")["m31"]["args"] == ["-P", "-E", str(program)]
    assert program.exists()
    assert (home / ".m31a" / "live" / "mcp_tools.json").exists()
    again = json.loads(m31("mcp", "install", "--json").out)
    assert [row["state"] for row in again] == ["unchanged", "unchanged"]


def test_remove_gives_the_bytes_back(m31: M31, home: Path) -> None:
    """What was there is there again, a file that was not is gone; a dry run only shows it."""
    m31("mcp", "install", "--yes")
    dry = m31("mcp", "remove", "--dry-run")
    assert '-  "mcpServers": {' in dry.out
    assert "would be removed" in dry.out
    said = m31("mcp", "remove")
    assert (said.code, said.out.count("removed")) == (0, 2)
    assert (home / ".claude.json").read_text() == STATE
    assert not (home / ".codex" / "config.toml").exists()
    assert "No agent has the server" in m31("mcp", "remove").out


def test_status_tells_where_it_is_and_renews_it(m31: M31, home: Path) -> None:
    """Agents that have it and those that have not; what it answers about; what it needs."""
    m31("mcp", "install", "claude-code")
    program = home / ".m31a" / "live" / "mcp_server.py"
    program.write_text("# an older one\n")
    told = {row["agent"]: row for row in json.loads(m31("mcp", "status", "--json").out)}
    assert told["claude-code"]["state"] == "installed"
    assert told["claude-code"]["scope"] == "its project"
    assert (told["codex"]["state"], told["codex"]["scope"]) == ("not installed", None)
    assert len(program.read_text().splitlines()) > 100
    (home / ".codex" / "config.toml").write_text('[mcp_servers.m31]\ncommand = "x"\n')
    assert "another server of that name" in m31("mcp", "status", "codex").out
    refused = m31("mcp", "install", "codex")
    assert (refused.code, "not ours" in refused.err) == (1, True)


def test_all_projects_are_let_by_a_person(
    m31: M31, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that tries it is refused; the argument stands in the settings."""
    assert m31("mcp", "install", "claude-code", "--all-projects").code == 0
    assert servers(home / ".claude.json")["m31"]["args"][-1] == "--all-projects"
    assert "all projects" in m31("mcp", "status", "claude-code").out
    monkeypatch.setattr(consent, "agent_here", lambda _: "CLAUDECODE")
    said = m31("mcp", "install", "claude-code", "--all-projects")
    assert said.code == 2
    assert "Only a person lets agents ask about all projects" in said.err


def test_a_project_has_a_file_that_colleagues_share(
    m31: M31, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command by its name, no path; and it goes again, also from elsewhere."""
    project = home / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    assert m31("mcp", "install", "--project").code == 0
    assert servers(project / ".mcp.json")["m31"]["command"] == "m31"
    assert servers(project / ".mcp.json")["m31"]["args"] == ["mcp"]
    assert "no list of servers of a project" in m31("mcp", "install", "codex", "--project").err
    monkeypatch.chdir(home)
    m31("mcp", "remove")
    assert not (project / ".mcp.json").exists()


def test_setup_offers_it_and_adds_it_when_asked(
    m31: M31, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page tells what it costs; hooks and server are both there then."""
    monkeypatch.setattr("m31a_metrics.cli.setup.person_agrees", lambda *_: True)
    (home / ".qwen").mkdir()
    offered = json.loads(m31("setup", "--dry-run", "--json").out)
    states = {row["what"]: row["state"] for row in offered}
    assert states["Claude Code: MCP server"] == "`--mcp` adds it"
    said = m31("setup", "--mcp")
    assert said.code == 0, said
    assert "m31" in servers(home / ".claude.json")
    qwen = json.loads((home / ".qwen" / "settings.json").read_text())
    assert qwen.keys() == {"hooks", "mcpServers"}
    assert "everything is set up" in m31("setup", "--mcp").err
    monkeypatch.setattr("m31a_metrics.cli.hooks.person_agrees", lambda *_: True)
    m31("hooks", "remove")
    m31("mcp", "remove")
    assert (home / ".claude.json").read_text() == STATE
    assert not (home / ".qwen" / "settings.json").exists()


def test_nobody_is_here(m31: M31, clean_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3, and what to do."""
    monkeypatch.setenv("PATH", str(clean_home))
    said = m31("mcp", "install")
    assert (said.code, "name one to install" in said.err) == (3, True)
    assert "Name one" in m31("mcp", "status").out


# ---- as a process


def talk(command: list[str], *messages: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    """Say messages to a server that is started, and give its answers."""
    lines = "".join(f"{json.dumps({'jsonrpc': '2.0', **one})}\n" for one in messages)
    done = subprocess.run(
        command, input=lines, capture_output=True, text=True, check=False, timeout=60, **options
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


LIST = {"id": 1, "method": "tools/list"}
CALL = {"id": 2, "method": "tools/call", "params": {"name": "tools", "arguments": {}}}


def test_the_list_needs_no_package(tmp_path: Path) -> None:
    """A copy, by a Python without packages: it is told, and why there is no answer to a call."""
    folder = Path(mcp_server.__file__).parent
    for name in ("mcp_server.py", "mcp_tools.json"):
        shutil.copy(folder / name, tmp_path)
    command = [sys.executable, "-I", "-S", str(tmp_path / "mcp_server.py")]
    listed, called = talk(command, LIST, CALL)
    assert [tool["name"] for tool in listed["result"]["tools"]][:3] == [
        *("sessions", "session", "tools"),
    ]
    assert called["result"]["isError"] is True
    assert "m31a-metrics is not installed for" in called["result"]["content"][0]["text"]


def test_nothing_of_the_agents_folder_is_run(clean_home: Path) -> None:
    """Modules there, and an environment that names them, do not come before ours."""
    project, marker = clean_home / "project", clean_home / "marker"
    project.mkdir()
    for name in ("json", "msgspec", "m31a_metrics", "sqlite3"):
        (project / f"{name}.py").write_text(HOSTILE.format(str(marker)))
    with Collector("one", clean_home / ".m31a" / "sessions", project=str(project)) as collector:
        collector.record_tool_call("Bash", True, 12.5)
    environ = {**os.environ, "PYTHONPATH": str(project), "PYTHONSTARTUP": str(project / "json.py")}
    command = [sys.executable, "-P", "-E", mcp_server.__file__]
    _, called = talk(command, LIST, CALL, cwd=project, env=environ)
    (content,) = called["result"]["content"]
    assert called["result"]["isError"] is False, content
    assert content["text"].startswith(f"project {project}\n")
    assert "\nBash,1," in content["text"]
    assert not marker.exists()


def test_the_command_serves(clean_home: Path) -> None:
    """`m31 mcp` is the same server, of all projects where it is told so."""
    with Collector("one", clean_home / ".m31a" / "sessions") as collector:
        collector.record_tool_call("Bash", True, 12.5)
    main = "import sys; from m31a_metrics.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", main, "mcp", "--all-projects"]
    listed, called = talk(command, LIST, CALL, cwd=clean_home)
    assert len(listed["result"]["tools"]) == 9
    assert "\nBash,1," in called["result"]["content"][0]["text"]
