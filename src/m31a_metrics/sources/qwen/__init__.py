"""Qwen Code: ~/.qwen/projects/<project>/chats/<session id>.jsonl.

The rules of counting are told in docs/counting-gemini-qwen-copilot.md.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from msgspec import Struct, ValidationError

from m31a_metrics import shell_report
from m31a_metrics.errors import NotThisFormat
from m31a_metrics.events import (
    Compaction,
    Event,
    LLMInteraction,
    Mode,
    UserTurn,
)
from m31a_metrics.figures import error_text, printed_ends, text
from m31a_metrics.foreign_files import Folders
from m31a_metrics.jsonlines import Decode
from m31a_metrics.model import Usage
from m31a_metrics.sources.qwen.records import (
    COUNTED,
    COUNTED_SUBTYPES,
    Arguments,
    FunctionCall,
    FunctionResponse,
    Line,
    ToolCallResult,
    UiEvent,
    UsageMetadata,
    kind_decoder,
    line_decoder,
)
from m31a_metrics.sources.shared import CallIds, named, take_records, tool_call
from m31a_metrics.timestamps import millis, span_ms, unix_us
from m31a_metrics.transcript import Call, Damage, Effects, Facts, Transcript

# One session of Qwen Code: its records, one after the other -> facts, events and calls.

NAME = "qwen"

_SAID = (None, "mid_turn_user_message")
_NO_APPROVALS = "yolo"
_PERSON_DECIDED = ("accept", "reject", "modify")
_FAILED = ("error", "cancelled")
_DENIED = "execution_denied"
"""The type of the error of a call that a rule, a hook or a mode did not let run."""
_REJECTED = "reject"
"""What a person decided who did not let a call run."""
_REFUSED = re.compile(
    r"Qwen Code requires permission to use |Tool execution (?:blocked: |denied by policy)"
    r"|(?:\[Operation Cancelled\] Reason: )?User (?:did not allow|denied execution)"
)
_NEAR_US = 5_000_000


class _Response(Struct, gc=False):
    t_us: int
    id: str
    usage: Usage
    model: str | None
    subagent: str = ""
    duration_ms: float | None = None


class _Telemetry(Struct, gc=False):
    t_us: int
    id: str
    event: UiEvent


class Outcome(NamedTuple):
    """How a call went, by its result: what it gave back, and its error."""

    success: bool
    denied: bool
    output: str
    error: str


def outcome(tool: str, result: ToolCallResult, given: FunctionResponse | None) -> Outcome:
    """Read the result of a call of a tool. What a person decided, telemetry alone may tell."""
    response = given.response if given else None
    output = text(response.output) if response else ""
    error = text(response.error) if response else ""
    success = (result.status or "") not in _FAILED and not error
    if tool == shell_report.TOOL and success:
        success = shell_report.exit_code(output) in (None, 0)
    denied = not success and (result.errorType == _DENIED or _REFUSED.match(error) is not None)
    return Outcome(success, denied, output, error)


def is_prompt(line: Line) -> bool:
    """Tell whether a person said what a record of type `user` holds."""
    return line.provenance in (None, "real_user") and line.subtype in _SAID


class Session:
    """Reads one session."""

    def __init__(self, skip: frozenset[str]) -> None:
        self.facts = Facts(NAME)
        self.effects = Effects()
        self.calls: list[Call] = []
        self._skip = skip
        self._events: list[Event] = []
        self._responses: dict[str, _Response] = {}
        self._open: dict[str, Call] = {}
        self._answers: deque[_Telemetry] = deque()
        self._runs: list[_Telemetry] = []
        self._ids = CallIds()
        self._mode = ""
        self._now_us = 0

    def take(self, line: Line) -> None:
        """Take the next record."""
        t_us = unix_us(line.timestamp)
        # A record without a readable time happened no earlier than the one before it.
        t_us = self._now_us if t_us is None else t_us
        self._now_us = t_us
        self._note(line, t_us)
        if line.forkedFrom is not None and line.forkedFrom.sessionId:
            self._copy(line)
        elif line.type == "assistant":
            self._assistant(line, t_us)
        elif line.type == "tool_result":
            self._tool_result(line, t_us)
        elif line.type == "user":
            if is_prompt(line) and not line.isSidechain:
                self._events.append(UserTurn(t_us=t_us))
        elif line.type == "system":
            self._system(line, t_us)

    def transcript(self) -> Transcript:
        """Put together what was read, in the order of time."""
        for told in self._answers:
            # No record of the conversation has this response: a side call, or a subagent's.
            usage = _told_usage(told.event)
            if usage is not None:
                self._keep(_Response(told.t_us, told.id, usage, told.event.model), told.event)
        events = self._events
        for response in self._responses.values():
            events += self._interaction(response)
        events.sort(key=_time)
        facts = self.facts
        calls = [call for call in self.calls if call.id not in self._skip]
        return Transcript(facts, [facts.start(), *events], calls, effects=self.effects)

    def _note(self, line: Line, t_us: int) -> None:
        facts = self.facts
        facts.native_id = facts.native_id or line.sessionId or ""
        facts.version = line.version or facts.version
        facts.project = facts.project or line.cwd or ""
        facts.branch = facts.branch or line.gitBranch or ""
        if t_us:
            facts.started_us = min(facts.started_us or t_us, t_us)
            facts.ended_us = max(facts.ended_us, t_us)

    def _copy(self, line: Line) -> None:
        """Pass over a record that a branch copied: it is the other session's."""
        if line.forkedFrom is not None:
            self.facts.parent_id = line.forkedFrom.sessionId or ""
        usage = _usage(line.usageMetadata)
        if line.type == "assistant" and usage is not None:
            self.effects.replayed_responses += 1
            self.effects.replayed_tokens += usage.total

    def _assistant(self, line: Line, t_us: int) -> None:
        subagent = (line.agentName or "subagent") if line.isSidechain else ""
        response = f"{line.sessionId or ''}:{line.uuid or len(self._responses)}"
        usage = _usage(line.usageMetadata)
        if usage is not None:
            self._count(_Response(t_us, response, usage, line.model, subagent))
        for part in (line.message.parts if line.message else None) or ():
            if part.functionCall is not None:
                self._call(part.functionCall, t_us, response, subagent)

    def _call(self, made: FunctionCall, t_us: int, response: str, subagent: str) -> None:
        call = Call(
            self._ids.unique(f"{self.facts.native_id}:{made.id or len(self.calls)}"),
            t_us,
            made.name or "unknown",
            command=text(made.args.command) if made.args else "",
            paths=_paths(made.args),
            response=response,
            subagent=subagent,
            mode=self._mode,
        )
        self.calls.append(call)
        self._open[made.id or call.id] = call

    def _tool_result(self, line: Line, t_us: int) -> None:
        result = line.toolCallResult
        parts = (line.message.parts if line.message else None) or ()
        given = next((p.functionResponse for p in parts if p.functionResponse is not None), None)
        call_id = (result.callId if result else None) or (given.id if given else None)
        call = self._open.pop(call_id, None) if call_id else None
        if call is None:
            # Old records have no ids: then it is the oldest open call of that tool.
            name = given.name if given else None
            call = next((c for c in self._open.values() if c.tool == name and not call_id), None)
            if call is None:
                return
            self._open = {key: c for key, c in self._open.items() if c is not call}
        self._end(call, result or ToolCallResult(), given, t_us)

    def _end(
        self, call: Call, result: ToolCallResult, given: FunctionResponse | None, t_us: int
    ) -> None:
        found = outcome(call.tool, result, given)
        call.success = found.success
        if call.tool == shell_report.TOOL:
            call.printed = printed_ends(found.output)
        told_error = found.error or shell_report.printed(found.output) or result.status or ""
        call.error = "" if call.success else error_text(told_error)
        call.end_us = t_us
        told = self._told_run(call, t_us)
        run_ms = millis(told.duration_ms) if told is not None else None
        decided = told is not None and told.decision in _PERSON_DECIDED
        by_person = told is not None and told.decision == _REJECTED
        call.denied = found.denied or (by_person and not call.success)
        if call.denied:
            run_ms, decided = 0, False
        if call.id in self._skip:
            return
        self._events.append(
            tool_call(
                call,
                span_ms(call.t_us, t_us) if run_ms is None else run_ms,
                # What telemetry gives begins before a person is asked.
                elapsed_only=decided if run_ms is not None else call.mode != _NO_APPROVALS,
            )
        )

    def _told_run(self, call: Call, t_us: int) -> UiEvent | None:
        """Find the telemetry of a call: the oldest of its tool that came just before."""
        for index, told in enumerate(self._runs):
            if told.event.function_name == call.tool and abs(t_us - told.t_us) <= _NEAR_US:
                del self._runs[index]
                return told.event
        return None

    def _system(self, line: Line, t_us: int) -> None:
        payload = line.systemPayload
        if payload is None:
            return
        if line.subtype == "ui_telemetry" and payload.uiEvent is not None:
            told = _Telemetry(t_us, f"{line.sessionId or ''}:{line.uuid or t_us}", payload.uiEvent)
            if payload.uiEvent.function_name is not None:
                self._runs.append(told)
                del self._runs[:-1_000]
            elif _told_usage(payload.uiEvent) is not None:
                self._answers.append(told)
        elif line.subtype == "chat_compression" and payload.info is not None:
            before, after = payload.info.originalTokenCount, payload.info.newTokenCount
            self._events.append(Compaction(t_us=t_us, pre_tokens=before, post_tokens=after))
        elif line.subtype == "session_approval_mode" and payload.mode:
            if payload.mode != (self._mode or "default"):
                self._events.append(Mode(t_us=t_us, mode=payload.mode))
            self._mode = payload.mode
        elif line.subtype == "parent_session" and payload.parentSessionId:
            self.facts.parent_id = payload.parentSessionId

    def _count(self, response: _Response) -> None:
        """Count a response; a later record of it has the whole count."""
        seen = self._responses.get(response.id)
        if seen is None:
            self._keep(response, self._told_answer(response.usage, response.t_us))
            return
        self.effects.lines += 1
        self.effects.repeated_lines += 1
        self.effects.repeated_tokens += seen.usage.total
        seen.usage, seen.model = response.usage, response.model or seen.model

    def _keep(self, response: _Response, told: UiEvent | None) -> None:
        self.effects.lines += 1
        if told is not None:
            response.model = response.model or told.model
            response.duration_ms = millis(told.duration_ms)
        self._responses[response.id] = response

    def _told_answer(self, usage: Usage, t_us: int) -> UiEvent | None:
        """Take the telemetry of a response: the one of its size, else the one just before."""
        for told in self._answers:
            if _told_usage(told.event) == usage:
                self._answers.remove(told)
                return told.event
        if self._answers and t_us - self._answers[-1].t_us <= _NEAR_US:
            return self._answers.pop().event
        return None

    def _interaction(self, response: _Response) -> list[Event]:
        if response.id in self._skip:
            self.effects.replayed_responses += 1
            self.effects.replayed_tokens += response.usage.total
            return []
        self.effects.responses += 1
        if response.model and response.model not in self.facts.models:
            self.facts.models.append(response.model)
        return [
            LLMInteraction(
                t_us=response.t_us,
                phase="",
                usage=response.usage,
                model=response.model,
                duration_ms=response.duration_ms,
                subagent=response.subagent or None,
                id=response.id,
            )
        ]


def _usage(counts: UsageMetadata | None) -> Usage | None:
    if counts is None:
        return None
    return _figures(
        counts.promptTokenCount or 0,
        counts.candidatesTokenCount or 0,
        counts.cachedContentTokenCount or 0,
        counts.thoughtsTokenCount or 0,
        counts.totalTokenCount,
    )


def _told_usage(event: UiEvent) -> Usage | None:
    return _figures(
        event.input_token_count or 0,
        event.output_token_count or 0,
        event.cached_content_token_count or 0,
        event.thoughts_token_count or 0,
        event.total_token_count,
    )


def _figures(
    prompt: int, candidates: int, cached: int, thoughts: int, total: int | None
) -> Usage | None:
    """Normalise. Thoughts are within the output of OpenAI's API, beside that of Gemini's."""
    completion = candidates
    if thoughts and total == prompt + candidates + thoughts:
        completion += thoughts
    total = total or prompt + completion
    if not total:
        return None
    return Usage(
        prompt,
        completion,
        total if total != prompt + completion else None,
        cache_read_tokens=min(cached, prompt),
        reasoning_tokens=min(thoughts, completion),
    )


def _paths(args: Arguments | None) -> tuple[str, ...]:
    if args is None:
        return ()
    given = (args.file_path, args.absolute_path, args.path)
    return tuple([path for path in map(text, given) if path])


def _time(event: Event) -> int:
    return event.t_us


__all__ = ["NAME", "find", "read", "roots"]

_TYPES = ("user", "assistant", "tool_result", "system")


def find(environ: Mapping[str, str], folders: Folders | None = None) -> Iterator[str]:
    """Yield every session's path."""
    folders = folders or Folders()
    for projects in roots(environ):
        for project in folders.listing(projects).folders:
            chats = os.path.join(projects, project, "chats")
            for name in folders.listing(chats).files:
                if name.endswith(".jsonl"):
                    yield os.path.join(chats, name)


def roots(environ: Mapping[str, str]) -> list[str]:
    """Return the folder of projects that `environ` names."""
    home = environ.get("HOME", "")
    given = environ.get("QWEN_RUNTIME_DIR") or environ.get("QWEN_HOME") or ""
    if given == "~" or given.startswith("~/"):
        given = home + given[1:]
    root = given or (os.path.join(home, ".qwen") if home else "")
    return [os.path.join(root, "projects")] if root else []


def read(path: str, skip: frozenset[str] = frozenset()) -> Transcript:
    """Read a session. Raises NotThisFormat, StorageError."""
    damage = Damage()
    session = Session(skip)
    decode = Decode(line_decoder().decode_lines, decode_one)
    with named(path):
        told = take_records(path, decode, is_ours, session.take, damage)
    if not told:
        raise NotThisFormat(f"{path} is no chat of Qwen Code: it does not begin with its records")
    transcript = session.transcript()
    transcript.damage = damage
    return transcript


def is_ours(line: Line) -> bool:
    """Tell from Claude Code, whose records have the same keys: messages here have parts."""
    if line.type not in _TYPES or line.uuid is None or line.sessionId is None:
        return False
    if line.type == "system":
        return line.systemPayload is not None
    return line.message is not None and line.message.parts is not None


def decode_one(line: bytes) -> Line | None:
    """Decode a line among damaged ones; None for one of a kind that figures never come from."""
    try:
        return line_decoder().decode(line)
    except ValidationError:
        kind = kind_decoder().decode(line)
        if kind.type in COUNTED or kind.subtype in COUNTED_SUBTYPES:
            raise
        return None
