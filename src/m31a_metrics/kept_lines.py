"""Failure lines as they are written down and shown, with the letters of this machine's key.

Where tools say nothing that is known, three letters behind the line tell one failure from
another. They are a hash of what was left out, under a key that this machine makes once
(`~/.m31a/failures.key`, 0600): without the key nobody can try out what the words may have
been, and with it a guess is right by chance in one of 4,096 cases. Where the key can be
neither read nor kept there are no letters, for others would stand there the next time.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache

from msgspec.structs import replace

from m31a_metrics import store
from m31a_metrics.errors import MetricsError
from m31a_metrics.events import Event, ToolCall
from m31a_metrics.failures import failure_line

KEY = "~/.m31a/failures.key"

_ALPHABET = "abcdefghijklmnop"
"""Sixteen letters: digits could be taken for a number that somebody wrote."""

_keys: dict[str, bytes] = {}


def kept_line(text: str, *, printed: bool = False) -> str:
    """Give what is kept of an error text: `failure_line` with the letters of this machine."""
    return failure_line(text, printed=printed, mark=letters)


def letters(text: str) -> str:
    """Return three letters for a text, the same on this machine for ever; "" without a key."""
    key = _key()
    if not key:
        return ""
    from hashlib import blake2b

    data = text.encode("utf-8", "surrogatepass")
    number = int.from_bytes(blake2b(data, key=key, digest_size=2).digest(), "big")
    return "".join(_ALPHABET[number >> shift & 15] for shift in (0, 4, 8))


@lru_cache(maxsize=1024)
def kept_again(line: str) -> str:
    """Fold a line that was written down, maybe under older rules; one of today's stays."""
    return kept_line(line)


def with_lines(events: Sequence[Event], *, keep: bool = True) -> list[Event]:
    """Return events that were written down with their failure lines as today's rules have them.

    `keep`: False takes the lines away.
    """
    return [
        event
        if type(event) is not ToolCall or event.error is None
        else _with_line(event, (kept_again(event.error) or None) if keep else None)
        for event in events
    ]


def _with_line(event: ToolCall, line: str | None) -> ToolCall:
    return event if event.error == line else replace(event, error=line)


def _key() -> bytes:
    path = os.path.expanduser(KEY)
    key = _keys.get(path)
    if key is None:
        try:
            # A path that still begins with a tilde is that of nobody.
            key = store.own_key(path) if path[:1] == "/" else b""
        except (MetricsError, OSError):
            key = b""  # no home that may be written to
        _keys[path] = key
    return key
