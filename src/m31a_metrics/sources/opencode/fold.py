"""A session's messages -> its events; those of its subagents' sessions with them."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from m31a_metrics.events import (
    LARGEST,
    Compaction,
    Event,
    LLMInteraction,
    Mode,
    PermissionWait,
    Subagent,
    UserTurn,
)
from m31a_metrics.figures import text
from m31a_metrics.model import Usage
from m31a_metrics.sources.opencode.calls import Where, known_as, outcome
from m31a_metrics.sources.opencode.records import Info, Input, Message, Metadata, Part, Place
from m31a_metrics.sources.opencode.responses import model_of, responses
from m31a_metrics.sources.opencode.store import Turn
from m31a_metrics.timestamps import span_ms, unix_us
from m31a_metrics.transcript import Call, Transcript

_SAID = frozenset(("agent", "file", "subtask", "text"))


class Task(Struct, gc=False):
    """What the call that started a subagent tells of it."""

    name: str = ""
    success: bool | None = None


class Fold:
    """The sessions of one tree, the root first, into one transcript."""

    def __init__(self, transcript: Transcript, skip: frozenset[str]) -> None:
        self.transcript = transcript
        self.skip = skip
        self.models: dict[str, None] = {}
        self.times: list[int] = []
        self.project = ""
        self._call_ids: set[str] = set()
        self._tasks: dict[str, Task] = {}

    def root(self, info: Info, turns: Iterable[Turn]) -> None:
        """Take the session itself."""
        _Session(self, info, "").take(turns)

    def child(self, session_id: str, info: Info, turns: Iterable[Turn]) -> None:
        """Take a session that a subagent ran in; its parent was taken before."""
        task = self._tasks.get(session_id, Task())
        name = task.name or text(info.agent) or "subagent"
        session = _Session(self, info, name)
        session.take(turns)
        if session.last_us:
            self.transcript.events.append(
                Subagent(
                    t_us=session.last_us,
                    name=name,
                    usage=_sum(session.used),
                    duration_ms=span_ms(session.first_us, session.last_us),
                    success=task.success,
                )
            )

    def started(self, part: Part, call: Call) -> None:
        """Remember which session a call ran a subagent in, if it did."""
        said = part.state.metadata if part.state else None
        if isinstance(said, Metadata):
            session_id = text(said.session_camel) or text(said.session_id)
            given = part.state.input if part.state else None
            name = (given.subagent_type or given.agent) if isinstance(given, Input) else ""
            if session_id:
                self._tasks[session_id] = Task(text(name), call.success)

    def call_id(self, wanted: str) -> str:
        """Return an id that no other call of this session has."""
        found, again = wanted, 1
        while found in self._call_ids:
            again += 1
            found = f"{wanted}#{again}"
        self._call_ids.add(found)
        return found


class _Session:
    """One session's messages, one after the other."""

    def __init__(self, fold: Fold, info: Info, subagent: str) -> None:
        self._fold = fold
        self._subagent = subagent
        self._now_us = self.first_us = unix_us(info.time.created) or 0 if info.time else 0
        self.last_us = 0
        self.used: list[Usage] = []
        self._mode = ""
        self._compactions: dict[str, str | None] = {}
        self._events: list[tuple[int, Event]] = []
        self._calls: list[tuple[int, Call]] = []
        self._replayed = -1

    def take(self, turns: Iterable[Turn]) -> None:
        for number, turn in enumerate(turns):
            time = turn.message.time
            self._now_us = (unix_us(time.created) if time else None) or self._now_us
            self.first_us = self.first_us or self._now_us
            ended_us = unix_us(time.completed) if time else None
            self.last_us = max(self.last_us, self._now_us, ended_us or 0)
            self._message(number, turn)
        self._fold.times.append(self.last_us)
        # A fork begins with copies of another session's messages. Their tokens are known by
        # their keys; what people and tools did then was done there too.
        transcript = self._fold.transcript
        replayed = self._replayed
        transcript.events += [
            event
            for number, event in self._events
            if number > replayed or isinstance(event, LLMInteraction)
        ]
        transcript.calls += [call for number, call in self._calls if number > replayed]

    def _message(self, number: int, turn: Turn) -> None:
        message = turn.message
        if message.role == "assistant":
            self._assistant(number, turn)
        elif message.role == "user":
            self._user(number, turn)
        elif message.role == "compaction":
            self._responses(number, turn)
            if message.status in (None, "completed"):
                self._compacted(number, self._now_us, text(message.reason) or None)
        elif message.role == "agent-switched":
            self._switch(number, message)

    def _user(self, number: int, turn: Turn) -> None:
        compaction = next((part for part in turn.parts if part.type == "compaction"), None)
        if compaction is not None:
            # A request. It is the answer, a summary, that tells whether it was done.
            self._compactions[text(turn.message.id)] = _trigger(compaction)
            return
        if self._subagent:
            return
        self._switch(number, turn.message)
        # A second generation's message has no parts; what OpenCode says itself is synthetic.
        said = [part for part in turn.parts if part.type in _SAID]
        if not said or any(part.synthetic is not True for part in said):
            self._add(number, UserTurn(t_us=self._now_us))

    def _switch(self, number: int, message: Message) -> None:
        mode = text(message.agent) or text(message.mode)
        if mode and mode != self._mode:
            self._mode = mode
            if not self._subagent:
                self._add(number, Mode(t_us=self._now_us, mode=mode))

    def _assistant(self, number: int, turn: Turn) -> None:
        message = turn.message
        self._fold.models[model_of(message)] = None
        is_summary = message.summary is True or message.mode == "compaction"
        if not is_summary:
            self._switch(number, message)
        if isinstance(message.path, Place):
            self._fold.project = self._fold.project or text(message.path.cwd)
        known = self._responses(number, turn)
        step = 0
        for part in turn.parts:
            if part.type == "tool":
                response = known[min(step, len(known) - 1)] if known else ""
                where = Where(self._now_us, response, self._subagent, self._mode)
                self._tool(number, part, where)
            elif part.type == "step-finish":
                step += 1
            elif part.type == "compaction":
                self._compacted(number, self._now_us, _trigger(part))
        if is_summary and message.error is None:
            trigger = self._compactions.pop(text(message.parent_id), None)
            ended_us = unix_us(message.time.completed) if message.time else None
            self._compacted(number, self._now_us, trigger, ended_us)

    def _compacted(
        self, number: int, began_us: int, trigger: str | None, ended_us: int | None = None
    ) -> None:
        duration_ms = None if ended_us is None else span_ms(began_us, ended_us)
        t_us = ended_us or began_us
        self._add(number, Compaction(t_us=t_us, trigger=trigger, duration_ms=duration_ms))

    def _responses(self, number: int, turn: Turn) -> list[str]:
        """Count the model's responses within a message; return their ids."""
        transcript = self._fold.transcript
        effects = transcript.effects
        known = []
        for event in responses(turn, self._now_us, self._subagent):
            effects.lines += 1
            known.append(event.id or "")
            if event.id in self._fold.skip:
                self._replayed = number
                effects.replayed_responses += 1
                effects.replayed_tokens += event.usage.total
                continue
            effects.responses += 1
            self.used.append(event.usage)
            self._add(number, event)
        return known

    def _tool(self, number: int, part: Part, where: Where) -> None:
        call_id = self._fold.call_id(known_as(part, where))
        found = outcome(part, call_id, where)
        self._calls.append((number, found.call))
        self._fold.started(part, found.call)
        self.last_us = max(self.last_us, found.call.end_us)
        if found.event is None:
            return
        self._add(number, found.event)
        if found.refused:
            wait_ms = found.event.wait_ms or 0
            name, t_us = found.event.name, found.event.t_us
            self._add(
                number, PermissionWait(t_us=t_us, duration_ms=wait_ms, name=name, success=False)
            )

    def _add(self, number: int, event: Event) -> None:
        self._events.append((number, event))


def _trigger(part: Part) -> str | None:
    if isinstance(part.auto, bool):
        return "auto" if part.auto else "manual"
    return None


def _sum(used: list[Usage]) -> Usage | None:
    if not used:
        return None
    # Damage may make one huge; the sum must still be one that an event can hold.
    return Usage(
        min(LARGEST, sum(one.prompt_tokens for one in used)),
        min(LARGEST, sum(one.completion_tokens for one in used)),
        cache_read_tokens=min(LARGEST, sum(one.cache_read_tokens for one in used)),
        cache_write_5m_tokens=min(LARGEST, sum(one.cache_write_5m_tokens for one in used)),
        reasoning_tokens=min(LARGEST, sum(one.reasoning_tokens for one in used)),
    )
