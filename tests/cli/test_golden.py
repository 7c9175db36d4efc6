"""What people see, as files that a person can read: tests/cli/golden/*.txt, byte for byte.

After a change on purpose: M31_WRITE_GOLDEN=1 python -m pytest tests/cli/test_golden.py
Then read the diff; it is what users will see change.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from m31a_metrics.cli.options import question
from tests.cli import machine
from tests.cli.conftest import M31

GOLDEN = Path(__file__).parent / "golden"

CASES = {
    "glance": [],
    "sessions": ["sessions"],
    "show_journalled": ["show", machine.FULL],
    "show_m31a": ["show", machine.M31A],
    "tools": ["tools"],
    "tools_by_week": ["tools", "--tool", "Bash", "--by", "week"],
    "cost": ["cost"],
    "cost_by_day": ["cost", "--by", "day"],
    "phases": ["phases"],
    "heals": ["heals"],
    "errors": ["errors"],
    "sessions_by_week": ["sessions", "--by", "week"],
    "audit": ["audit"],
    "sessions_json": ["sessions", "--json"],
    "sessions_csv": ["sessions", "--csv"],
    "show_json": ["show", machine.FULL, "--json"],
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("in_utc")
def test_output_is_as_it_was(
    name: str, m31: M31, sessions_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command of the review writes, in a pipe, just what its golden file holds."""
    monkeypatch.setattr(question, "now", lambda *_: machine.NOW)
    monkeypatch.delenv("COLUMNS")
    said = m31(*CASES[name])
    assert (said.code, said.err) == (0, "")
    out = said.out.replace(str(sessions_dir.parent), "~/.m31a")
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("M31_WRITE_GOLDEN"):
        path.write_text(out, encoding="utf-8", newline="")
    with path.open(encoding="utf-8", newline="") as file:
        assert out == file.read(), "on purpose? then: M31_WRITE_GOLDEN=1, and read the diff"
