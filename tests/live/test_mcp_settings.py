"""The MCP server in agents' settings: added where each agent looks, and every byte given back."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import pytest

from m31a_metrics.config import Config
from m31a_metrics.live import install, mcp_settings
from m31a_metrics.live.agents import AGENTS
from m31a_metrics.live.install import MCP, Change, Place, SettingsRefused
from m31a_metrics.live.mcp_settings import CLIENTS
from tests.live.test_settings_files import SETTINGS

PYTHON = "/usr/bin/python3"
FILES = {
    "claude-code": ".claude.json",
    "codex": ".codex/config.toml",
    "qwen": ".qwen/settings.json",
    "gemini-cli": ".gemini/settings.json",
}
TOMLS = {
    "missing": None,
    "empty": "",
    "one key": 'model = "x"',
    "a table": '# mine\nmodel = "x"\n\n[tui]\ntheme = "dark"  # yes\n',
    "another server": '[mcp_servers.other]\ncommand = "x"\nargs = []\n\n[tui]\nx = 1\n',
    "hooks": '[[hooks.Stop]]\n[[hooks.Stop.hooks]]\ntype = "command"\ncommand = "x"\n',
    "windows": 'model = "x"\r\n\r\n[tui]\r\nx = 1\r\n',
}
SERVERS = {
    "another server": '{"mcpServers": {"other": {"command": "x"}}, "a": 1}',
    "no servers": '{\n  "mcpServers": {},\n  "a": 1\n}\n',
    "no servers on lines": '{\n\t"mcpServers": {\n\t}\n}',
}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """The configuration of a person."""
    ours = tmp_path / "home" / ".m31a"
    return Config(f"{ours}/sessions", f"{ours}/metrics.db", live_dir=f"{ours}/live")


def place(tmp_path: Path, name: str, text: str | None = None) -> Place:
    """Where an agent's servers stand, with a text there."""
    found = mcp_settings.place_of(CLIENTS[name], {"HOME": str(tmp_path / "home")})
    if text is not None:
        os.makedirs(os.path.dirname(found.path), exist_ok=True)
        Path(found.path).write_bytes(text.encode())
    return found


def add(where: Place, config: Config, *, all_projects: bool = False) -> Change:
    """Install."""
    change = mcp_settings.plan(where, config, python=PYTHON, all_projects=all_projects)
    if change.is_one():
        install.carry_out(change, config)
    return change


def remove(where: Place, config: Config) -> None:
    """Remove, as the command does."""
    change = mcp_settings.plan_removal(where, config)
    if change.is_one():
        install.carry_out(change, config)
    install.forget_note(where.path, config, MCP)


def content(where: Place) -> bytes | None:
    """What stands in a file; None where there is none."""
    path = Path(where.path)
    return path.read_bytes() if path.exists() else None


@pytest.mark.parametrize("name", FILES)
def test_each_agent_has_it_where_it_looks(tmp_path: Path, config: Config, name: str) -> None:
    """The Python that has the package, isolated, and the copy in ~/.m31a; a person's choice too."""
    where = place(tmp_path, name)
    assert where.path == str(tmp_path / "home" / FILES[name])
    assert mcp_settings.look(where, config).state == ""
    add(where, config)
    text = Path(where.path).read_text()
    entry = (
        tomllib.loads(text)["mcp_servers"]["m31"]
        if where.is_toml
        else json.loads(text)["mcpServers"]["m31"]
    )
    assert entry["command"] == PYTHON
    assert ("CODEX_HOME" in entry.get("env_vars", ())) == (name == "codex")
    assert entry["args"] == ["-P", "-E", f"{config.live_dir}/mcp_server.py"]
    assert mcp_settings.look(where, config) == mcp_settings.Found(where, "installed", False)
    assert not add(where, config).is_one()
    add(where, config, all_projects=True)
    assert mcp_settings.look(where, config).is_of_all_projects
    assert [one.path for one in mcp_settings.noted_places(config)] == [where.path]
    remove(where, config)
    assert content(where) is None
    assert mcp_settings.noted_places(config) == []


@pytest.mark.parametrize("text", [*SETTINGS.values(), *SERVERS.values()], ids=[*SETTINGS, *SERVERS])
def test_json_comes_back_byte_by_byte(tmp_path: Path, config: Config, text: str | None) -> None:
    """However it is laid out, and after a change of mind in between."""
    where = place(tmp_path, "claude-code", text)
    before = content(where)
    add(where, config)
    assert mcp_settings.look(where, config).state == "installed"
    add(where, config, all_projects=True)
    remove(where, config)
    assert content(where) == before


@pytest.mark.parametrize("text", TOMLS.values(), ids=TOMLS)
def test_toml_comes_back_byte_by_byte(tmp_path: Path, config: Config, text: str | None) -> None:
    """Comments, ends of lines and other tables among it."""
    where = place(tmp_path, "codex", text)
    before = content(where)
    add(where, config)
    assert mcp_settings.look(where, config).state == "installed"
    remove(where, config)
    assert content(where) == before


def test_what_was_written_behind_it_stays(tmp_path: Path, config: Config) -> None:
    """A table that came since is whole when ours is taken out before it."""
    where = place(tmp_path, "codex", 'model = "x"\n')
    add(where, config)
    with Path(where.path).open("a") as file:
        file.write("\n[tui]\nx = 1\n")
    remove(where, config)
    text = Path(where.path).read_text()
    assert tomllib.loads(text) == {"model": "x", "tui": {"x": 1}}
    assert text.endswith("[tui]\nx = 1\n")


def test_what_a_person_added_to_it_stays(tmp_path: Path, config: Config) -> None:
    """An environment, a time to wait; and it goes with the entry."""
    where = place(tmp_path, "qwen", '{\n  "model": "x"\n}\n')
    add(where, config)
    text = Path(where.path).read_text().replace('"command"', '"timeout": 5, "command"')
    Path(where.path).write_text(text)
    assert mcp_settings.look(where, config).state == "installed"
    add(where, config, all_projects=True)
    assert json.loads(Path(where.path).read_text())["mcpServers"]["m31"]["timeout"] == 5
    remove(where, config)
    assert content(where) == b'{\n  "model": "x"\n}\n'


def test_a_projects_file_names_the_command(tmp_path: Path, config: Config) -> None:
    """What colleagues share holds no path of this machine; other agents have no such file."""
    where = mcp_settings.place_of(CLIENTS["claude-code"], {}, project=str(tmp_path))
    add(where, config)
    entry = json.loads((tmp_path / ".mcp.json").read_text())["mcpServers"]["m31"]
    assert entry == {"type": "stdio", "command": "m31", "args": ["mcp"]}
    remove(where, config)
    assert content(where) is None
    with pytest.raises(SettingsRefused, match="without --project"):
        mcp_settings.place_of(CLIENTS["codex"], {}, project=str(tmp_path))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("claude-code", '{"mcpServers": {"m31": {"command": "x"}}}', "not ours"),
        ("claude-code", '{"mcpServers": {"m31": 5}}', "not ours"),
        ("claude-code", '{"mcpServers": []}', "column 16: servers are an object"),
        ("claude-code", "[]", "column 1: settings are an object"),
        ("qwen", '{\n  // mine\n  "a": 1}', "line 2, column 3: a comment"),
        ("gemini-cli", '{\n  // mine\n  "a": 1,}', "line 3, column 10: a comma too many"),
        ("codex", '[mcp_servers.m31]\nurl = "x"\n', "not ours"),
        ("codex", "mcp_servers = {}\n", "in a way that nothing can be added to"),
        ("codex", "[", "not valid TOML"),
    ],
)
def test_what_is_not_ours_is_left_alone(
    tmp_path: Path, config: Config, name: str, text: str, words: str
) -> None:
    """A server of our name, another shape, what its agent reads otherwise: refused by its place."""
    where = place(tmp_path, name, text)
    with pytest.raises(SettingsRefused, match=words):
        mcp_settings.plan(where, config, python=PYTHON, all_projects=False)
    assert content(where) == text.encode()


def test_a_server_of_our_name_stays_when_ours_is_removed(tmp_path: Path, config: Config) -> None:
    """It is somebody else's, and is told as such."""
    where = place(tmp_path, "claude-code", '{"mcpServers": {"m31": {"command": "x"}}}')
    assert mcp_settings.look(where, config).state == "another"
    assert not mcp_settings.plan_removal(where, config).is_one()


def test_variables_of_agents_move_their_files(tmp_path: Path) -> None:
    """As each of them reads it."""
    moved = {
        "claude-code": ("CLAUDE_CONFIG_DIR", ".claude.json"),
        "codex": ("CODEX_HOME", "config.toml"),
        "qwen": ("QWEN_HOME", "settings.json"),
        "gemini-cli": ("GEMINI_CLI_HOME", ".gemini/settings.json"),
    }
    for name, (variable, file) in moved.items():
        path = mcp_settings.place_of(CLIENTS[name], {"HOME": "/h", variable: str(tmp_path)}).path
        assert path == f"{tmp_path}/{file}"


def test_agents_that_are_here_are_found(tmp_path: Path) -> None:
    """By their folder, their file, or their command."""
    environ = {"HOME": str(tmp_path), "PATH": ""}
    assert mcp_settings.found(environ) == []
    (tmp_path / ".gemini").mkdir()
    (tmp_path / ".claude.json").write_text("{}")
    assert [one.agent.name for one in mcp_settings.found(environ)] == ["claude-code", "gemini-cli"]


def test_a_command_that_is_gone_is_outdated(tmp_path: Path, config: Config) -> None:
    """As after an environment was removed; installing again says the Python of now."""
    where = place(tmp_path, "codex")
    change = mcp_settings.plan(where, config, python="/nowhere/python", all_projects=False)
    install.carry_out(change, config)
    assert mcp_settings.look(where, config).state == "outdated"
    add(where, config)
    assert mcp_settings.look(where, config).state == "installed"
    assert "claude-code" in AGENTS
