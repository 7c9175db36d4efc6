"""`m31 tools`, `cost` and `phases`: of one session or of all, and what they then hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import M31
from tests.cli.machine import FULL, SHELL

pytestmark = pytest.mark.usefixtures("sessions_dir")


def rows(said: tuple[int, str, str], key: str | None = None) -> list[dict[str, Any]]:
    """The rows of a table in JSON."""
    data = json.loads(said[1])
    return data if key is None else data[key]  # type: ignore[no-any-return] # what JSON says


def test_tools_of_all_and_of_one(m31: M31) -> None:
    """Without a name the tools of all sessions are added up, with one they are its own."""
    everything = {row["name"]: row for row in rows(m31("tools", "--json"))}
    assert everything["Bash"]["call_count"] == 14
    assert everything["make"]["p50_ms"] == pytest.approx(9_000.5, rel=0.02)
    own = {row["name"]: row for row in rows(m31("tools", FULL, "--json"))}
    assert set(own) == {"Bash", "Read"}
    assert own["Bash"]["call_count"] == 2
    assert own["Read"]["max_ms"] == 50
    assert "Tools of session 3f2a91c0" in m31("tools", "3f2").out


def test_cost_of_all_and_of_one(m31: M31) -> None:
    """Phases add up over sessions; models are those that journals name, the rest is a row."""
    everything = m31("cost", "--json")
    assert sum(row["cost_usd"] for row in rows(everything, "cost_by_phase")) == pytest.approx(0.338)
    models = [row["model"] for row in rows(everything, "cost_by_model")]
    assert models == ["large-1", "small-2", "local", None]
    own = m31("cost", FULL, "--json")
    assert [row["model"] for row in rows(own, "cost_by_model")] == ["large-1", "small-2"]
    assert rows(own, "dearest_sessions") == []


def test_phases_of_all_and_of_one(m31: M31) -> None:
    """Of all sessions phases count outcomes; of one they have one."""
    everything = {row["phase"]: row for row in rows(m31("phases", "--json"), "phases")}
    assert everything["execute"]["session_count"] == 2
    assert everything["execute"]["duration_ms"] == 360_000
    own = {row["phase"]: row for row in rows(m31("phases", FULL, "--json"), "phases")}
    assert own["ship"]["success"] is False


@pytest.mark.parametrize("command", ["tools", "cost", "phases"])
def test_a_session_that_lacks_it_says_so(command: str, m31: M31) -> None:
    """A session without the thing asked for names itself and a command to try."""
    said = m31(command, SHELL)
    assert said.code == 0
    if command != "tools":
        assert "Session nightly has no " in said.out
        assert "`m31 record " in said.out
