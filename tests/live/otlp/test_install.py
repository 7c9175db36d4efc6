"""Having agents send: what stands in their settings, what refuses it, and every byte back."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics import config
from m31a_metrics.config import Config
from m31a_metrics.live import install as hooks
from m31a_metrics.live.agents import AGENTS
from m31a_metrics.live.install import SettingsRefused
from m31a_metrics.live.otlp import install
from m31a_metrics.live.otlp.senders import ENDPOINT, SENDERS, Target

SETTINGS = {
    "claude-code": ".claude/settings.json",
    "codex": ".codex/config.toml",
    "gemini-cli": ".gemini/settings.json",
    "qwen": ".qwen/settings.json",
    "opencode": ".config/opencode/opencode.json",
}
JSONC = '{\n  // mine\n  "a": [1, /* two */ 2], // end\n  "b": {} /* last */\n}\n'
THERE = {
    "claude-code": '{\r\n\t"model": "x",\r\n\t"env": {"A": "1"}\r\n}',
    "codex": 'model = "x" # mine\n\n[otel]\nenvironment = "dev"\n\n[a.b]\nc = 1\n',
    "gemini-cli": JSONC.replace('"b": {}', '"telemetry": {"logPrompts": true /* yes */}'),
    "qwen": "{}",
    "opencode": JSONC,
}


class Machine:
    """A home, its configuration and environment."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environ: dict[str, str] = {"HOME": str(home), "PATH": "/nowhere"}
        self.config: Config = config.defaults()
        self.at: Target = install.target(self.config, make=True)

    def plan(self, name: str) -> install.Change:
        return install.plan(SENDERS[name], self.config, self.environ, str(self.home), self.at)

    def install(self, name: str) -> install.Change:
        change = self.plan(name)
        install.install(change, self.config, self.at)
        return change

    def remove(self, name: str) -> None:
        change = install.plan_removal(SENDERS[name], self.config)
        assert change is not None
        install.remove(change, self.config)

    def state(self, name: str) -> str:
        return install.status(SENDERS[name], self.config, self.environ, str(self.home)).state

    def path(self, name: str) -> Path:
        return self.home / SETTINGS[name]

    def write(self, name: str, text: str) -> Path:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        return path


@pytest.fixture
def machine(clean_home: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine that nobody manages, with no agent's settings."""
    monkeypatch.setattr(hooks, "MANAGED", ())
    return Machine(clean_home)


def without_comments(text: str) -> Any:
    """What an agent reads that takes comments."""
    return json.loads(re.sub(r"//[^\n]*(?=\n)|/\*.*?\*/", "", text.replace("://", ":@@"))) or {}


@pytest.mark.parametrize("name", SETTINGS)
def test_every_byte_comes_back(machine: Machine, name: str) -> None:
    """Of a file that was there in any style, of an empty one, and of one that was not there."""
    for text in (THERE[name], "", None):
        if text is None:
            machine.path(name).unlink()
        else:
            machine.write(name, text).chmod(0o640)
        assert machine.state(name) == "not installed"
        machine.install(name)
        assert machine.state(name) == "installed"
        assert not machine.plan(name).is_one()
        machine.remove(name)
        if text is None:
            assert not machine.path(name).exists()
        else:
            assert machine.path(name).read_bytes() == text.encode()
            assert machine.path(name).stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", SETTINGS)
def test_what_was_changed_since_stays(machine: Machine, name: str) -> None:
    """Only ours is taken out of a file that somebody edited after it was installed."""
    path = machine.write(name, THERE[name])
    machine.install(name)
    edited = path.read_bytes().decode().replace("mine", "still mine").replace('"x"', '"y"')
    if name == "qwen":
        edited = edited.replace("{", '{"z": 1,', 1)
    path.write_bytes(edited.encode())
    assert machine.state(name) == "installed"
    machine.remove(name)
    left = path.read_text()
    assert "127.0.0.1" not in left
    assert machine.at.token not in left
    if name in ("claude-code", "codex", "gemini-cli", "opencode"):
        expected = THERE[name].replace("mine", "still mine").replace('"x"', '"y"')
        assert path.read_bytes().decode() == expected
    else:
        assert json.loads(left) == {"z": 1}
    assert machine.state(name) == "not installed"


def test_what_each_agent_is_told(machine: Machine) -> None:
    """By what was measured of each: signals, whole paths, protocols, and the token."""
    for name in SETTINGS:
        machine.write(name, THERE[name])
        machine.install(name)
    token = machine.at.token
    env = json.loads(machine.path("claude-code").read_text())["env"]
    assert env == {
        "A": "1",
        "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318",
        "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer {token}",
    }
    otel = tomllib.loads(machine.path("codex").read_text())["otel"]
    assert otel["environment"] == "dev"
    assert otel["exporter"]["otlp-http"] == {
        "endpoint": "http://127.0.0.1:4318/v1/logs",
        "protocol": "binary",
        "headers": {"Authorization": f"Bearer {token}"},
    }
    for name in ("gemini-cli", "qwen"):
        assert without_comments(machine.path(name).read_text())["telemetry"] == {
            "enabled": True,
            "target": "local",
            "otlpEndpoint": "http:@@127.0.0.1:4318",
            "otlpProtocol": "http",
            "logPrompts": False,
        }
    opencode = without_comments(machine.path("opencode").read_text())
    assert opencode["experimental"] == {"openTelemetry": True}


def test_what_an_agent_is_started_with(machine: Machine, tmp_path: Path) -> None:
    """A shell's function brings endpoint and token, as it is then, to that agent alone."""
    machine.home = machine.home.rename(machine.home.with_name("a home"))
    machine.config = config.defaults()
    for name in ("copilot-cli", "gemini-cli"):
        machine.install(name)
    assert machine.state("copilot-cli") == "installed"
    (tmp_path / "copilot").write_text('#!/bin/sh\nenv; echo "$@"\n')
    (tmp_path / "copilot").chmod(0o755)
    install.token_file(machine.config).renew()
    path = install.functions_path(machine.config)
    said = subprocess.run(
        ["/bin/sh", "-c", f'. "{path}"; copilot a "b  c"; env'],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    token = install.token_file(machine.config).current().token
    assert said.stderr == ""
    assert f"OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer {token}\n" in said.stdout
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318\n" in said.stdout
    own, _, rest = said.stdout.partition("a b  c\n")
    assert "OTEL_" in own
    assert "OTEL_" not in rest
    assert os.stat(path).st_mode & 0o777 == 0o600
    machine.remove("copilot-cli")
    assert "copilot()" not in Path(path).read_text()
    assert "gemini()" in Path(path).read_text()
    machine.remove("gemini-cli")
    assert "()" not in Path(path).read_text()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("claude-code", '{"env": {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://otel.example"}}'),
        ("claude-code", '{"env": {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://x/v1/logs"}}'),
        ("codex", '[otel.exporter.otlp-http]\nendpoint = "http://x/v1/logs"\n'),
        ("codex", '[otel]\nexporter = {otlp-grpc = {endpoint = "http://127.0.0.1:4317"}}\n'),
        ("gemini-cli", '{"telemetry": {"otlpEndpoint": "http://127.0.0.1:4317"}}'),
        ("qwen", '{"telemetry": {"outfile": "/tmp/x"}}'),
    ],
)
def test_who_sends_elsewhere_is_left_alone(machine: Machine, name: str, text: str) -> None:
    """The setting is named, and how its receiver forwards."""
    path = machine.write(name, text)
    assert machine.state(name) == "elsewhere"
    with pytest.raises(SettingsRefused, match="forward to m31"):
        machine.plan(name)
    assert path.read_text() == text


def test_an_exporter_that_is_none_is_no_place(machine: Machine) -> None:
    """Codex's `none` and an endpoint that is ours already refuse nothing."""
    machine.write("codex", '[otel]\nexporter = "none"\n')
    machine.install("codex")
    machine.write("claude-code", json.dumps({"env": {ENDPOINT: f"{install.URL}/"}}))
    machine.install("claude-code")
    machine.remove("codex")
    assert machine.path("codex").read_text() == '[otel]\nexporter = "none"\n'


@pytest.mark.parametrize("name", ["claude-code", "copilot-cli", "opencode"])
def test_a_variable_that_sends_elsewhere_refuses(machine: Machine, name: str) -> None:
    """What a shell sets would win, or lose what somebody else waits for."""
    machine.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://collector:4318"
    with pytest.raises(SettingsRefused, match="OTEL_EXPORTER_OTLP_ENDPOINT is set to"):
        machine.plan(name)
    machine.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = install.URL
    assert machine.plan(name).is_one()


def test_what_a_company_sets_refuses(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Claude Code's managed settings win over a person's."""
    managed = tmp_path / "managed-settings.json"
    managed.write_text('{"env": {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://otel.example"}}')
    monkeypatch.setattr(hooks, "MANAGED", (str(managed),))
    with pytest.raises(SettingsRefused, match=r"managed-settings\.json has env"):
        machine.plan("claude-code")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("claude-code", '{"a": 1, // no\n}'),
        ("claude-code", '{"env": []}'),
        ("claude-code", "[]"),
        ("gemini-cli", '{"a": 1,}'),
        ("codex", "[otel\n"),
        ("codex", "otel = 1\n"),
    ],
)
def test_settings_that_cannot_be_read_are_named(machine: Machine, name: str, text: str) -> None:
    """As with hooks: the file, the place, nothing changed."""
    path = machine.write(name, text)
    with pytest.raises(SettingsRefused, match=path.name):
        machine.plan(name)
    assert path.read_text() == text


def test_a_new_token_makes_settings_outdated(machine: Machine) -> None:
    """They hold the old one; installing again brings the new one, and the bytes come back."""
    path = machine.write("claude-code", THERE["claude-code"])
    machine.install("claude-code")
    install.token_file(machine.config).renew()
    machine.at = install.target(machine.config)
    assert machine.state("claude-code") == "outdated"
    machine.install("claude-code")
    assert machine.state("claude-code") == "installed"
    assert machine.at.token in path.read_text()
    machine.remove("claude-code")
    assert path.read_bytes() == THERE["claude-code"].encode()


def test_hooks_and_otlp_stand_beside_each_other(machine: Machine) -> None:
    """Either is taken out without the other, in whichever order."""
    for first in ("hooks", "otlp"):
        path = machine.write("claude-code", THERE["claude-code"])
        place = hooks.place_of(AGENTS["claude-code"], machine.environ)
        hooks.carry_out(hooks.plan(place, machine.config), machine.config)
        machine.install("claude-code")
        if first == "hooks":
            hooks.carry_out(hooks.plan_removal(place, machine.config), machine.config)
            assert machine.state("claude-code") == "installed"
            machine.remove("claude-code")
        else:
            machine.remove("claude-code")
            assert hooks.look(place, machine.config).events
            hooks.carry_out(hooks.plan_removal(place, machine.config), machine.config)
        assert path.read_bytes() == THERE["claude-code"].encode()


def test_a_file_that_changed_this_moment_is_left(machine: Machine) -> None:
    """Between what was shown and what is done."""
    path = machine.write("claude-code", "{}")
    change = machine.plan("claude-code")
    path.write_text('{"a": 1}')
    with pytest.raises(SettingsRefused, match="changed this moment"):
        install.install(change, machine.config, machine.at)
    assert path.read_text() == '{"a": 1}'
    assert machine.state("claude-code") == "not installed"
