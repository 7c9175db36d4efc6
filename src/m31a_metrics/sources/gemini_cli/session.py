"""One chat of Gemini CLI: its messages, in whatever order -> facts, events and calls."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from m31a_metrics import shell_report
from m31a_metrics.events import Compaction, Event, LLMInteraction, SessionStart, ToolCall, UserTurn
from m31a_metrics.figures import error_text, printed_ends, text
from m31a_metrics.kept_lines import kept_line
from m31a_metrics.model import Usage
from m31a_metrics.sources.gemini_cli.records import (
    Arguments,
    FunctionResponse,
    Message,
    Part,
    TokenCounts,
    ToolCallRecord,
)
from m31a_metrics.timestamps import span_ms, unix_us
from m31a_metrics.transcript import Call, Effects, Facts, Transcript

NAME = "gemini-cli"

_OVER = ("success", "error", "cancelled")
_REFUSED = "User did not allow"


class _Message(Struct, gc=False):
    kind: str
    t_us: int
    model: str | None
    tokens: TokenCounts | None
    tools: dict[str, Call]


class Session:
    """Gathers the messages of one chat. What tools gave back is not kept."""

    def __init__(self, skip: frozenset[str]) -> None:
        self.facts = Facts(NAME)
        self.effects = Effects()
        self.subagent = ""
        self.messages = 0
        self._skip = skip
        self._seen: dict[str, _Message] = {}
        self._compactions: list[int] = []
        self._ids: set[str] = set()
        self._current = 0
        self._now_us = 0

    def header(self, session_id: str | None, start: str | None, kind: str | None) -> None:
        """Take what the chat says of itself."""
        facts = self.facts
        facts.native_id = session_id or facts.native_id
        started_us = unix_us(start)
        if started_us:
            facts.started_us = facts.started_us or started_us
            self._now_us = self._now_us or started_us
        if kind == "subagent":
            self.subagent = kind

    def updated(self, moment: str | None) -> None:
        """Take the time of a change."""
        self.facts.ended_us = max(self.facts.ended_us, unix_us(moment) or 0)

    def take(self, message: Message) -> None:
        """Take a message, which replaces one of the same id. Rewound ones stay: they cost."""
        if message.type is None:
            return
        key = message.id or f"#{self.messages}"
        self.messages += 1
        seen = self._seen.get(key)
        if seen is None:
            self._current += 1
            seen = self._seen[key] = _Message(message.type, self._time(message), None, None, {})
        else:
            self.effects.repeated_lines += message.type == "gemini"
        seen.model = message.model or seen.model
        seen.tokens = message.tokens or seen.tokens
        for record in message.toolCalls or ():
            self._tool(seen, record)

    def replace(self, messages: Iterable[Message], moment: str | None) -> None:
        """Take the history anew, as `$set` gives it; fewer messages were compacted."""
        count = 0
        for message in messages:
            count += 1
            # One that is new here is a summary, which nobody wrote and nothing is known of.
            if message.id in self._seen:
                self.take(message)
        if count < self._current:
            self._compactions.append(unix_us(moment) or self._now_us)
        self._current = count

    def rewind(self, message_id: str) -> None:
        """Forget, for what the history is now, a message and all behind it."""
        ids = list(self._seen)
        self._current = ids.index(message_id) if message_id in self._seen else 0

    def transcript(self) -> Transcript:
        """Put together what was gathered, in the order of time."""
        events: list[Event] = [Compaction(t_us=t_us) for t_us in self._compactions]
        calls: list[Call] = []
        for key, message in self._seen.items():
            self._see(message.t_us)
            if message.kind == "user" and not self.subagent:
                events.append(UserTurn(t_us=message.t_us))
            response = f"{self.facts.native_id}:{key}"
            if message.tokens is not None:
                events += self._response(response, message, message.tokens)
            for call in message.tools.values():
                if call.id not in self._skip:
                    call.response = response if message.tokens is not None else ""
                    calls.append(call)
                    events += self._tool_event(call)
        events.sort(key=_time)
        facts = self.facts
        start = SessionStart(
            t_us=facts.started_us,
            agent=NAME,
            native_id=facts.native_id or None,
            project=facts.project or None,
        )
        return Transcript(facts, [start, *events], calls, effects=self.effects)

    def _response(self, response: str, message: _Message, tokens: TokenCounts) -> list[Event]:
        usage = _usage(tokens)
        if not usage.total:
            return []
        self.effects.lines += 1
        if response in self._skip:
            self.effects.replayed_responses += 1
            self.effects.replayed_tokens += usage.total
            return []
        self.effects.responses += 1
        if message.model and message.model not in self.facts.models:
            self.facts.models.append(message.model)
        return [
            LLMInteraction(
                t_us=message.t_us,
                phase="",
                usage=usage,
                model=message.model,
                subagent=self.subagent or None,
                id=response,
            )
        ]

    def _tool(self, message: _Message, record: ToolCallRecord) -> None:
        key = record.id or f"#{len(message.tools)}"
        known = message.tools.get(key)
        status = record.status or ""
        ended_us = unix_us(record.timestamp) or message.t_us
        call = Call(
            known.id if known is not None else self._unique(key),
            message.t_us,
            record.name,
            command=text(record.args.command) if record.args else "",
            paths=_paths(record.args),
            end_us=ended_us if status in _OVER else 0,
            subagent=self.subagent,
        )
        if status in _OVER:
            output, error = _result(record.result)
            if record.name == shell_report.TOOL:
                call.printed = printed_ends(output)
            call.success = status == "success" and not error
            if record.name == shell_report.TOOL and call.success:
                call.success = shell_report.exit_code(output) in (None, 0)
            if not call.success:
                call.error = error_text(error or shell_report.printed(output) or status)
        message.tools[key] = call

    def _tool_event(self, call: Call) -> list[Event]:
        if call.success is None:
            return []
        self._see(call.end_us)
        elapsed_ms = span_ms(call.t_us, call.end_us)
        refused = not call.success and _REFUSED in call.error[:1_000]
        return [
            ToolCall(
                id=call.id,
                t_us=call.end_us,
                name=call.tool or "unknown",
                success=call.success,
                duration_ms=0 if refused else elapsed_ms,
                wait_ms=elapsed_ms if refused else None,
                error=(kept_line(call.error) or None) if call.error else None,
                # Nobody writes when a person gave permission.
                elapsed_only=True,
                subagent=self.subagent or None,
            )
        ]

    def _unique(self, wanted: str) -> str:
        """Return an id for a call that no other one has, in this chat or any other."""
        wanted = f"{self.facts.native_id}:{wanted}"
        found, again = wanted, 1
        while found in self._ids:
            again += 1
            found = f"{wanted}#{again}"
        self._ids.add(found)
        return found

    def _time(self, message: Message) -> int:
        """Return a message's time; one without a readable time came no earlier than the last."""
        t_us = unix_us(message.timestamp)
        self._now_us = self._now_us if t_us is None else t_us
        return self._now_us

    def _see(self, t_us: int) -> None:
        facts = self.facts
        facts.started_us = min(facts.started_us or t_us, t_us) if t_us else facts.started_us
        facts.ended_us = max(facts.ended_us, t_us)


def _usage(tokens: TokenCounts) -> Usage:
    """Convert. Some write the cached tokens beside the input, not within; the total tells."""
    cached, tool = tokens.cached or 0, tokens.tool or 0
    prompt = (tokens.input or 0) + tool
    completion = (tokens.output or 0) + (tokens.thoughts or 0)
    if cached and tokens.total == prompt + completion + cached:
        prompt += cached
    total = tokens.total or prompt + completion
    return Usage(
        prompt,
        completion,
        total if total != prompt + completion else None,
        cache_read_tokens=min(cached, prompt),
        reasoning_tokens=tokens.thoughts or 0,
    )


def _result(result: list[Part] | Part | str | None) -> tuple[str, str]:
    """Return what a tool gave back, and its error if that is what it was."""
    if isinstance(result, str):
        return result, ""
    parts = [result] if isinstance(result, Part) else result or ()
    output, error = "", ""
    for part in parts:
        given = part.functionResponse
        if isinstance(given, FunctionResponse) and given.response is not None:
            output = output or text(given.response.output)
            error = error or text(given.response.error)
    return output, error


def _paths(args: Arguments | None) -> tuple[str, ...]:
    if args is None:
        return ()
    given = (args.file_path, args.absolute_path, args.path, args.dir_path)
    return tuple(path for path in given if isinstance(path, str) and path)


def _time(event: Event) -> int:
    return event.t_us
