"""What is exported row by row: stable columns, and rows that add up to the answers."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics import events
from m31a_metrics.active_time import Stretch
from m31a_metrics.answers import Slice
from m31a_metrics.history import MEMORY, History
from m31a_metrics.measures import LLMSums, token_classes
from m31a_metrics.model import UNKNOWN_USAGE, Usage
from m31a_metrics.queries.tables import LLMS
from m31a_metrics.record import SessionRecord, ToolDay
from m31a_metrics.tables import datasets
from m31a_metrics.tables.datasets import DATASETS, FACTS, Dataset, Row
from m31a_metrics.tables.timeline import PhaseOf
from tests.records import session_records

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "schema" / "datasets.json"
PAGE = ROOT / "docs" / "export-tables.md"

FROM_INDEX = [one for one in DATASETS.values() if one.table]


def exported(history: History, dataset: Dataset, which: Slice) -> list[Row]:
    """The rows of a dataset, as the export makes them."""
    return list(
        datasets.rows(dataset, history.details(dataset.table, which, FACTS, dataset.columns))
    )


def total(dataset: Dataset, rows: list[Row], name: str) -> int:
    """What a column adds up to, unscaled."""
    at = [field.name for field in dataset.fields].index(name)
    return sum(row[at] or 0 for row in rows)


def test_the_columns_are_those_of_the_schema() -> None:
    """Whoever builds on an export reads the file; a change of a column is a change of it."""
    assert SCHEMA.read_text() == datasets.schema_json()


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=DATASETS)
def test_the_page_has_every_column(dataset: Dataset) -> None:
    """docs/export-tables.md has a section with a line for each, as they stand here."""
    section = PAGE.read_text().partition(f"\n## {dataset.name}\n")[2].partition("\n## ")[0]
    assert dataset.meaning in section
    assert [line for line in section.splitlines() if line.startswith("| `")] == [
        f"| `{field.name}` | {field.kind}{', ' * bool(field.unit)}{field.unit} | {field.meaning} |"
        for field in dataset.fields
    ]


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=DATASETS)
def test_every_column_is_said(dataset: Dataset) -> None:
    """Each has a sentence, a name of its own, its unit in the name; the key is among them."""
    names = [field.name for field in dataset.fields]
    assert len(set(names)) == len(names)
    assert set(dataset.key) <= set(names)
    for field in dataset.fields:
        assert field.meaning.endswith(".")
        for unit, ending in (("ms", "_ms"), ("USD", "_usd"), ("tokens", "_tokens")):
            assert (field.unit == unit) == field.name.endswith(ending)


@given(st.lists(session_records(), max_size=4))
def test_rows_add_up_to_the_answers(records: list[SessionRecord]) -> None:
    """Calls, tokens, money and active time of any sessions: exactly what the questions say."""
    number = count()
    with History(MEMORY) as history:
        with history.batch():
            for record in records:
                record.native_id = record.session_id = f"s{next(number)}"
                history.put(record)
        rows = {one.name: exported(history, one, Slice()) for one in FROM_INDEX}
        totals = history.totals(Slice())
        llms = history.llms(Slice(), ("model",))
    assert len(rows["sessions"]) == len(records)
    for one in totals:
        for name, column, of in (
            ("call_count", "call_count", "tools"),
            ("fail_count", "fail_count", "tools"),
            ("duration_us", "duration_ms", "tools"),
            ("cost_nano", "cost_usd", "llms"),
            ("total_tokens", "total_tokens", "llms"),
            ("active_us", "active_ms", "phases"),
            ("cost_nano", "cost_usd", "phases"),
            ("cost_nano", "cost_usd", "sessions"),
            ("active_us", "active_ms", "sessions"),
        ):
            assert total(DATASETS[of], rows[of], column) == getattr(one, name), (of, column)
    for dataset in FROM_INDEX:
        assert {len(row) for row in rows[dataset.name]} <= {len(dataset.fields)}
    assert total(DATASETS["llms"], rows["llms"], "reasoning_tokens") == sum(
        row.reasoning_tokens for row in llms
    )


_TOKENS = st.integers(0, 10**6)


@given(
    st.builds(
        LLMSums,
        prompt_tokens=_TOKENS,
        completion_tokens=_TOKENS,
        total_tokens=_TOKENS,
        cache_read_tokens=_TOKENS,
        cache_write_5m_tokens=_TOKENS,
        cache_write_1h_tokens=_TOKENS,
    )
)
def test_classes_of_tokens_are_those_of_everywhere(sums: LLMSums) -> None:
    """The quicker way of telling tokens apart says what `token_classes` says."""
    row = (*FACTS, "2026-06-20", "m", "plan", *(getattr(sums, name) for name in LLMS.sums))
    made = DATASETS["llms"].finish(row)
    classes = token_classes(sums)
    assert made[8:14] == (
        classes.input_tokens,
        classes.cache_read_tokens,
        classes.cache_write_5m_tokens,
        classes.cache_write_1h_tokens,
        classes.output_tokens,
        classes.unsplit_tokens,
    )


def test_parts_of_a_phase_when_a_tool_is_asked_for() -> None:
    """With `--tool`, a phase has the calls of that tool alone, and stays one row."""
    record = SessionRecord("codex", "s", "s", "/s")
    record.tools = [
        calls_of("Bash", 2),
        calls_of("Read", 3),
    ]
    with History(MEMORY) as history:
        history.put(record)
        dataset = DATASETS["phases"]
        rows = exported(history, dataset, Slice(tool="Bash"))
        assert len(rows) == 1
        assert total(dataset, rows, "call_count") == 2
        assert (
            total(DATASETS["tools"], exported(history, DATASETS["tools"], Slice()), "call_count")
            == 5
        )


def calls_of(name: str, calls: int) -> ToolDay:
    """Calls of a tool in phase plan."""
    return ToolDay(day="2026-06-20", tool=name, phase="plan", call_count=calls)


def events_of(*happened: events.Event, price: float | None = None) -> list[dict[str, object]]:
    """Rows of events, by the names of their columns."""
    names = [field.name for field in datasets.EVENTS.fields]
    phase_of = PhaseOf([Stretch(0, 100, "plan")], {"a": "verify"})
    rows = datasets.event_rows(("codex", "s", "/p", "main"), happened, phase_of, lambda _: price)
    return [dict(zip(names, row, strict=True)) for row in rows]


def test_a_call_has_the_phase_that_it_served() -> None:
    """By its id where that was inferred, else by its time."""
    first, second = events_of(
        events.ToolCall(50, "Bash", success=True, duration_ms=2, id="a"),
        events.ToolCall(60, "Read", success=False, duration_ms=1.5, error="Error: no"),
    )
    assert (first["phase"], second["phase"]) == ("verify", "plan")
    assert (second["name"], second["error"], second["success"]) == ("Read", "Error: no", False)
    assert second["input_tokens"] is None


def test_an_answer_has_its_classes_and_its_price() -> None:
    """A cost that came with it stays; without, it is asked for; usage nobody told has none."""
    usage = Usage(100, 10, cache_read_tokens=60, reasoning_tokens=4)
    given_, priced, unknown = events_of(
        events.LLMInteraction(50, "plan", usage, cost=0.5, model="m"),
        events.LLMInteraction(50, "plan", usage, model="m"),
        events.LLMInteraction(50, "plan", UNKNOWN_USAGE, model="m"),
        price=0.25,
    )
    assert (given_["cost_usd"], priced["cost_usd"]) == (0.5, 0.25)
    assert (given_["input_tokens"], given_["cache_read_tokens"], given_["output_tokens"]) == (
        40,
        60,
        10,
    )
    assert (given_["reasoning_tokens"], given_["total_tokens"]) == (4, 110)
    assert (unknown["total_tokens"], unknown["cost_usd"]) == (None, None)
