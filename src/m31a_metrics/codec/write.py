"""SessionMetrics -> the bytes of METRICS.json, as Go's json.MarshalIndent writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from m31a_metrics.codec.fields import ROWS, SESSION, Field, Kind, Row, by_name, match
from m31a_metrics.codec.goformat import (
    to_bytes,
    write_bool,
    write_float,
    write_int,
    write_str,
    write_time,
)
from m31a_metrics.codec.values import write_member, write_value
from m31a_metrics.model import SessionMetrics

_SCALARS: dict[Kind, Callable[[object], str]] = {
    "str": write_str,
    "int": write_int,
    "float": write_float,
    "bool": write_bool,
    "time": write_time,
}
_MEMBER, _ROW, _ROW_MEMBER = "\n  ", "\n    ", "\n      "


class _Shape:
    """A row's keys, made ready: per key its name, the text before it, and its writer."""

    def __init__(self, fields: tuple[Field, ...]) -> None:
        self.known = by_name(fields)
        self.members = tuple(
            (
                field.name,
                f'{_ROW_MEMBER}"{field.name}": ',
                _SCALARS[field.kind],
                field.optional,
            )
            for field in fields
        )


_SHAPES = {name: _Shape(fields) for name, (_, fields) in ROWS.items()}
_KNOWN = by_name(SESSION)


def encode(metrics: SessionMetrics) -> bytes:
    """The bytes of METRICS.json; no line feed at the end.

    ValueError, naming the field, for what the file cannot hold: NaN, infinities,
    integers beyond 64 bits, datetimes without a zone, values of a wrong type, an unknown
    key that is a known one in other letters.
    """
    parts = []
    for field in SESSION:
        value = getattr(metrics, field.name)
        if value or not field.optional:
            write = _write_rows if field.kind == "rows" else _write_member
            parts.append(f'{_MEMBER}"{field.name}": {write(field, value)}')
    parts += _write_unknown(metrics.unknown, _KNOWN, _MEMBER, "")
    return to_bytes(f"{{{','.join(parts)}\n}}")


def _write_member(field: Field, value: Any) -> str:
    try:
        if field.kind in _SCALARS:
            return _SCALARS[field.kind](value)
        if isinstance(value, dict if field.kind == "object" else list):
            return write_value(value, _MEMBER)
        raise ValueError(f"is a {type(value).__name__}, which is not what belongs there")
    except ValueError as error:
        raise ValueError(f"{field.name} {error}") from error


def _write_rows(field: Field, rows: list[Row]) -> str:
    shape = _SHAPES[field.name]
    texts = [_write_row(row, shape, f"{field.name}[{index}].") for index, row in enumerate(rows)]
    return f"[{','.join(texts)}{_MEMBER}]" if texts else "[]"


def _write_row(row: Row, shape: _Shape, where: str) -> str:
    parts = []
    name = ""
    try:
        for name, before, write, optional in shape.members:
            value = getattr(row, name)
            if value or not optional:
                parts.append(before + write(value))
    except ValueError as error:
        raise ValueError(f"{where}{name} {error}") from error
    if row.unknown:
        parts += _write_unknown(row.unknown, shape.known, _ROW_MEMBER, where)
    return f"{_ROW}{{{','.join(parts)}{_ROW}}}"


def _write_unknown(
    unknown: dict[str, Any], known: dict[str, Field], indent: str, where: str
) -> list[str]:
    try:
        for key in unknown:
            if isinstance(key, str) and match(known, key):
                raise ValueError(f"has the key {key!r}, which is the name of a field")
        return [indent + write_member(key, item, indent) for key, item in unknown.items()]
    except ValueError as error:
        raise ValueError(f"{where}unknown {error}") from error
