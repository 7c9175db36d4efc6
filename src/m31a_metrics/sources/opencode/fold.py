"""A session's messages -> its events; those of its subagents' sessions with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import UNSET, Struct

from m31a_metrics.events import (
    Compaction,
    Event,
    LLMInteraction,
    Mode,
    PermissionWait,
    Subagent,
    ToolCall,
    UserTurn,
)
from m31a_metrics.figures import (
    call_key,
    error_text,
    model_name,
    printed_ends,
    stated_cost,
    text,
    tokens,
)
from m31a_metrics.jsonlines import UNREADABLE, decode_json
from m31a_metrics.model import Usage
from m31a_metrics.sources.opencode.records import (
    Cache,
    Info,
    Input,
    Message,
    Metadata,
    Model,
    Part,
    Place,
    Problem,
    State,
    Time,
    said_decoder,
)
from m31a_metrics.sources.opencode.store import Turn
from m31a_metrics.sources.shared import CallIds, summed, tool_call
from m31a_metrics.timestamps import span_ms, unix_us
from m31a_metrics.transcript import PROMPT_CHARS, Call, Transcript, subagent_id

# The model's responses within a message: what each cost, and the key its copies share.


def responses(turn: Turn, now_us: int, subagent: str) -> Iterator[LLMInteraction]:
    """Yield the responses of one message, which came to be at `now_us`.

    Mostly it is one. Versions of 2025 went on in the same message after a tool's result:
    then each step has its tokens, and the message only those of the last.
    """
    message = turn.message
    found = False
    span = now_us, now_us
    for step, (span, part) in enumerate(_steps(turn.parts, now_us)):
        if part is None:
            break
        found = True
        if part.tokens is not None:
            yield from _response(message, step, span, part, subagent)
    if not found and message.tokens is not None:
        yield from _response(message, 0, span, message, subagent)


def _steps(parts: list[Part], now_us: int) -> Iterator[tuple[tuple[int, int], Part | None]]:
    """Yield the end of each step, with the times when it began and when the model had answered.

    It had when its last word was written and its last call began. What follows the last end is
    yielded without one.
    """
    began_us = answered_us = latest_us = now_us
    for part in parts:
        if part.type == "step-finish":
            yield (began_us, answered_us), part
            began_us = answered_us = latest_us
            continue
        if part.time is not None:
            answered_us = max(answered_us, unix_us(part.time.end) or 0)
            latest_us = max(latest_us, unix_us(part.time.start) or 0, answered_us)
        if part.state is not None and part.state.time is not None:
            ran = part.state.time
            answered_us = max(answered_us, unix_us(ran.start) or 0)
            latest_us = max(latest_us, answered_us, unix_us(ran.end) or 0)
    yield (began_us, answered_us), None


def _response(
    message: Message, step: int, span: tuple[int, int], counted: Part | Message, subagent: str
) -> Iterator[LLMInteraction]:
    used = usage(counted)
    if used is None:
        return
    model = model_of(message)
    began_us, answered_us = span
    streamed_ms = _streamed_ms(message.time)
    if streamed_ms is not None:
        answered_us = began_us + round(streamed_ms * 1000)
    elif answered_us > began_us:
        streamed_ms = span_ms(began_us, answered_us)
    yield LLMInteraction(
        id=_key(message, step, used),
        t_us=answered_us,
        phase="",
        usage=used,
        cost=stated_cost(counted.cost, model),
        model=model or None,
        duration_ms=streamed_ms,
        subagent=subagent or None,
    )


def usage(counted: Part | Message) -> Usage | None:
    """Return OpenCode's counts as ours; None if nothing was counted.

    Its input excludes what the cache took part in. Its output excludes reasoning in most
    versions; in some, and for some providers, it includes it: there the total says so.
    """
    counts = counted.tokens
    if counts is None:
        return None
    cache = counts.cache or Cache()
    read, written = tokens(cache.read), tokens(cache.write)
    prompt = tokens(counts.input) + read + written
    output, reasoning = tokens(counts.output), tokens(counts.reasoning)
    includes = reasoning <= output and tokens(counts.total) == prompt + output
    completion = output if includes else output + reasoning
    if not prompt and not completion:
        return None
    return Usage(
        prompt,
        completion,
        cache_read_tokens=read,
        cache_write_5m_tokens=written,
        reasoning_tokens=reasoning,
    )


def _key(message: Message, step: int, used: Usage) -> str:
    """Return what a response and its copies have in common.

    A fork copies the messages before it: ids change, times and counts stay.
    """
    created_us = unix_us(message.time.created) if message.time else None
    return (
        f"{created_us or message.id}:{step}:{used.prompt_tokens}:{used.cache_read_tokens}"
        f":{used.cache_write_5m_tokens}:{used.completion_tokens}"
    )


def model_of(message: Message) -> str:
    """Return the model that a message names, "" if it names none."""
    model = message.model
    if isinstance(model, Model):
        seller = message.provider_id or model.provider_id
        return model_name(seller, message.model_id or model.model_id or model.id)
    return model_name(message.provider_id, message.model_id or model)


def _streamed_ms(time: Time | None) -> float | None:
    """Return how long the model took, which the second generation says."""
    began_us, ended_us = (unix_us(time.created), unix_us(time.streamed)) if time else (None, None)
    return None if began_us is None or ended_us is None else span_ms(began_us, ended_us)


# Tool calls as OpenCode keeps them: call, result and times in one part.
#
# The time is that of the run. Where the user's configuration makes OpenCode ask before a
# tool runs (it does not by default), a person's answer is in it, and nothing tells; a
# refusal is told, and then the tool never ran.

_SUCCEEDED = frozenset(("completed", "success"))

# These do nothing but wait for a person's answer.
_WAIT = frozenset(("plan_enter", "plan_exit", "question"))
_REFUSALS = ("The user rejected permission", "The user dismissed this question")
_RULE = "The user has specified a rule which prevents you from using this"
_SHELL = "bash"
_KILLED = -1  # OpenCode writes null
_ABORTED = "Tool execution aborted"


class Where(Struct, frozen=True, gc=False):
    """The message that a call stands in."""

    t_us: int
    response: str
    subagent: str
    mode: str


class Outcome(Struct, gc=False):
    """A call, its event if its result was seen, and whether a person refused it."""

    call: Call
    event: ToolCall | None = None
    refused: bool = False


def known_as(part: Part, where: Where) -> str:
    """Return the id of a tool part's call, which its copies in forks share."""
    time = part.state.time if part.state else None
    began_us = unix_us(time.start) if time else None
    return call_key(text(part.call_id) or text(part.id), began_us or where.t_us)


def outcome(part: Part, call_id: str, where: Where) -> Outcome:
    """Read a tool part."""
    state = part.state or State()
    time = state.time or Time()
    start_us, end_us = unix_us(time.start), unix_us(time.end)
    command, paths = _purpose(state.input) if isinstance(state.input, Input) else ("", ())
    call = Call(
        call_id,
        start_us or where.t_us,
        text(part.tool) or "unknown",
        command,
        paths,
        response=where.response,
        subagent=where.subagent,
        mode=where.mode,
        description=text(state.input.prompt)[:PROMPT_CHARS]
        if isinstance(state.input, Input)
        else "",
    )
    if state.status not in _SUCCEEDED and state.status != "error":
        return Outcome(call)
    call.end_us = end_us or call.t_us
    if call.tool == _SHELL:
        call.printed = printed_ends(_said(state))
    call.success = state.status in _SUCCEEDED and _exit(state) in (None, 0)
    if not call.success:
        call.error = error_text(_error(state))
    return _event(call, known=bool(start_us and end_us))


def _event(call: Call, *, known: bool) -> Outcome:
    refused = call.error.startswith(_REFUSALS)
    call.denied = refused or call.error.startswith(_RULE)
    waited = refused or call.tool in _WAIT
    elapsed_ms = span_ms(call.t_us, call.end_us)
    # What was aborted was given one time, when OpenCode cleaned up, for start and end.
    unknown = not known or (not elapsed_ms and call.error.startswith(_ABORTED))
    event = tool_call(
        call,
        0 if waited or call.denied else elapsed_ms,
        wait_ms=elapsed_ms if waited else None,
        elapsed_only=unknown and not waited,
    )
    return Outcome(call, event, refused)


def _exit(state: State) -> object:
    """Return a shell command's exit code: None if it has none."""
    said = state.metadata
    if not isinstance(said, Metadata) or said.exit is UNSET:
        return None
    return _KILLED if said.exit is None else said.exit


def _error(state: State) -> str:
    if isinstance(state.error, Problem):
        return text(state.error.message) or text(state.error.type)
    code = _exit(state)
    return (
        text(state.error) or _said(state) or ("killed" if code == _KILLED else f"exit code {code}")
    )


def _said(state: State) -> str:
    raw = state.output or state.content
    try:
        said = decode_json(said_decoder(), raw) if raw else ""
    except UNREADABLE:
        return ""
    return said if isinstance(said, str) else "\n".join(text(piece.text) for piece in said)


def _purpose(given: Input) -> tuple[str, tuple[str, ...]]:
    """Return what tells best what a call is for, and the files and folders it names."""
    paths = tuple([path for path in (text(given.file_path), text(given.path)) if path])
    if text(given.command):
        return given.command, paths
    agent, description = text(given.subagent_type) or text(given.agent), text(given.description)
    if agent or description:
        return f"{agent}: {description}", paths
    return text(given.pattern) or text(given.query) or text(given.url) or text(given.name), paths


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
        self.call_ids = CallIds()
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
        event_id = subagent_id(session_id)
        if session.last_us and event_id not in self.skip:
            self.transcript.events.append(
                Subagent(
                    t_us=session.last_us,
                    name=name,
                    usage=summed(session.used) if session.used else None,
                    duration_ms=span_ms(session.first_us, session.last_us),
                    success=task.success,
                    id=event_id,
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
        call_id = self._fold.call_ids.unique(known_as(part, where))
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
