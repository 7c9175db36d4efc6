"""One session as its lines tell it: the main file first, then each subagent's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from m31a_metrics.events import Compaction, Event, UserTurn
from m31a_metrics.figures import text, tokens
from m31a_metrics.sources.claude_code.agents import ended, ended_by_file
from m31a_metrics.sources.claude_code.calls import AGENTS, Calls
from m31a_metrics.sources.claude_code.durations import may_ask
from m31a_metrics.sources.claude_code.modes import Modes
from m31a_metrics.sources.claude_code.records import (
    Block,
    Data,
    Envelope,
    Line,
    Message,
    Result,
    ToolUseResult,
    micros,
)
from m31a_metrics.sources.claude_code.responses import (
    FILE,
    MAIN,
    PROGRESS,
    Origin,
    Responses,
)
from m31a_metrics.sources.claude_code.turns import is_prompt, is_queued_prompt
from m31a_metrics.timestamps import millis
from m31a_metrics.transcript import Call, Effects

_MAIN = Origin(MAIN)

_UNNAMED = "sidechain"
"""A subagent without an id: until 1.0.x their lines stood among the parent's, all alike."""

_MODE_AFTER = {"EnterPlanMode": "plan", "ExitPlanMode": "default"}
"""The permission mode once these have succeeded. On leaving plan mode a person may choose
another one, which the next prompt tells; until then it is taken to be the one that asks."""

_TELLING = AGENTS.union(_MODE_AFTER)
"""Tools whose results tell more than how the call went."""


class Reading:
    """Takes the lines of a session's files."""

    def __init__(self, effects: Effects) -> None:
        self.events: list[Event] = []
        self.calls = Calls()
        self.responses = Responses(effects)
        self._effects = effects
        self._agent = ""
        self._now_us = 0
        self._summary_due = False
        self._ended: list[tuple[str, int, Call]] = []
        self._origins: dict[tuple[int, str], Origin] = {}
        self.modes = Modes()

    def take(self, lines: Sequence[Line]) -> None:
        """Take lines of the current file."""
        for line in lines:
            kind = line.type
            if kind == "assistant":
                self._assistant(line)
            elif kind == "user":
                self._user(line)
            elif kind == "progress":
                self._progress(line)
            elif kind == "attachment":
                self._attachment(line)
            elif kind == "system":
                self._system(line)
            elif kind == "permission-mode":
                self._permission_mode(line)

    def begin_subagent(self, agent: str) -> None:
        """Say that the next lines come from a subagent's own transcript."""
        self._agent = agent

    def end_subagent(self, agent_type: str, began: datetime, finished: datetime) -> None:
        """Say that these were all; count the subagent unless a result has told of it."""
        if not any(agent == self._agent for agent, _, _ in self._ended):
            self.events.append(ended_by_file(self._agent, agent_type, began, finished))

    def finish(self) -> None:
        """Say that these were all files: now it is known what held the subagents up."""
        if not self._ended:
            return
        asking = self.calls.asking()
        for agent, index, call in self._ended:
            # Where its calls are unknown, the mode it was started in tells.
            if asking.get(agent, may_ask("", call.mode)):
                self.events[index] = replace(self.events[index], elapsed_only=True)

    def _assistant(self, line: Line) -> None:
        message, at = line.message, line.timestamp
        if type(message) is Message and at is not None:
            t_us = self._now_us = micros(at)
            origin = self._origin(line) if self._agent or line.is_sidechain else _MAIN
            self._answer(message, line, t_us, origin)

    def _user(self, line: Line) -> None:
        message, at = line.message, line.timestamp
        if type(message) is not Message or at is None:
            return
        t_us = self._now_us = micros(at)
        content = message.content
        if type(content) is list and self._results(content, t_us, line):
            return
        if self._agent or line.is_sidechain:
            return  # what the agent told its subagent
        if line.permission_mode is not None:
            self.modes.set(text(line.permission_mode), t_us, line.uuid)
        if line.is_compact_summary is True:
            self._summary(t_us, line.uuid)
        elif is_prompt(line, content):
            self.events.append(UserTurn(id=line.uuid, t_us=t_us))

    def _progress(self, line: Line) -> None:
        data, at = line.data, line.timestamp
        if type(data) is not Data or at is None:
            return
        if data.type == "agent_progress":
            if type(data.message) is Envelope:
                self._envelope(data.message, at, data.agent_id or line.parent_tool_use_id)
        elif data.elapsed_time_seconds is not None:
            self.calls.running(line.parent_tool_use_id or "", micros(at), data.elapsed_time_seconds)
        elif data.elapsed_time_ms is not None:
            self.calls.ran(line.parent_tool_use_id or "", data.elapsed_time_ms)

    def _envelope(self, envelope: Envelope, at: datetime, agent: object) -> None:
        message = envelope.message
        if type(message) is not Message:
            return
        t_us = micros(envelope.timestamp or at)
        if envelope.type == "assistant":
            self._answer(message, envelope, t_us, self._known_origin(PROGRESS, agent))
        elif type(message.content) is list:
            self._results(message.content, t_us, envelope)

    def _answer(self, message: Message, line: Line | Envelope, t_us: int, origin: Origin) -> None:
        response = self.responses.take(message, line, t_us, origin)
        content = message.content
        if type(content) is list:
            for block in content:
                if block.type == "tool_use":
                    mode = self.modes.at(t_us) if self._agent else self.modes.now
                    self.calls.use(block, t_us, response, origin.subagent, mode)

    def _results(self, content: list[Block], t_us: int, line: Line | Envelope) -> bool:
        """Take the tool results of a message; return whether there are any."""
        found = False
        for block in content:
            if block.type == "tool_result":
                found = True
                said = line.tool_use_result
                done = self.calls.result(block, t_us, said, line.tool_denial_kind is not None)
                if done is not None:
                    call, event = done
                    self.events.append(event)
                    if call.tool in _TELLING:
                        self._after(call, said, line.uuid)
        return found

    def _after(self, call: Call, said: ToolUseResult, uuid: str | None) -> None:
        if call.tool in AGENTS:
            if type(said) is Result:
                event = ended(call, said)
                if event is not None:
                    agent = text(said.agent_id) or _UNNAMED
                    self._ended.append((agent, len(self.events) - 1, call))
                    self.events.append(event)
        elif call.success:
            self.modes.set(_MODE_AFTER[call.tool], call.end_us, uuid)

    def _system(self, line: Line) -> None:
        if line.subtype != "compact_boundary" or line.timestamp is None:
            return
        if not self._agent:
            self._summary_due = True
            meta = line.compact_metadata
            event = Compaction(id=line.uuid, t_us=micros(line.timestamp))
            if meta is not None:
                event = Compaction(
                    id=line.uuid,
                    t_us=micros(line.timestamp),
                    trigger=text(meta.trigger) or None,
                    pre_tokens=tokens(meta.pre_tokens) or None,
                    post_tokens=tokens(meta.post_tokens) or None,
                    duration_ms=millis(meta.duration_ms),
                )
            self.events.append(event)

    def _summary(self, t_us: int, uuid: str | None) -> None:
        # Older versions write no boundary, only the summary that the next context begins with.
        if not self._summary_due:
            self.events.append(Compaction(id=uuid, t_us=t_us))
        self._summary_due = False

    def _attachment(self, line: Line) -> None:
        attachment, at = line.attachment, line.timestamp
        if attachment is None or at is None or self._agent or line.is_sidechain:
            return
        if attachment.type == "queued_command":
            if is_queued_prompt(attachment):
                self.events.append(UserTurn(id=line.uuid, t_us=micros(at)))
        elif attachment.type == "plan_mode":
            self.modes.set("plan", micros(at), line.uuid)
        elif attachment.type == "plan_mode_exit" and self.modes.now == "plan":
            self.modes.set("default", micros(at), line.uuid)

    def _permission_mode(self, line: Line) -> None:
        # This record has no time of its own.
        self.modes.set(text(line.permission_mode), self._now_us, None)

    def _origin(self, line: Line) -> Origin:
        return self._known_origin(FILE, self._agent or line.agent_id)

    def _known_origin(self, rank: int, agent: object) -> Origin:
        name = text(agent) or _UNNAMED
        origin = self._origins.get((rank, name))
        if origin is None:
            origin = self._origins[rank, name] = Origin(rank, name)
        return origin
