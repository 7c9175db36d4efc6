"""`python -m m31a_metrics.settle`: settling as hooks start it."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from m31a_metrics import settle, verdicts
from tests import transcripts
from tests.commands import SRC, environment

CONFIGURATION = f"""
[metrics.prices."{transcripts.MODEL}"]
input = 3.0
output = 15.0
[metrics.budget]
session_tokens = {transcripts.TOTAL}
"""

MODULE = "m31a_metrics.settle"
AS_INSTALLED = f"""
import runpy, sys
sys.path.insert(0, {str(SRC)!r})
runpy.run_module({MODULE!r}, run_name="__main__", alter_sys=True)
"""
"""As `-m` runs it where the package is installed; the checkout's need not be."""


@pytest.fixture
def path(clean_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A transcript with one response, on a machine where that is all that a session may use."""
    monkeypatch.delenv("TZ", raising=False)  # settling would take it out for good
    (clean_home / ".m31a").mkdir()
    (clean_home / ".m31a" / "config.toml").write_text(CONFIGURATION)
    return transcripts.write(
        clean_home, transcripts.ONE, transcripts.answer("a", datetime.now(UTC))
    )


def stops(home: Path) -> int:
    """How many limits a hook finds reached."""
    live = str(home / ".m31a" / "live")
    verdict = verdicts.read(live, transcripts.ONE, time.time_ns() // 1000)
    return 0 if verdict is None else len(verdict.stops)


def test_what_lies_where_the_agent_works_is_not_imported(path: Path, clean_home: Path) -> None:
    """A project with modules of the names of ours and of what we need runs none of them."""
    project = clean_home / "project"
    project.mkdir()
    for name in ("msgspec", "m31a_metrics", "sqlite3", "json", "sitecustomize"):
        (project / f"{name}.py").write_text(
            "open('/'.join(__file__.split('/')[:-1]) + '/ran', 'w')"
        )
    done = subprocess.run(
        [sys.executable, "-P", "-E", "-c", AS_INSTALLED, "claude-code", transcripts.ONE, str(path)],
        cwd=project,
        env=environment(PYTHONPATH=str(project)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (project / "ran").exists()
    assert stops(clean_home) == 1


def test_what_goes_wrong_is_a_line_for_the_doctor(
    path: Path, clean_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A configuration that makes no sense, a defect of ours: one line each, and no traceback."""
    configuration = clean_home / ".m31a" / "config.toml"
    configuration.write_text("[metrics]\nbudgets = 1")
    arguments = ["claude-code", transcripts.ONE, str(path)]
    assert settle.main(arguments) == 1
    configuration.write_text(CONFIGURATION)
    with monkeypatch.context() as patched:
        patched.setattr(settle, "settle", lambda *_: dict[str, int]()["secret"])
        assert settle.main(arguments) == 1
    told = (clean_home / ".m31a" / "live" / "trouble").read_text().splitlines()
    assert len(told) == 2
    assert "did you mean 'budget'?" in told[0]
    assert "KeyError" in told[1]
    assert "secret" not in told[1]
    assert settle.main(arguments) == 0
    assert stops(clean_home) == 1


def test_where_metrics_are_off_nothing_is_settled(
    path: Path, clean_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the configuration or the environment."""
    monkeypatch.setenv("M31A_METRICS_ENABLED", "0")
    assert settle.main(["claude-code", transcripts.ONE, str(path)]) == 0
    assert not (clean_home / ".m31a" / "live").exists()
