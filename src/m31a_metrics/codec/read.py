"""The bytes of METRICS.json -> SessionMetrics.

A file as M31A and this package write it is decoded by msgspec, which is quick. Whatever
msgspec refuses, and the few texts that it takes otherwise than Go does, go to `careful`,
which reads as Go reads.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

from msgspec import Meta, MsgspecError, Raw, Struct, defstruct
from msgspec.json import Decoder
from msgspec.structs import astuple

from m31a_metrics.codec.fields import INT64_MAX, INT64_MIN, ROWS, SESSION, Field, by_name
from m31a_metrics.codec.goformat import read_time
from m31a_metrics.codec.values import parse, read_carried
from m31a_metrics.model import SessionMetrics

_WIRE_TYPES: dict[str, Any] = {
    "str": str,
    "int": Annotated[int, Meta(ge=INT64_MIN, le=INT64_MAX)],
    "float": float,
    "bool": bool,
    # As they stand: Go does not unescape a time, and a carried number keeps its spelling.
    "time": Raw,
    "list": Raw,
    "object": Raw,
}

_RAW = tuple(field.name for field in SESSION if _WIRE_TYPES.get(field.kind) is Raw)

_ABSENT = Raw(b"null")
_ZEROS: dict[str, Any] = {
    "str": "",
    "int": 0,
    "bool": False,
    "rows": [],
    "list": _ABSENT,
    "object": _ABSENT,
}

_ESCAPED_LETTERS = (rb"\u005", rb"\u006", rb"\u007")
"""Of `_` and a-z: a key spelled with one would hide from the search for duplicates."""


def decode(data: bytes, place: str = "METRICS.json") -> SessionMetrics:
    """The session that `data` holds; `place` names the file in errors.

    DamagedMetrics, with place and reason, for what Go refuses and for the little that
    Python cannot keep.
    """
    metrics = decode_canonical(data)
    if metrics is None:
        from m31a_metrics.codec.careful import read

        return read(data, place)
    return metrics


def decode_canonical(data: bytes) -> SessionMetrics | None:
    """The session of a file in the form that is written; None: the careful reader decides."""
    if b"\\" in data and any(escape in data for escape in _ESCAPED_LETTERS):
        return None
    try:
        wire = _decoder().decode(data)
        if _may_hold_negative_zero(data, wire):
            return None
        metrics = SessionMetrics(session_id=wire.session_id)
        for field in SESSION[1:]:
            value = getattr(wire, field.name)
            if value and value is not _ABSENT:
                # Go merges duplicate lists and checks each of duplicate times; msgspec
                # takes the last of them.
                if data.count(f'"{field.name}"'.encode()) > 1:
                    return None
                setattr(metrics, field.name, _read(field, value))
    except (MsgspecError, ValueError, RecursionError):
        return None
    return metrics


def _may_hold_negative_zero(data: bytes, wire: Any) -> bool:
    """Whether `-0` stands in the rows.

    For a float, msgspec reads it as 0.0 and Go as -0.0.
    """
    elsewhere = sum(bytes(getattr(wire, name)).count(b"-0") for name in _RAW)
    if b"\\" not in data:
        elsewhere += wire.session_id.count("-0")
    return data.count(b"-0") != elsewhere


def _read(field: Field, value: Any) -> Any:
    if field.kind == "rows":
        model = ROWS[field.name][0]
        return [model(*astuple(row)) for row in value]
    if field.kind == "time":
        return read_time(str(value, "ascii")[1:-1])
    return read_carried(parse(str(value, "utf-8")), field.kind)


@cache
def _decoder() -> Decoder[Any]:
    """Of structs as in the model, but with bounded integers and no room for other keys."""
    types = dict(_WIRE_TYPES)
    for name, (model, fields) in ROWS.items():
        row = _wire(model, fields, types)
        types[name] = list[row]  # type: ignore[valid-type]  # made at run time
    return Decoder(_wire(SessionMetrics, SESSION, types))


def _wire(model: type[Struct], fields: tuple[Field, ...], types: dict[str, Any]) -> Any:
    """The fields in the model's order, so that a row is its model's positional arguments."""
    known = by_name(fields)
    members: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for name in model.__struct_fields__:
        if field := known.get(name):
            type_ = types[name if field.kind == "rows" else field.kind]
            zero = _ZEROS.get(field.kind)
            members.append((name, type_, zero) if field.optional else (name, type_))
    return defstruct(model.__name__, members, forbid_unknown_fields=True, gc=False)
