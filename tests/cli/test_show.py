"""`m31 show`: the session that a person means, M31A's and our own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from m31a_metrics import ToolMetric, load, save
from tests.cli.conftest import M31
from tests.cli.machine import FULL, M31A


@pytest.mark.usefixtures("sessions_dir")
def test_the_latest_is_the_default(m31: M31) -> None:
    """No name, `last`, the id and a unique beginning of it show the same session."""
    shown = m31("show")
    assert FULL in shown.out
    assert shown == m31("show", "last") == m31("show", FULL) == m31("show", "3f2")


def test_a_path_needs_no_directory_of_sessions(m31: M31, sessions_dir: Path) -> None:
    """A session directory, or the file in it, is shown wherever it lies."""
    elsewhere = sessions_dir.parent / "elsewhere"
    sessions_dir.rename(elsewhere)
    by_directory = m31("show", str(elsewhere / M31A))
    assert "mcp__github" in by_directory.out
    assert by_directory == m31("show", str(elsewhere / M31A / "METRICS.json"))


@pytest.mark.usefixtures("sessions_dir")
def test_a_session_of_m31as_has_dashes(m31: M31) -> None:
    """Where only METRICS.json is, percentiles are null, and the text says why."""
    tools = json.loads(m31("show", M31A, "--json").out)["tools"]
    assert {tool["p95_ms"] for tool in tools} == {None}
    assert "No percentiles: METRICS.json without a journal" in m31("show", M31A).out


def test_names_of_strangers_cannot_draw_on_the_screen(m31: M31, sessions_dir: Path) -> None:
    """Escapes, line breaks and marks that turn the writing direction are taken out."""
    metrics = load(sessions_dir, M31A)
    assert metrics is not None
    metrics.tools.append(ToolMetric("a\x1b[2Jb\r\nc\u202ed", 1, 1, 0, 99_999_999, 1.0))
    save(sessions_dir, M31A, metrics)
    shown = m31("show", M31A).out
    assert not {"\x1b", "\r", "\u202e"} & set(shown)
    assert "\nab  cd " in shown
    named = [tool["tool"] for tool in json.loads(m31("show", M31A, "--json").out)["tools"]]
    assert "a\x1b[2Jb\r\nc\u202ed" in named  # a program gets the name as it is


@pytest.mark.parametrize("arguments", [["show"], ["show", "last"]])
def test_nothing_recorded_is_exit_code_3(arguments: list[str], m31: M31) -> None:
    """Of no session there is nothing to show; what to try is said."""
    said = m31(*arguments)
    assert (said.code, said.out) == (3, "")
    assert "`m31 run -- COMMAND`" in said.err
