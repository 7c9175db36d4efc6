"""`.covered`: which METRICS.json this is about, and how much of each journal is in it."""

from __future__ import annotations

import msgspec


class Covered(msgspec.Struct):
    """Which METRICS.json this is about, and how many bytes of each journal are in it.

    `crc32` is that of METRICS.json followed by `journals` as it stands in the file: a
    length with a flipped bit could hide events from every reader.
    """

    size: int
    crc32: int
    journals: msgspec.Raw


def covered_note(metrics: bytes, lengths: dict[str, int]) -> bytes:
    """Make the note that this METRICS.json holds so many bytes of each journal."""
    encoded = msgspec.json.encode(lengths)
    note = Covered(len(metrics), _checksum(metrics, encoded), msgspec.Raw(encoded))
    return msgspec.json.encode(note)


def covered_lengths(note: bytes, metrics: bytes) -> dict[str, int] | None:
    """Read the note; None if it is damaged or about another METRICS.json."""
    try:
        covered = msgspec.json.decode(note, type=Covered)
        if (covered.size, covered.crc32) != (len(metrics), _checksum(metrics, covered.journals)):
            return None
        return msgspec.json.decode(covered.journals, type=dict[str, int])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _checksum(metrics: bytes, lengths: bytes | msgspec.Raw) -> int:
    from binascii import crc32  # a library of its own to load, and not for recording

    return crc32(lengths, crc32(metrics))
