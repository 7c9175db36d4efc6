"""docs/journal.md is true: its fields are those of the events, its reader reads journals."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from m31a_metrics import Collector, Usage, events
from m31a_metrics.journal.writer import WINDOW_BYTES
from m31a_metrics.session import Session
from m31a_metrics.session.covered import _Note as Note

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "journal.md").read_text(encoding="utf-8")
IN_EVERY_EVENT = {"event", "t_us", "id"}

Row = tuple[str, str, str]


def rows_below(heading: str) -> set[Row]:
    """The fields that the section of a heading lists: name, JSON type, required or not."""
    section = PAGE.partition(f"\n{heading}\n")[2].partition("\n#")[0]
    rows = re.findall(
        r"^\| `(\w+)` \| ([a-z]+)[^|]*\| (required|optional) \|", section, re.MULTILINE
    )
    return set(rows)


def json_type(of: msgspec.inspect.Type) -> str:
    """Name the JSON type of a field, None aside."""
    if isinstance(of, msgspec.inspect.UnionType):
        kinds = {json_type(one) for one in of.types} - {"null"}
        return "number" if kinds == {"integer", "number"} else kinds.pop()
    return {
        msgspec.inspect.IntType: "integer",
        msgspec.inspect.FloatType: "number",
        msgspec.inspect.BoolType: "boolean",
        msgspec.inspect.StrType: "string",
        msgspec.inspect.StructType: "object",
        msgspec.inspect.DictType: "object",
        msgspec.inspect.NoneType: "null",
    }[type(of)]


def fields_of(kind: type) -> set[Row]:
    """The fields of a struct as the page should list them."""
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    return {
        (field.encode_name, json_type(field.type), "required" if field.required else "optional")
        for field in info.fields
    }


def tag_of(kind: Any) -> str:
    """The word that stands in `event`."""
    return str(kind.__struct_config__.tag)


@pytest.mark.parametrize("kind", get_args(events.Event), ids=tag_of)
def test_every_field_of_every_event_is_specified(kind: type) -> None:
    """An event's section lists its fields with their types, and no other."""
    assert f"\n### {tag_of(kind)}\n" in PAGE
    own = {row for row in fields_of(kind) if row[0] not in IN_EVERY_EVENT}
    assert rows_below(f"### {tag_of(kind)}") == own


def test_no_event_is_specified_that_is_none() -> None:
    """Every section of the page is an event, or what events share."""
    assert set(re.findall(r"^### (\w+)$", PAGE, re.MULTILINE)) == {
        *map(tag_of, get_args(events.Event)),
        "usage",
    }


def test_fields_of_every_event_and_of_usage_are_specified() -> None:
    """What all events have, and the tokens of an answer, are listed with their types."""
    assert {name for name, *_ in rows_below("## A line")} == IN_EVERY_EVENT
    assert rows_below("### usage") == fields_of(Usage)


def test_figures_of_the_page_are_those_of_the_code() -> None:
    """The window's size and the keys of `.covered` are named as they are."""
    assert f"windows of {WINDOW_BYTES // 1024} KiB" in PAGE
    shown = re.search(r'^\{"size".*\}$', PAGE, re.MULTILINE)
    assert shown is not None
    note = msgspec.json.decode(shown[0], type=Note)
    assert tuple(msgspec.json.decode(shown[0])) == Note.__struct_fields__[:3]
    assert msgspec.json.encode(note).decode().startswith(shown[0][:-1])


def test_covered_says_what_the_page_says(tmp_path: Path) -> None:
    """The size, the checksum and the lengths in `.covered` are as the page defines them."""
    with Collector("one", tmp_path) as collector:
        collector.record_tool_call("Bash", True, 12.5)
    (journal,) = (tmp_path / "one" / "events").glob("*.jsonl")
    metrics = (tmp_path / "one" / "METRICS.json").read_bytes()
    note = (tmp_path / "one" / "events" / ".covered").read_bytes()
    covered = json.loads(note)
    assert covered["size"] == len(metrics)
    assert covered["journals"] == {journal.name: journal.stat().st_size - 1}
    lengths = re.search(rb'"journals":(\{.*?\})', note)
    assert lengths is not None
    assert covered["crc32"] == zlib.crc32(metrics + lengths[1])


def test_the_reader_on_the_page_reads_a_journal(tmp_path: Path) -> None:
    """The page's ten lines of Python find what was recorded, also of a writer still alive."""
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    with Collector("one", tmp_path / "sessions") as collector:
        collector.record_tool_call("Bash", True, 12.5)
    collector = Collector("two", tmp_path / "sessions")
    collector.record_tool_call("Bash", False, 7)
    damaged = tmp_path / "sessions" / "one" / "events" / "zzz.jsonl"
    damaged.write_bytes(b'{"event":"user_turn","t_us":1}\n\0\0\nnonsense\n\n{"event":"user_tu')
    torn = tmp_path / "sessions" / "one" / "events" / "zzzz.jsonl"
    torn.write_bytes(b'{"event":"user_turn","t_us":2}' + b"\n" * 17 + b'rn","t_us":3}\n')
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    collector.stop()
    assert shown.stdout.splitlines() == [
        "session_start None",
        "tool_call 12.5",
        "user_turn None",
        "sessions/one/events/zzz.jsonl, line 3: damaged, skipped",
        "user_turn None",
        "session_start None",
        "tool_call 7",
    ]
    session = Session(str(tmp_path / "sessions"), "one")
    folded, journals = session.fold(), session.parts().journals
    assert folded.tools["Bash"].succeeded.calls == 1
    assert [one.damaged for one in journals] == [0, 1, 0]
