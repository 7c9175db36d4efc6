"""Copilot CLI: ~/.copilot/session-state/<session id>/events.jsonl, and session-store.db.

The rules of counting are told in docs/counting-gemini-qwen-copilot.md.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct, ValidationError

from m31a_metrics.errors import NotThisFormat
from m31a_metrics.events import (
    Compaction,
    Event,
    Mode,
    PermissionWait,
    Subagent,
    UserTurn,
)
from m31a_metrics.figures import error_text, printed_ends, text
from m31a_metrics.foreign_files import Folders
from m31a_metrics.jsonlines import UNREADABLE, Decode, decode_json
from m31a_metrics.sources.copilot_cli.records import (
    COUNTED,
    Arguments,
    Data,
    Error,
    Kind,
    Line,
    Result,
    arguments_decoder,
    line_decoder,
    type_decoder,
)
from m31a_metrics.sources.copilot_cli.responses import Message, Responses, Row, Sums
from m31a_metrics.sources.shared import CallIds, named, take_records, tool_call
from m31a_metrics.timestamps import millis, span_ms, unix_us
from m31a_metrics.transcript import PROMPT_CHARS, Call, Damage, Facts, Transcript

# One session of Copilot CLI: its records, one after the other -> facts, events and calls.

# Tool calls of Copilot CLI: exact intervals, and what a person took to give permission.
#
# A shell command that outlives its call goes on in the background; a later record tells how
# it ended. Then that is how its call went.

_TAIL_CHARS = 400
_PATCHED = re.compile(r"^\*\*\* (?:(?:Add|Update|Delete) File|Move to): (.{1,4096})$", re.MULTILINE)
_EXITED = re.compile(r"<shellId: (\S{1,64}) completed with exit code (-?\d{1,10})>")
_RUNNING = re.compile(r"<command (?:with|started in background with) shellId: ([^\s>]{1,64})")
_APPROVED = "approved"
_DENIED = ("denied", "rejected")
"""How the codes of errors, and the answers to questions, begin for a call that was not let run."""
_REFUSED = re.compile(
    r"Denied by preToolUse hook|The user rejected this tool call|Permission denied and could not "
    r"request permission|Permission to run this tool was denied"
)


class _Open(Struct, gc=False):
    call: Call
    target: str = ""
    wait_us: int = 0
    denied: bool = False
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
        self._ids = CallIds()
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
                self._ids.unique(f"{self.session_id}:{call_id}"),
                t_us,
                tool,
                subagent=subagent,
                mode=self.mode,
            )
            call.command = text(arguments.command)
            if arguments.agent_type:
                call.command = f"{text(arguments.agent_type)}: {text(arguments.description)}"
                call.description = text(arguments.prompt)[:PROMPT_CHARS]
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
        error = "" if success else _error(data) or output
        opened.denied = not data.success and (
            opened.denied or _code(data).startswith(_DENIED) or _REFUSED.match(error) is not None
        )
        self._finish(opened, success, error)

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
        if opened is not None:
            opened.denied = kind.startswith(_DENIED)
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

    def _finish(
        self, opened: _Open, success: bool, error: str, *, elapsed_only: bool | None = None
    ) -> None:
        call = opened.call
        call.success = success
        call.error = "" if success else error_text(error)
        span = span_ms(call.t_us, call.end_us)
        wait_ms = opened.wait_us / 1_000
        ran_ms = max(0.0, span - wait_ms) if opened.ran_ms is None else opened.ran_ms
        call.denied = opened.denied
        if opened.denied:
            ran_ms, elapsed_only = 0.0, False
        if call.id in self._skip:
            return
        self.events.append(
            tool_call(
                call,
                round(ran_ms, 3),
                wait_ms=wait_ms or None,
                elapsed_only=not self.exact if elapsed_only is None else elapsed_only,
            )
        )


def _arguments(given: Arguments | str | None) -> Arguments:
    if isinstance(given, Arguments):
        return given
    if given and given.startswith("{"):
        try:
            return decode_json(arguments_decoder(), given)
        except UNREADABLE:
            pass
    return Arguments()


def _paths(arguments: Arguments, given: Arguments | str | None) -> tuple[str, ...]:
    patch = text(arguments.patch) or text(arguments.input) or text(given)
    if "*** Begin Patch" in patch:
        return tuple(dict.fromkeys(path.strip() for path in _PATCHED.findall(patch)))
    return tuple([path for path in (text(arguments.path), text(arguments.file_path)) if path])


def _error(data: Data) -> str:
    return text(data.error.message) if isinstance(data.error, Error) else data.error or ""


def _code(data: Data) -> str:
    return text(data.error.code) if isinstance(data.error, Error) else ""


def outcome(data: Data, *, polls: bool) -> tuple[bool | None, bool]:
    """Tell by its result alone whether a call succeeded, and whether it was denied.

    `success` is None for a command that goes on in the background. `polls`: the call asks about
    one, whose exit code is not its own.
    """
    output = text(data.result.content) if isinstance(data.result, Result) else ""
    metrics = data.toolTelemetry.metrics if data.toolTelemetry else None
    exit_code = metrics.exit_code if metrics else None
    tail = output[-_TAIL_CHARS:]
    if not polls:
        if data.success and _RUNNING.search(tail):
            return None, False
        exit_code = next((int(code) for _, code in reversed(_EXITED.findall(tail))), exit_code)
    success = bool(data.success) and exit_code in (None, 0)
    error = "" if success else _error(data) or output
    denied = not data.success and (
        _code(data).startswith(_DENIED) or _REFUSED.match(error) is not None
    )
    return success, denied


def is_prompt(data: Data) -> bool:
    """Tell whether a person said what a message of the user holds."""
    return data.source in (None, "user") and data.parentToolCallId is None


NAME = "copilot-cli"
_DEFAULT_MODE = "interactive"


class Session:
    """Reads one session."""

    def __init__(self, skip: frozenset[str]) -> None:
        self.facts = Facts(NAME)
        self._skip = skip
        self._responses = Responses(skip)
        self._calls = Calls(skip)
        self._events: list[Event] = []
        self._agents: dict[str, tuple[str, int]] = {}
        self._model: str | None = None
        self._lines = 0
        self._now_us = 0
        self._handlers: dict[str, Callable[[Data, int], None]] = {
            "session.start": self._start,
            "session.resume": self._start,
            "session.model_change": self._model_change,
            "session.mode_changed": self._mode_change,
            "session.shutdown": self._shutdown,
            "session.compaction_complete": self._compacted,
            "session.truncation": self._truncated,
            "user.message": self._user_message,
            "assistant.message": self._assistant_message,
            "tool.execution_start": self._tool_start,
            "tool.execution_complete": self._calls.complete,
            "permission.requested": self._calls.asked,
            "permission.completed": self._calls.answered,
            "subagent.started": self._agent_started,
            "subagent.completed": self._agent_completed,
            "subagent.failed": self._agent_failed,
            "system.notification": self._notification,
        }

    def take(self, line: Line) -> None:
        """Take the next record; unknown types only move the time."""
        self._lines += 1
        t_us = unix_us(line.timestamp)
        # A record without a readable time happened no earlier than the one before it.
        t_us = self._now_us if t_us is None else t_us
        self._now_us = t_us
        facts = self.facts
        if t_us:
            facts.started_us = min(facts.started_us or t_us, t_us)
            facts.ended_us = max(facts.ended_us, t_us)
        handler = self._handlers.get(line.type)
        if handler is not None and line.data is not None:
            handler(line.data, t_us)

    def transcript(self, rows: Sequence[Row]) -> Transcript:
        """Put together what was read, in the order of time; `rows` are the session store's."""
        facts = self.facts
        for row in rows:
            row.agent = self._agents.get(row.agent, (row.agent, 0))[0]
        answers = self._responses.events(facts.native_id, rows)
        models = [getattr(event, "model", None) for event in answers]
        facts.models = list(dict.fromkeys(model for model in models if model))
        events = self._events + answers + self._calls.close()
        events.sort(key=_time)
        effects = self._responses.effects
        calls = [call for call in self._calls.calls if call.id not in self._skip]
        return Transcript(facts, [facts.start(), *events], calls, effects=effects)

    def _start(self, data: Data, _t_us: int) -> None:
        facts = self.facts
        facts.native_id = self._calls.session_id = facts.native_id or data.sessionId or ""
        facts.version = data.copilotVersion or facts.version
        # Version 0 did not tell when it asked a person.
        self._calls.exact = not facts.version.startswith("0.")
        if data.context is not None:
            facts.project = facts.project or data.context.cwd or ""
            facts.branch = facts.branch or data.context.branch or ""
        self._model = data.selectedModel or self._model

    def _model_change(self, data: Data, _t_us: int) -> None:
        self._model = data.newModel or self._model

    def _mode_change(self, data: Data, t_us: int) -> None:
        mode = data.newMode
        if mode and mode != (self._calls.mode or _DEFAULT_MODE):
            self._events.append(Mode(t_us=t_us, mode=mode))
        self._calls.mode = mode or self._calls.mode

    def _shutdown(self, data: Data, t_us: int) -> None:
        self._responses.shut_down(
            Sums(
                data.modelMetrics or {},
                unix_us(data.sessionStartTime) or 0,
                millis(data.totalApiDurationMs) or 0.0,
            ),
            t_us,
            f"shutdown-{self._lines}",
        )

    def _compacted(self, data: Data, t_us: int) -> None:
        if data.success is not False:
            before, after = data.preCompactionTokens, data.postCompactionTokens
            self._events.append(Compaction(t_us=t_us, pre_tokens=before, post_tokens=after))

    def _truncated(self, data: Data, t_us: int) -> None:
        self._events.append(
            Compaction(
                t_us=t_us,
                trigger="truncation",
                pre_tokens=data.preTruncationTokensInMessages,
                post_tokens=data.postTruncationTokensInMessages,
            )
        )

    def _user_message(self, data: Data, t_us: int) -> None:
        # Skills, the autopilot and others speak as the user too, and say so.
        if is_prompt(data):
            self._events.append(UserTurn(t_us=t_us))

    def _assistant_message(self, data: Data, t_us: int) -> None:
        subagent = self._agent(data)
        message_id = data.messageId or f"line-{self._lines}"
        model = data.model or self._model
        self._responses.add(Message(message_id, t_us, model, data.outputTokens or 0, subagent))
        for request in data.toolRequests or ():
            if request.toolCallId and request.name:
                call = self._calls.request(
                    request.toolCallId, request.name, request.arguments, t_us, subagent
                )
                call.response = f"{self.facts.native_id}:{message_id}"

    def _tool_start(self, data: Data, t_us: int) -> None:
        self._calls.start(data, t_us, self._agent(data))

    def _agent(self, data: Data) -> str:
        """Return the name of the subagent that a record is of, "" for the session's own."""
        if not data.parentToolCallId:
            return ""
        return self._agents.get(data.parentToolCallId, ("subagent", 0))[0]

    def _agent_started(self, data: Data, t_us: int) -> None:
        if data.toolCallId:
            self._agents[data.toolCallId] = (data.agentName or "subagent", t_us)

    def _agent_completed(self, data: Data, t_us: int) -> None:
        self._agent_ended(data, t_us, success=True)

    def _agent_failed(self, data: Data, t_us: int) -> None:
        self._agent_ended(data, t_us, success=False)

    def _agent_ended(self, data: Data, t_us: int, *, success: bool) -> None:
        name, started_us = self._agents.get(data.toolCallId or "", ("subagent", t_us))
        told_ms = millis(data.durationMs)
        self._events.append(
            Subagent(
                t_us=t_us,
                name=data.agentName or name,
                duration_ms=span_ms(started_us, t_us) if told_ms is None else told_ms,
                success=success,
            )
        )

    def _notification(self, data: Data, t_us: int) -> None:
        if isinstance(data.kind, Kind):
            self._calls.notice(data.kind, t_us)


def _time(event: Event) -> int:
    return event.t_us


__all__ = ["NAME", "find", "read", "roots"]

_STATE = "session-state"
_STORE = "session-store.db"
EVENTS = "events.jsonl"
_TYPES = ("session.", "user.", "assistant.", "tool.", "hook.", "system.", "permission.")


def find(environ: Mapping[str, str], folders: Folders | None = None) -> Iterator[str]:
    """Yield every session's path; in older versions sessions had no folders."""
    folders = folders or Folders()
    for root in roots(environ):
        found = folders.listing(root)
        for name in found.files:
            if name.endswith(".jsonl") and name.removesuffix(".jsonl") not in found.folders:
                yield os.path.join(root, name)
        for name in found.folders:
            path = os.path.join(root, name, EVENTS)
            if folders.holds(path):
                yield path


def roots(environ: Mapping[str, str]) -> list[str]:
    """Return the folder of sessions that `environ` names."""
    home = environ.get("COPILOT_HOME", "").strip()
    if not home and environ.get("HOME"):
        home = os.path.join(environ["HOME"], ".copilot")
    return [os.path.join(home, _STATE)] if home else []


def read(path: str, skip: frozenset[str] = frozenset()) -> Transcript:
    """Read a session. Raises NotThisFormat, StorageError."""
    damage = Damage()
    session = Session(skip)
    decode = Decode(line_decoder().decode_lines, decode_one)
    with named(path):
        told = take_records(path, decode, is_ours, session.take, damage)
    if not told:
        raise NotThisFormat(f"{path} is no session of Copilot CLI: its first records are not")
    transcript = session.transcript(_rows(path, session.facts.native_id, damage))
    transcript.damage = damage
    return transcript


def _rows(path: str, session_id: str, damage: Damage) -> list[Row]:
    state = os.path.dirname(os.path.abspath(path))
    if os.path.basename(path) == EVENTS:
        state = os.path.dirname(state)
    store = os.path.join(os.path.dirname(state), _STORE)
    if os.path.basename(state) != _STATE or not os.path.lexists(store):
        return []
    from m31a_metrics.sources.copilot_cli.store import rows

    return rows(store, session_id, damage)


def is_ours(line: Line) -> bool:
    """Tell whether Copilot CLI wrote a record."""
    return line.data is not None and line.timestamp is not None and line.type.startswith(_TYPES)


def decode_one(line: bytes) -> Line | None:
    """Decode a line among damaged ones; None for one of a kind that figures never come from."""
    try:
        return line_decoder().decode(line)
    except ValidationError:
        if type_decoder().decode(line).type in COUNTED:
            raise
        return None
