"""A fleet asked by commands, in Python and on pages: what it says, and what it cannot."""

from __future__ import annotations

import json
import re
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from m31a_metrics import config, query
from m31a_metrics.catalog.fleet import Fleet, ask_fleet, now_in
from m31a_metrics.errors import ConfigError, FinerThanADay, FleetUnreachable, SessionElsewhere
from m31a_metrics.views.web.index_thread import AFleet
from m31a_metrics.views.web.transcript import OF_FLEET
from tests.cli.conftest import M31
from tests.fleet.pretend import ADDRESS, MACHINE, USER, pretend
from tests.fleet.sessions import records
from tests.views.web.served import fetch, served

ONE = "n05"
AWAY = "shard 2 (127.0.0.1:9001) does not answer"


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The shards of a fleet of a few sessions that do not answer: none, until a test says so."""
    monkeypatch.setenv("HOME", str(tmp_path))
    missing: list[str] = []
    pretend(monkeypatch, records(12), missing)
    return missing


@pytest.mark.parametrize(
    "asked",
    [
        ["sessions", "--by", "machine"],
        ["tools", "--by", "user"],
        ["cost", "--by", "machine"],
        ["phases", "--by", "machine"],
        ["heals", "--by", "user"],
        ["errors", "--by", "machine"],
    ],
)
def test_questions_are_grouped_by_owner(away: list[str], m31: M31, asked: list[str]) -> None:
    """Whose sessions they are is a part like any other, of a fleet alone."""
    assert not away
    said = m31(*asked, "--history", ADDRESS, "--json")
    assert said.code == 0, said
    (row,) = json.loads(said.out)
    assert row[asked[-1]] == {"machine": MACHINE, "user": USER}[asked[-1]]
    refused = m31(*asked)
    assert (refused.code, refused.out) == (2, "")
    assert f"--by {asked[-1]} is of a fleet: give --history" in refused.err


@pytest.mark.parametrize(
    "asked",
    [
        ["glance"],
        ["sessions"],
        ["tools", ONE],
        ["tools", "--since", "2025-12-01"],
        ["audit"],
        ["compare", "model=opus-4", "model=opus_4"],
        ["gate", "--max", "cost=1000000"],
        ["baseline", "-o", "baseline.json"],
        ["report", "-o", "report.html"],
        ["report", ONE, "-o", "one.html"],
    ],
)
def test_every_question_command_asks_a_fleet(
    away: list[str], m31: M31, asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And leaves this machine alone: no index is made."""
    assert not away
    monkeypatch.chdir(tmp_path)
    said = m31("--debug", *asked, "--history", ADDRESS)
    assert said.code == 0, said
    assert said.out or "wrote" in said.err
    assert not (tmp_path / ".m31a/metrics.db").exists()


@pytest.mark.parametrize("command", ["show", "explain"])
def test_what_needs_a_file_says_where_it_is(away: list[str], m31: M31, command: str) -> None:
    """A session is explained on the machine where it lies, and that is named."""
    assert not away
    said = m31(command, ONE, "--history", ADDRESS)
    assert (said.code, said.out) == (3, "")
    assert said.err == f"m31: session {ONE} lies on machine {MACHINE}; ask there\n"


@pytest.mark.parametrize(
    "asked", [["tools", "--since", "2h"], ["tools", "--by", "hour"], ["blocks", "--since", "all"]]
)
def test_less_than_a_day_is_refused(away: list[str], m31: M31, asked: list[str]) -> None:
    """One sentence: whose days are known, and where to ask for less."""
    assert not away
    said = m31(*asked, "--history", ADDRESS)
    assert (said.code, said.out) == (4, "")
    assert said.err.startswith("m31: a fleet knows whole days (UTC), and nothing finer: ask by day")


def test_a_missing_shard_is_an_error_or_named(away: list[str], m31: M31) -> None:
    """No answer is partial without being asked for, and one that is says what it lacks."""
    away.append(AWAY)
    refused = m31("tools", "--history", ADDRESS)
    assert (refused.code, refused.out) == (4, "")
    assert refused.err == f"m31: {AWAY}; --partial asks the others\n"
    partial_one = m31("tools", "--history", ADDRESS, "--partial")
    assert (partial_one.code, bool(partial_one.out)) == (0, True)
    assert f"m31: {AWAY}; its sessions are left out\n" in partial_one.err


def test_a_shard_that_goes_away_meanwhile_is_named(away: list[str]) -> None:
    """A partial answer looks at the shards once more when it was given."""
    environ = config.environment()
    with ask_fleet(config.read(), environ, Fleet(ADDRESS, is_partial=True)) as opened:
        assert (opened.is_whole, opened.look_again()) == (True, [])
        away.append(AWAY)
        (said,) = opened.look_again()
        assert said.startswith(AWAY)
        assert (opened.problems, opened.look_again()) == ([said], [])
        assert not opened.is_whole


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (["tools", "--partial"], "--partial goes with --history"),
        (["tools", "--history", ADDRESS, "--sessions-dir", "."], "goes without --history"),
        (["tools", "--history", ADDRESS, "--all-folders"], "goes without --history"),
        (["serve", "--history", ADDRESS, "--metrics"], "--metrics is of this machine"),
        (["tools", "last", "--since", "7d", "--history", ADDRESS], "is for many sessions"),
    ],
)
def test_what_makes_no_sense_is_refused(
    away: list[str], m31: M31, asked: list[str], why: str
) -> None:
    """What is of this machine alone does not go with a fleet."""
    assert not away
    said = m31(*asked)
    assert (said.code, said.out) == (2, "")
    assert why in said.err


def test_the_fleet_that_this_machine_pushes_to(away: list[str], m31: M31, tmp_path: Path) -> None:
    """Need not be named by its address, and what is missing of that is said."""
    assert not away
    said = m31("tools", "--history", "fleet")
    assert said.code == 4
    assert "set `to` in [metrics.fleet]" in said.err
    (tmp_path / ".m31a").mkdir(exist_ok=True)
    (tmp_path / ".m31a" / "config.toml").write_text(f'[metrics.fleet]\nto = "{ADDRESS}"\n')
    assert m31("tools", "--history", "fleet").out == m31("tools", "--history", ADDRESS).out
    with query.open(history="fleet") as fleet:
        assert len(list(fleet.sessions())) == 12


def test_an_empty_fleet_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, m31: M31) -> None:
    """And not that nothing was recorded here."""
    monkeypatch.setenv("HOME", str(tmp_path))
    pretend(monkeypatch, [], [])
    said = m31("tools", "--history", ADDRESS)
    assert said.code == 0
    assert f"No session was pushed to {ADDRESS} yet." in said.out


def test_days_are_the_fleets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the zone that the configuration names, whatever zone this process is in."""
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = config.read()
    assert now_in(settings).tzinfo is UTC
    far = now_in(replace(settings, fleet={"zone": "Pacific/Kiritimati"}))
    assert far.utcoffset() == timedelta(hours=14)
    with pytest.raises(ConfigError, match=r"metrics\.fleet\.zone must be a time zone"):
        now_in(replace(settings, fleet={"zone": "Nowhere/At all"}))


def test_a_fleet_is_asked_in_python(away: list[str]) -> None:
    """The same questions, names and options; what is of one machine raises what says so."""
    with query.open(history=ADDRESS) as fleet:
        assert [row.machine for row in fleet.tools(by="machine")] == [MACHINE]
        assert len(list(fleet.sessions())) == 12
        assert fleet.session(ONE).tools().columns[0] == "tool"
        assert fleet.problems == []
        with pytest.raises(SessionElsewhere, match=f"lies on machine {MACHINE}; ask there"):
            fleet.explain(ONE)
        with pytest.raises(FinerThanADay):
            fleet.tools(since="2h")
        with pytest.raises(ValueError, match="limits are a machine's own"):
            fleet.budget()
        away.append(AWAY)
        with pytest.raises(FleetUnreachable, match="--partial asks the others"):
            fleet.refresh()
    with query.open(history=ADDRESS, partial=True) as fleet:
        assert [one.startswith(AWAY) for one in fleet.problems] == [True]
    with pytest.raises(ValueError, match="leave out history"):
        query.open(".", history=ADDRESS)


def test_the_page_about_fleets_runs(away: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Its Python asks a fleet as it says."""
    assert not away
    page = Path(__file__).parents[2] / "docs" / "fleet.md"
    (block,) = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    exec(block.replace('since="30d"', 'since="2025-12-01"'), {})  # noqa: S102 - our own page
    assert capsys.readouterr().out.startswith(f"{USER} ")


def test_pages_say_where_a_session_lies(away: list[str]) -> None:
    """A session's page and its transcript name the machine; a page of hours says what is known."""
    assert not away
    machine = AFleet(config.read(), config.environment(), Fleet(ADDRESS))
    with served(machine, off=OF_FLEET) as base:
        _, course = fetch(base, f"/sessions/{ONE}?since=all")
        assert f"lies on machine {MACHINE}: ask there" in course.decode()
        _, said = fetch(base, f"/sessions/{ONE}/transcript")
        assert f"lies on machine {MACHINE}: what was said is shown there." in said.decode()
        _, search = fetch(base, "/search?q=x&since=all")
        assert OF_FLEET in search.decode()
        status, hours = fetch(base, "/blocks?since=all")
        assert (status, b"a fleet knows whole days" in hours) == (400, True)
