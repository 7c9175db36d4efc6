"""The bytes of METRICS.json -> SessionMetrics, as Go's json.Unmarshal reads them.

For files that no writer we know of makes by itself: edited by hand, of another version,
damaged. It also finds the words for what is wrong.
"""

from __future__ import annotations

import json
import math
import re
from datetime import datetime
from itertools import islice
from typing import Any

from m31a_metrics.codec.fields import (
    INT64_MAX,
    INT64_MIN,
    ROWS,
    SESSION,
    Field,
    Kind,
    Row,
    by_name,
    match,
)
from m31a_metrics.codec.goformat import read_time, replace_surrogates
from m31a_metrics.codec.values import (
    MAX_DEPTH,
    NumberText,
    Pairs,
    carry,
    describe,
    parse,
    read_carried,
)
from m31a_metrics.errors import DamagedMetrics
from m31a_metrics.model import SessionMetrics

_KNOWN_ROWS = {name: by_name(fields) for name, (_, fields) in ROWS.items()}
_KNOWN = by_name(SESSION)
_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_REMEDY = "`m31 doctor --fix` sets it aside"


def read(data: bytes, place: str) -> SessionMetrics:
    """The session that `data` holds. DamagedMetrics names `place`, the spot and the reason."""
    try:
        text = _text(data)
        document = parse(text)
        if isinstance(document, Pairs) and "\\" in text:
            _refuse_escaped_times(text, document)
        return _Reading().session(document)
    except json.JSONDecodeError as error:
        reason = f"at line {error.lineno}, column {error.colno}: {error.msg}"
        if not data.strip():
            reason = "it is empty"
    except RecursionError:
        if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
            raise  # It is the caller's stack that is full; the file is innocent.
        reason = f"it is nested deeper than {MAX_DEPTH} levels"
    except ValueError as error:
        reason = str(error)
    raise DamagedMetrics(f"{place} is damaged: {reason}; {_REMEDY}")


def _text(data: bytes) -> str:
    """As UTF-8, with U+FFFD for each single byte that is none."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return replace_surrogates(data.decode("utf-8", "surrogateescape"))


def _refuse_escaped_times(text: str, document: Pairs) -> None:
    """ValueError for a time with an escape in it: Go reads times as they stand."""
    spellings = iter(re.findall(_STRING, text))
    for key, value in document:
        next(spellings)
        strings = list(islice(spellings, _count_strings(value)))
        field = match(_KNOWN, key)
        if field and field.kind == "time" and isinstance(value, str) and "\\" in strings[0]:
            raise ValueError(f"{field.name} is a time spelled with escapes")


def _count_strings(value: Any) -> int:
    """How many strings a value holds, keys too."""
    if isinstance(value, Pairs):
        return sum(1 + _count_strings(item) for _, item in value)
    if isinstance(value, list):
        return sum(map(_count_strings, value))
    return isinstance(value, str)


class _Reading:
    """One document on its way into one SessionMetrics, duplicates and all."""

    def __init__(self) -> None:
        self._metrics = SessionMetrics()
        # The rows that a list ever had: Go fills a duplicate list into the rows of the
        # first, and a third list finds again what the second one cut off.
        self._rows: dict[str, list[Row]] = {name: [] for name in ROWS}

    def session(self, document: Any) -> SessionMetrics:
        """The session. ValueError says which field is wrong, and how."""
        if document is not None:
            if not isinstance(document, Pairs):
                raise ValueError(f"it holds {describe(document)}, not an object")
            self._fill(self._metrics, document, _KNOWN, "")
        return self._metrics

    def _fill(
        self, target: SessionMetrics | Row, pairs: Pairs, known: dict[str, Field], where: str
    ) -> None:
        for key, value in pairs:
            field = match(known, key)
            if field is not None and field.kind == "rows":
                setattr(target, field.name, self._read_rows(field.name, value))
                continue
            try:
                if field is None:
                    target.unknown[replace_surrogates(key)] = carry(value)
                elif field.kind in ("list", "object"):
                    setattr(target, field.name, read_carried(value, field.kind))
                elif value is not None:
                    setattr(target, field.name, _read_scalar(field.kind, value))
            except ValueError as error:
                name = field.name if field else "an unknown key"
                raise ValueError(f"{where}{name} {error}") from error

    def _read_rows(self, name: str, value: Any) -> list[Row]:
        rows = self._rows[name]
        if not value and (value is None or type(value) is list):
            rows.clear()
            return []
        if type(value) is not list:
            raise ValueError(f"{name} is {describe(value)}, not a list")
        for index, item in enumerate(value):
            if index == len(rows):
                rows.append(ROWS[name][0]())
            if isinstance(item, Pairs):
                self._fill(rows[index], item, _KNOWN_ROWS[name], f"{name}[{index}].")
            elif item is not None:
                raise ValueError(f"{name}[{index}] is {describe(item)}, not an object")
        return rows[: len(value)]


_WORDS: dict[Kind, str] = {
    "str": "a string",
    "bool": "true or false",
    "time": "a time",
    "int": "a whole number",
    "float": "a number",
}


def _read_scalar(kind: Kind, value: Any) -> str | int | float | bool | datetime:
    if kind == "str" and isinstance(value, str):
        return replace_surrogates(value)
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "time" and isinstance(value, str):
        return read_time(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        if kind == "int":
            return _read_int(value)
        if kind == "float":
            return _read_float(value)
    raise ValueError(f"is {describe(value)}, not {_WORDS[kind]}")


def _read_int(value: int | float) -> int:
    if isinstance(value, NumberText):
        if value.text == "-0":
            return 0
        raise ValueError(f"is {describe(value)}, not a whole number of 64 bits")
    if not INT64_MIN <= value <= INT64_MAX:
        raise ValueError(f"is {describe(value)}, beyond 64 bits")
    return int(value)


def _read_float(value: int | float) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise ValueError(f"is {describe(value)}, beyond the range of a float")
    return number
