"""One thread of Codex: its records, one after the other -> facts, events and calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from m31a_metrics.events import (
    Compaction,
    Event,
    Mode,
    Subagent,
    UserTurn,
)
from m31a_metrics.jsonlines import UNREADABLE
from m31a_metrics.sources.codex.calls import Calls
from m31a_metrics.sources.codex.records import (
    Invocation,
    Item,
    Line,
    Origin,
    Payload,
    Spawn,
    Status,
    Success,
    rate_limits_decoder,
)
from m31a_metrics.sources.codex.records import Subagent as SubagentOrigin
from m31a_metrics.sources.codex.replay import Record, Replay
from m31a_metrics.sources.codex.responses import Responses
from m31a_metrics.timestamps import millis, unix_us
from m31a_metrics.transcript import Facts, RateLimit, Transcript

NAME = "codex"
DEFAULT_MODE = "default"

_ENVELOPES = ("response_item", "event_msg")
_PERCENT_MAX = 1_000
_COMPLETED = "completed"
_ENDED = (_COMPLETED, "failed")
INJECTED = ("<", "# AGENTS.md", "# Context from my IDE")
"""How messages begin that Codex wrote in a person's name."""
INJECTED_KINDS = ("environment_context", "user_instructions")


class Thread:
    """Reads one thread. `turn_ended`: whether its last turn ended well, None if unknown."""

    def __init__(self, skip: frozenset[str]) -> None:
        self.facts = Facts(NAME)
        self.parent_thread_id = ""
        self.subagent = ""
        self.turn_ended: bool | None = None
        self._skip = skip
        self._tokens = Responses(skip)
        self._calls = Calls(skip)
        self._events: list[Event] = []
        self._user_turns: list[int] = []
        self._user_messages: list[int] = []
        self._compactions: list[Event] = []
        self._compaction_notes: list[Event] = []
        self._ended_agents: set[str] = set()
        self._replay: Replay | None = None
        self._has_meta = False
        self._now_us = 0
        self._rate_limits, self._limited_us = b"", 0
        self._handlers: dict[str, Callable[[Payload, int], None]] = {
            "session_meta": self._meta,
            "turn_context": self._turn,
            "task_started": self._turn,
            "turn_started": self._turn,
            "thread_settings_applied": self._settings,
            "token_count": self._token_count,
            "token_usage_record": self._usage_record,
            "user_message": self._user_message,
            "message": self._message,
            "compacted": self._compacted,
            "context_compacted": self._compacted,
            "task_complete": self._turn_complete,
            "turn_complete": self._turn_complete,
            "turn_aborted": self._turn_aborted,
            "function_call": self._calls.begin,
            "custom_tool_call": self._calls.begin,
            "local_shell_call": self._calls.begin,
            "tool_search_call": self._calls.begin,
            "function_call_output": self._calls.end,
            "custom_tool_call_output": self._calls.end,
            "tool_search_output": self._calls.end,
            "exec_command_end": self._calls.executed,
            "patch_apply_end": self._calls.reported,
            "mcp_tool_call_end": self._calls.reported,
            "dynamic_tool_call_response": self._calls.reported,
            "web_search_end": self._searched,
            "web_search_call": self._calls.at_once,
            "image_generation_call": self._calls.at_once,
            "item_completed": self._item_completed,
            "collab_waiting_end": self._agents_waited,
            "collab_close_end": self._agent_closed,
        }

    def take(self, line: Line) -> None:
        """Take the next record."""
        payload = line.payload
        if payload is None:
            return
        kind = line.type
        if kind in _ENVELOPES:
            kind = payload.type or ("message" if payload.role else "")
        self.take_item(kind, payload, line.timestamp, line.ordinal)

    def take_item(
        self, kind: str, payload: Payload, timestamp: object, ordinal: int | None = None
    ) -> None:
        """Take the next record, of whatever version; unknown kinds only move the time."""
        t_us = unix_us(timestamp)
        # A record without a readable time happened no earlier than the one before it.
        t_us = self._now_us if t_us is None else t_us
        self._now_us = t_us
        if t_us:
            self.facts.started_us = self.facts.started_us or t_us
            self.facts.ended_us = max(self.facts.ended_us, t_us)
        if self._replay is None:
            self._take_own(kind, payload, t_us)
        else:
            self._sort_out(self._replay, self._replay.told(Record(kind, payload, t_us, ordinal)))

    def transcript(self) -> Transcript:
        """Put together what was read, in the order of time."""
        if self._replay is not None:
            self._sort_out(self._replay, self._replay.untold())
        facts = self.facts
        facts.models = self._tokens.models
        facts.started_us = min(facts.started_us, facts.ended_us)
        turns = self._user_turns or self._user_messages
        events: list[Event] = [UserTurn(t_us=t_us) for t_us in turns if not self.subagent]
        events += self._events + self._tokens.events + self._calls.close()
        events += self._compactions or self._compaction_notes
        events.sort(key=_time)
        events.insert(0, facts.start())
        calls = [call for call in self._calls.calls if call.id not in self._skip]
        parent = self.parent_thread_id if self.subagent else ""
        limits = list(_limits(self._rate_limits, self._limited_us))
        return Transcript(
            facts,
            events,
            calls,
            effects=self._tokens.effects,
            subagent_of=parent,
            rate_limits=limits,
        )

    def _sort_out(self, replay: Replay, told: Iterable[tuple[Record, bool]]) -> None:
        """Take records of a fork, each with whether it is a copy of its parent's."""
        for record, is_copy in told:
            take = self._take_copy if is_copy else self._take_own
            take(record.kind, record.payload, record.t_us)
        if replay.is_over:
            self._replay = None

    def _take_own(self, kind: str, payload: Payload, t_us: int) -> None:
        handler = self._handlers.get(kind)
        if handler is not None:
            handler(payload, t_us)

    def _take_copy(self, kind: str, payload: Payload, t_us: int) -> None:
        """Take a copied record: what holds from then on is kept, nothing is counted."""
        if kind == "token_count":
            self._tokens.count(payload, t_us, is_copy=True)
        elif kind == "token_usage_record":
            self._tokens.record(payload, t_us, is_copy=True)
        elif kind == "thread_settings_applied":
            self._settings(payload, t_us)
        elif kind in ("turn_context", "task_started"):
            self._context(payload)

    def _meta(self, payload: Payload, _t_us: int) -> None:
        # A fork's file holds the parent's and its parent's records too: the first is its own.
        if self._has_meta:
            return
        self._has_meta = True
        facts = self.facts
        facts.native_id = self._calls.thread_id = payload.id or ""
        facts.version = payload.cli_version or ""
        facts.project = payload.cwd or ""
        facts.branch = (payload.git.branch if payload.git else None) or ""
        spawn, kind = _origin(payload.source)
        self.parent_thread_id = payload.parent_thread_id or spawn.parent_thread_id or ""
        if kind or self.parent_thread_id:
            self.subagent = payload.agent_role or spawn.agent_role or kind or "subagent"
        self._tokens.subagent = self._calls.subagent = self.subagent
        facts.parent_id = payload.forked_from_id or self.parent_thread_id
        if facts.parent_id == facts.native_id:
            facts.parent_id = ""
        if facts.parent_id:
            first = payload.subagent_history_start_ordinal
            self._replay = Replay(facts.native_id, self._now_us, first)

    def _context(self, payload: Payload) -> str:
        """Note the turn, model and policies that hold from here on; return the mode."""
        self._tokens.turn(payload.turn_id)
        self._tokens.model = payload.model or self._tokens.model
        if isinstance(payload.approval_policy, str):
            self._calls.approval_policy = payload.approval_policy
        elif payload.approval_policy is not None:
            self._calls.approval_policy = ""
        mode = payload.collaboration_mode
        mode = mode if isinstance(mode, str | None) else mode.mode
        mode = mode or payload.collaboration_mode_kind or self._calls.mode
        self._calls.mode, before = mode, self._calls.mode
        return mode if mode != before else ""

    def _turn(self, payload: Payload, t_us: int) -> None:
        before = self._calls.mode or DEFAULT_MODE
        mode = self._context(payload)
        if mode and mode != before:
            self._events.append(Mode(t_us=t_us, mode=mode))

    def _settings(self, payload: Payload, _t_us: int) -> None:
        if payload.thread_settings is not None:
            self._tokens.settle(payload.thread_settings)

    def _token_count(self, payload: Payload, t_us: int) -> None:
        if len(payload.rate_limits) > len(b"null"):
            # What is not read yet lies in a buffer that is used again.
            self._rate_limits, self._limited_us = bytes(payload.rate_limits), t_us
        self._answered(self._tokens.count(payload, t_us, is_copy=False))

    def _usage_record(self, payload: Payload, t_us: int) -> None:
        # It names the thread that asked, so that a copy is known for one wherever it stands.
        asked, own = payload.thread_id, self.facts.native_id
        is_copy = bool(asked and own and asked != own)
        self._answered(self._tokens.record(payload, t_us, is_copy=is_copy))

    def _answered(self, response: str) -> None:
        if response:
            self._calls.answered(response)

    def _user_message(self, payload: Payload, t_us: int) -> None:
        if payload.kind not in INJECTED_KINDS:
            self._user_turns.append(t_us)

    def _message(self, payload: Payload, t_us: int) -> None:
        # Counted only where no record is the user's own: Codex puts much into these messages.
        if payload.role == "user" and not _text(payload.content).startswith(INJECTED):
            self._user_messages.append(t_us)

    def _compacted(self, payload: Payload, t_us: int) -> None:
        self._tokens.compacted(payload.compaction_response_id)
        noted = payload.type == "context_compacted"
        compactions = self._compaction_notes if noted else self._compactions
        compactions.append(Compaction(t_us=t_us, pre_tokens=self._tokens.context_tokens or None))

    def _turn_complete(self, _payload: Payload, _t_us: int) -> None:
        self.turn_ended = True

    def _turn_aborted(self, _payload: Payload, _t_us: int) -> None:
        self.turn_ended = False

    def _searched(self, payload: Payload, _t_us: int) -> None:
        self._calls.searched(payload)

    def _item_completed(self, payload: Payload, t_us: int) -> None:
        ended = ended_item(payload)
        if ended is None:
            return
        if ended.exit_code is not None:
            self._calls.executed(ended, t_us)
        else:
            self._calls.reported(ended, t_us)

    def _agents_waited(self, payload: Payload, t_us: int) -> None:
        for agent in payload.agent_statuses or ():
            name = agent.agent_role or agent.agent_nickname
            self._agent_ended(agent.thread_id, name, agent.status, t_us)

    def _agent_closed(self, payload: Payload, t_us: int) -> None:
        name = payload.receiver_agent_role or payload.receiver_agent_nickname
        self._agent_ended(payload.receiver_thread_id, name, payload.status, t_us)

    def _agent_ended(
        self, thread_id: str | None, name: str | None, status: Status | str | None, t_us: int
    ) -> None:
        """Note a subagent that ended. Its own file, where it is found, knows more."""
        if not thread_id or thread_id in self._ended_agents or not isinstance(status, Status):
            return
        self._ended_agents.add(thread_id)
        success = status.completed is not None or None if status.errored is None else False
        self._events.append(
            Subagent(t_us=t_us, name=name or "subagent", success=success, id=ended_id(thread_id))
        )


def ended_id(thread_id: str) -> str:
    """The id of a subagent's end as its parent's thread has it, for where there is no other."""
    return f"ended:{thread_id}"


def ended_item(payload: Payload) -> Payload | None:
    """Return what an item of a turn tells of a call that ended, as older versions' events do."""
    item = payload.item
    if item is None:
        return None
    ended = Payload(call_id=item.id, source=item.source, duration=item.duration)
    if item.exit_code is not None:
        ended.exit_code, ended.command = item.exit_code, item.command
        ended.aggregated_output = item.aggregated_output
        return ended
    if not isinstance(item.status, str) or item.status not in _ENDED:
        return None
    ended.success = item.status == _COMPLETED
    ended.changes = item.changes
    if item.tool:
        ended.invocation = Invocation(item.server, item.tool)
        failed = isinstance(item.result, Success) and item.result.isError
        ended.success = ended.success and not failed
    return ended if ended.changes or ended.invocation else None


def _time(event: Event) -> int:
    return event.t_us


def _limits(said: bytes, seen_us: int) -> Iterator[RateLimit]:
    """Read what a provider last said of its limits; nothing where it is not understood."""
    try:
        read = rate_limits_decoder().decode(said or b"{}")
    except UNREADABLE:
        return
    kind = "" if read.limit_id in (None, NAME) else f"{read.limit_id} "
    for name, window in (("primary", read.primary), ("secondary", read.secondary)):
        used = window.used_percent if window is not None else None
        if window is not None and used is not None and 0 <= used <= _PERCENT_MAX:
            minutes = millis(window.window_minutes) or 0
            resets_us = unix_us(window.resets_at) or 0
            yield RateLimit(f"{kind}{name}", float(used), round(minutes), resets_us, seen_us)


def _origin(source: Origin | str | None) -> tuple[Spawn, str]:
    """Return how a thread was spawned, and its kind if it is a subagent's."""
    subagent = source.subagent if isinstance(source, Origin) else None
    if isinstance(subagent, SubagentOrigin):
        return subagent.thread_spawn or Spawn(), subagent.other or ""
    return Spawn(), subagent or ""


def _text(content: list[Item] | str | None) -> str:
    if isinstance(content, str):
        return content.lstrip()
    return next((item.text.lstrip() for item in content or () if item.text), "")
