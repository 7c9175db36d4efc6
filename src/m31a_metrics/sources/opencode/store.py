"""What every place where OpenCode keeps sessions offers to the reader."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from msgspec import Raw, Struct

from m31a_metrics.figures import text
from m31a_metrics.jsonlines import UNREADABLE, decode_json
from m31a_metrics.sources.opencode.records import (
    Info,
    Kind,
    Message,
    Part,
    State,
    Time,
    decoder,
)
from m31a_metrics.transcript import Damage


class Turn(Struct, gc=False):
    """A message and its parts, in order, under the first generation's names.

    `written` and `parts_written` are the same as they stand in the file: for their texts.
    """

    message: Message
    parts: list[Part]
    written: bytes | Raw = b""
    parts_written: list[bytes | Raw] = []


class Store(Protocol):
    """A database, a folder of files, or one exported file."""

    def info(self, session_id: str, damage: Damage, /) -> Info:
        """Return what is known of a session itself."""
        ...

    def children(self, session_id: str, /) -> list[str]:
        """Return the ids of the sessions that this one's subagents ran in."""
        ...

    def turns(self, session_id: str, damage: Damage, /, since: int = 0) -> Iterator[Turn]:
        """Yield a session's messages in the order of their times, from a number on."""
        ...


def one(kind: type[Kind], data: bytes | Raw, place: str, damage: Damage) -> Kind | None:
    """Decode a record, or count it as damage and return None."""
    try:
        record: Kind = decode_json(decoder(kind), data)
    except UNREADABLE as error:
        damage.add(place, error)
        return None
    return record


def of_second_generation(
    message: Message, place: str, damage: Damage, written: bytes | Raw = b""
) -> Turn:
    """Give a message of OpenCode 2, which holds its parts itself, the first one's names."""
    message.role = message.type
    content = message.content if isinstance(message.content, list) else []
    parts: list[Part] = []
    parts_written: list[bytes | Raw] = []
    for number, raw in enumerate(content, 1):
        part = one(Part, raw, f"{place}, part {number}", damage)
        if part is not None:
            parts.append(_renamed(part) if part.type == "tool" else part)
            parts_written.append(raw)
    return Turn(message, parts, written, parts_written)


def _renamed(part: Part) -> Part:
    state, time = part.state or State(), part.time or Time()
    state.time = Time(start=time.created if time.ran is None else time.ran, end=time.completed)
    part.state, part.call_id, part.tool = state, part.id, part.name
    return part


def is_second_generation(message: Message) -> bool:
    """Whether a message is OpenCode 2's: it has a type where the first had a role."""
    return not text(message.role) and bool(text(message.type))
