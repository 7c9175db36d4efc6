"""The command line `m31`: talks to people, reads the clock, sets exit codes.

Data goes to stdout, talk to stderr. Every error is one sentence; none is a traceback.
"""

from __future__ import annotations

import os
import sys
from io import StringIO

from m31a_metrics.errors import (
    ExtraNotInstalled,
    InvalidSessionId,
    MetricsError,
    ReadingBug,
    SessionNotFound,
)

FOUND_PROBLEMS = 1
"""A command that was asked to look for problems found some."""
WRONG_USAGE = 2
NOT_THERE = 3
"""No such session, no such path."""
UNUSABLE = 4
"""It is there and cannot be read or written: damaged, forbidden, disk full."""
BUG = 70
INTERRUPTED = 130


class State:
    """What the group was told and `main` needs when a command fails."""

    debug = False


def main() -> int:
    """Run the command that `sys.argv` names and return its exit code."""
    _open_closed_streams()
    try:
        import click
    except ImportError:
        return _report(ExtraNotInstalled("the command line", "cli"))
    state = State()
    try:
        from m31a_metrics.cli.app import app

        code = app.main(prog_name="m31", obj=state, standalone_mode=False)
        sys.stdout.flush()  # here, where a full disk or a closed pipe can still be told
        return code if isinstance(code, int) else 0
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.ClickException as error:
        said = StringIO()
        error.show(said)
        sys.stderr.write(f"{_cleaned(said.getvalue())}\n")
        return error.exit_code
    except BrokenPipeError:
        _give_up_stdout()
        return 0  # the reader has seen enough (`m31 sessions | head`), which is no failure
    except SystemExit as leaving:
        # click itself leaves with 1 for a closed pipe, having put this in stdout's place.
        if type(sys.stdout).__name__.endswith("PacifyFlushWrapper"):
            _give_up_stdout()
            return 0
        return leaving.code if isinstance(leaving.code, int) else 0
    except Exception as error:  # noqa: BLE001 - the last door: no traceback reaches a user
        if isinstance(error, OSError) and not error.filename:
            _give_up_stdout()
        if state.debug:
            import traceback

            sys.stderr.write(f"{_cleaned(traceback.format_exc())}\n")
        return _report(error)


def _give_up_stdout() -> None:
    """Let what is still to be written go nowhere: the interpreter flushes once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _open_closed_streams() -> None:
    """Take the places of streams that the caller closed (`m31 sessions >&-`).

    Python has None for them, and the next file that is opened would be taken for them.
    """
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open to the end
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open to the end


def _report(error: Exception) -> int:
    """Say what went wrong in one sentence and return the exit code that means it."""
    if isinstance(error, MetricsError):
        _say(str(error))
        if isinstance(error, InvalidSessionId):
            return WRONG_USAGE
        if isinstance(error, ReadingBug):
            return BUG
        return NOT_THERE if isinstance(error, SessionNotFound) else UNUSABLE
    if isinstance(error, OSError):
        place = f" {error.filename}" if error.filename else " the output"
        _say(f"cannot read or write{place}: {error.strerror or error}")
        return UNUSABLE
    words = " ".join(str(error).split())
    _say(f"this is a bug in m31 ({type(error).__name__}: {words}); see where: m31 --debug ...")
    return BUG


def _say(sentence: str) -> None:
    sys.stderr.write(f"m31: {_cleaned(' '.join(sentence.splitlines()))}\n")


def _cleaned(text: str) -> str:
    """Make lines harmless for a terminal: the name of a file or a tool may hold anything."""
    from m31a_metrics.views.names import clean

    return "\n".join(map(clean, text.splitlines()))
