"""Tokens by class: the five exclude each other, and make the total wherever they are shown."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from m31a_metrics import events
from m31a_metrics.answers import LLMRow, ReadingRow
from m31a_metrics.measures import TokenClasses, TokenSums, add, token_classes
from m31a_metrics.model import SessionDetail, SessionMetrics
from m31a_metrics.record import LLMDay
from m31a_metrics.table import Table
from m31a_metrics.tables import columns
from m31a_metrics.tables.audit import audit
from m31a_metrics.tables.cost import cost
from m31a_metrics.tables.cost import token_classes as by_class
from m31a_metrics.tables.live.screenful import cost_by_model
from m31a_metrics.tables.phrases import Scope
from m31a_metrics.tables.show import show
from m31a_metrics.tally.ledger import Ledger
from m31a_metrics.tally.tally import Tally
from tests import strategies as some
from tests.tables.builders import record, records

PARTS = (*columns.TOKEN_CLASSES, columns.UNSPLIT)


def test_the_classes_make_the_total() -> None:
    """Input, cache reads and writes, and output exclude each other; reasoning is output."""
    rows = [
        LLMRow(
            "opus",
            prompt_tokens=100,
            completion_tokens=20,
            total_tokens=120,
            cache_read_tokens=70,
            cache_write_5m_tokens=9,
            cache_write_1h_tokens=1,
            reasoning_tokens=15,
        )
    ]
    (row,) = records(by_class(rows).table)
    assert [row[column.name] for column in columns.TOKEN_CLASSES] == [20, 70, 9, 1, 20]
    assert (row["total_tokens"], row["reasoning_tokens"]) == (120, 15)


def test_more_cached_than_prompt_is_cut_to_the_prompt() -> None:
    """Who counts caches beside the prompt gets no negative input, and no more than the total."""
    sums = TokenSums(
        prompt_tokens=10, completion_tokens=5, total_tokens=15, cache_read_tokens=8,
        cache_write_5m_tokens=8, cache_write_1h_tokens=8,
    )  # fmt: skip
    assert token_classes(sums) == TokenClasses(0, 8, 2, 0, 5, 0)


def test_a_total_alone_is_of_no_class() -> None:
    """What was counted and not said of what is unsplit, and the total stays the total."""
    assert token_classes(TokenSums(total_tokens=7)) == TokenClasses(0, 0, 0, 0, 0, 7)


def _consistent(usage: events.LLMInteraction) -> bool:
    """Tell whether the total was given as no less than its parts, if it was."""
    used = usage.usage
    return used.total >= used.prompt_tokens + used.completion_tokens


used = st.lists(some.llm_interactions.filter(_consistent), max_size=8)


@given(st.lists(some.counted, max_size=2), used)
def test_every_part_has_the_same_classes(
    bases: list[SessionMetrics], recorded: list[events.LLMInteraction]
) -> None:
    """By model, phase or day: sums of METRICS.json, and events, add up to the same by class."""
    ledger = Ledger(lambda _: None, lambda t_us: f"{t_us:020d}"[:12])
    for base in bases:
        ledger.add_metrics(base)
    ledger.add_all(sorted(recorded, key=lambda event: event.t_us))
    whole = LLMRow("")
    for day in ledger.llms:
        add(whole, day, TokenSums.__struct_fields__)
    for part in ("model", "phase", "day"):
        parts: dict[str, LLMRow] = {}
        for day in ledger.llms:
            row = parts.setdefault(getattr(day, part), LLMRow(""))
            add(row, day, TokenSums.__struct_fields__)
        sums = [sum(one) for one in zip(*map(_but_unsplit, parts.values()), strict=True)]
        assert sums == (list(_but_unsplit(whole)) if parts else [])
        assert all(figure >= 0 for row in parts.values() for figure in _but_unsplit(row))


def _but_unsplit(row: LLMRow) -> tuple[int, ...]:
    # METRICS.json may hold any total beside its parts.
    return tuple(int(figure) for figure in astuple(token_classes(row))[:-1])


@given(used)
def test_every_table_adds_up_to_its_totals(recorded: list[events.LLMInteraction]) -> None:
    """Any LLM use: in cost, show, audit, the live screen and on pages the classes are the total."""
    ordered = sorted(recorded, key=lambda event: event.t_us)
    ledger, tally = Ledger(lambda _: None, lambda t_us: f"{t_us:020d}"[:12]), Tally()
    ledger.add_all(ordered)
    for place, event in enumerate(ordered):
        tally.add(event, place)
    days: list[LLMDay] = ledger.llms
    models = [_row(day, day.model) for day in days]
    phases = [_row(day, day.phase) for day in days]
    told, metrics = record("s", *days), tally.metrics("s")
    detail = SessionDetail(models=list(tally.models.values()))
    scope = Scope()
    tables = [
        *cost(phases, models, (), scope, whole=True)[:2],
        *audit([_row(day, day.day, day.model) for day in days], ReadingRow(), scope)[:1],
        *(table for table in show(metrics, detail, told, whole=True) if "Cost by" in table.title),
        by_class(models).table,
        cost_by_model(detail),
    ]
    assert len(tables) == 7
    for table in tables:
        _adds_up(table)
    # People see the five classes too, where a row knows them.
    for table in cost(phases, models, (), scope)[:2]:
        _adds_up(table)


def _row(day: LLMDay, key: str, model: str = "") -> LLMRow:
    row = LLMRow(key, model)
    for name in TokenSums.__struct_fields__:
        setattr(row, name, getattr(day, name))
    return row


def _adds_up(table: Table) -> None:
    parts: Sequence[str] = [column.name for column in PARTS]
    for row in records(table):
        cells = [row[name] for name in parts if name in row]
        figures = [cell for cell in cells if isinstance(cell, int)]
        assert sum(figures) == row["total_tokens"], table.title
        assert min(figures, default=0) >= 0
        reasoning, output = row.get("reasoning_tokens"), row["output_tokens"]
        assert not isinstance(reasoning, int) or not isinstance(output, int) or reasoning <= output
