"""`m31 statusline`: the program's output through the package."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import M31

GIVEN = {"session_id": "s-1", "cost": {"total_cost_usd": 1.25}}


@pytest.fixture
def given(clean_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Standard input is what an agent gave, and no colours are wanted."""
    path = tmp_path / "status.json"
    path.write_text(json.dumps(GIVEN))
    monkeypatch.setenv("NO_COLOR", "1")
    with path.open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield clean_home / ".m31a"


def test_it_prints_the_line_and_keeps_the_figures(given: Path, m31: M31) -> None:
    """Segments are those of the configuration, and the witness goes where sessions are."""
    given.mkdir()
    (given / "config.toml").write_text('[metrics.statusline]\nsegments = ["session"]')
    said = m31("statusline")
    assert (said.code, said.out, said.err) == (0, "session $1.25\n", "")
    kept = (given / "sessions" / "s-1" / "events" / "hooks.jsonl").read_text()
    assert '"cost_usd":1.25' in kept


def test_a_wrong_configuration_costs_no_line(given: Path, m31: M31) -> None:
    """It is told on stderr, the line is shown, and nothing is kept where nobody knows the place."""
    given.mkdir()
    (given / "config.toml").write_text("[metrics]\nsessions_dirs = 1")
    said = m31("statusline")
    assert (said.code, said.out) == (0, "session $1.25\n")
    assert "did you mean 'sessions_dir'?" in said.err
    assert not (given / "sessions").exists()
