"""`m31 completion`: the scripts of the shells, and what they are told."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.cli.conftest import M31
from tests.cli.machine import FULL, M31A, SHELL, UNPRICED
from tests.commands import m31 as m31_process

COMPLETE = {"bash": "complete -o nosort -F", "zsh": "#compdef m31", "fish": "complete --no-files"}


def completed(line: str) -> list[str]:
    """What bash would offer for the last word of a command line."""
    words = line.split(" ")
    said = m31_process(
        _M31_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1)
    )
    assert said.stderr == ""
    return [line.partition(",")[2] for line in said.stdout.splitlines()]


@pytest.mark.parametrize("shell", COMPLETE)
def test_each_shell_gets_its_script(shell: str, m31: M31) -> None:
    """The script is printed, and the shell, where it is installed, can read it."""
    said = m31("completion", shell)
    assert said.code == 0
    assert COMPLETE[shell] in said.out
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=said.out, text=True, check=True)


@pytest.mark.usefixtures("sessions_dir")
def test_session_ids_are_completed() -> None:
    """Where a session is expected, ids and `last` are offered, and paths where one is begun."""
    assert completed("m31 show ") == ["last", FULL, M31A, SHELL, UNPRICED] or set(
        completed("m31 show ")
    ) == {"last", FULL, M31A, SHELL, UNPRICED}
    assert completed("m31 tools 3f") == [UNPRICED, FULL]
    assert completed("m31 cost ./x") == ["./x"]


def test_session_ids_come_from_the_directory_that_is_named(sessions_dir: object) -> None:
    """--sessions-dir on the line decides whose ids are offered."""
    assert completed("m31 show --sessions-dir /nowhere ") == ["last"]
    assert completed(f"m31 --sessions-dir {sessions_dir} show ni") == [SHELL]


def test_commands_and_options_are_completed() -> None:
    """Commands by their beginning, options behind a dash."""
    assert completed("m31 s") == ["sessions", "show", "serve", "setup", "statusline"]
    assert "--sessions-dir" in completed("m31 show --")
    assert completed("m31 --j") == ["--json"]


def test_parts_are_completed() -> None:
    """`--by` offers what the question can be grouped by."""
    assert completed("m31 cost --by mo") == ["model", "month"]
    assert completed("m31 tools --by mo") == ["month"]
