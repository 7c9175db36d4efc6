"""`m31 export prometheus` and `openmetrics`, and the units of `m31 serve`."""

from __future__ import annotations

import os
import plistlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import M31, Uninstall
from tests.cli.test_serve import M31 as COMMAND
from tests.cli.test_serve import get, serving


def test_a_textfile_has_the_gauges_alone(m31: M31, sessions_dir: Path, tmp_path: Path) -> None:
    """For node_exporter: exact figures, no counter; private unless it is to be shared."""
    path = tmp_path / "m31.prom"
    said = m31("export", "prometheus", "--textfile", str(path))
    assert (said.code, said.out) == (0, "")
    text = path.read_text()
    assert "# TYPE m31a_all_tool_calls gauge" in text
    assert "_total" not in text
    assert path.stat().st_mode & 0o777 == 0o600
    m31("export", "prometheus", "--textfile", str(path), "--share")
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_gateway_is_given_it_on_standard_output(m31: M31, sessions_dir: Path) -> None:
    """`-` writes what can be piped on."""
    said = m31("export", "prometheus", "--textfile", "-")
    assert said.code == 0
    assert "\nm31a_index_problems 0.0\n" in said.out


def test_without_the_extra_it_says_what_installs_it(m31: M31, uninstall: Uninstall) -> None:
    """One sentence and the line to type, for both commands that need it."""
    uninstall("m31a_metrics.views.web", "prometheus_client")
    uninstall("m31a_metrics.exports.prometheus", "prometheus_client")
    for arguments in (("export", "prometheus"), ("serve", "--metrics")):
        said = m31(*arguments)
        assert said.code != 0
        assert "m31a-metrics[prometheus]" in said.err


def test_no_token_is_for_loopback_alone(m31: M31) -> None:
    """As for the dashboard."""
    said = m31("export", "prometheus", "--no-token", "--host", "0.0.0.0")  # noqa: S104 - it is refused
    assert said.code == 2
    assert "loopback" in said.err


def test_it_serves_until_it_is_ended(clean_home: Path, sessions_dir: Path) -> None:
    """It prints where, and where the token is, which it does not print."""
    process = subprocess.Popen(
        [*COMMAND, "export", "prometheus", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    path = clean_home / ".m31a" / "metrics.token"
    token = path.read_text().strip()
    assert get(address)[0] == 401
    status, body = get(address, token)
    assert status == 200
    assert b"m31a_sessions_total{" in body
    process.terminate()
    _, said = process.communicate(timeout=30)
    assert str(path) in said
    assert token not in said
    assert "Traceback" not in said


def test_the_dashboard_serves_them_too(clean_home: Path, sessions_dir: Path) -> None:
    """`m31 serve --metrics`: at the root, by its own token; the other one opens the pages."""
    with serving(clean_home, "--metrics") as server:
        address = f"http://127.0.0.1:{server.port}/metrics"
        token = (clean_home / ".m31a" / "metrics.token").read_text().strip()
        assert get(address, token)[0] == 200
        assert get(address, server.token)[0] == 401
        assert get(f"{server.base}/", token)[0] == 401
        assert get(f"{server.base}/", server.token)[0] == 200
    with serving(clean_home) as server:
        assert get(f"http://127.0.0.1:{server.port}/metrics", token) == (404, b"Not Found")


def test_the_past_is_written_by_day(
    m31: M31, sessions_dir: Path, in_utc: None, tmp_path: Path
) -> None:
    """All days but today, or those asked for; a file says how it went, a pipe gets the lines."""
    said = m31("export", "openmetrics", "--by", "day")
    assert said.code == 0
    assert said.out.startswith("# HELP m31a_sessions Sessions.\n")
    assert said.out.endswith("# EOF\n")
    path = tmp_path / "past.om"
    m31("export", "openmetrics", "-o", str(path))
    assert path.read_text() == said.out
    assert m31("export", "openmetrics", "--until", "2001-01-01").out == "# EOF\n"
    assert m31("export", "openmetrics", "--since", "never").code == 2


@pytest.mark.parametrize("unit", ["systemd", "launchd"])
def test_a_unit_runs_the_command_line_that_it_was_asked_with(
    m31: M31, clean_home: Path, monkeypatch: pytest.MonkeyPatch, unit: str
) -> None:
    """With this Python, the options given, and what says where agents' sessions are."""
    monkeypatch.setenv("CODEX_HOME", '/a "b" 50%')
    said = m31("serve", "--metrics", "--port", "9", "--print-unit", unit)
    assert said.code == 0
    words = [sys.executable, "-m", "m31a_metrics", "serve", "--quiet", "--port", "9", "--metrics"]
    if unit == "launchd":
        found = plistlib.loads(said.out.encode())
        assert found["ProgramArguments"] == words
        assert found["EnvironmentVariables"] == {"CODEX_HOME": '/a "b" 50%'}
    else:
        lines = said.out.splitlines()
        assert f"ExecStart={' '.join(words)}" in lines
        assert r'Environment="CODEX_HOME=/a \"b\" 50%%"' in lines
    assert not (clean_home / ".m31a" / "dashboard.json").exists()
