"""The entries of one session -> its events."""

from __future__ import annotations

from msgspec import Struct

from m31a_metrics.events import Compaction, Event, LLMInteraction, UserTurn
from m31a_metrics.figures import model_name, text, tokens
from m31a_metrics.sources.pi.calls import Calls
from m31a_metrics.sources.pi.records import Entry, Message
from m31a_metrics.sources.pi.usage import answer, model_of, other
from m31a_metrics.timestamps import unix_us
from m31a_metrics.transcript import Call, Transcript


class _Node(Struct, gc=False):
    parent: str | None
    before: str


class Tree:
    """Who follows whom: going back and asking anew makes a branch.

    All branches ran and cost. The conversation is the branch that ends in the last entry.
    Versions before 2 have no ids: there all is one branch.
    """

    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}
        self._last = ""

    def add(self, entry_id: str, parent_id: str | None) -> None:
        """Take the next entry of the file."""
        if entry_id and entry_id not in self._nodes:
            self._nodes[entry_id] = _Node(parent_id, self._last)
            self._last = entry_id

    def conversation(self) -> frozenset[str]:
        """Return the ids of the entries from the first to the last one of the file.

        Where an entry's parent was lost, the entry before it in the file takes its place.
        """
        found: set[str] = set()
        at: str | None = self._last
        while at and at not in found:
            found.add(at)
            node = self._nodes[at]
            at = node.before if node.parent and node.parent not in self._nodes else node.parent
        return frozenset(found)


_TREE_FORMAT = 3


class _Said(Struct, gc=False):
    """An event of the conversation: it counts if its entry is on the active branch."""

    place: int
    entry_id: str
    event: Event


class Fold:
    """One session, entry by entry."""

    def __init__(self, transcript: Transcript, skip: frozenset[str]) -> None:
        self._transcript = transcript
        self._skip = skip
        self._tree = Tree()
        self._calls = Calls()
        self._said: list[_Said] = []
        self._ran: list[tuple[int, Event]] = []
        self._made: list[tuple[int, Call]] = []
        self._keys: set[str] = set()
        self._place = 0
        self._replayed = -1
        self._model = ""
        self._models: dict[str, None] = {}
        self._times: list[int] = []
        self._restamped = False
        self._began_us = 0

    def add(self, entry: Entry) -> None:
        """Take the next entry of the file."""
        t_us = self._time(entry)
        if entry.type == "session":
            self._began_us = t_us
            self._header(entry)
            return
        self._place += 1
        self._tree.add(text(entry.id), text(entry.parent_id) or None)
        if entry.message is not None:
            self._message(entry, entry.message, t_us)
        elif entry.type == "model_change":
            self._model = model_name(entry.provider, entry.model_id)
        elif entry.type == "compaction":
            pre_tokens = tokens(entry.tokens_before) or None
            self._say(entry, Compaction(t_us=t_us, pre_tokens=pre_tokens))
        if entry.usage is not None:
            # A summary, or a request that kept the cache warm.
            model = model_name(entry.provider, entry.model or entry.model_id) or self._model
            self._count(other(entry.usage, t_us, model, text(entry.id)))

    def _header(self, entry: Entry) -> None:
        facts = self._transcript.facts
        facts.native_id, facts.project = text(entry.id), text(entry.cwd)
        parent = text(entry.parent_session) or text(entry.branched_from)
        facts.parent_id = _session_id(parent)
        self._calls.at_once = tokens(entry.version) >= _TREE_FORMAT
        # Copies got new times in the first format, but kept the message's own.
        self._restamped = bool(text(entry.branched_from))
        self._model = model_name(entry.provider, entry.model_id)

    def _message(self, entry: Entry, message: Message, t_us: int) -> None:
        if message.role == "assistant":
            self._answer(message, t_us)
        elif message.role == "toolResult":
            self._result(message, t_us)
        elif message.role == "user":
            self._say(entry, UserTurn(t_us=t_us))

    def _answer(self, message: Message, t_us: int) -> None:
        model = model_of(message)
        self._model = model or self._model
        self._models[model] = None
        event = answer(message, t_us, restamped=self._restamped)
        self._count(event)
        response = (event.id if event else None) or ""
        self._made += [(self._place, call) for call in self._calls.made(message, t_us, response)]

    def _result(self, message: Message, t_us: int) -> None:
        t_us = unix_us(message.timestamp) or t_us
        found = self._calls.result(message, t_us)
        if found is not None:
            self._ran.append((self._place, found))
        if message.usage is not None:
            name = text(message.tool_name) or "unknown"
            self._count(other(message.usage, t_us, "", text(message.tool_call_id), name))

    def _count(self, event: LLMInteraction | None) -> None:
        """Take a response, unless it is known here or elsewhere."""
        if event is None:
            return
        effects = self._transcript.effects
        effects.lines += 1
        if event.id in self._skip:
            self._replayed = self._place
            effects.replayed_responses += 1
            effects.replayed_tokens += event.usage.total
        elif event.id in self._keys:
            effects.repeated_lines += 1
            effects.repeated_tokens += event.usage.total
        else:
            if event.id is not None:
                self._keys.add(event.id)
            effects.responses += 1
            self._transcript.events.append(event)

    def _say(self, entry: Entry, event: Event) -> None:
        self._said.append(_Said(self._place, text(entry.id), event))

    def _time(self, entry: Entry) -> int:
        t_us = unix_us(entry.timestamp)
        if t_us is None and entry.message is not None:
            t_us = unix_us(entry.message.timestamp)
        if t_us is None:
            return self._times[-1] if self._times else 0
        self._times.append(t_us)
        return t_us

    def finish(self) -> None:
        """Put all together in the order of time."""
        conversation = self._tree.conversation()
        events, facts = self._transcript.events, self._transcript.facts
        # A fork begins with copies of another session's entries. The responses among them
        # are known by their keys; what people and tools did before the last was done there.
        events += [event for place, event in self._ran if place > self._replayed]
        events += [
            said.event
            for said in self._said
            if said.place > self._replayed and (not said.entry_id or said.entry_id in conversation)
        ]
        events.sort(key=lambda event: event.t_us)
        made = [call for place, call in self._made if place > self._replayed]
        self._transcript.calls += made
        facts.models = [model for model in self._models if model]
        began = [event.t_us for event in events] + [self._began_us] * bool(self._began_us)
        facts.started_us = min(began, default=0)
        facts.ended_us = max(self._times, default=0)


def _session_id(path: str) -> str:
    """Return the session that a file `<time>_<id>.jsonl` is of."""
    name = path.replace("\\", "/").rpartition("/")[2].removesuffix(".jsonl")
    return name.rpartition("_")[2]
