"""What commands share: the configuration, the ways to write Tables, warnings, progress."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import click
import pytest

from m31a_metrics import config, sources
from m31a_metrics.catalog import records
from m31a_metrics.cli.options import AGENTS, emit, examples, question, settings
from m31a_metrics.config import Config
from m31a_metrics.table import Column, Table, Unit
from m31a_metrics.tables.names import RECORDED
from tests.cli.conftest import M31
from tests.cli.machine import FULL, M31A
from tests.cli.terminal import on_terminal
from tests.commands import m31 as m31_process


def test_the_configuration_is_read_once(clean_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`settings` asks the file once, and `--sessions-dir` goes before it."""
    reads: list[Config] = []

    def counted() -> Config:
        reads.append(config.defaults())
        return reads[-1]

    monkeypatch.setattr(config, "read", counted)
    ctx = click.Context(click.Command("x"))
    assert (
        settings(ctx).sessions_dir == settings(ctx).sessions_dir == f"{clean_home}/.m31a/sessions"
    )
    assert len(reads) == 1
    ctx.meta["m31.sessions_dir"] = "/elsewhere"
    assert settings(ctx).sessions_dir == "/elsewhere"


def test_the_configuration_says_where_sessions_are(
    sessions_dir: Path, m31: M31, clean_home: Path
) -> None:
    """`sessions_dir` of config.toml is where commands look."""
    (clean_home / ".m31a" / "config.toml").write_text('[metrics]\nsessions_dir = "~/moved"\n')
    sessions_dir.rename(clean_home / "moved")
    assert FULL in m31("sessions").out


@pytest.mark.usefixtures("sessions_dir")
def test_csv_is_the_first_table(m31: M31) -> None:
    """`--csv` writes one table: of several, the first one."""
    said = m31("cost", "--csv")
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert [row["phase"] for row in rows] == ["plan", "execute"]
    assert said.out.endswith("\r\n")


@pytest.mark.usefixtures("sessions_dir")
def test_json_of_several_tables_is_an_object(m31: M31) -> None:
    """Keys are the titles of the tables, rows have the names of their columns."""
    phases = json.loads(m31("phases", M31A, "--json").out)["self_heals_and_bisects"]
    assert phases[0]["heal_trigger_count"] == 2
    assert phases[0]["heal_success_count"] is None


def test_programs_get_utf8_whatever_the_locale(clean_home: Path) -> None:
    """Names beyond ASCII survive JSON and CSV where the locale could not write them."""
    m31_process("record", "tool", "größer-日本", "--session", "s")
    for option in ("--json", "--csv"):
        said = m31_process("tools", option, PYTHONIOENCODING="latin-1:strict")
        assert (said.returncode, said.stderr) == (0, "")
        assert "日本" in said.stdout
    assert m31_process("tools", PYTHONIOENCODING="ascii:strict").returncode == 0


def test_tables_that_have_nothing_to_say_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """As text, a table without rows and without words takes no room; in JSON it is there."""
    columns = [Column("n", "N", Unit.COUNT)]
    tables = [Table("One", columns, [(1,)]), Table("None", columns), Table("Why", columns, [], "!")]
    ctx = click.Context(click.Command("x"))
    emit(ctx, tables)
    assert capsys.readouterr().out == "One\nN\n1\n\nWhy\n!\n"
    ctx.meta["m31.format"] = "json"
    emit(ctx, tables)
    assert json.loads(capsys.readouterr().out) == {"one": [{"n": 1}], "none": [], "why": []}


def test_damage_is_told_on_stderr_beside_the_rest(m31: M31, sessions_dir: Path) -> None:
    """The first of damaged sessions is named once, with the command that names all."""
    for number in range(5):
        (sessions_dir / f"bad{number}").mkdir()
        (sessions_dir / f"bad{number}" / "METRICS.json").write_text("{")
    for arguments in ([], ["sessions"], ["tools"], ["cost"], ["phases"]):
        said = m31(*arguments)
        assert said.code == 0
        assert "bad" not in said.out
        if arguments:
            assert said.err == ""
            continue
        lines = said.err.splitlines()
        assert len(lines) == 1
        assert "bad0/METRICS.json is damaged" in lines[0]
        assert lines[0].endswith("; 4 more like this, see `m31 doctor`")


def test_only_damage_is_not_called_nothing(m31: M31, sessions_dir: Path) -> None:
    """Where every session is damaged, no table claims that nothing was recorded."""
    for session in sessions_dir.iterdir():
        for file in session.rglob("*.json*"):
            file.unlink()
        (session / "METRICS.json").write_text("{")
    for _ in range(2):
        said = m31("sessions")
        assert "No session here can be read" in said.out
        assert "Nothing is recorded" not in said.out


@pytest.mark.parametrize("command", ["sessions", "tools", "cost", "phases", "audit"])
@pytest.mark.usefixtures("sessions_dir")
def test_a_slice_leaves_out_what_is_not_in_it(command: str, m31: M31) -> None:
    """`--since` looks at the last event, `--until` at the first; an empty slice says so."""
    for empty in (["--since", "2026-06-21"], ["--until", "2020-01-01T10:00"]):
        said = m31(command, *empty)
        assert (said.code, said.err) == (0, "")
        assert f"No session fits {empty[0]}. Leave it out for all." in said.out
        assert m31(command, *empty, "--json").code == 0
    for whole in (["--since", "99999999999w"], ["--since", "2020-01-01"], ["--until", "0m"]):
        assert m31(command, *whole) == m31(command)
    assert m31(command, "--agent", "m31a") == m31(command)
    assert "No session fits --agent." in m31(command, "--agent", "codex").out
    assert (
        "No session ran in a project 'x'. Leave it out for all."
        in m31(command, "--project", "x").out
    )


@pytest.mark.usefixtures("sessions_dir")
def test_a_slice_of_time_has_two_ends(m31: M31) -> None:
    """`--since` and `--until` together give what lies between, however a time is written."""
    between = ["--since", "2026-06-17", "--until", "2026-06-19T12:00+00:00"]
    listed = json.loads(m31("sessions", "--json", *between).out)
    assert [row["session_id"] for row in listed] == [M31A]


@pytest.mark.parametrize("when", ["yester", "", "7", "7y", "2026-13-01", "-1d"])
@pytest.mark.usefixtures("sessions_dir")
def test_what_is_no_time_is_wrong_usage(when: str, m31: M31) -> None:
    """A time that cannot be read is never taken for all times."""
    said = m31("sessions", "--since", when)
    assert said.code == 2
    assert "is no time: write 7d" in said.err


def test_the_agents_are_those_that_can_be_read() -> None:
    """`--agent` takes the sessions directory and every source, in their order."""
    assert ("m31a", *sources.SOURCES) == AGENTS
    assert AGENTS[0] == records.RECORDED == RECORDED


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_for_those_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, after a second, a line counts; at the end it is wiped away."""
    clock = iter([0.0, 0.5, 1.5, 0.0, 1.5])
    monkeypatch.setattr(question, "monotonic", lambda: next(clock))
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    show = question.reading_progress()
    show(50, 10_000)
    assert terminal.getvalue() == ""
    show(3_400, 10_000)
    assert terminal.getvalue() == "\rreading 3,400 of 10,000 sessions "
    show(10_000, 10_000)
    assert terminal.getvalue().endswith("\r\x1b[K")
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    question.reading_progress()(3_400, 10_000)
    assert pipe.getvalue() == ""


def test_examples_are_aligned() -> None:
    """Words stand in one column, below an example that would push them off the screen."""
    long = "m31 record llm plan --prompt-tokens 900"
    assert examples(("m31", "a"), (long, "b")) == (f"\b\nExamples:\n  m31   a\n  {long}\n        b")
    assert examples(("m31", "a"), ("m31 show", "b")) == (
        "\b\nExamples:\n  m31        a\n  m31 show   b"
    )


@pytest.mark.usefixtures("sessions_dir")
def test_colour_is_for_terminals_that_want_it() -> None:
    """Escapes go to terminals only, and not where NO_COLOR or a dumb terminal refuses them."""
    assert "\x1b[" in on_terminal("sessions")
    assert "\x1b[" not in on_terminal("sessions", NO_COLOR="1")
    assert "\x1b" not in m31_process("sessions").stdout


@pytest.mark.usefixtures("sessions_dir")
@pytest.mark.parametrize(
    "command", ["glance", "sessions", "show", "tools", "cost", "phases", "audit"]
)
def test_eighty_columns_are_enough(command: str) -> None:
    """No line is wider than the terminal, and the figures that matter are not hidden."""
    drawn = on_terminal(command, NO_COLOR="1")
    assert not [line for line in drawn.splitlines() if len(line) > 80]
    if command in ("glance", "sessions"):
        hidden = [line for line in drawn.splitlines() if "Hidden for lack of width" in line]
        assert {line.strip() for line in hidden} <= {"Hidden for lack of width: Lasted."}
    if command == "tools":
        assert "p95" in drawn
        assert "Max" in drawn
