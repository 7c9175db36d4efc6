"""`.covered`: how much of each journal METRICS.json counts, and how to go on from there.

Two promises with a checksum each. The first is for every reader: *this* METRICS.json holds so
many bytes of each journal. The second is ours: the sums of just these bytes, with what is
needed to add to them. It holds the sums itself, so that one file, replaced as a whole, says
both what is counted and how much of it: no kill comes in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import get_args

from msgspec import UNSET, MsgspecError, Raw, Struct, UnsetType
from msgspec.json import Decoder, encode

from m31a_metrics.events import Event
from m31a_metrics.tally.state import Orders

BASE = "base.json"
COVERED = ".covered"
IDS = ".ids"

VERSION = 2

KINDS = len(get_args(Event))


class Run(Struct, array_like=True):
    """So many ids in `.ids`, from the given block on; `key` begins the checksum of each block."""

    block: int
    count: int
    key: int


class About(Struct):
    """What belongs to the sums, and is small.

    `has_base`: they include those of base.json. `shared_us` is the time of the latest event of
    the shared journal, `ids` where the ids of the counted events are. `lost` are files that
    have lost what METRICS.json counts, and how many bytes. `is_to_be_priced`: nobody asked what
    the interactions without a price cost, for which there was no time. `has_unread`: there were
    lines that could not be read by who knew so many `kinds` of events; another version may.
    """

    version: int = VERSION
    has_base: bool = False
    shared_us: int = -1
    ids: list[Run] = []
    lost: dict[str, int] = {}
    is_to_be_priced: bool = False
    has_unread: bool = False
    kinds: int = KINDS


class Sums(Struct):
    """What is counted: a METRICS.json, and what that does not say.

    `waiting` are the interactions of which nobody knew the price so far, and the starts of
    calls that have not ended.
    """

    metrics: Raw
    orders: Orders
    waiting: Raw = Raw(b"[]")

    def waiting_events(self) -> list[Event]:
        """What waits for a price, or for its end. Raises MsgspecError."""
        # Reading events takes milliseconds to prepare, and nearly always there are none.
        return [] if bytes(self.waiting) == b"[]" else _events_decoder().decode(self.waiting)


class _Note(Struct):
    size: int
    crc32: int
    journals: Raw
    about: Raw | UnsetType = UNSET
    sums: Raw | UnsetType = UNSET
    sums_crc32: int = 0


class Covered:
    """The note as read: the bytes of each journal that are counted, and sums to go on from.

    `about` is None where there are no such sums: an import makes none, and another version's
    are left alone. `journals` is empty where these sums are damaged.
    """

    def __init__(self, note: _Note) -> None:
        self._note = note
        self._lengths = self.journals = _lengths_decoder().decode(note.journals)
        self.about: About | None = None
        if note.about is not UNSET and note.sums is not UNSET:
            if note.sums_crc32 == _crc32(note.journals, note.about, note.sums):
                about = _about_decoder().decode(note.about)
                is_ours = about.version == VERSION and not (
                    about.has_unread and about.kinds != KINDS
                )
                self.about = about if is_ours else None
            else:
                self.journals = {}

    @property
    def is_to_be_priced(self) -> bool:
        """Tell whether METRICS.json lacks prices that somebody may know."""
        return self.about is not None and self.about.is_to_be_priced

    def fits(self, metrics: bytes) -> bool:
        """Tell whether it is about this METRICS.json."""
        return self.lengths_in(metrics) is not None

    def lengths_in(self, metrics: bytes) -> dict[str, int] | None:
        """How many bytes of each journal this METRICS.json holds; None if nobody says so."""
        note = self._note
        if note.size != len(metrics) or note.crc32 != _crc32(metrics, note.journals):
            return None
        return self._lengths

    def sums(self) -> Sums | None:
        """Return the sums; None where there are none, or none that can be read."""
        if self.about is None or self._note.sums is UNSET:
            return None
        try:
            return _sums_decoder().decode(self._note.sums)
        except (MsgspecError, UnicodeDecodeError, RecursionError):
            return None


def covered_note(
    metrics: bytes,
    journals: dict[str, int],
    about: About | None = None,
    orders: Orders | None = None,
    waiting: Sequence[Event] = (),
) -> bytes:
    """Make the note that this METRICS.json holds so many bytes of each journal."""
    lengths = encode(journals)
    note = _Note(len(metrics), _crc32(metrics, lengths), Raw(lengths))
    if about is not None and orders is not None:
        note.about = Raw(encode(about))
        note.sums = Raw(encode(Sums(Raw(metrics), orders, Raw(encode(waiting)))))
        note.sums_crc32 = _crc32(lengths, note.about, note.sums)
    return encode(note)


def read_note(data: bytes) -> Covered | None:
    """Read the note; None if it is damaged."""
    try:
        return Covered(_note_decoder().decode(data))
    except (MsgspecError, UnicodeDecodeError, RecursionError):
        return None


@cache
def _note_decoder() -> Decoder[_Note]:
    return Decoder(_Note)


@cache
def _lengths_decoder() -> Decoder[dict[str, int]]:
    return Decoder(dict[str, int])


@cache
def _about_decoder() -> Decoder[About]:
    return Decoder(About)


@cache
def _events_decoder() -> Decoder[list[Event]]:
    return Decoder(list[Event])


@cache
def _sums_decoder() -> Decoder[Sums]:
    return Decoder(Sums)


def _crc32(*parts: bytes | Raw) -> int:
    from binascii import crc32  # a library of its own to load, and not for recording

    checksum = 0
    for part in parts:
        checksum = crc32(part, checksum)
    return checksum
