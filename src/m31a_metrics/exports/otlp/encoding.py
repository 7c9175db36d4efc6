"""Spans as the bytes of an OTLP request (opentelemetry/proto/trace/v1/trace.proto).

OpenTelemetry's own encoder takes several times as long as all the rest of sending, most of it
for objects that live as long as a request. Nearly all attributes of a session are the same few
again and again, so that their bytes are made once. A test compares what is made here with what
the other one makes.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from struct import Struct

from m31a_metrics import genai
from m31a_metrics.spans import Span, Value

_KEPT = 4_096
_UNIQUE = frozenset((genai.TOOL_CALL,))
"""Attributes whose values come once: their bytes are not kept."""

# The tag of each field: its number, and how it is written (1 and 5: eight and four bytes, 0: as
# many as it takes, 2: its length and so many bytes).
_RESOURCE_SPANS, _RESOURCE, _SCOPE_SPANS = b"\x0a", b"\x0a", b"\x12"
_SCOPE, _SPAN = b"\x0a", b"\x12"
_TRACE_ID, _SPAN_ID, _PARENT = b"\x0a\x10", b"\x12\x08", b"\x22\x08"
_NAME, _ATTRIBUTE, _STATUS = b"\x2a", b"\x4a", b"\x7a"
_KEY, _VALUE = b"\x0a", b"\x12"
_INTERNAL, _CLIENT = b"\x30\x01", b"\x30\x03"
_UNSET, _MESSAGE, _ERROR = b"\x7a\x00", b"\x12", b"\x18\x02"
_TIMES = Struct("<BQBQ").pack
_BEGAN, _ENDED = 0x39, 0x41
_DOUBLE = Struct("<d").pack
_FLAGS = b"\x85\x01\x00\x01\x00\x00"
"""It is known whether the parent is of another process, and it is not."""


def request(resource: bytes, scope: bytes, trace_id: int, spans: Iterable[Span]) -> bytes:
    """Make the request that sends spans of one trace.

    `resource` and `scope` are these messages, encoded.
    """
    trace = _TRACE_ID + trace_id.to_bytes(16, "big")
    scoped = [_field(_SCOPE, scope)]
    scoped += [_field(_SPAN, _span(trace, span)) for span in spans]
    return _field(
        _RESOURCE_SPANS, _field(_RESOURCE, resource) + _field(_SCOPE_SPANS, b"".join(scoped))
    )


def _span(trace: bytes, span: Span) -> bytes:
    parts = [trace, _SPAN_ID, span.id.to_bytes(8, "big")]
    if span.parent:
        parts += (_PARENT, span.parent.to_bytes(8, "big"))
    parts += (
        _known_name(span.name),
        _CLIENT if span.is_client else _INTERNAL,
        _TIMES(_BEGAN, span.began_ns, _ENDED, span.ended_ns),
    )
    for key, value in span.attributes.items():
        if type(value) is str and key not in _UNIQUE:
            parts.append(_known_text(key, value))
        else:
            parts.append(_attribute(key, value))
    parts += (_status(span.error), _FLAGS)
    return b"".join(parts)


def _attribute(key: str, value: Value) -> bytes:
    kind = type(value)
    if kind is str:
        text = value.encode()  # type: ignore[union-attr] # as its type says
        encoded = _field(b"\x0a", text)
    elif kind is bool:
        encoded = b"\x10\x01" if value else b"\x10\x00"
    elif kind is int:
        encoded = b"\x18" + _varint(value & 0xFFFF_FFFF_FFFF_FFFF)  # type: ignore[operator] # as its type says
    else:
        encoded = b"\x21" + _DOUBLE(value)
    return _field(_ATTRIBUTE, _known_key(key) + _field(_VALUE, encoded))


@lru_cache(_KEPT)
def _known_text(key: str, value: str) -> bytes:
    return _attribute(key, value)


@lru_cache(_KEPT)
def _known_key(key: str) -> bytes:
    return _field(_KEY, key.encode())


@lru_cache(_KEPT)
def _known_name(name: str) -> bytes:
    return _field(_NAME, name.encode())


def _status(error: str | None) -> bytes:
    if error is None:
        return _UNSET
    return _field(_STATUS, (_field(_MESSAGE, error.encode()) if error else b"") + _ERROR)


def _field(tag: bytes, content: bytes) -> bytes:
    length = len(content)
    return tag + (_SHORT[length] if length < 0x80 else _varint(length)) + content


_SHORT = [bytes((number,)) for number in range(0x80)]


def _varint(number: int) -> bytes:
    """Write a whole number, seven bits a byte, the lowest first."""
    if number < 0x80:
        return _SHORT[number]
    written = bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)
