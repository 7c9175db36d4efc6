"""Skips are failures in CI, and only there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "tests.plugin_skips")

SAMPLE = """
import pytest

@pytest.mark.skip(reason="no part 1")
def test_mark(): pass

@pytest.mark.skipif(True, reason="no part 2")
def test_condition(): pass

def test_call(): pytest.skip("no part 3")

@pytest.fixture
def part(): pytest.skip("no part 4")

def test_fixture(part): pass

def test_optional(): pytest.skip("optional: nobody may mount here")

@pytest.mark.skipif(True, reason="optional: no such kernel")
def test_optional_mark(): pass

@pytest.mark.xfail(reason="known")
def test_expected_failure(): assert False
"""
WHOLE_FILE = "import pytest\npytest.skip('no part 5', allow_module_level=True)\n"


def check(folder: Path, require_all: str, summary: str) -> str:
    """Run the sample with the plugin and look at the last line; all that was printed."""
    (folder / "test_sample.py").write_text(SAMPLE)
    (folder / "test_whole_file.py").write_text(WHOLE_FILE)
    done = subprocess.run(
        [*PYTEST, "--continue-on-collection-errors", "."],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "M31_REQUIRE_ALL": require_all},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1].startswith(summary), done.stdout + done.stderr
    return done.stdout


def test_a_skip_fails_where_everything_is_required(tmp_path: Path) -> None:
    """However a test skips itself, CI sees a failure and the reason; optional parts may lack."""
    printed = check(tmp_path, "1", "1 failed, 2 skipped, 1 xfailed, 4 errors in ")
    for number in range(1, 6):
        assert f"no part {number}" in printed


def test_a_skip_is_a_skip_elsewhere(tmp_path: Path) -> None:
    """Without the variable a developer's run stays green."""
    check(tmp_path, "", "7 skipped, 1 xfailed in ")
