"""Damage of every kind that a file of JSON Lines can have, invented from a seed.

For the fuzz tests of all sources: `hostile(lines, count, seed)` gives damaged versions of a
source's own records. A version never holds a newline, so that it costs no other record.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

Mutation = Callable[[bytes, Random], bytes]

_NUMBERS = (
    -1, 0, 1.5, -0.0, 2**53, 2**63, 2**64 + 1, 10**30, 1e308, -1e308, 253_402_300_800_000,
)  # fmt: skip
_TEXTS = (
    "", "\x00", "\ud800", "null", "ü" * 40, "9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z",
    "-5", "1e999", "\u202e", "a/../../b", "x" * 5_000,
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, False, [], {}, [[]], [None], [1, "a", {}], {"": {}}, {"type": []},
    *_NUMBERS, *_TEXTS,
)  # fmt: skip

# Written as they are, for json.dumps would not.
_LITERALS = (
    b"NaN", b"-Infinity", b"1e999", b"-1e999", b"9" * 400, b"1." + b"0" * 400, b"0x10", b"01",
    b"'a'", b'"\\ud800"', b'"\\u12"', b'"\xff\xfe"', b'"\xed\xa0\x80"', b"truefalse", b"{]",
)  # fmt: skip


def hostile(lines: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Yield so many damaged versions of records, none with a newline in it."""
    random = Random(seed)
    for _ in range(count):
        line = random.choice(lines)
        for _ in range(random.choice((1, 1, 1, 2, 3))):
            line = random.choice(MUTATIONS)(line, random)
        yield line.replace(b"\n", b" ")


def cut(line: bytes, random: Random) -> bytes:
    """Lose the end, or the beginning."""
    at = random.randrange(len(line) + 1)
    return line[:at] if random.random() < 0.8 else line[at:]


def flip(line: bytes, random: Random) -> bytes:
    """Change some bits."""
    damaged = bytearray(line or b"{}")
    for _ in range(random.choice((1, 2, 8))):
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
    return bytes(damaged)


def insert(line: bytes, random: Random) -> bytes:
    """Put bytes in: invalid UTF-8, NUL, braces, another record."""
    junk = random.choice((b"\xff", b"\xc3", b"\x00" * 512, b"{", b"}", b'"', b"\\", b"\r", line))
    at = random.choice((0, len(line), random.randrange(len(line) + 1)))
    return line[:at] + junk + line[at:]


def retype(line: bytes, random: Random) -> bytes:
    """Give some value another type, or an extreme one."""
    return _changed(line, random, lambda _: random.choice(_VALUES))


def relabel(line: bytes, random: Random) -> bytes:
    """Write a value that no encoder writes."""
    return _changed(line, random, lambda _: "\x1amark").replace(
        b'"\\u001amark"', random.choice(_LITERALS)
    )


def grow(line: bytes, random: Random) -> bytes:
    """Nest a value deep, or make it long."""
    depth = random.choice((50, 2_000, 100_000))
    deep = random.choice((b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth))
    long = json.dumps(random.choice(("x", "ü", "\\", "😀")) * random.choice((10, 20_000))).encode()
    return _changed(line, random, lambda _: "\x1amark").replace(
        b'"\\u001amark"', random.choice((deep, long, b"[" * depth))
    )


def drop(line: bytes, random: Random) -> bytes:
    """Lose a key, or have one twice."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return line
    objects = [place for place in _places(record) if isinstance(place, dict) and place]
    if not objects:
        return line
    chosen = random.choice(objects)
    key = random.choice(sorted(chosen))
    if random.random() < 0.5:
        del chosen[key]
        return _dumped(record)
    twice = json.dumps(random.choice(_VALUES))
    return _dumped(record)[:-1] + f",{json.dumps(key)}:{twice}}}".encode()


MUTATIONS: tuple[Mutation, ...] = (cut, flip, insert, retype, retype, relabel, grow, drop)


def _changed(line: bytes, random: Random, change: Callable[[Any], Any]) -> bytes:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return line
    spots = [
        (place, key)
        for place in _places(record)
        for key in (place if isinstance(place, dict) else range(len(place)))
    ]
    if not spots:
        return line
    place, key = random.choice(spots)
    place[key] = change(place[key])
    return _dumped(record)


def _places(value: Any) -> list[Any]:
    """Every object and array of a JSON value."""
    found: list[Any] = []
    waiting = [value]
    while waiting:
        place = waiting.pop()
        if isinstance(place, (dict, list)):
            found.append(place)
            waiting += place.values() if isinstance(place, dict) else place
    return found


def _dumped(record: Any) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode()
