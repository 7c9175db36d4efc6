"""The JSON Schema and the page of the format, against the model."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from m31a_metrics.codec import decode, encode
from m31a_metrics.codec.fields import ROWS, SESSION
from m31a_metrics.codec.schema import DESCRIPTIONS, schema, text
from m31a_metrics.model import SessionMetrics
from tests.codec.strategies import example_session, sessions

ROOT = Path(__file__).resolve().parents[2]
TABLES = {"SessionMetrics": SESSION, **{model.__name__: rows for model, rows in ROWS.values()}}

validator = Draft202012Validator(schema())


def test_the_file_is_what_the_model_makes() -> None:
    """schema/metrics.schema.json was made anew after the last change of the model."""
    path = ROOT / "schema" / "metrics.schema.json"
    remedy = "python -m m31a_metrics.codec.schema > schema/metrics.schema.json"
    assert path.read_text(encoding="utf-8") == text(), f"run: {remedy}"


def test_the_module_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m m31a_metrics.codec.schema` writes it to stdout."""
    runpy.run_path(str(ROOT / "src/m31a_metrics/codec/schema.py"), run_name="__main__")
    assert capsys.readouterr().out == text()


def test_the_schema_is_one() -> None:
    """It is a schema itself, of the draft that it names."""
    Draft202012Validator.check_schema(schema())


def test_every_field_is_described() -> None:
    """Each field of the model has a description and no description lacks its field."""
    described = {name: list(fields) for name, fields in DESCRIPTIONS.items()}
    assert described == {name: [field.name for field in fields] for name, fields in TABLES.items()}


def test_durations_and_money_name_their_unit() -> None:
    """A field in milliseconds or dollars says so in its description."""
    for fields in DESCRIPTIONS.values():
        for name, words in fields.items():
            assert not name.endswith("_ms") or "(ms" in words
            assert name != "cost" or "(USD)" in words


@given(sessions)
def test_what_is_written_is_valid(metrics: SessionMetrics) -> None:
    """Every session that can be encoded follows the schema."""
    validator.validate(json.loads(encode(metrics)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("tools", 0, "call_count"), 1.5),
        (("tools", 0, "call_count"), 2**63),
        (("tools", 0, "name"), None),
        (("phases", 0, "success"), 0),
        (("started_at",), "2026-06-20 10:00:00"),
        (("llms",), None),
        (("startup",), []),
    ],
)
def test_what_is_never_written_is_not_valid(path: tuple[Any, ...], value: Any) -> None:
    """Wrong types, numbers beyond 64 bits and missing keys do not follow it."""
    document = json.loads(encode(example_session()))
    validator.validate(document)
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert not validator.is_valid(document)
    del place[path[-1]]
    assert validator.is_valid(document) == (path[0] == "startup")


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs" / "metrics-json.md").read_text(encoding="utf-8")


def test_the_page_names_every_field(page: str) -> None:
    """docs/metrics-json.md has a row for each field, under its struct's own heading."""
    headings = {"SessionMetrics": "top level"} | {
        model.__name__: f"`{key}`" for key, (model, _) in ROWS.items()
    }
    for name, fields in TABLES.items():
        section = page.partition(f"\n### {headings[name]}")[2].partition("\n#")[0]
        rows = [line.split("|")[1].strip() for line in section.splitlines() if "|" in line]
        assert rows[2:] == [f"`{field.name}`" for field in fields], headings[name]


def test_the_page_tells_which_keys_are_left_out(page: str) -> None:
    """A key that is always there is the page's; in lists that may be left out, a newer one."""
    for name, fields in TABLES.items():
        for field in fields:
            row = next(line for line in page.splitlines() if f"| `{field.name}` |" in line)
            since = row.split("|")[4].strip()
            always = not field.optional and name != "EditStrategyMetric"
            assert (since == "page") == always, field.name


def test_the_examples_of_the_page_are_true(page: str) -> None:
    """The file shown is what loading and saving it gives, and the code shown runs."""
    shown = page.partition("```json\n")[2].partition("\n```")[0]
    assert encode(decode(shown.encode())).decode() == shown
    code = page.partition("```python\n")[2].partition("\n```")[0]
    exec(compile(code, "docs/metrics-json.md", "exec"), {})  # noqa: S102 - our own page
