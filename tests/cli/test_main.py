"""The door of the command line: exit codes, one sentence per error, pipes, a missing extra."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from m31a_metrics.cli import BUG, FOUND_PROBLEMS, INTERRUPTED, NOT_THERE, UNUSABLE, WRONG_USAGE
from tests.children import PATIENCE_S
from tests.cli.conftest import M31, Uninstall
from tests.cli.machine import FULL
from tests.commands import M31 as COMMAND
from tests.commands import environment


def shell(line: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `m31` is a function."""
    words = " ".join(f"'{word}'" for word in COMMAND)
    return subprocess.run(
        ["bash", "-c", f'm31() {{ {words} "$@"; }}\n{line}'],
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["show", "zzz"], NOT_THERE, "has the id or prefix 'zzz'"),
        (["show", "./zzz"], NOT_THERE, "there is nothing at './zzz'"),
        (["sessions", "--sessions-dir", "/no/such/place"], NOT_THERE, "is not there"),
        (["sessions", "--sessions-dir", "/dev/null"], UNUSABLE, "cannot list /dev/null"),
        (["show", "/dev/null"], UNUSABLE, "not a regular file"),
    ],
)
def test_errors_are_one_sentence(
    arguments: list[str], code: int, sentence: str, m31: M31, sessions_dir: Path
) -> None:
    """What cannot be shown gives one line on stderr, nothing on stdout, and its exit code."""
    said = m31(*arguments)
    assert (said.code, said.out) == (code, "")
    assert said.err.startswith("m31: ")
    assert sentence in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["show", "a", "b"],
        ["sessions", "--nonsense"],
        ["sessions", "--limit", "0"],
        ["sessions", "--all", "--limit", "3"],
        ["sessions", "--json", "--csv"],
        ["--json", "sessions", "--csv"],
        ["cost", FULL, "--since", "3d"],
        ["completion", "tcsh"],
    ],
)
def test_wrong_usage_is_told(arguments: list[str], m31: M31, sessions_dir: Path) -> None:
    """A command line that makes no sense shows how to ask, and is exit code 2."""
    said = m31(*arguments)
    assert (said.code, said.out) == (WRONG_USAGE, "")
    assert said.err.startswith("Usage: m31 ")
    assert "Traceback" not in said.err


def test_a_misspelt_command_is_guessed(m31: M31) -> None:
    """The nearest command is named."""
    assert "No such command 'sesions'. Did you mean sessions?" in m31("sesions").err
    assert "Did you mean" not in m31("xyzzy").err


def test_a_damaged_session_is_exit_code_4(m31: M31, sessions_dir: Path) -> None:
    """Asked for the damaged one itself, the command fails and names file, place and reason."""
    (sessions_dir / "bad").mkdir()
    (sessions_dir / "bad" / "METRICS.json").write_text('{\n  "session_id": 5\n}')
    said = m31("show", "bad")
    assert said.code == UNUSABLE
    assert "bad/METRICS.json is damaged" in said.err
    assert said.err.count("\n") == 1


def test_a_bad_configuration_is_exit_code_4(m31: M31, clean_home: Path) -> None:
    """A misspelt key is named, with the nearest known one, whatever the command."""
    (clean_home / ".m31a").mkdir()
    (clean_home / ".m31a" / "config.toml").write_text('[metrics]\nsession_dir = "x"\n')
    said = m31()
    assert said.code == UNUSABLE
    assert "config.toml" in said.err
    assert "did you mean 'sessions_dir'?" in said.err


def test_terminal_escapes_of_others_do_not_reach_stderr(m31: M31) -> None:
    """An error names what was asked for, made harmless."""
    said = m31("show", "./\x1b[31mred\n")
    assert said.code == NOT_THERE
    assert "\x1b" not in said.err
    assert said.err.count("\n") == 1


def test_a_bug_is_one_line_and_says_how_to_see_more(
    m31: M31, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception that nobody foresaw is exit code 70; --debug shows where it comes from."""

    def broken(*_: object, **__: object) -> None:
        raise KeyError("of\nall things")

    monkeypatch.setattr("m31a_metrics.config.read", broken)
    said = m31("sessions")
    assert said.code == BUG
    assert said.err.count("\n") == 1
    assert "KeyError" in said.err
    assert "m31 --debug" in said.err
    assert "Traceback" in m31("--debug", "sessions").err


def test_stdout_that_takes_nothing_is_exit_code_4(sessions_dir: Path) -> None:
    """A full disk behind the pipe is told, and not lost at interpreter exit."""
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full, which only Linux has")
    done = shell("m31 sessions > /dev/full; echo $?")
    assert done.stdout == "4\n"
    assert done.stderr == "m31: cannot read or write the output: No space left on device\n"


def test_a_reader_that_has_seen_enough_is_no_error(sessions_dir: Path) -> None:
    """`| head -1` gets its line; the rest goes nowhere, silently."""
    done = shell("m31 show --json | head -1; echo ${PIPESTATUS[0]}; m31 sessions | true")
    assert done.stdout == "{\n0\n"
    assert done.stderr == ""


def test_a_long_list_meets_a_closed_pipe(sessions_dir: Path) -> None:
    """A pipe that closes while much is still to be written is no error either."""
    row = sessions_dir / FULL
    for number in range(1_500):
        (sessions_dir / f"copy{number}").mkdir()
        (sessions_dir / f"copy{number}" / "METRICS.json").hardlink_to(row / "METRICS.json")
    done = shell("m31 sessions --json | head -1; echo ${PIPESTATUS[0]}")
    assert (done.stdout, done.stderr) == ("[\n0\n", "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_are_no_error(closed: str, sessions_dir: Path) -> None:
    """A caller who closes stdout or stderr wants to hear nothing, and hears nothing."""
    done = shell(f"m31 sessions {closed}; echo $?; m31 show zzz {closed}; echo $?")
    assert done.stdout.splitlines()[-1] == str(NOT_THERE)
    assert "Traceback" not in done.stderr


def test_interrupted_is_exit_code_130(m31: M31, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends a command without a word of Python."""

    def interrupted(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("m31a_metrics.config.read", interrupted)
    said = m31("sessions")
    assert said.code == INTERRUPTED == 128 + signal.SIGINT
    assert said.out == said.err.strip() == ""


def test_without_the_extra_it_says_how_to_install_it(tmp_path: Path) -> None:
    """Where click is missing, `m31` is one sentence with the line to type, and exit code 4."""
    (tmp_path / "click").mkdir()
    (tmp_path / "click" / "__init__.py").write_text("raise ImportError('not here')\n")
    path = os.pathsep.join([str(tmp_path), environment()["PYTHONPATH"]])
    done = subprocess.run(
        COMMAND, env=environment(PYTHONPATH=path), capture_output=True, text=True, check=False
    )
    assert done.returncode == UNUSABLE
    assert done.stdout == ""
    assert "pip install 'm31a-metrics[cli]' (in a checkout: pip install '.[cli]')" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_package_can_be_run(sessions_dir: Path) -> None:
    """`python -m m31a_metrics` is `m31`: the same output, words and exit codes."""
    module = (sys.executable, "-m", "m31a_metrics")
    for arguments in (["--help"], ["show", FULL], ["show", "zzz"], ["nonsense"]):
        ours, same = (
            subprocess.run(
                [*command, *arguments],
                env=environment(),
                capture_output=True,
                text=True,
                check=False,
            )
            for command in (COMMAND, module)
        )
        assert (same.stdout, same.stderr) == (ours.stdout, ours.stderr)
        assert same.returncode == ours.returncode


@pytest.mark.parametrize("extra", ["serve", "report"])
def test_a_command_without_its_extra_says_how_to_install_it(
    extra: str, m31: M31, sessions_dir: Path, uninstall: Uninstall
) -> None:
    """Where starlette is missing, the dashboard's commands name the extra `web`."""
    uninstall("m31a_metrics.views.web", "starlette", "jinja2")
    said = m31(extra)
    assert (said.code, said.out) == (UNUSABLE, "")
    assert "needs the extra `web`: pip install 'm31a-metrics[web]'" in said.err
    assert said.err.count("\n") == 1


def test_exit_codes_are_those_of_the_page() -> None:
    """docs/commands.md names each exit code that the package has."""
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    for code in (FOUND_PROBLEMS, WRONG_USAGE, NOT_THERE, UNUSABLE, BUG, INTERRUPTED):
        assert f"| {code} |" in page


@pytest.mark.parametrize("locale", [{"LANG": "C"}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0"}])
def test_a_plain_locale_is_no_error(locale: dict[str, str], sessions_dir: Path) -> None:
    """Where the locale knows ASCII alone, commands answer, with plainer signs if need be."""
    more = {**locale, "PYTHONCOERCECLOCALE": "0"} if "PYTHONUTF8" in locale else locale
    commands = ("m31", "m31 sessions", "m31 tools", "m31 --help")
    line = "m31 record tool größer --session s && " + " && echo -- && ".join(commands)
    done = shell(line, **more)
    assert (done.returncode, done.stderr) == (0, "")
    answers = done.stdout.split("--\n")
    assert len(answers) >= len(commands)
    assert all(answers)
