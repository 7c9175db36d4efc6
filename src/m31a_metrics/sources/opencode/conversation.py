"""What was said in a session of OpenCode, read from its database, its files or an export.

A place is the number of a message in its session, and the part in it; of a subagent's
session with `agent-<id>:` before it.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterator
from typing import Any

from msgspec import Raw, Struct
from msgspec.json import Decoder

from m31a_metrics import conversation as shown
from m31a_metrics.conversation import WINDOW_PARTS, Image, PartKind, Title, Window
from m31a_metrics.figures import text
from m31a_metrics.jsonlines import UNREADABLE, decode_json
from m31a_metrics.sources.opencode import with_store
from m31a_metrics.sources.opencode.fold import (
    Where,
    known_as,
    model_of,
    outcome,
    responses,
)
from m31a_metrics.sources.opencode.records import Metadata, Part
from m31a_metrics.sources.opencode.store import Store, Turn
from m31a_metrics.sources.shared_conversation import (
    Records,
    Told,
    parsed,
    place_at,
    place_of_part,
    window_of,
)
from m31a_metrics.sources.shared_texts import (
    cut,
    first_of,
    image_of,
    input_of,
    media_type_of,
    text_of,
    titled,
)
from m31a_metrics.timestamps import unix_us
from m31a_metrics.transcript import Damage

_AGENT = "agent-"
_HELD = 400
"""So many messages are held while reading backwards."""

_HEAD_MESSAGES = 50
_UNNAMED = re.compile(r"(?:New|Child) session - \d{4}-\d\d-\d\dT")
"""How OpenCode calls a session until its model has named it (its Session.isDefaultTitle)."""


class _File(Struct):
    url: Raw = Raw()


class _State(Struct):
    """The texts of a call."""

    input: Raw = Raw()
    output: Raw = Raw()
    content: Raw = Raw()
    error: Raw = Raw()
    metadata: Raw = Raw()
    attachments: list[_File] | None = None


class _Part(Struct):
    """The texts of a part."""

    text: Raw = Raw()
    url: Raw = Raw()
    state: _State | None = None


class _Message(Struct):
    """The texts of a message that has no parts (2.x)."""

    text: Raw = Raw()
    content: Raw = Raw()
    error: Raw = Raw()
    summary: Raw = Raw()


class _Metadata(Struct):
    diff: str = ""


class _Problem(Struct):
    message: Any = None
    data: Any = None
    name: Any = None


class _Said(Struct):
    text: Raw = Raw()


_part = Decoder(_Part)
_message = Decoder(_Message)
_metadata = Decoder(_Metadata)
_problem = Decoder(_Problem)
_said = Decoder(list[_Said])


def title(path: str) -> Title:
    """Give a session's title and its first words.

    OpenCode has a model name a session after its first prompt (`session.title`).
    """

    def use(store: Store, session_id: str) -> Title:
        name = text(store.info(session_id, Damage()).title)
        first = ""
        for number, told in _Turns(store, session_id, "", "").forwards(0):
            prompts = [part for part in told.parts if part.kind is PartKind.PROMPT] if told else []
            first = next((part.text for part in prompts if part.text.strip()), "")
            if first or number > _HEAD_MESSAGES:
                break
        return titled("" if _UNNAMED.match(name) else name, first)

    return with_store(path, use)


def window(path: str, *, at: str = "", limit: int = WINDOW_PARTS) -> Window:
    """Give a window of a session's conversation, or of one of its subagents'."""
    prefix = parsed(at)[0]
    return with_store(
        path,
        lambda store, session_id: window_of(_turns(store, session_id, prefix), at, limit),
    )


def place_of(path: str, id: str) -> str:  # noqa: A002 - as events name it
    """Find the place of a call or an answer, in the session itself first."""

    def use(store: Store, session_id: str) -> str:
        for prefix in ("", *(f"{_AGENT}{child}:" for child in _children(store, session_id))):
            if place := _turns(store, session_id, prefix).find(id):
                return place
        return ""

    return with_store(path, use)


def image(path: str, place: str) -> tuple[str, bytes]:
    """Give the bytes of an image that a prompt or a result holds."""
    prefix, at, number = parsed(place)

    def use(store: Store, session_id: str) -> tuple[str, bytes]:
        own = prefix.removeprefix(_AGENT).rstrip(":") or session_id
        if own not in (session_id, *_children(store, session_id)):
            raise KeyError(place)
        for turn in store.turns(own, Damage(), at):
            try:
                return image_of(_urls(turn)[number])
            except (IndexError, *UNREADABLE) as error:  # bad base64 is a ValueError
                raise KeyError(place) from error
        raise KeyError(place)

    return with_store(path, use)


def texts(path: str) -> dict[str, str]:  # noqa: ARG001 - as all agents are asked
    """Name no file: a place here is the number of a message."""
    return {}


def _turns(store: Store, session_id: str, prefix: str) -> _Turns:
    child = prefix.removeprefix(_AGENT).rstrip(":")
    if child not in _children(store, session_id):
        return _Turns(store, session_id, "", "")
    return _Turns(store, child, prefix, text(store.info(child, Damage()).agent) or "subagent")


def _children(store: Store, session_id: str) -> list[str]:
    found: dict[str, None] = {}
    waiting = store.children(session_id)
    while waiting:
        child = waiting.pop(0)
        if child not in found and child != session_id:
            found[child] = None
            waiting += store.children(child)
    return list(found)


class _Turns(Records):
    """A session's messages, each with its number."""

    def __init__(self, store: Store, session_id: str, prefix: str, author: str) -> None:
        super().__init__(prefix)
        self._store = store
        self._session = session_id
        self._author = author

    @property
    def end(self) -> int:
        """How many messages there are."""
        return sum(1 for _ in self._store.turns(self._session, Damage()))

    def forwards(
        self,
        at: int,
        needles: Collection[bytes] = (),  # noqa: ARG002 - messages are no lines to look through
        reach: int = sys.maxsize,  # noqa: ARG002 - they are counted, and no bytes
    ) -> Iterator[tuple[int, Told | None]]:
        """Yield messages from a number on; each is looked at, whatever the needles."""
        damage, known = Damage(), 0
        for number, turn in enumerate(self._store.turns(self._session, damage, at), at):
            yield number, None if damage.count > known else self._message(number, turn)
            known = damage.count

    def backwards(
        self,
        before: int,
        needles: Collection[bytes] = (),  # noqa: ARG002 - messages are no lines to look through
        reach: int = sys.maxsize,  # noqa: ARG002 - they are counted, and no bytes
    ) -> Iterator[tuple[int, Told | None]]:
        """Yield messages before a number, the last one first."""
        while before > 0:
            since = max(0, before - _HELD)
            held = deque[tuple[int, Told | None]]()
            for number, told in self.forwards(since):
                if number >= before:
                    break
                held.appendleft((number, told))
            yield from held
            before = since

    def _message(self, number: int, turn: Turn) -> Told:
        place = place_at(self.prefix, number)
        told = Told(_Shown(self._author, place, turn, self._linked).parts())
        for index, part in enumerate(told.parts):
            part.place = place_of_part(place, index)
        return told

    def _linked(self, child: str) -> str:
        """The place of a subagent's conversation, if its session is there."""
        there = child and child in self._store.children(self._session)
        return f"{_AGENT}{child}:0" if there else ""


class _Shown:
    """One message, while its parts are gone through."""

    def __init__(self, author: str, place: str, turn: Turn, linked: Callable[[str], str]) -> None:
        self._author = author
        self._place = place
        self._turn = turn
        self._linked = linked
        time = turn.message.time
        self._t_us = (unix_us(time.created) if time else None) or 0
        self._image_count = 0

    def parts(self) -> list[shown.Part]:
        """Return what the message holds."""
        role = self._turn.message.role
        found: list[shown.Part] = []
        if role == "user":
            found = self._prompt()
        elif role == "assistant":
            found = self._answer()
        elif role == "compaction":
            words, left_out = text_of(self._written().summary)
            notice = f"The context was compacted\n{words}" if words else "The context was compacted"
            found = [shown.Part(PartKind.NOTICE, "", text=notice, left_out=left_out)]
        for part in found:
            part.t_us = part.t_us or self._t_us
            part.author = self._author
        return found

    def _written(self) -> _Message:
        try:
            return decode_json(_message, self._turn.written)
        except UNREADABLE:
            return _Message()

    def _texts(self) -> list[tuple[Part, _Part]]:
        found = []
        for part, written in zip(self._turn.parts, self._turn.parts_written, strict=True):
            try:
                found.append((part, decode_json(_part, written)))
            except UNREADABLE:
                continue
        return found

    def _prompt(self) -> list[shown.Part]:
        turn = self._turn
        if any(part.type == "compaction" for part in turn.parts):
            return []  # a request of OpenCode itself
        words, left_out = [], 0
        for part, written in self._texts():
            if part.type == "text" and part.synthetic is not True:
                found, left = text_of(written.text)
                words.append(found)
                left_out = max(left_out, left)
        if not turn.parts:
            found, left_out = text_of(self._written().text)
            words = [found]
        elif all(part.synthetic is True for part in turn.parts if part.type == "text") and not any(
            part.type in ("agent", "file", "subtask") for part in turn.parts
        ):
            return []
        joined, cut_off = cut("\n".join(words))
        return [
            shown.Part(
                PartKind.PROMPT,
                "",
                text=joined,
                images=self._images(_urls(turn)),
                left_out=max(left_out, cut_off),
            )
        ]

    def _answer(self) -> list[shown.Part]:
        message = self._turn.message
        is_summary = message.summary is True or message.mode == "compaction"
        known = [event.id or "" for event in responses(self._turn, self._t_us, self._author)]
        model, step = model_of(message), 0
        found: list[shown.Part] = []
        for part, written in self._texts():
            response = known[min(step, len(known) - 1)] if known else ""
            if part.type == "tool":
                found.append(self._call(part, written, response, model))
            elif part.type == "step-finish":
                step += 1
            elif part.type == "compaction":
                found.append(shown.Part(PartKind.NOTICE, "", text="The context was compacted"))
            elif part.type in ("text", "reasoning"):
                words, left_out = text_of(written.text)
                if words.strip():
                    kind = PartKind.ANSWER if part.type == "text" else PartKind.THINKING
                    kind = PartKind.NOTICE if is_summary else kind
                    said = shown.Part(kind, "", text=words, left_out=left_out)
                    said.id, said.model = response, model
                    said.t_us = (unix_us(part.time.start) if part.time else None) or 0
                    found.append(said)
        if message.error is not None:
            why = _why(self._written().error)
            found.append(shown.Part(PartKind.NOTICE, "", text=f"Error: {why}" if why else "Error"))
        return found

    def _call(self, part: Part, written: _Part, response: str, model: str) -> shown.Part:
        where = Where(self._t_us, response, self._author, "")
        call = outcome(part, known_as(part, where), where).call
        state = written.state or _State()
        found = shown.Part(PartKind.CALL, "", id=call.id, tool=call.tool, model=model)
        found.t_us, found.success, found.denied = call.t_us, call.success, call.denied
        found.input, found.left_out = input_of(state.input)
        found.output, left_out = _output(state)
        found.left_out = max(found.left_out, left_out)
        found.diff = _diff(state.metadata)
        found.images = self._images(
            [one.url for one in state.attachments or () if media_type_of(one.url)]
        )
        said = part.state.metadata if part.state else None
        if isinstance(said, Metadata):
            found.subagent = self._linked(text(said.session_camel) or text(said.session_id))
        return found

    def _images(self, urls: list[Raw]) -> tuple[Image, ...]:
        found = []
        for url in urls:
            found.append(Image(place_of_part(self._place, self._image_count), media_type_of(url)))
            self._image_count += 1
        return tuple(found)


def _urls(turn: Turn) -> list[Raw]:
    """The addresses of a message's images, in the order in which they are counted."""
    found: list[Raw] = []
    for written in turn.parts_written:
        try:
            part = decode_json(_part, written)
        except UNREADABLE:
            continue
        attached = (part.state.attachments if part.state else None) or ()
        found += [url for url in (part.url, *(one.url for one in attached)) if media_type_of(url)]
    return found


def _output(state: _State) -> tuple[str, int]:
    """What a tool gave back, or why it did not."""
    raw = state.output or state.content
    if first_of(raw) == "[":
        pieces = [text_of(piece.text) for piece in decode_json(_said, raw)]
        joined, cut_off = cut("\n".join(words for words, _ in pieces if words))
        return joined, max([cut_off, *(left for _, left in pieces)])
    words, left_out = text_of(raw)
    return (words, left_out) if words else (_why(state.error), 0)


def _why(error: Raw) -> str:
    if first_of(error) != "{":
        return text_of(error)[0]
    try:
        problem = decode_json(_problem, error)
    except UNREADABLE:
        return ""
    data = problem.data if isinstance(problem.data, dict) else {}
    return text(problem.message) or text(data.get("message")) or text(problem.name)


def _diff(metadata: Raw) -> str:
    """What a tool says that it changed."""
    if first_of(metadata) != "{":
        return ""
    try:
        return cut(decode_json(_metadata, metadata).diff)[0]
    except UNREADABLE:
        return ""
