"""One thread of Codex: its records, one after the other -> facts, events and calls."""

from __future__ import annotations

from collections.abc import Callable

from m31a_metrics.events import (
    Compaction,
    Event,
    LLMInteraction,
    Mode,
    SessionStart,
    Subagent,
    UserTurn,
)
from m31a_metrics.model import Usage
from m31a_metrics.sources.codex.calls import Calls
from m31a_metrics.sources.codex.records import (
    Item,
    Line,
    Origin,
    Payload,
    Spawn,
    Status,
    TokenUsage,
)
from m31a_metrics.sources.codex.records import Subagent as SubagentOrigin
from m31a_metrics.timestamps import unix_us, uuid7_us
from m31a_metrics.transcript import Effects, Facts, Transcript

# Which `token_count` records are responses of a model, and how many tokens each took.
#
# `total_token_usage` grows with the thread, `last_token_usage` is the latest response's. A
# record whose total did not grow repeats an old one (a new rate limit was worth a record).

_FAST = ("fast", "priority")
_SLOW = ("flex", "batch")


class Tokens:
    """The responses of one thread."""

    def __init__(self, skip: frozenset[str]) -> None:
        self.events: list[Event] = []
        self.effects = Effects()
        self.models: list[str] = []
        self.model: str | None = None
        self.tier: str | None = None
        self.turn_id = ""
        self.subagent = ""
        self.context_tokens = 0
        self._skip = skip
        self._total: TokenUsage | None = None
        self._in_turn = 0

    def turn(self, turn_id: str | None) -> None:
        """Note that a turn began, or goes on."""
        if turn_id and turn_id != self.turn_id:
            self.turn_id = turn_id
            self._in_turn = 0

    def settle_tier(self, service_tier: str | None) -> None:
        """Note how responses are served from here on; records without a tier say nothing."""
        if service_tier in _FAST:
            self.tier = "fast"
        elif service_tier:
            self.tier = service_tier if service_tier in _SLOW else None

    def count(self, payload: Payload, t_us: int, *, replayed: bool) -> str:
        """Take a record; return the id of the response, "" if it is none to be counted."""
        info = payload.info
        if info is None:
            return ""
        self.effects.lines += 1
        total, last = info.total_token_usage, info.last_token_usage
        grown = total is None or total != self._total
        counts = last if grown and last is not None else _difference(total, self._total)
        self._total = total or self._total
        if last is not None and last.total_tokens:
            self.context_tokens = last.total_tokens
        if not grown:
            self.effects.repeated_lines += 1
            self.effects.repeated_tokens += _usage(last).total if last is not None else 0
        if counts is None or not _any(counts):
            return ""
        self.model = payload.model or info.model or self.model
        self._in_turn += 1
        usage = _usage(counts)
        # Without a turn to name it by, the moment and the sums are as good as unique.
        place = _place(total or counts) if total or not self.turn_id else f"#{self._in_turn}"
        response = f"{self.turn_id or t_us}:{place}"
        if replayed or response in self._skip:
            self.effects.replayed_responses += 1
            self.effects.replayed_tokens += usage.total
            return ""
        self.effects.responses += 1
        if self.model and self.model not in self.models:
            self.models.append(self.model)
        self.events.append(
            LLMInteraction(
                t_us=t_us,
                phase="",
                usage=usage,
                model=self.model,
                tier=self.tier,
                subagent=self.subagent or None,
                id=response,
            )
        )
        return response


def _place(total: TokenUsage) -> str:
    return f"{total.input_tokens or 0}+{total.output_tokens or 0}"


def _any(counts: TokenUsage) -> bool:
    return bool(
        counts.input_tokens
        or counts.cached_input_tokens
        or counts.output_tokens
        or counts.reasoning_output_tokens
    )


def _difference(total: TokenUsage | None, before: TokenUsage | None) -> TokenUsage | None:
    """Return what a thread's sums grew by. Sums that shrank (a new start) count as none."""
    if total is None or before is None:
        return total
    return TokenUsage(
        _grown(total.input_tokens, before.input_tokens),
        _grown(total.cached_input_tokens, before.cached_input_tokens),
        _grown(total.cache_write_input_tokens, before.cache_write_input_tokens),
        _grown(total.output_tokens, before.output_tokens),
        _grown(total.reasoning_output_tokens, before.reasoning_output_tokens),
        _grown(total.total_tokens, before.total_tokens),
    )


def _grown(now: int | None, before: int | None) -> int:
    return max(0, (now or 0) - (before or 0))


def _usage(counts: TokenUsage) -> Usage:
    prompt, completion = counts.input_tokens or 0, counts.output_tokens or 0
    cached = min(counts.cached_input_tokens or 0, prompt)
    total = counts.total_tokens or prompt + completion
    return Usage(
        prompt,
        completion,
        total if total != prompt + completion else None,
        cache_read_tokens=cached,
        cache_write_5m_tokens=min(counts.cache_write_input_tokens or 0, prompt - cached),
        reasoning_tokens=min(counts.reasoning_output_tokens or 0, completion),
    )


_PAUSE_US = 1_000_000
"""A burst takes tens of milliseconds; the first answer after it takes seconds."""


class Replay:
    """Tells the copied records of a fork, one by one, in the order of the file.

    A forked thread's file begins with a copy of the parent's records, all written in one
    burst with the time of the fork. They are the parent's and are not counted again, whether
    the parent's file is still there or not.
    """

    def __init__(self, thread_id: str, began_us: int) -> None:
        self._forked_us = uuid7_us(thread_id) or began_us
        self._last_us = began_us
        self.is_over = False

    def holds(self, payload: Payload, t_us: int) -> bool:
        """Say whether a record is a copy. Once one is not, none is."""
        if self.is_over:
            return False
        turn_us = uuid7_us(payload.turn_id) if payload.turn_id else None
        paused = t_us - self._last_us > _PAUSE_US
        self._last_us = t_us
        if turn_us is not None:
            # A turn's id holds its time: of the parent's turns, one before the fork.
            self.is_over = turn_us >= self._forked_us
        elif paused and t_us > self._forked_us:
            self.is_over = True
        return not self.is_over


NAME = "codex"
DEFAULT_MODE = "default"

_ENVELOPES = ("response_item", "event_msg")
_INJECTED = ("<", "# AGENTS.md", "# Context from my IDE")
_INJECTED_KINDS = ("environment_context", "user_instructions")


class Thread:
    """Reads one thread. `turn_ended`: whether its last turn ended well, None if unknown."""

    def __init__(self, skip: frozenset[str]) -> None:
        self.facts = Facts(NAME)
        self.parent_thread_id = ""
        self.subagent = ""
        self.turn_ended: bool | None = None
        self._skip = skip
        self._tokens = Tokens(skip)
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
        self._handlers: dict[str, Callable[[Payload, int], None]] = {
            "session_meta": self._meta,
            "turn_context": self._turn,
            "task_started": self._turn,
            "turn_started": self._turn,
            "thread_settings_applied": self._settings,
            "token_count": self._token_count,
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
        self.take_item(kind, payload, line.timestamp)

    def take_item(self, kind: str, payload: Payload, timestamp: object) -> None:
        """Take the next record, of whatever version; unknown kinds only move the time."""
        t_us = unix_us(timestamp)
        # A record without a readable time happened no earlier than the one before it.
        t_us = self._now_us if t_us is None else t_us
        self._now_us = t_us
        if t_us:
            self.facts.started_us = self.facts.started_us or t_us
            self.facts.ended_us = max(self.facts.ended_us, t_us)
        if self._replay is not None and self._replay.holds(payload, t_us):
            self._take_copy(kind, payload, t_us)
            return
        handler = self._handlers.get(kind)
        if handler is not None:
            handler(payload, t_us)

    def transcript(self) -> Transcript:
        """Put together what was read, in the order of time."""
        facts = self.facts
        facts.models = self._tokens.models
        facts.started_us = min(facts.started_us, facts.ended_us)
        turns = self._user_turns or self._user_messages
        events: list[Event] = [UserTurn(t_us=t_us) for t_us in turns if not self.subagent]
        events += self._events + self._tokens.events + self._calls.close()
        events += self._compactions or self._compaction_notes
        events.sort(key=_time)
        events.insert(0, self._start())
        calls = [call for call in self._calls.calls if call.id not in self._skip]
        parent = self.parent_thread_id if self.subagent else ""
        return Transcript(facts, events, calls, effects=self._tokens.effects, subagent_of=parent)

    def _start(self) -> SessionStart:
        facts = self.facts
        return SessionStart(
            t_us=facts.started_us,
            agent=NAME,
            version=facts.version or None,
            native_id=facts.native_id or None,
            project=facts.project or None,
            branch=facts.branch or None,
        )

    def _take_copy(self, kind: str, payload: Payload, t_us: int) -> None:
        """Take a copied record: what holds from then on is kept, nothing is counted."""
        if kind == "token_count":
            self._tokens.count(payload, t_us, replayed=True)
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
            self._replay = Replay(facts.native_id, self._now_us)

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
        settings = payload.thread_settings
        if settings is not None:
            self._tokens.settle_tier(settings.service_tier)

    def _token_count(self, payload: Payload, t_us: int) -> None:
        response = self._tokens.count(payload, t_us, replayed=False)
        if response:
            self._calls.answered(response)

    def _user_message(self, payload: Payload, t_us: int) -> None:
        if payload.kind not in _INJECTED_KINDS:
            self._user_turns.append(t_us)

    def _message(self, payload: Payload, t_us: int) -> None:
        # Counted only where no record is the user's own: Codex puts much into these messages.
        if payload.role == "user" and not _text(payload.content).startswith(_INJECTED):
            self._user_messages.append(t_us)

    def _compacted(self, payload: Payload, t_us: int) -> None:
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
        item = payload.item
        if item is None or item.exit_code is None:
            return
        ended = Payload(
            call_id=item.id, source=item.source, exit_code=item.exit_code, duration=item.duration
        )
        self._calls.executed(ended, t_us)

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
            Subagent(t_us=t_us, name=name or "subagent", success=success, id=f"agent:{thread_id}")
        )


def _time(event: Event) -> int:
    return event.t_us


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
