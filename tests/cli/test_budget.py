"""`m31 budget`: what it shows, whom it asks, what it then allows."""

from __future__ import annotations

import json
import os
import pty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics import Collector, Usage, query, verdicts
from m31a_metrics.cli import NOT_THERE, UNUSABLE, WRONG_USAGE
from m31a_metrics.cli.options import consent
from tests.cli.conftest import M31


@pytest.fixture
def live(clean_home: Path) -> str:
    """A machine with a session that used USD 3 of 5, and a day that used them of 2."""
    (clean_home / ".m31a").mkdir()
    configuration = "[metrics.budget]\nsession_usd = 5\nday_usd = 2\nmonth_tokens = 1000"
    (clean_home / ".m31a" / "config.toml").write_text(configuration)
    with Collector("s1", clean_home / ".m31a" / "sessions") as collector:
        collector.record_llm_interaction("plan", Usage(90, 10), 3.0, duration_ms=60_000)
    return str(clean_home / ".m31a" / "live")


Person = Callable[[str], None]


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    """Somebody at the terminal, who types."""
    hand, terminal = pty.openpty()
    monkeypatch.setattr(consent, "TERMINAL", os.ttyname(terminal))

    def types(text: str) -> None:
        os.write(hand, text.encode())

    yield types
    os.close(hand)
    os.close(terminal)


def state(m31: M31) -> dict[str, Any]:
    """What is left and how that is called, by scope and unit."""
    rows = json.loads(m31("budget", "--json").out)
    return {f"{row['scope']}_{row['unit']}": (row["left"], row["state"]) for row in rows}


def test_what_is_left(live: str, m31: M31) -> None:
    """The running session, the day and the month, as `query` tells them too."""
    assert state(m31) == {
        "session_usd": (2.0, "free"),
        "day_usd": (0.0, "spent"),
        "month_usd": (None, None),
        "month_tokens": (900, "free"),
    }
    with query.open() as machine:
        rows = machine.budget()
        told = json.loads(m31("budget", "--json").out)
        assert rows.columns == list(told[0])
        assert [row.used for row in rows] == [row["used"] for row in told] == [3.0, 3.0, 3.0, 100]
    shown = m31("budget")
    assert shown.code == 0
    assert "m31 budget allow --day +5" in shown.out


def test_no_time_zone_moves_the_day(live: str, m31: M31, zone: Callable[[str], None]) -> None:
    """Whatever TZ says, the day's use and its limit are the machine's."""
    told = state(m31)
    for name in ("Pacific/Kiritimati", "Etc/GMT+12", "XXX-0:45"):
        zone(name)
        assert state(m31) == told, name


def test_a_planted_verdict_is_replaced(live: str, m31: M31, person: Person, tmp_path: Path) -> None:
    """A link in the place of a verdict is neither followed nor in the way."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    Path(live, "verdicts").mkdir(parents=True, mode=0o700)
    Path(verdicts.path(live, "s1")).symlink_to(victim)
    person("y\n")
    assert m31("budget", "allow", "--session", "s1", "+1").code == 0
    assert victim.read_text() == "precious"
    assert verdicts.read(live, "s1", 0) is not None


def test_a_person_allows_a_session_more(live: str, m31: M31, person: Person) -> None:
    """It holds at once, of that session alone, and the verdict is written anew."""
    person("y\n")
    said = m31("budget", "allow", "--session", "last", "+2.50")
    assert (said.code, said.out) == (0, "")
    assert said.err == "m31: allowed USD 2.50 more: of the session s1 USD 4.50 is left\n"
    assert state(m31)["session_usd"] == (4.5, "free")
    verdict = verdicts.read(live, "s1", 0)
    assert verdict is not None
    assert (verdict.stops, verdict.is_near) == ([], False)
    assert (verdict.figures.left_usd, verdict.figures.left_scope) == (4.5, "session")


def test_a_person_allows_the_day_more(live: str, m31: M31, person: Person) -> None:
    """A day's stop is lifted; what the month says stays in the same verdict."""
    person("yes\n")
    assert m31("budget", "allow", "--day", "5").code == 0
    assert state(m31)["day_usd"] == (4.0, "free")
    person("y\n")
    assert m31("budget", "allow", "--month", "--tokens", "+1_000").code == 0
    assert state(m31)["month_tokens"] == (1900, "free")
    assert verdicts.read(live, verdicts.MACHINE, 0) is not None


def test_no_is_no(live: str, m31: M31, person: Person) -> None:
    """Who does not say yes has allowed nothing."""
    person("\n")
    said = m31("budget", "allow", "--day", "+5")
    assert (said.code, said.err) == (0, "m31: nothing was allowed\n")
    assert not os.path.exists(live)


@pytest.mark.parametrize("command", ["allow --day +5", "forget"])
def test_an_agent_is_refused(
    live: str, m31: M31, person: Person, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Under an agent nothing is allowed or forgotten, whatever its terminal would say."""
    monkeypatch.setenv("CLAUDECODE", "1")
    person("y\n")
    said = m31("budget", *command.split())
    assert said.code == WRONG_USAGE
    assert "CLAUDECODE is set" in said.err
    assert not os.path.exists(live)


def test_nobody_is_there(
    live: str, m31: M31, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a terminal the answer is not taken from standard input."""
    monkeypatch.setattr(consent, "TERMINAL", f"{tmp_path}/none")
    said = m31("budget", "allow", "--day", "+5")
    assert said.code == WRONG_USAGE
    assert "nobody can be asked here" in said.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("+5", "Give one of --session ID, --day, --month"),
        ("--day --month +5", "Give one of"),
        ("--day five", "write +5 or +2.50 (US dollars)"),
        ("--day 0", "write +5"),
        ("--day --tokens +1.5", "write +500000 (whole tokens)"),
        ("--day --tokens +5", "[metrics.budget] day_tokens"),
        ("--session nobody +5", "no session has the id or prefix 'nobody'"),
    ],
)
@pytest.mark.usefixtures("person")
def test_what_makes_no_sense(live: str, m31: M31, arguments: str, words: str) -> None:
    """A mistake is named before anybody is asked."""
    said = m31("budget", "allow", *arguments.split())
    assert said.code == (NOT_THERE if "nobody" in arguments else WRONG_USAGE)
    assert words in " ".join(said.err.split())
    assert not os.path.exists(live)


def test_forgetting(live: str, m31: M31, person: Person) -> None:
    """What was allowed is taken back, of one session or of all."""
    for arguments in (("--session", "s1"), ("--day",)):
        person("y\n")
        m31("budget", "allow", *arguments, "+5")
    person("y\n")
    said = m31("budget", "forget", "--session", "s1")
    assert (said.code, said.err) == (0, "m31: 2 files removed\n")
    assert (state(m31)["session_usd"], state(m31)["day_usd"]) == ((2.0, "free"), (4.0, "free"))
    person("n\n")
    assert m31("budget", "forget").err == "m31: nothing was forgotten\n"
    person("y\n")
    assert m31("budget", "forget").err == "m31: 2 files removed\n"
    assert state(m31)["day_usd"] == (0.0, "spent")


def test_a_wrong_limit_is_named(live: str, m31: M31, clean_home: Path) -> None:
    """A misspelt limit stops every command, with the nearest one."""
    (clean_home / ".m31a" / "config.toml").write_text("[metrics.budget]\nday_used = 5")
    said = m31("budget")
    assert said.code == UNUSABLE
    assert "did you mean 'day_usd'?" in said.err
