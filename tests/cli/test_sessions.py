"""`m31 sessions`: how many rows a person, a pipe and a program get."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from m31a_metrics.cli.sessions import SCREENFUL
from tests.cli.conftest import M31
from tests.cli.machine import FULL, M31A, SHELL, UNPRICED
from tests.cli.terminal import on_terminal

MANY = SCREENFUL + 20


@pytest.fixture
def many(sessions_dir: Path) -> int:
    """More sessions than a terminal shows; how many."""
    data = (sessions_dir / M31A / "METRICS.json").read_bytes()
    for number in range(MANY):
        (sessions_dir / f"many{number}").mkdir()
        (sessions_dir / f"many{number}" / "METRICS.json").write_bytes(data)
    return MANY + 4


def test_a_terminal_shows_the_latest(many: int) -> None:
    """A terminal gets the latest fifty, and the way to the rest; --all gives them."""
    drawn = on_terminal("sessions", NO_COLOR="1")
    assert len([line for line in drawn.splitlines() if "2026-" in line]) == SCREENFUL
    assert f"{SCREENFUL} of {many} sessions; see the rest: --all." in drawn
    drawn = on_terminal("sessions", "--all", NO_COLOR="1")
    assert len([line for line in drawn.splitlines() if "2026-" in line]) == many


def test_a_pipe_gets_all(many: int, m31: M31) -> None:
    """Piped text, JSON and CSV hold every session, unless a limit is asked for."""
    assert len([line for line in m31("sessions").out.splitlines() if "2026-" in line]) == many
    assert len(json.loads(m31("sessions", "--json").out)) == many
    assert len(json.loads(m31("sessions", "--json", "--limit", "7").out)) == 7
    assert m31("sessions", "--csv").out.count("\r\n") == many + 1


@pytest.mark.usefixtures("sessions_dir")
def test_the_latest_comes_first(m31: M31) -> None:
    """Sessions are ordered by their last event, whoever recorded them."""
    listed = [row["session_id"] for row in json.loads(m31("sessions", "--json").out)]
    assert listed == [FULL, SHELL, M31A, UNPRICED]


@pytest.mark.usefixtures("sessions_dir")
def test_json_on_a_terminal_is_whole() -> None:
    """Who asks for JSON gets data, not what fits the screen."""
    assert len(json.loads(on_terminal("sessions", "--json"))) == 4


@pytest.mark.usefixtures("sessions_dir")
def test_sorted_by_any_column(m31: M31) -> None:
    """By a figure the greatest is first, by a name A is; columns that no index has, too."""

    def names(*arguments: str) -> list[str]:
        return [row["session_id"] for row in json.loads(m31("sessions", "--json", *arguments).out)]

    assert names("--sort", "cost")[:2] == [FULL, M31A]
    assert names("--sort", "-calls")[0] == UNPRICED
    assert names("--sort", "lasted", "--limit", "2") == [M31A, FULL]
    assert names("--sort", "session") == sorted([FULL, SHELL, M31A, UNPRICED])


@pytest.mark.usefixtures("sessions_dir")
def test_search(m31: M31) -> None:
    """`--text` finds a part of an id or a model, in any case."""
    for text, found in (("NIGHT", [SHELL]), ("large", [FULL]), ("nobody", [])):
        listed = json.loads(m31("sessions", "--text", text, "--json").out)
        assert [row["session_id"] for row in listed] == found
    assert "No session fits --text." in m31("sessions", "--text", "nobody").out
