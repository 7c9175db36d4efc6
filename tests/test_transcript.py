"""What reading a transcript gives: why records are damaged, without what stands in them."""

from __future__ import annotations

import pytest

from m31a_metrics.events import Event, LLMInteraction, Subagent, ToolCall, UserTurn
from m31a_metrics.model import Usage
from m31a_metrics.transcript import Damage, Facts, Transcript, without_values


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("Invalid value 'my secret' - at `$.type`", "Invalid value <text> - at `$.type`"),
        ("Invalid enum value 'it isn't yours'", "Invalid enum value <text>"),
        (ValueError("invalid literal for int() with base 10: '84736251'"),) * 2,
        ("'utf-8' codec can't decode byte 0xff", "<text> codec can't decode byte 0xff"),
        ("longer than 32 MiB", "longer than 32 MiB"),
    ],
)
def test_reasons_hold_nothing_of_a_record(reason: object, told: str) -> None:
    """What a decoder quotes is replaced by a placeholder, in what Damage keeps too."""
    damage = Damage()
    damage.add("a.jsonl, line 3", reason)
    assert without_values(reason) == str(told).replace("'84736251'", "<text>")
    assert damage.reasons == [f"a.jsonl, line 3: {without_values(reason)}"]


def used(*figures: int, cost: float | None = None, **parts: int) -> LLMInteraction:
    """A response with these tokens."""
    return LLMInteraction(t_us=1, phase="", usage=Usage(*figures, **parts), cost=cost)


POSSIBLE: list[Event] = [
    used(10, 5, cache_read_tokens=4, cache_write_5m_tokens=3, cache_write_1h_tokens=3),
    used(0, 0, 7),
    used(0, 5, reasoning_tokens=5, cost=0.0),
    ToolCall(t_us=1, name="x", success=True, duration_ms=0, wait_ms=0),
    Subagent(t_us=1, name="x"),
    UserTurn(t_us=1),
]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (used(-1, 5), "cached tokens are more"),
        (used(1, -5), "less than no tokens"),
        (used(1, 5, -6), "less than no tokens"),
        (used(5, 5, cache_read_tokens=-5), "less than no tokens"),
        (used(5, 5, cache_read_tokens=3, cache_write_1h_tokens=3), "cached tokens are more"),
        (used(5, 5, reasoning_tokens=6), "reasoning_tokens are more"),
        (used(5, 5, cost=-0.1), "its cost"),
        (ToolCall(t_us=1, name="x", success=True, duration_ms=-1), "its duration_ms"),
        (ToolCall(t_us=1, name="x", success=True, duration_ms=float("nan")), "its duration_ms"),
        (ToolCall(t_us=1, name="x", success=True, duration_ms=1, wait_ms=-1), "its wait_ms"),
        (Subagent(t_us=1, name="x", duration_ms=-1), "its duration_ms"),
    ],
)
def test_what_cannot_be_is_named_and_not_counted(event: Event, reason: str) -> None:
    """An event with a figure below zero, or a part above its whole, costs no other."""
    transcript = Transcript(Facts("x"), [*POSSIBLE, event, *POSSIBLE])
    transcript.take_out_impossible("a.jsonl")
    assert transcript.events == POSSIBLE * 2
    assert transcript.damage.count == 1
    assert reason in transcript.damage.reasons[0]
