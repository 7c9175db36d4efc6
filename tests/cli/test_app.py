"""The command list: every command is there, has help with examples, and costs only itself."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import click
import pytest

from m31a_metrics.cli.app import COMMANDS, app, load
from tests.cli.conftest import M31
from tests.commands import environment

REVIEW = ["glance", "sessions", "show", "tools", "cost", "phases", "heals", "errors", "audit"]


def loaded_by(*arguments: str) -> set[str]:
    """The modules that a fresh process has loaded after running m31."""
    script = (
        "import sys; from m31a_metrics.cli import main; code = main(); "
        "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split())


def test_help_imports_no_command() -> None:
    """`m31 --help` reads the table of commands and imports none of them, nor what they use."""
    loaded = loaded_by("--help")
    assert not loaded & {module for module, _ in COMMANDS.values()}
    assert not loaded & {"rich", "json", "m31a_metrics.catalog", "m31a_metrics.views.text"}


@pytest.mark.parametrize("name", REVIEW)
def test_a_command_imports_only_itself(name: str) -> None:
    """In a pipe, a command of the review loads no other command, no rich and no extra."""
    loaded = loaded_by(*([name] if name != "show" else [name, "--help"]))
    commands = {module for module, _ in COMMANDS.values()}
    assert loaded & commands == {COMMANDS[name][0]}
    unwanted = {"rich", "json", "logging", "genai_prices", "textual", "starlette"}
    assert not loaded & unwanted


def test_every_command_is_listed(m31: M31) -> None:
    """`m31 --help` shows each command with its line, and the exit codes."""
    said = m31("--help")
    assert said.code == 0
    words = " ".join(said.out.split())
    for name, (_, line) in COMMANDS.items():
        assert f"{name} {line}" in words
    assert "Exit codes: 0 done, 1 problems found" in words


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(name: str, m31: M31) -> None:
    """A command says what it does, gives examples, and fits a terminal of 80 cells."""
    for flag in ("--help", "-h"):
        said = m31(name, flag)
        assert (said.code, said.err) == (0, "")
        assert said.out.startswith(f"Usage: m31 {name} ")
        assert "Examples:\n    " in said.out
        assert not [line for line in said.out.splitlines() if len(line) > 80]


def letters(talk: str) -> str:
    """All but the white space; without the list of commands below one, which click shortens."""
    return "".join(talk.partition("Commands:")[0].split())


@pytest.mark.parametrize("columns", [60, 120])
@pytest.mark.parametrize("name", COMMANDS)
def test_help_goes_by_the_width(
    name: str, columns: int, m31: M31, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Help says the same in a narrow and a wide terminal; only examples keep their lines."""
    talk_in_80, _, examples_in_80 = m31(name, "--help").out.partition("Examples:")
    monkeypatch.setenv("COLUMNS", str(columns))
    said = m31(name, "--help")
    assert (said.code, said.err) == (0, "")
    talk, _, examples = said.out.partition("Examples:")
    assert letters(examples) == letters(examples_in_80)
    assert letters(talk) == letters(talk_in_80)
    assert not [line for line in talk.splitlines() if len(line) > min(columns, 100)]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_names_modules_that_export_a_command(name: str) -> None:
    """Each module of the table is there and exports `command`, a click command."""
    assert isinstance(importlib.import_module(COMMANDS[name][0]).command, click.Command)
    assert load(name).params is not None
    assert app.list_commands(click.Context(app)) == list(COMMANDS)


@pytest.mark.usefixtures("sessions_dir")
def test_without_a_command_it_is_glance(m31: M31) -> None:
    """`m31`, with or without options, shows what `m31 glance` shows."""
    assert m31() == m31("glance")
    assert m31("--json") == m31("glance", "--json") == m31("--json", "glance")


@pytest.mark.usefixtures("sessions_dir")
def test_common_options_stand_before_or_after_the_command(m31: M31, tmp_path: object) -> None:
    """`m31 --json sessions` and `m31 sessions --json` are the same; the nearer one wins."""
    assert m31("--json", "sessions") == m31("sessions", "--json")
    here = m31("sessions").out
    assert m31("--sessions-dir", str(tmp_path), "sessions").out != here
    default = ["--sessions-dir", "~/.m31a/sessions"]
    assert m31("--sessions-dir", "/nowhere", "sessions", *default).out == here


def test_the_version_is_that_of_the_package(m31: M31, monkeypatch: pytest.MonkeyPatch) -> None:
    """`m31 --version` asks the installed package, and says so where there is none."""
    monkeypatch.setattr("importlib.metadata.version", lambda _: "9.8.7")
    assert m31("--version") == (0, "m31 9.8.7\n", "")

    def absent(_: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr("importlib.metadata.version", absent)
    said = m31("--version")
    assert said.code == 0
    assert "without being installed" in said.out


@pytest.mark.parametrize("name", [name for name in REVIEW if name != "show"])
def test_json_has_the_same_keys_with_and_without_sessions(
    name: str, m31: M31, clean_home: object, request: pytest.FixtureRequest
) -> None:
    """A program finds the same shape on a machine where nothing was recorded yet."""
    empty = json.loads(m31(name, "--json").out)
    request.getfixturevalue("sessions_dir")
    full = json.loads(m31(name, "--json").out)
    assert type(empty) is type(full)
    if isinstance(empty, dict):
        assert list(empty) == list(full)
