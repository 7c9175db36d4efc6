"""`m31 blocks`: the blocks of the last days, exact to the answer, whatever the time zone."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from m31a_metrics import query
from tests import transcripts
from tests.cli.conftest import M31
from tests.transcripts import ONE, TOTAL, TWO, answer

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


@pytest.mark.parametrize("name", ["UTC", "Asia/Kolkata", "XXX-0:45"])
def test_blocks_of_transcripts(
    clean_home: Path, m31: M31, zone: Callable[[str], None], name: str
) -> None:
    """Full hours are those of UTC, and two sessions of an agent share its blocks."""
    zone(name)
    minute = timedelta(minutes=1)
    transcripts.write(
        clean_home, ONE, answer("a", NOON + 20 * minute), answer("b", NOON + 301 * minute)
    )
    transcripts.write(clean_home, TWO, answer("c", NOON + 50 * minute + timedelta(seconds=7)))
    told = json.loads(m31("blocks", "--json").out)
    found = [
        (one["agent"], one["began_at"], one["last_at"], one["total_tokens"], one["state"])
        for one in told["blocks"]
    ]
    day = f"{NOON:%Y-%m-%d}"
    assert found == [
        ("claude-code", f"{day}T12:00:00Z", f"{day}T12:50:07Z", 2 * TOTAL, "ended"),
        ("claude-code", f"{day}T17:00:00Z", f"{day}T17:01:00Z", TOTAL, "ended"),
    ]
    assert told["active_blocks"] == []
    with query.open() as machine:
        of_python = machine.blocks().tables
        assert of_python["blocks"].to_dicts()[0]["total_tokens"] == 2 * TOTAL
        assert len(machine.blocks(agents=["codex"]).tables["blocks"]) == 0


def test_nothing_is_said_so(sessions_dir: Path, m31: M31) -> None:
    """Where no agent had an answer lately, the tables say so."""
    said = m31("blocks")
    assert said.code == 0
    assert "No block is active." in said.out
    assert "No agent had an answer in this time." in said.out
