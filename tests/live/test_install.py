from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

import pytest

from m31a_metrics.config import Config
from m31a_metrics.live import install
from m31a_metrics.live.agents import AGENTS, Agent
from m31a_metrics.live.install import Change, Place, SettingsRefused
from m31a_metrics.live.settings_toml import our_hooks

CLAUDE, CODEX, QWEN = AGENTS["claude-code"], AGENTS["codex"], AGENTS["qwen"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's home, on a machine that nobody manages."""
    monkeypatch.setattr(install, "MANAGED", (f"{tmp_path}/managed-settings.json",))
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture
def config(home: Path) -> Config:
    """The configuration of that person."""
    ours = home / ".m31a"
    return Config(f"{ours}/sessions", f"{ours}/metrics.db", live_dir=f"{ours}/live")


def environ(home: Path) -> dict[str, str]:
    """The person's environment."""
    return {"HOME": str(home), "PATH": ""}


def installed(place: Place, config: Config, **asked: bool) -> Change:
    """Install, and give what was changed."""
    change = install.plan(place, config, **asked)
    install.put_programs(config, python="/usr/bin/python3")
    if change.is_one():
        install.carry_out(change, config)
    return change


def removed(place: Place, config: Config) -> None:
    """Remove."""
    install.carry_out(install.plan_removal(place, config), config)


@pytest.mark.parametrize("agent", AGENTS)
def test_a_file_that_was_not_there_goes_again(home: Path, config: Config, agent: str) -> None:
    """Private while it is there, with the programs and the sessions' directory beside it."""
    place = install.place_of(AGENTS[agent], environ(home))
    installed(place, config)
    assert stat.S_IMODE(os.stat(place.path).st_mode) == 0o600
    assert os.path.exists(f"{config.live_dir}/hook.py")
    assert os.path.isdir(config.sessions_dir)
    look = install.look(place, config)
    assert set(look.events) == set(AGENTS[agent].tells)
    assert look.is_current
    removed(place, config)
    assert not os.path.exists(place.path)
    assert not install.look(place, config).events


def test_what_stood_there_is_kept_and_comes_back(home: Path, config: Config) -> None:
    """The backup is private; mode, link and bytes of the person's file stay."""
    real = home / "dotfiles.json"
    real.write_bytes(b'\xef\xbb\xbf{\r\n  "model": "x"\r\n}')
    real.chmod(0o644)
    (home / ".claude").mkdir()
    (home / ".claude" / "settings.json").symlink_to(real)
    place = install.place_of(CLAUDE, environ(home))
    change = install.plan(place, config, status_line=True)
    backup = install.carry_out(change, config)
    assert Path(backup).read_bytes() == b'\xef\xbb\xbf{\r\n  "model": "x"\r\n}'
    assert stat.S_IMODE(os.stat(backup).st_mode) == 0o600
    assert stat.S_IMODE(real.stat().st_mode) == 0o644
    assert (home / ".claude" / "settings.json").is_symlink()
    assert install.look(place, config).status_line == "ours"
    removed(place, config)
    assert real.read_bytes() == b'\xef\xbb\xbf{\r\n  "model": "x"\r\n}'


def test_installing_again_writes_nothing(home: Path, config: Config) -> None:
    """What is current stays; a budget that is set since is a change."""
    place = install.place_of(CLAUDE, environ(home))
    installed(place, config)
    assert not install.plan(place, config).is_one()
    budget = Config(
        config.sessions_dir, config.index, budget={"day_usd": 5}, live_dir=config.live_dir
    )
    assert not install.look(place, budget).is_current
    installed(place, budget)
    look = install.look(place, budget)
    assert (look.waits, look.is_current) == (True, True)
    removed(place, budget)
    assert not os.path.exists(place.path)


def test_backups_have_an_end(home: Path, config: Config) -> None:
    """The latest are kept."""
    place = install.place_of(CLAUDE, environ(home))
    os.makedirs(os.path.dirname(place.path))
    for number in range(15):
        Path(place.path).write_text(f'{{"n": {number}}}')
        installed(place, config)
        removed(place, config)
    backups = os.listdir(f"{config.live_dir}/{install.BACKUPS}")
    assert len(backups) == install.BACKUPS_MAX


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{\n  // mine\n}", "settings.json, line 2, column 3: a comment"),
        (b'{"a": 1,}', "line 1, column 9: a comma too many"),
        (b'{"a": "\xff"}', "line 1, column 8: this is no UTF-8"),
        (b'{"disableAllHooks": true}', "says `disableAllHooks`"),
        (b'{"hooks": []}', "line 1, column 11"),
    ],
)
@pytest.mark.parametrize("agent", [CLAUDE, QWEN])
def test_what_would_run_no_hook_is_refused(
    home: Path, config: Config, agent: Agent, data: bytes, words: str
) -> None:
    """With the place; and the file stays as it is."""
    place = install.place_of(agent, environ(home))
    os.makedirs(os.path.dirname(place.path))
    Path(place.path).write_bytes(data)
    with pytest.raises(SettingsRefused, match=words):
        install.plan(place, config)
    assert Path(place.path).read_bytes() == data


@pytest.mark.parametrize("name", ["allowManagedHooksOnly", "disableAllHooks"])
@pytest.mark.parametrize("file", ["managed-settings.json", "managed-settings.d/10-hooks.json"])
def test_a_company_that_forbids_hooks_is_obeyed(
    home: Path, config: Config, tmp_path: Path, name: str, file: str
) -> None:
    """Managed settings are named; what cannot be read of them, or says false, is no reason."""
    place = install.place_of(CLAUDE, environ(home))
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    for harmless in (f'{{"{name}": false}}', "{ // }", ""):
        path.write_text(harmless)
        assert install.plan(place, config).is_one()
    path.write_text(f'{{"{name}": true}}')
    with pytest.raises(SettingsRefused, match=f"says `{name}`"):
        install.plan(place, config)
    assert install.plan(install.place_of(QWEN, environ(home)), config).is_one()


def test_a_file_that_changed_meanwhile_is_left_alone(home: Path, config: Config) -> None:
    """Between looking and writing the agent may have written it."""
    place = install.place_of(CLAUDE, environ(home))
    change = install.plan(place, config)
    os.makedirs(os.path.dirname(place.path))
    Path(place.path).write_text("{}")
    with pytest.raises(SettingsRefused, match="changed this moment"):
        install.carry_out(change, config)
    assert Path(place.path).read_text() == "{}"


def test_a_project_has_settings_of_one_person_only_in_claude_code(
    home: Path, config: Config
) -> None:
    """Never a file that colleagues share; other agents have none of one person."""
    place = install.place_of(CLAUDE, environ(home), project=str(home / "shop"))
    assert place.path == f"{home}/shop/.claude/settings.local.json"
    installed(place, config)
    assert [one.path for one in install.noted_places(config)] == [place.path]
    with pytest.raises(SettingsRefused, match="without --project"):
        install.place_of(CODEX, environ(home), project=str(home / "shop"))


def test_agents_are_found_by_folder_or_command(home: Path, tmp_path: Path) -> None:
    """A folder of settings, one that a variable names, or a command on PATH."""
    assert install.found(environ(home)) == []
    (home / ".codex").mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "qwen").write_text("#!/bin/sh\n")
    (tmp_path / "qwen").chmod(0o755)
    here = environ(home) | {"CLAUDE_CONFIG_DIR": str(elsewhere), "PATH": str(tmp_path)}
    assert [agent.name for agent in install.found(here)] == ["claude-code", "codex", "qwen"]
    assert install.place_of(CLAUDE, here).path == f"{elsewhere}/settings.json"


def test_without_the_notes_removing_takes_out_what_is_ours(home: Path, config: Config) -> None:
    """Notes that are gone or damaged cost a file its empty list, and no more."""
    place = install.place_of(CLAUDE, environ(home))
    os.makedirs(os.path.dirname(place.path))
    Path(place.path).write_text('{"a": 1}\n')
    installed(place, config)
    Path(config.live_dir, install.NOTES).write_bytes(b"{")
    removed(place, config)
    assert Path(place.path).read_text() == '{"a": 1}\n'


# ---- Codex's configuration

TOML = 'model = "x"\r\n\r\n# mine\r\n[[hooks.Stop]]\r\n[[hooks.Stop.hooks]]\r\ntype = "command"\r\n'
TOML += 'command = "bell"\r\n\r\n[hooks.state]\r\ntrusted_hash = "abc"\r\n'


def test_codex_gets_a_file_of_its_own(home: Path, config: Config) -> None:
    """hooks.json, also beside a configuration in which only trust is kept."""
    (home / ".codex").mkdir()
    (home / ".codex" / "config.toml").write_text('[hooks.state]\na = "b"\n')
    place = install.place_of(CODEX, environ(home))
    assert place.path == f"{home}/.codex/hooks.json"
    (home / ".codex" / "config.toml").write_text("[features]\nhooks = false\n")
    with pytest.raises(SettingsRefused, match="hooks = false"):
        install.plan(place, config)
    (home / ".codex" / "config.toml").write_text("[features\n")
    with pytest.raises(SettingsRefused, match="not valid TOML"):
        install.place_of(CODEX, environ(home))


@pytest.mark.parametrize("text", [TOML, TOML.replace("\r\n", "\n"), TOML.rstrip()])
def test_whoever_has_hooks_in_codexs_configuration_gets_ours_there(
    home: Path, config: Config, text: str
) -> None:
    """Codex warns where two files have hooks; every byte comes back, the trust stays."""
    path = home / ".codex" / "config.toml"
    path.parent.mkdir()
    path.write_bytes(text.encode())
    place = install.place_of(CODEX, environ(home))
    assert place.path == str(path)
    installed(place, config)
    tables = tomllib.loads(path.read_bytes().decode())
    assert set(our_hooks(tables)) == set(CODEX.tells)
    assert tables["hooks"]["state"] == {"trusted_hash": "abc"}
    assert not install.plan(place, config).is_one()
    assert install.look(place, config).is_current
    removed(place, config)
    assert path.read_bytes() == text.encode()


def test_codexs_hooks_in_one_line_are_refused(home: Path, config: Config) -> None:
    """A list that nothing can be added to without writing it anew."""
    path = home / ".codex" / "config.toml"
    path.parent.mkdir()
    path.write_text('hooks.Stop = [{hooks = [{type = "command", command = "bell"}]}]\n')
    with pytest.raises(SettingsRefused, match=r"\[\[hooks.EVENT\]\]"):
        install.plan(install.place_of(CODEX, environ(home)), config)
