"""Gigabytes of nothing in the place of a session: bounded memory, a moment, one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import children
from tests.hostile.agents import IDS, SAMPLES, TOKENS, Sample
from tests.hostile.machine import OWN, look, other_of, record

ALL = pytest.mark.parametrize("sample", SAMPLES, ids=IDS)

EMPTY_BYTES = 1 << 42


@pytest.fixture
def home(clean_home: Path) -> Path:
    """A home with a recorded session."""
    record()
    return clean_home


def make_sparse(path: Path, size: int, *, whole: bool) -> None:
    """Lengthen a file by a hole, behind what it holds or behind one byte of it."""
    if not whole:
        path.write_bytes(b"{")
    try:
        os.truncate(path, size)
    except OSError:
        pytest.skip("this file system has no files of that size")
    if path.stat().st_blocks > 1_000_000:
        pytest.skip("this file system has no holes")


@ALL
@pytest.mark.parametrize("whole", [False, True])
def test_a_file_that_is_mostly_nothing(sample: Sample, home: Path, *, whole: bool) -> None:
    """Four terabytes of a hole are passed at once, named once, and hide nothing."""
    other = other_of(sample)
    other.write(home)
    path = sample.write(home)
    make_sparse(path, EMPTY_BYTES, whole=whole)
    rows, troubles = look(home)
    assert {OWN, other.session_id} <= set(rows)
    if whole:
        assert rows[sample.session_id].total_tokens == TOKENS
    # SQLite knows how long its database is.
    assert len(troubles) == (0 if whole and path.suffix == ".db" else 1)
    assert all(str(path) in trouble.sentence for trouble in troubles)


def test_memory_does_not_grow_with_what_is_not_there(home: Path) -> None:
    """All agents' files with gigabytes of nothing in them are read in 150 MB."""
    for sample in SAMPLES:
        make_sparse(sample.write(home), 3 << 30, whole=True)
    program = f"""{children.PEAK}
import sys
from m31a_metrics.cli import main
sys.argv = ["m31", "sessions"]
assert main() == 0
print(peak_bytes())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=300
    )
    assert int(done.stdout.split()[-1]) < 150 << 20
    assert "more like this" in done.stderr
