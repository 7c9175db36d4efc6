"""Damage to a record, or to a file that is one, invented from a seed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

_VALUES: tuple[Any, ...] = (
    None, True, [], {}, [[]], [1, "a", {}], {"": {}}, -1, 0, 1.5, 2**53, 2**64 + 1, 10**30, 1e308,
    "", "\x00", "-5", "1e999", "x" * 5_000, "9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z",
)  # fmt: skip
_LITERALS = (b"NaN", b"1e999", b"9" * 400, b'"\\ud800"', b'"\xff\xfe"', b"[" * 2_000, b"{]")


def mutated(whole: bytes, random: Random) -> tuple[str, bytes]:
    """Damage a line, or the whole where lines are no records; say how."""
    lines = whole.split(b"\n")
    at = random.choice([number for number, line in enumerate(lines) if line] or [0])
    is_lines = _parsed(lines[at]) is not None
    record = lines[at] if is_lines else whole
    what = random.choice(("cut", "flip", "insert", "retype", "retype", "literal", "drop"))
    damaged = _damage(what, record, random)
    if not is_lines:
        return what, damaged
    lines[at] = damaged
    return f"{what}, line {at + 1}", b"\n".join(lines)


def _damage(what: str, record: bytes, random: Random) -> bytes:
    place = random.randrange(len(record) + 1)
    if what == "cut":
        return record[:place]
    if what == "flip":
        damaged = bytearray(record)
        damaged[place % len(damaged)] ^= 1 << random.randrange(8)
        return bytes(damaged)
    parsed = _parsed(record)
    spots = list(_spots(parsed))
    if what == "insert" or not spots:
        junk = random.choice((b"\xff", b"\x00" * 512, b"{", b"}", b'"', b"\\", b"\r"))
        return record[:place] + junk + record[place:]
    holder, key = random.choice(spots)
    if what == "drop":
        del holder[key]
    else:
        holder[key] = random.choice(_VALUES) if what == "retype" else "\x1amark"
    literal = random.choice(_LITERALS)
    return json.dumps(parsed).encode().replace(b'"\\u001amark"', literal)


def _parsed(record: bytes) -> Any:
    """The object or array that a record is; None for anything else."""
    try:
        value = json.loads(record)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def _spots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value that holds another one."""
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        if isinstance(holder, dict | list) and holder:
            keys = list(holder) if isinstance(holder, dict) else range(len(holder))
            for key in keys:
                yield holder, key
                waiting.append(holder[key])
