"""What people see, as files that a person can read: tests/cli/golden/*.txt, byte for byte.

After a change on purpose: M31_WRITE_GOLDEN=1 python -m pytest tests/cli/test_golden.py
Then read the diff; it is what users will see change.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest

from m31a_metrics.cli import glance
from tests.cli import machine
from tests.cli.conftest import M31

GOLDEN = Path(__file__).parent / "golden"

CASES = {
    "glance": [],
    "sessions": ["sessions"],
    "show_journalled": ["show", machine.FULL],
    "show_m31a": ["show", machine.M31A],
    "tools": ["tools"],
    "cost": ["cost"],
    "phases": ["phases"],
    "audit": ["audit"],
    "sessions_json": ["sessions", "--json"],
    "sessions_csv": ["sessions", "--csv"],
    "show_json": ["show", machine.FULL, "--json"],
}


class _Clock(datetime):
    @classmethod
    def now(cls) -> datetime:  # type: ignore[override] # nobody asks for a zone
        return machine.NOW


@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("sessions_dir", "in_utc")
def test_output_is_as_it_was(name: str, m31: M31, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command of the review writes, in a pipe, just what its golden file holds."""
    monkeypatch.setattr(glance, "datetime", _Clock)
    said = m31(*CASES[name])
    assert (said.code, said.err) == (0, "")
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("M31_WRITE_GOLDEN"):
        path.write_text(said.out, encoding="utf-8", newline="")
    with path.open(encoding="utf-8", newline="") as file:
        assert said.out == file.read(), "on purpose? then: M31_WRITE_GOLDEN=1, and read the diff"
