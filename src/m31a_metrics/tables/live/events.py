"""The latest events, as they happen."""

from __future__ import annotations

from collections.abc import Sequence

from m31a_metrics.model import LatestEvent
from m31a_metrics.table import Cell, Column, Table, Unit

COLUMNS = [
    Column("clock", "Time"),
    Column("event", "Event"),
    Column("name", "Name"),
    Column("success", "Outcome", Unit.OUTCOME),
    Column("duration_ms", "Took", Unit.MS),
    Column("total_tokens", "Tokens", Unit.TOKENS),
    Column("cost_usd", "Cost", Unit.USD),
    Column("error", "Failure"),
]

_WORDS = {
    "tool_call": "tool",
    "llm_interaction": "LLM",
    "phase_transition": "enter phase",
    "phase_duration": "phase ended",
    "heal_trigger": "heal",
    "heal_outcome": "heal ended",
    "heal_loop": "heal loop",
    "bisect_trigger": "bisect",
    "bisect_outcome": "bisect ended",
    "edit_strategy": "edit",
    "session_start": "start",
    "user_turn": "user",
    "permission_wait": "permission",
}


def latest(events: Sequence[LatestEvent], title: str = "Latest events") -> Table:
    """Show events, the newest first; times are of the person's own zone."""
    return Table(title, COLUMNS, [_row(event) for event in reversed(events)], "No event yet.")


def _row(event: LatestEvent) -> tuple[Cell, ...]:
    """Make a row; what an event of this kind never has is left empty, not a dash."""
    name = event.name or ""
    took: Cell = "" if event.duration_ms is None else event.duration_ms
    outcome: Cell = "" if event.success is None else event.success
    tokens: Cell = "" if event.total_tokens is None else event.total_tokens
    cost = "" if event.cost is None and not event.total_tokens else event.cost
    clock = f"{event.at.astimezone():%H:%M:%S}"
    word = _WORDS.get(event.event, event.event)
    return (clock, word, name, outcome, took, tokens, cost, event.error)
