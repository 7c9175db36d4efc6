"""JSON values that are carried and not understood: unknown keys, M31A's own lists.

They go back to the file as they came, so a number keeps its text.
"""

from __future__ import annotations

import math
from typing import Any, Self

from m31a_metrics.codec.goformat import quote, replace_surrogates

MAX_DEPTH = 200
"""Levels of nesting. Go takes 10,000, but a copy of that would exhaust Python's stack."""

_INT_DIGITS = 640
"""Longer integers stay text: a host may allow `int()` no more digits than this."""


class NumberText(float):
    """A float that remembers how the file spelled it (`1.0`, `1e5`)."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        """`text` is a JSON number; one beyond a double's range is infinite as a value."""
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]  # float's own is a float
        """Copy and pickle by the text, from which the value follows."""
        return (self.text,)


class Pairs(list[tuple[str, Any]]):
    """A JSON object as it stands in the file: its order and its duplicate keys."""


def parse(text: str) -> Any:
    """The JSON value of a text: Pairs for objects, NumberText for numbers with a dot.

    Strings may hold lone surrogates. ValueError (json.JSONDecodeError, where the place
    is known) for what is not JSON; RecursionError for what nests too deeply.
    """
    import json

    return json.loads(
        text,
        object_pairs_hook=Pairs,
        parse_int=_parse_int,
        parse_float=NumberText,
        parse_constant=_refuse_constant,
    )


def _parse_int(text: str) -> int | NumberText:
    return NumberText(text) if text == "-0" or len(text) > _INT_DIGITS else int(text)


def _refuse_constant(text: str) -> None:
    raise ValueError(f"it holds {text}, which is not JSON")


def carry(value: Any, levels: int = MAX_DEPTH) -> Any:
    """A parsed value as plain dicts and lists; the last of duplicate keys wins.

    ValueError where it nests deeper than `levels`.
    """
    if isinstance(value, str):
        return replace_surrogates(value)
    if isinstance(value, list):
        if not levels:
            raise ValueError(f"is nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, Pairs):
            return {replace_surrogates(key): carry(item, levels - 1) for key, item in value}
        return [carry(item, levels - 1) for item in value]
    return value


def read_carried(value: Any, kind: str) -> Any:
    """A carried field's value: a list or an object (`kind`), empty for null.

    ValueError for any other value, and as `carry`.
    """
    plain = carry(value)
    empty: list[Any] | dict[str, Any] = {} if kind == "object" else []
    if plain is None:
        return empty
    if type(plain) is not type(empty):
        raise ValueError(f"is {describe(plain)}, not {describe(empty)}")
    return plain


def describe(value: Any) -> str:
    """What a JSON value is, in words, without what a person may have written in it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | Pairs):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return "a string"
    number = value.text if isinstance(value, NumberText) else int.__repr__(value)
    return f"the number {number[:40]}"


def write_value(value: Any, indent: str, levels: int = MAX_DEPTH) -> str:
    """A JSON value as Go indents it; `indent` is the line feed and spaces it stands at.

    ValueError for what JSON cannot hold, and for more than `levels` of nesting.
    """
    if isinstance(value, str):
        return quote(value)
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, NumberText):
        return value.text
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return _write_float(value)
    if not isinstance(value, dict | list | tuple):
        raise ValueError(f"holds a {type(value).__name__}, which JSON cannot hold")
    if not levels:
        raise ValueError(f"is nested deeper than {MAX_DEPTH} levels")
    inner = indent + "  "
    if isinstance(value, dict):
        members = [write_member(key, item, inner, levels - 1) for key, item in value.items()]
        return f"{{{inner}{f',{inner}'.join(members)}{indent}}}" if members else "{}"
    items = [write_value(item, inner, levels - 1) for item in value]
    return f"[{inner}{f',{inner}'.join(items)}{indent}]" if items else "[]"


def _write_float(value: float) -> str:
    # Not as Go would: 4e16 written as digits alone would come back as an integer.
    if not math.isfinite(value):
        raise ValueError(f"holds {value}, which JSON cannot hold")
    return float.__repr__(value)


def write_member(key: object, value: Any, indent: str, levels: int = MAX_DEPTH) -> str:
    """A key and its value. ValueError for a key that is no string, and as `write_value`."""
    if not isinstance(key, str):
        raise ValueError(f"has the key {key!r}, which is not a string")
    return f"{quote(key)}: {write_value(value, indent, levels)}"
