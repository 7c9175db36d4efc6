"""The tables of keys against the model."""

from __future__ import annotations

from datetime import datetime
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from msgspec import Struct

from m31a_metrics.codec.fields import ROWS, SESSION, Field, match
from m31a_metrics.model import SessionMetrics

KINDS = {str: "str", int: "int", float: "float", bool: "bool", datetime: "time", dict: "object"}
TABLES = [(SessionMetrics, SESSION), *ROWS.values()]


def kind(type_: Any) -> str:
    """The kind that a field of the model ought to have."""
    if get_origin(type_) is list:
        return "list" if get_args(type_) == (Any,) else "rows"
    return KINDS[get_origin(type_) or type_]


@pytest.mark.parametrize(("model", "fields"), TABLES)
def test_tables_hold_the_whole_model(model: type[Struct], fields: tuple[Field, ...]) -> None:
    """Each field of the model has its key, of the kind that its type asks for."""
    hints = get_type_hints(model)
    del hints["unknown"]
    assert {field.name: field.kind for field in fields} == {
        name: kind(type_) for name, type_ in hints.items()
    }


def test_keys_match_without_case_as_in_go() -> None:
    """Upper case, the long s and the Kelvin sign match; nothing else that resembles."""
    known = {field.name: field for _, fields in TABLES for field in fields}
    for key in ("total_tokens", "TOTAL_TOKENS", "total_to\u212aen\u017f", "Total_Tokens"):
        found = match(known, key)
        assert found is not None
        assert found.name == "total_tokens"
    for key in ("total-tokens", "totaltokens", "total_tokens ", "", "pha\xdfe", "\u0131d"):
        assert match(known, key) is None
