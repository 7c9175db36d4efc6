"""`m31 push`: what is asked first, what is refused, what people are told, and the timer."""

from __future__ import annotations

import plistlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from m31a_metrics.cli import UNUSABLE, WRONG_USAGE
from m31a_metrics.cli import push as pushing
from m31a_metrics.fleet.schema import VERSION
from tests.cli.conftest import M31
from tests.fleet.scripted import CLOSE, Scripted, serving
from tests.transcripts import NOW, ONE, TWO, answer, prompt, write


@pytest.fixture
def fleet() -> Iterator[Scripted]:
    """A fleet that answers as it is told."""
    with serving() as scripted:
        yield scripted


@pytest.fixture
def home(clean_home: Path, fleet: Scripted) -> Path:
    """A home with a session of each of two projects, of which one may go."""
    write(clean_home, ONE, prompt(), answer("a"), project="/src/shop")
    write(clean_home, TWO, answer("b", NOW), project="/src/diary")
    configure(clean_home, f'to = "{fleet.address}"\nprojects = ["shop"]\nmachine = "green"\n')
    return clean_home


def configure(home: Path, lines: str) -> None:
    """Write [metrics.fleet]."""
    (home / ".m31a").mkdir(exist_ok=True)
    (home / ".m31a" / "config.toml").write_text(f"[metrics.fleet]\n{lines}")


def test_what_is_named_goes_and_the_fleet_is_told_who_pushed(
    home: Path, fleet: Scripted, m31: M31
) -> None:
    """The second time nothing differs, and the fleet hears that all the same."""
    said = m31("push", "--yes")
    assert (said.code, said.out) == (0, "")
    assert said.err == f"m31: pushed 1 session to {fleet.address}\n"
    assert fleet.by_id().keys() == {ONE}
    assert [one["insert_distributed_sync"] for one in fleet.inserts] == ["1"]
    assert fleet.by_id()[ONE]["machine"] == "green"
    said = m31("push")
    assert said.err == f"m31: pushed 0 sessions to {fleet.address}\n"
    assert len(fleet.rows) == 1
    assert ["'green'" in one for one in fleet.pushes] == [True, True]


def test_the_first_push_shows_what_goes_and_asks(
    home: Path, fleet: Scripted, m31: M31, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each fleet is asked about once; who says no has pushed nothing."""
    monkeypatch.setattr(pushing, "_is_person_here", lambda: False)
    said = m31("push")
    assert said.code == WRONG_USAGE
    assert f"Nothing was ever pushed to {fleet.address}" in " ".join(said.err.split())
    assert "stays here" in said.out
    assert not fleet.rows
    asked: list[str] = []

    def confirm(question: str, **_: object) -> bool:
        asked.append(question)
        return len(asked) > 1

    monkeypatch.setattr(click, "confirm", confirm)
    monkeypatch.setattr(pushing, "_is_person_here", lambda: True)
    assert m31("push").err.endswith("m31: nothing was pushed\n")
    assert not fleet.rows
    m31("push")
    m31("push")
    assert asked == [f"Push 1 session to {fleet.address}, and what follows?"] * 2
    assert fleet.by_id().keys() == {ONE}


def test_a_dry_run_connects_to_nobody(home: Path, fleet: Scripted, m31: M31) -> None:
    """It shows what projects are called, which go, and how many sessions would."""
    said = m31("push", "--dry-run")
    assert said.code == 0
    assert "1 session would go." in said.out
    said = m31("push", "--dry-run", "--csv")
    assert said.out.splitlines() == [
        "project,session_count,state",
        "diary,1,stays here",
        "shop,1,goes",
    ]
    assert fleet.connection_count == 0
    m31("push", "--yes")
    assert "0 sessions would go." in m31("push", "--dry-run").out
    configure(home, "")
    assert "0 sessions would go." in m31("push", "--dry-run", "--to", "clickhouse://a/b").out


def test_nothing_goes_unless_projects_are_named(home: Path, fleet: Scripted, m31: M31) -> None:
    """And a name that none has is told."""
    configure(home, f'to = "{fleet.address}"')
    said = m31("push", "--yes")
    assert said.code == UNUSABLE
    assert "name projects" in said.err
    configure(home, f'to = "{fleet.address}"\nprojects = ["Shop", "di*"]')
    said = m31("push", "--yes")
    assert "no project here is called 'Shop'" in said.err
    assert fleet.by_id().keys() == {TWO}


@pytest.mark.parametrize(
    ("lines", "to", "words"),
    [
        ("", "ch.example", "is no address of a fleet"),
        ('zone = "Mars"', "clickhouse://a/b", "a time zone as Europe/Berlin"),
        ('key_file = "k"', "clickhouse://a/b", "has no key of at least 16"),
        ("projekts = []", "clickhouse://a/b", "did you mean 'projects'"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    clean_home: Path, m31: M31, lines: str, to: str, words: str
) -> None:
    """With what to do, and an exit code that says of what kind it is."""
    assert m31("push").code == WRONG_USAGE
    configure(clean_home, lines)
    said = m31("push", "--yes", "--to", to)
    assert (said.code, said.out) == (UNUSABLE, "")
    assert words in " ".join(said.err.split())
    assert "Traceback" not in said.err


def test_a_fleet_that_refuses_is_one_sentence(home: Path, fleet: Scripted, m31: M31) -> None:
    """Nothing is lost: what it did not take goes with the next push."""
    fleet.script = ["Code: 164. DB::Exception: Cannot execute query in readonly mode"]
    said = m31("push", "--yes")
    assert (said.code, said.err) == (
        UNUSABLE,
        f"m31: {fleet.address} refused: this user may only read\n",
    )
    fleet.script = [CLOSE, CLOSE]
    said = m31("push", "--yes")
    assert said.code == UNUSABLE
    assert f"{fleet.address} does not answer" in said.err
    fleet.version = VERSION + 1
    said = m31("push", "--yes")
    assert said.code == UNUSABLE
    assert "update m31 here" in said.err
    assert not fleet.pushes
    fleet.version = VERSION
    assert m31("push", "--yes").code == 0
    assert len(fleet.sessions()) == len(fleet.pushes) == 1


def test_forgetting_takes_out_of_the_fleet(home: Path, fleet: Scripted, m31: M31) -> None:
    """It says that the fleet has the session, and the next push that it is out."""
    m31("push", "--yes")
    said = m31("forget", ONE, "--yes")
    assert said.code == 0
    assert f"{fleet.address}" in said.out
    assert "the next `m31 push`" in " ".join((said.out + said.err).split())
    said = m31("push")
    assert said.err.endswith(f"m31: pushed 0 sessions to {fleet.address}, took 1 session out\n")
    assert not fleet.sessions()


@pytest.mark.parametrize("unit", ["systemd", "launchd"])
def test_a_timer_runs_it_once_an_hour(
    clean_home: Path, m31: M31, monkeypatch: pytest.MonkeyPatch, unit: str
) -> None:
    """At another minute on each machine, with the options given and no password."""
    monkeypatch.setenv("CODEX_HOME", '/a "b" 50%')
    monkeypatch.setenv("M31A_CLICKHOUSE_PASSWORD", "hunter2")
    said = m31("push", "--to", "clickhouse://a/b", "--without-failures", "--print-unit", unit)
    assert said.code == 0
    assert "the password is not written into it" in said.err
    assert "hunter2" not in said.out
    words = [sys.executable, "-m", "m31a_metrics", "push", "--to", "clickhouse://a/b"]
    words.append("--without-failures")
    if unit == "launchd":
        found = plistlib.loads(said.out.encode())
        assert found["ProgramArguments"] == words
        assert found["EnvironmentVariables"] == {"CODEX_HOME": '/a "b" 50%'}
        assert 0 <= found["StartCalendarInterval"]["Minute"] < 60
        return
    folder = clean_home / ".config" / "systemd" / "user"
    done = subprocess.run(["sh"], input=said.out, text=True, check=True, capture_output=True)
    service = (folder / "m31-push.service").read_text().splitlines()
    assert f"ExecStart={' '.join(words)}" in service
    assert r'Environment="CODEX_HOME=/a \"b\" 50%%"' in service
    assert "Type=oneshot" in service
    assert "enable --now m31-push.timer" in done.stdout
    assert "RandomizedDelaySec=1h" in (folder / "m31-push.timer").read_text()
