"""What we show runs: the example workflow, and the Python on our pages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from m31a_metrics import SessionMetrics, load
from m31a_metrics.session import Session
from tests.children import PATIENCE_S

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "workflow_engine.py"
PAGES = ("README.md", "docs/recording.md")

# A block of Python, and the block of text right behind it that shows what it prints.
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)


def bare_environment(home: Path, **more: str) -> dict[str, str]:
    """Nothing but a PATH, an empty home, and the checkout on Python's path."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT / "src")} | more


def run_example(cwd: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the example as a reader would."""
    return subprocess.run(
        [sys.executable, str(EXAMPLE), *arguments],
        cwd=cwd,
        env=bare_environment(cwd, **environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


@pytest.fixture(scope="module")
def told_and_recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Session]:
    """What one run of the example printed, and the one session that it left."""
    home = tmp_path_factory.mktemp("example")
    done = run_example(home, "--sessions-dir", "sessions", TMPDIR=str(home))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert [path.name for path in home.iterdir()] == ["sessions"], "the repository is left behind"
    (directory,) = (home / "sessions").iterdir()
    return done.stdout, Session(str(home / "sessions"), directory.name)


@pytest.fixture(scope="module")
def metrics(told_and_recorded: tuple[str, Session]) -> SessionMetrics:
    """The session's metrics."""
    loaded = told_and_recorded[1].load()
    assert loaded is not None
    return loaded


def test_example_goes_through_its_phases(metrics: SessionMetrics) -> None:
    """plan, execute, verify and ship are recorded in this order, each a success."""
    assert [row.phase for row in metrics.phases] == ["plan", "execute", "verify", "ship"]
    assert all(row.success and row.transition_count == 1 for row in metrics.phases)


def test_example_heals_a_test_that_failed(metrics: SessionMetrics) -> None:
    """The heal of the execute phase is triggered once and succeeds; its test failed before."""
    execute = metrics.phases[1]
    assert (execute.heal_trigger_count, execute.heal_success_count) == (1, 1)
    assert execute.heal_duration_ms > 0
    unittest = next(row for row in metrics.tools if row.name == "unittest")
    assert (unittest.success_count, unittest.fail_count) == (3, 2)


def test_example_bisect_finds_the_breaking_commit(
    told_and_recorded: tuple[str, Session], metrics: SessionMetrics
) -> None:
    """A real bisect names the commit that broke the totals, and no other."""
    verify = metrics.phases[2]
    assert (verify.bisect_trigger_count, verify.bisect_success_count) == (1, 1)
    assert re.findall(r"found: +[0-9a-f]+ (.*)", told_and_recorded[0]) == ["Simplify totals"]


def test_example_says_that_the_model_is_scripted(
    told_and_recorded: tuple[str, Session], metrics: SessionMetrics
) -> None:
    """Output and model names say that no model was asked; tokens and cost are the script's."""
    told, session = told_and_recorded
    assert "Scripted: the language model." in told
    assert [row.model for row in session.detail().models] == ["scripted-large", "scripted-small"]
    assert sum(row.total_tokens for row in metrics.llms) == 17_610
    assert sum(row.cost for row in metrics.llms) == pytest.approx(0.0362)


def test_example_records_no_texts(told_and_recorded: tuple[str, Session]) -> None:
    """Neither the model's answers nor the tools' output stand in the session's files."""
    directory = Path(told_and_recorded[1].directory)
    written = b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())
    assert b"AssertionError: <n> != <n>" in written
    for text in (b"discounted", b"return amount", b"Simplify", b"Traceback"):
        assert text not in written


def test_example_ignores_the_callers_git(tmp_path: Path) -> None:
    """A git configuration that would break or sign every commit changes nothing."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (hooks / "pre-commit").chmod(0o755)
    (tmp_path / ".gitconfig").write_text(
        f"[core]\n\thooksPath = {hooks}\n[commit]\n\tgpgsign = true\n[user]\n\tname = Someone\n"
    )
    done = run_example(tmp_path, "--sessions-dir", "sessions", GIT_DIR="/nowhere/.git")
    assert done.returncode == 0, done.stderr


def test_example_without_git_says_so(tmp_path: Path) -> None:
    """Without git the example ends with one sentence, not with a traceback."""
    done = run_example(tmp_path, "--sessions-dir", "sessions", PATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == "git is not installed, and this example needs it\n"


def test_example_records_where_it_is_configured(tmp_path: Path) -> None:
    """Without --sessions-dir the session goes to the configured directory."""
    done = run_example(tmp_path)
    assert done.returncode == 0, done.stderr
    session_id = done.stdout.split()[-1]
    assert load(tmp_path / ".m31a" / "sessions", session_id) is not None


@pytest.mark.parametrize("page", PAGES)
def test_python_on_our_pages_runs(page: str, tmp_path: Path) -> None:
    """The Python blocks of a page run in order, and print what is shown below them."""
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    assert blocks
    mark = "-- end of block --\n"
    script = f"print({mark!r}, end='')\n".join([code for code, _ in blocks] + [""])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=tmp_path,
        env=bare_environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.split(mark)[:-1] == [shown for _, shown in blocks]
