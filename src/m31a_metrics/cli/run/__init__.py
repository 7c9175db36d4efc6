"""`m31 run`: run a command, and record it as one tool call.

Nothing about recording changes what the command does: trouble is one line on stderr,
and the exit code is the command's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter, time_ns
from typing import Any

import click
from msgspec.structs import replace

from m31a_metrics import journal, validation
from m31a_metrics.cli.options import (
    examples,
    said,
    said_options,
    say,
    sessions_dir_option,
    settings,
)
from m31a_metrics.cli.run import process
from m31a_metrics.errors import MetricsError
from m31a_metrics.events import NOT_STARTED, Event, PhaseDuration, PhaseTransition, ToolCall
from m31a_metrics.session import Session, new_session_id

SESSION = "M31A_SESSION"
CANNOT_EXECUTE = 126
NOT_FOUND = 127


class Recorder:
    """Appends to a session, if there is one; of what goes wrong, the first is remembered."""

    def __init__(self, session: Session | None, trouble: str | None = None) -> None:
        self.session = session
        self.trouble = trouble

    def append(self, events: Sequence[Event]) -> None:
        """Append events; none at all only begin a new session."""
        if self.session is not None:
            session = self.session
            self._try(lambda: session.append(events), "this run is not recorded")

    def refresh(self) -> None:
        """Bring METRICS.json up to date, unless there was trouble already."""
        if self.session is not None and self.trouble is None:
            self._try(self.session.refresh, "recorded, but METRICS.json is not up to date")

    def going_on(self) -> AbstractContextManager[None]:
        """Say that more is to come, for as long as the command runs: nobody forgets it then."""
        return nullcontext() if self.session is None else journal.hold(self.session.events)

    def _try(self, action: Callable[[], None], otherwise: str) -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001 - whatever it is, the command comes first
            self.trouble = self.trouble or f"{otherwise}: {error}"


@click.command(
    "run",
    context_settings={"allow_interspersed_args": False},
    epilog=examples(
        ("m31 run -- pytest -q", "a session of its own"),
        ("m31 run --session fix-7 --phase verify -- make test", "one more call of a session"),
        ("m31 run --label prompt=b -- ./agent.sh", "with a label, to compare by"),
        ("m31 run --tool Bash -- sh -c 'ls | wc -l'", "under another name"),
    ),
)
@click.option(
    "--session",
    metavar="ID",
    help=f"The session to record to.  [default: {SESSION}, else a new one]",
)
@click.option("--phase", metavar="P", help="Also record the run as this phase.")
@click.option("--tool", metavar="NAME", help="Name of the tool.  [default: the command's]")
@said_options
@sessions_dir_option
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    session: str | None,
    phase: str | None,
    tool: str | None,
    command: tuple[str, ...],
    **told: Any,
) -> None:
    """Run COMMAND and record it as one tool call: name, success, duration.

    Its streams, signals and exit code are its own, as if m31 were not there. It finds the
    session in M31A_SESSION, so that `m31 record` inside it joins. The exit code is the
    command's; 127 if it is not found, 126 if it cannot be started.
    """
    name = _checked(
        validation.name, os.path.basename(command[0]) or command[0] or "?", tool, "--tool"
    )
    if phase is not None:
        phase = _checked(validation.text, "", phase, "--phase")
    start = said(**told)
    recorder = _recorder(ctx, session)
    started_us = time_ns() // 1000
    first: list[Event] = [] if start is None else [replace(start, t_us=started_us)]
    if phase is not None:
        first.append(PhaseTransition(started_us, phase))
    recorder.append(first)
    started_s = perf_counter()
    with recorder.going_on():
        code, error = _run(command, recorder.session)
        duration_ms = (perf_counter() - started_s) * 1000
        ended_us = time_ns() // 1000
        events: list[Event] = [ToolCall(ended_us, name, code == 0, duration_ms, error=error)]
        if phase is not None:
            events.append(PhaseDuration(ended_us, phase, duration_ms, code == 0))
        recorder.append(events)
    recorder.refresh()
    if recorder.trouble is not None:
        _say(recorder.trouble)
    if code < 0:
        process.die_of(-code)
    ctx.exit(code)


def _checked(check: Callable[[str, str], str], default: str, value: str | None, option: str) -> str:
    try:
        return check(default if value is None else value, option)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from error


def _recorder(ctx: click.Context, session_id: str | None) -> Recorder:
    """Find the session; an id given by hand must be right, all other trouble can wait."""
    if session_id is not None:
        Session("", session_id)  # raises InvalidSessionId
    try:
        config = settings(ctx)
        if not config.metrics_enabled:
            return Recorder(None)
        session_id = session_id or os.environ.get(SESSION) or new_session_id()
        return Recorder(Session(config.sessions_dir, session_id))
    except MetricsError as error:
        return Recorder(None, f"this run is not recorded: {error}")


def _run(command: tuple[str, ...], session: Session | None) -> tuple[int, str | None]:
    """Run it; gives the exit code, and the failure line of what could not be started."""
    environ = dict(os.environ)
    if session is not None:
        environ[SESSION] = session.session_id
    try:
        return process.run(list(command), environ), None
    except OSError as error:
        _say(f"cannot run {command[0] or repr('')}: {error.strerror}")
        not_found, not_executable = NOT_STARTED
        if isinstance(error, FileNotFoundError):
            return NOT_FOUND, not_found
        return CANNOT_EXECUTE, f"{not_executable}: {error.strerror}"


def _say(sentence: str) -> None:
    try:
        say(sentence)
    except OSError:
        pass  # nobody hears it, which is no reason for another exit code
