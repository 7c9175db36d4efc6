"""`m31 hooks` and `m31 setup`, on invented homes."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import pytest

from m31a_metrics.cli.options import consent
from m31a_metrics.live import install
from tests.cli.conftest import M31


@pytest.fixture
def home(clean_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with Claude Code and Codex, on a machine that nobody manages; nobody agrees."""
    monkeypatch.setattr(install, "MANAGED", ())
    monkeypatch.setattr(consent, "TERMINAL", "/nowhere/tty")
    monkeypatch.setenv("PATH", "/nowhere")
    for name in ("CLAUDECODE", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "QWEN_HOME"):
        monkeypatch.delenv(name, raising=False)
    (clean_home / ".claude").mkdir()
    (clean_home / ".claude" / "settings.json").write_text('{\n  "model": "x"\n}\n')
    (clean_home / ".codex").mkdir()
    return clean_home


@pytest.fixture
def agreeing(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The same, with a person at the terminal who says yes."""
    terminal = tmp_path / "tty"
    terminal.write_text("y\n" * 50)
    monkeypatch.setattr(consent, "TERMINAL", str(terminal))
    monkeypatch.setattr("m31a_metrics.cli.hooks.person_agrees", lambda *_: True)
    monkeypatch.setattr("m31a_metrics.cli.setup.person_agrees", lambda *_: True)
    return home


def settings(home: Path) -> Path:
    """Claude Code's settings."""
    return home / ".claude" / "settings.json"


def test_install_shows_what_changes_and_does_it(m31: M31, home: Path) -> None:
    """The lines, the files, and what a person has still to do; a second time changes nothing."""
    said = m31("hooks", "install")
    assert said.code == 0
    assert '+    "PostToolUse": [' in said.out
    assert "installed" in said.out
    assert "type /hooks in Codex" in said.err
    assert "PostToolUse" in settings(home).read_text()
    assert (home / ".codex" / "hooks.json").exists()
    assert (home / ".m31a" / "live" / "hook.py").exists()
    again = m31("hooks", "install", "--json")
    assert json.dumps(json.loads(again.out)).count("unchanged") == 2


def test_a_dry_run_writes_nothing(m31: M31, home: Path) -> None:
    """It shows the same lines."""
    said = m31("hooks", "install", "claude-code", "--dry-run")
    assert '+    "PostToolUse": [' in said.out
    assert "would be installed" in said.out
    assert settings(home).read_text() == '{\n  "model": "x"\n}\n'
    assert not (home / ".m31a" / "live").exists()


def test_remove_gives_the_bytes_back(m31: M31, agreeing: Path) -> None:
    """What was there is there again, a file that was not is gone."""
    m31("hooks", "install", "--statusline")
    assert "statusLine" in settings(agreeing).read_text()
    said = m31("hooks", "remove")
    assert (said.code, said.out.count("removed")) == (0, 2)
    assert settings(agreeing).read_text() == '{\n  "model": "x"\n}\n'
    assert not (agreeing / ".codex" / "hooks.json").exists()
    assert "No hooks of m31 are installed" in m31("hooks", "remove").out


def test_an_agent_cannot_remove_hooks(
    m31: M31, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither under an agent nor without a terminal: they may hold a budget."""
    m31("hooks", "install", "claude-code")
    before = settings(home).read_bytes()
    assert "nobody can be asked" in m31("hooks", "remove").err
    monkeypatch.setenv("CLAUDECODE", "1")
    said = m31("hooks", "remove")
    assert said.code == 2
    assert "Only a person removes hooks" in said.err
    assert settings(home).read_bytes() == before


def test_a_project_gets_what_is_one_persons(
    m31: M31, agreeing: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """settings.local.json of the folder, which `remove` finds again from elsewhere."""
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path / "shop")
    said = m31("hooks", "install", "--project")
    assert said.code == 0
    assert "keep it out of version control" in said.err
    local = tmp_path / "shop" / ".claude" / "settings.local.json"
    assert local.exists()
    assert "PostToolUse" not in settings(agreeing).read_text()
    assert m31("hooks", "install", "codex", "--project").code == 1
    monkeypatch.chdir(tmp_path)
    assert str(local) in m31("hooks", "status").out.replace("\n", "")
    m31("hooks", "remove")
    assert not local.exists()


def test_status_tells_what_is_missing(m31: M31, home: Path) -> None:
    """Not installed; installed and silent; told something; behind the budget."""
    assert "not installed" in m31("hooks", "status", "claude-code").out
    m31("hooks", "install")
    said = m31("hooks", "status", "--json")
    assert "type /hooks in Codex" in said.out
    assert "nothing was told yet" in said.out
    fired = home / ".m31a" / "live" / "fired"
    fired.mkdir()
    (fired / "claude-code").touch()
    assert "nothing was told yet" not in m31("hooks", "status", "--json").out
    (home / ".m31a" / "config.toml").write_text("[metrics.budget]\nday_usd = 5\n")
    assert "outdated" in m31("hooks", "status", "--json").out
    m31("hooks", "install")
    assert "wait for the budget" in m31("hooks", "status", "--json").out
    (home / ".m31a" / "live" / "hook.py").write_text("# of an older version\n")
    m31("hooks", "status")
    assert "def main" in (home / ".m31a" / "live" / "hook.py").read_text()


def test_settings_that_refuse_are_named_and_left(m31: M31, home: Path) -> None:
    """Exit code 1, the place, and the other agents are served."""
    settings(home).write_text('{\n  "model": "x", // mine\n}\n')
    for name in ("install", "remove", "status"):
        said = m31("hooks", name, *(["--dry-run"] * (name != "status")))
        assert said.code == 1
        assert "settings.json, line 2, column 17: a comment" in said.err
    m31("hooks", "install")
    assert (home / ".codex" / "hooks.json").exists()
    assert settings(home).read_text() == '{\n  "model": "x", // mine\n}\n'


def test_without_an_agent_nothing_is_guessed(
    m31: M31, clean_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 3, unless one is named."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert m31("hooks", "install").code == 3
    assert m31("setup", "--yes").code == 3
    assert m31("hooks", "install", "qwen").code == 0
    assert (clean_home / ".qwen" / "settings.json").exists()


# ---- setup


def test_setup_shows_asks_and_does(m31: M31, agreeing: Path) -> None:
    """One page, one question; hooks, status line and budget, and how to undo it."""
    said = m31("setup", "--session-usd", "5", "--day-usd", "20.5")
    assert said.code == 0
    assert "Claude Code: hooks" in said.out
    assert "to be set: session_usd 5.0, day_usd 20.5" in said.out
    assert "m31 hooks remove" in said.err
    written = json.loads(settings(agreeing).read_text())
    assert written["statusLine"]["type"] == "command"
    assert "async" not in written["hooks"]["PreToolUse"][0]["hooks"][0]
    tables = tomllib.loads((agreeing / ".m31a" / "config.toml").read_text())
    assert tables["metrics"]["budget"] == {"session_usd": 5.0, "day_usd": 20.5}
    live = json.loads((agreeing / ".m31a" / "live" / "live.json").read_text())
    assert live["budget"] is True
    assert "everything is set up" in m31("setup").err
    said = m31("setup", "--month-usd", "100")
    assert "has a [metrics.budget] already" in said.err


def test_setup_leaves_another_status_line_until_it_is_told(m31: M31, agreeing: Path) -> None:
    """It stays, is replaced with --replace-statusline, and comes back with remove."""
    text = '{"statusLine": {"type": "command", "command": "mine"}}'
    settings(agreeing).write_text(text)
    m31("setup", "claude-code")
    assert '"command": "mine"' in settings(agreeing).read_text()
    m31("setup", "claude-code", "--replace-statusline")
    assert '"command": "mine"' not in settings(agreeing).read_text()
    m31("hooks", "remove")
    assert settings(agreeing).read_text() == text


def test_setup_asks_a_person_or_is_told(m31: M31, home: Path) -> None:
    """Without a terminal nothing is done, unless --yes is given."""
    assert m31("setup").code == 2
    assert "hooks" not in settings(home).read_text()
    assert m31("setup", "--dry-run").code == 0
    assert "to be added" in json.dumps(json.loads(m31("setup", "--dry-run", "--json").out))
    assert not os.path.exists(home / ".m31a" / "live")
    said = m31("setup", "--yes", "--no-statusline", "--json")
    assert said.code == 0
    assert "installed" in json.dumps(json.loads(said.out))
    assert "statusLine" not in settings(home).read_text()
    assert "hooks" in settings(home).read_text()
