"""`m31 collect`, `m31 serve --otlp` and `m31 otlp`, as people run them."""

from __future__ import annotations

import json
import os
import plistlib
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError

import pytest

from m31a_metrics import config
from m31a_metrics.cli import otlp
from m31a_metrics.live import install as hooks
from m31a_metrics.live.otlp import install
from tests.cli.conftest import M31, Uninstall
from tests.cli.test_serve import M31 as COMMAND
from tests.cli.test_serve import get, serving
from tests.live.otlp.telemetry import JSON, logs


@contextmanager
def collecting(*arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `m31 collect` on a free port: its address, and its process."""
    process = subprocess.Popen(
        [*COMMAND, "collect", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process
    finally:
        process.kill()
        process.communicate(timeout=30)


def post(address: str, body: bytes, **headers: str) -> int:
    """Send logs; the status of the answer."""
    request = urllib.request.Request(f"{address}/v1/logs", body, JSON | headers)  # noqa: S310 - our own server
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own server
            status: int = answer.status
            return status
    except HTTPError as error:
        with error:
            return error.code


@pytest.fixture
def home(clean_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with Claude Code, on a machine that nobody manages."""
    monkeypatch.setattr(hooks, "MANAGED", ())
    monkeypatch.setenv("PATH", "/nowhere")
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "QWEN_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    (clean_home / ".claude").mkdir()
    settings = clean_home / ".claude" / "settings.json"
    settings.write_text('{\n  "model": "x"\n}\n')
    settings.chmod(0o644)
    return clean_home


def test_what_was_sent_is_a_session(m31: M31, clean_home: Path) -> None:
    """From an agent's request to `m31 sessions`; Ctrl-C ends it, and no token is printed."""
    with collecting() as (address, process):
        token = (clean_home / ".m31a" / "live" / "otlp.token").read_text().strip()
        assert post(address, logs("one", count=2), authorization=f"Bearer {token}") == 200
        assert post(address, logs("two")) == 200
        assert post(address, logs("three"), authorization="Bearer no") == 401
        assert get(f"{address}/")[0] == 404
        port = int(address.rpartition(":")[2])
        assert install.is_ours(config.defaults(), port)
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=30)
    assert process.returncode in (0, 130)
    assert token not in out + said
    assert "Traceback" not in said
    assert str(clean_home / ".m31a" / "live" / "otlp.token") in said
    rows = json.loads(m31("sessions", "--json").out)
    assert {(row["session_id"], row["total_tokens"]) for row in rows} == {("one", 30), ("two", 15)}


def test_the_dashboard_takes_it_at_a_port_of_its_own(clean_home: Path) -> None:
    """`m31 serve --otlp`: what agents send goes to one port, pages are at the other."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with serving(clean_home, "--otlp", "--otlp-port", str(port)) as server:
        assert post(f"http://127.0.0.1:{port}", logs("one")) == 200
        assert post(f"http://127.0.0.1:{server.port}", logs("two")) == 404
        assert get(f"http://127.0.0.1:{port}/{server.prefix}/", server.token)[0] == 404
        assert get(f"{server.base}/", server.token)[0] == 200
    assert {path.name for path in (clean_home / ".m31a" / "sessions").iterdir()} == {"one"}


def test_without_the_extra_it_says_what_installs_it(m31: M31, uninstall: Uninstall) -> None:
    """One sentence and the line to type."""
    uninstall("m31a_metrics.live.otlp.receiver", "starlette")
    said = m31("collect")
    assert said.code != 0
    assert "m31a-metrics[otel]" in said.err


def test_nothing_is_collected_where_nothing_is_recorded(
    m31: M31, clean_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that would throw everything away does not start."""
    monkeypatch.setenv("M31A_METRICS_ENABLED", "0")
    said = m31("collect")
    assert said.code != 0
    assert "recording is switched off" in said.err


def test_a_port_that_is_taken_is_named(m31: M31, clean_home: Path) -> None:
    """And who may have it, and what tells."""
    with collecting() as (address, _):
        said = m31("collect", "--port", address.rpartition(":")[2])
    assert "is taken, perhaps by another `m31 collect`" in said.err
    assert "m31 otlp status" in said.err


@pytest.mark.parametrize("unit", ["systemd", "launchd"])
def test_a_unit_runs_it_always(m31: M31, clean_home: Path, unit: str) -> None:
    """With this Python and the options given; the dashboard's says the same of --otlp."""
    words = [sys.executable, "-m", "m31a_metrics"]
    for arguments in (
        ["collect", "--port", "9", "--require-token"],
        ["serve", "--quiet", "--otlp"],
    ):
        said = m31(*arguments, "--print-unit", unit)
        if unit == "launchd":
            assert plistlib.loads(said.out.encode())["ProgramArguments"] == words + arguments
        else:
            assert f"ExecStart={' '.join(words + arguments)}" in said.out.splitlines()
    assert not (clean_home / ".m31a").exists()


def test_install_says_what_it_changes_and_who_reads_it(m31: M31, home: Path) -> None:
    """The lines without the token, what a person has to do, and the second time nothing."""
    said = m31("otlp", "install", "claude-code", "codex", "copilot-cli", "--dry-run")
    assert said.code == 0
    assert '+    "OTEL_LOGS_EXPORTER": "otlp"' in said.out
    assert "would be installed" in said.out
    assert not (home / ".m31a").exists()
    said = m31("otlp", "install", "claude-code", "codex", "copilot-cli")
    token = (home / ".m31a" / "live" / "otlp.token").read_text().strip()
    assert said.code == 0
    assert token not in said.out + said.err
    assert "Bearer TOKEN" in said.out
    assert "Codex sends commands and their outputs, in full" in said.err
    assert "whoever listens on port 4318" in said.err
    assert "have your shell read" in said.err
    assert "other accounts can read" in said.err
    again = json.loads(m31("otlp", "install", "--json").out)
    assert {row["state"] for row in again} == {"unchanged"}


def test_status_says_who_sends_and_whose_the_port_is(
    m31: M31, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set up or not, when last with the token and without, and a stranger at the port."""
    monkeypatch.setattr(otlp, "PORT", 1)  # where nobody listens
    found = json.loads(m31("otlp", "status", "--json").out)
    assert {row["state"] for row in found["otlp"]} == {"not installed"}
    assert "nobody" in found["receiver"][0]["state"]
    m31("otlp", "install", "claude-code")
    seen = home / ".m31a" / "live" / "received"
    seen.mkdir()
    (seen / "claude-code.open").touch()
    row = json.loads(m31("otlp", "status", "claude-code", "--json").out)["otlp"][0]
    assert (row["state"], row["sent_at"]) == ("installed", None)
    assert row["sent_without_token_at"] is not None
    assert "start the agent anew" in row["needs"]
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        monkeypatch.setattr(otlp, "PORT", stranger.getsockname()[1])
        assert "another program" in m31("otlp", "status").out
    with collecting() as (address, _):
        monkeypatch.setattr(otlp, "PORT", int(address.rpartition(":")[2]))
        assert "m31, of this account" in m31("otlp", "status").out


def test_remove_gives_the_bytes_back(m31: M31, home: Path) -> None:
    """Of all that were installed; nothing is said of those that were not."""
    m31("otlp", "install", "claude-code", "opencode")
    said = m31("otlp", "remove", "--json")
    assert {row["agent"] for row in json.loads(said.out)} == {"claude-code", "opencode"}
    assert (home / ".claude" / "settings.json").read_text() == '{\n  "model": "x"\n}\n'
    assert not (home / ".config" / "opencode" / "opencode.json").exists()
    assert "No agent sends to m31" in m31("otlp", "remove").out


def test_who_sends_elsewhere_is_refused_and_the_others_are_served(m31: M31, home: Path) -> None:
    """Exit code 1, the setting, and how the other receiver forwards."""
    path = home / ".claude" / "settings.json"
    path.write_text('{"env": {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://otel.example"}}')
    said = m31("otlp", "install", "claude-code", "qwen")
    assert said.code == 1
    assert "forward to m31" in said.err
    assert (home / ".qwen" / "settings.json").exists()
    assert "elsewhere" in m31("otlp", "status").out


def test_no_agent_is_guessed(m31: M31, clean_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3 where none is here."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert m31("otlp", "install").code == 3
