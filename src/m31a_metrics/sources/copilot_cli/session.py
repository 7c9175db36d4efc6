"""One session of Copilot CLI: its records, one after the other -> facts, events and calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from m31a_metrics.events import Compaction, Event, Mode, SessionStart, Subagent, UserTurn
from m31a_metrics.sources.copilot_cli.calls import Calls
from m31a_metrics.sources.copilot_cli.records import Data, Kind, Line
from m31a_metrics.sources.copilot_cli.responses import Message, Responses, Row
from m31a_metrics.timestamps import millis, span_ms, unix_us
from m31a_metrics.transcript import Facts, Transcript

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
        start = SessionStart(
            t_us=facts.started_us,
            agent=NAME,
            version=facts.version or None,
            native_id=facts.native_id or None,
            project=facts.project or None,
            branch=facts.branch or None,
        )
        effects = self._responses.effects
        calls = [call for call in self._calls.calls if call.id not in self._skip]
        return Transcript(facts, [start, *events], calls, effects=effects)

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
        self._responses.shut_down(data.modelMetrics or {}, t_us, f"shutdown-{self._lines}")

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
        if data.source in (None, "user") and data.parentToolCallId is None:
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
