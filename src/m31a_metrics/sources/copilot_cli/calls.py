"""Tool calls of Copilot CLI: exact intervals, and what a person took to give leave.

A shell command that outlives its call goes on in the background; a later record tells how
it ended. Then that is how its call went.
"""

from __future__ import annotations

import re

from msgspec import MsgspecError, Struct

from m31a_metrics.events import Event, PermissionWait, ToolCall
from m31a_metrics.figures import error_text, printed_ends, text
from m31a_metrics.kept_lines import kept_line
from m31a_metrics.sources.copilot_cli.records import (
    Arguments,
    Data,
    Error,
    Kind,
    Result,
    arguments_decoder,
)
from m31a_metrics.timestamps import millis, span_ms
from m31a_metrics.transcript import Call

_TAIL_CHARS = 400
_PATCHED = re.compile(r"^\*\*\* (?:(?:Add|Update|Delete) File|Move to): (.{1,4096})$", re.MULTILINE)
_EXITED = re.compile(r"<shellId: (\S{1,64}) completed with exit code (-?\d{1,10})>")
_RUNNING = re.compile(r"<command (?:with|started in background with) shellId: ([^\s>]{1,64})")
_APPROVED = "approved"


class _Open(Struct, gc=False):
    call: Call
    target: str = ""
    wait_us: int = 0
    ran_ms: float | None = None


class Calls:
    """The calls of one session. `exact`: this version records when a person is asked."""

    def __init__(self, skip: frozenset[str]) -> None:
        self.calls: list[Call] = []
        self.events: list[Event] = []
        self.session_id = ""
        self.exact = True
        self.mode = ""
        self._skip = skip
        self._ids: set[str] = set()
        self._open: dict[str, _Open] = {}
        self._asked: dict[str, tuple[int, str]] = {}
        self._background: dict[str, _Open] = {}

    def request(
        self, call_id: str, tool: str, given: Arguments | str | None, t_us: int, subagent: str
    ) -> Call:
        """Take a call as the model made it, or as it began to run: then it is known already."""
        opened = self._open.get(call_id)
        if opened is None:
            arguments = _arguments(given)
            call = Call(
                self._unique(f"{self.session_id}:{call_id}"),
                t_us,
                tool,
                subagent=subagent,
                mode=self.mode,
            )
            call.command = text(arguments.command)
            call.paths = _paths(arguments, given)
            opened = self._open[call_id] = _Open(call, str(arguments.shellId or ""))
            background = self._background.get(opened.target)
            if background is not None and not call.command:
                call.command = background.call.command
                call.polls = background.call.id
            self.calls.append(call)
        return opened.call

    def start(self, data: Data, t_us: int, subagent: str) -> None:
        """Take the beginning of a run."""
        if data.toolCallId and data.toolName:
            call = self.request(data.toolCallId, data.toolName, data.arguments, t_us, subagent)
            call.t_us = t_us

    def complete(self, data: Data, t_us: int) -> None:
        """Take the end of a run. That of an unknown call is passed over."""
        opened = self._open.pop(data.toolCallId or "", None)
        if opened is None:
            return
        call = opened.call
        call.end_us = t_us
        output = text(data.result.content) if isinstance(data.result, Result) else ""
        if call.command:
            call.printed = printed_ends(output)
        metrics = data.toolTelemetry.metrics if data.toolTelemetry else None
        opened.ran_ms = millis(metrics.durationMs) if metrics else None
        exit_code = metrics.exit_code if metrics else None
        tail = output[-_TAIL_CHARS:]
        running = _RUNNING.search(tail)
        for shell, code in _EXITED.findall(tail):
            if shell in self._background:
                self.exited(shell, int(code), t_us, output)
            elif not opened.target:
                exit_code = int(code)
        if data.success and running is not None and not opened.target:
            self._background[running[1]] = opened
            return
        success = bool(data.success) and exit_code in (None, 0)
        self._finish(opened, success, "" if success else _error(data) or output)

    def exited(self, shell: str, code: int, t_us: int, output: str = "") -> None:
        """Take the end of a command that went on in the background."""
        opened = self._background.pop(shell, None)
        if opened is not None:
            opened.call.end_us = t_us
            opened.ran_ms = None
            self._finish(opened, code == 0, output, elapsed_only=True)

    def notice(self, kind: Kind, t_us: int) -> None:
        """Take a notification, if it is of a command that ended."""
        code = kind.exitCode
        if kind.type == "shell_completed" and isinstance(code, int):
            self.exited(str(kind.shellId or ""), code, t_us)

    def asked(self, data: Data, t_us: int) -> None:
        """Take a question whether a call may run."""
        if data.requestId and data.permissionRequest is not None:
            self._asked[data.requestId] = (t_us, data.permissionRequest.toolCallId or "")

    def answered(self, data: Data, t_us: int) -> None:
        """Take the answer."""
        asked_us, call_id = self._asked.pop(data.requestId or "", (0, ""))
        if not asked_us:
            return
        opened = self._open.get(call_id or data.toolCallId or "")
        if opened is not None:
            opened.wait_us += max(0, t_us - asked_us)
        kind = (data.result.kind if isinstance(data.result, Result) else None) or ""
        self.events.append(
            PermissionWait(
                t_us=t_us,
                duration_ms=span_ms(asked_us, t_us),
                name=opened.call.tool if opened is not None else None,
                success=kind.startswith(_APPROVED) if kind else None,
            )
        )

    def close(self) -> list[Event]:
        """Settle what is still open at the end, and return the events."""
        for opened in self._background.values():
            # How the command went was never seen. The call did what it was for: it started
            # the command and gave its id.
            self._finish(opened, True, "", elapsed_only=True)
        return self.events

    def _unique(self, wanted: str) -> str:
        """Return an id for a call: some providers number theirs from 0 in each response."""
        found, again = wanted, 1
        while found in self._ids:
            again += 1
            found = f"{wanted}#{again}"
        self._ids.add(found)
        return found

    def _finish(
        self, opened: _Open, success: bool, error: str, *, elapsed_only: bool | None = None
    ) -> None:
        call = opened.call
        call.success = success
        call.error = "" if success else error_text(error)
        span = span_ms(call.t_us, call.end_us)
        wait_ms = opened.wait_us / 1_000
        ran_ms = max(0.0, span - wait_ms) if opened.ran_ms is None else opened.ran_ms
        if call.id in self._skip:
            return
        self.events.append(
            ToolCall(
                id=call.id,
                t_us=call.end_us,
                name=call.tool,
                success=success,
                duration_ms=round(ran_ms, 3),
                wait_ms=wait_ms or None,
                error=(kept_line(call.error) or None) if call.error else None,
                elapsed_only=not self.exact if elapsed_only is None else elapsed_only,
                subagent=call.subagent or None,
            )
        )


def _arguments(given: Arguments | str | None) -> Arguments:
    if isinstance(given, Arguments):
        return given
    if given and given.startswith("{"):
        try:
            return arguments_decoder().decode(given)
        except (MsgspecError, ValueError, RecursionError):
            pass
    return Arguments()


def _paths(arguments: Arguments, given: Arguments | str | None) -> tuple[str, ...]:
    patch = text(arguments.patch) or text(arguments.input) or text(given)
    if "*** Begin Patch" in patch:
        return tuple(dict.fromkeys(path.strip() for path in _PATCHED.findall(patch)))
    return tuple([path for path in (text(arguments.path), text(arguments.file_path)) if path])


def _error(data: Data) -> str:
    return text(data.error.message) if isinstance(data.error, Error) else data.error or ""
