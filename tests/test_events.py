"""Events: the one currency, and the lines that they are on disk."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given

from m31a_metrics import Usage, events
from m31a_metrics.events import LINE_END, LINE_START, decoder, encode, line_middle
from m31a_metrics.units import LARGEST
from tests import strategies as some

NAMES = {
    "tool_call", "llm_interaction", "phase_transition", "phase_duration", "heal_trigger",
    "heal_outcome", "heal_loop", "bisect_trigger", "bisect_outcome", "edit_strategy",
    "session_start", "user_turn", "compaction", "subagent", "mode", "permission_wait", "counts",
    "tool_start", "tool_end", "agent_totals",
}  # fmt: skip

USE = b'{"event":"llm_interaction","t_us":1,"phase":"p","usage":%b}'


@given(some.times_us, some.names, some.flags, some.durations_ms)
def test_parts_of_a_line_make_the_line(
    t_us: int, name: str, success: bool, duration_ms: float
) -> None:
    """What the hot path joins is what `encode` makes of the event, byte for byte."""
    middle = line_middle(name, success)
    line = LINE_START + encode(t_us) + middle + encode(duration_ms) + LINE_END
    assert line == encode(events.ToolCall(t_us, name, success, duration_ms)) + b"\n"


@given(some.all_events | some.partial_events)
def test_a_line_gives_its_event_back(event: events.Event) -> None:
    """An event survives its line, and the line is one line."""
    line = encode(event)
    assert b"\n" not in line
    assert decoder().decode(line) == event


def test_every_kind_has_its_name() -> None:
    """The names that journals are read by are these, and nobody shares one."""
    tags = [kind.__struct_config__.tag for kind in get_args(events.Event)]
    assert sorted(tags) == sorted(NAMES)


def test_a_line_says_no_more_than_it_must() -> None:
    """Absent arguments are left out of a line, an id stands at its end."""
    assert encode(events.PhaseTransition(1, "plan")) == (
        b'{"event":"phase_transition","t_us":1,"phase":"plan"}'
    )
    assert encode(events.LLMInteraction(1, "plan", Usage(2, 1), id="x")) == (
        b'{"event":"llm_interaction","t_us":1,"phase":"plan",'
        b'"usage":{"prompt_tokens":2,"completion_tokens":1},"id":"x"}'
    )


def test_a_start_takes_no_id() -> None:
    """A call's id stands on its start's line, and still is free for what counts the call."""
    start = events.ToolStart(1, "Bash", "call-1")
    assert encode(start) == b'{"event":"tool_start","t_us":1,"name":"Bash","id":"call-1"}'
    assert start.id is None
    assert decoder().decode(encode(start)) == start


def test_fields_of_a_newer_version_are_passed_over() -> None:
    """A line with a field that this version does not know is still its event."""
    line = b'{"event":"user_turn","t_us":1,"mood":"good"}'
    assert decoder().decode(line) == events.UserTurn(1)


@pytest.mark.parametrize(
    "line",
    [
        b'{"event":"user_turn","t_us":-1}',
        b'{"event":"user_turn","t_us":253402300800000000}',
        b'{"event":"user_turn","t_us":1.5}',
        b'{"event":"user_turn"}',
        b'{"event":"unheard_of","t_us":1}',
        b'{"t_us":1}',
        b'{"event":"tool_call","t_us":1,"name":"a","success":1,"duration_ms":1}',
        b'{"event":"tool_call","t_us":1,"name":"a","success":true,"duration_ms":-1}',
        b'{"event":"tool_call","t_us":1,"name":"a","success":true,"duration_ms":-0.5}',
        b'{"event":"tool_call","t_us":1,"name":"a","success":true,"duration_ms":9007199254740993}',
        b'{"event":"tool_call","t_us":1,"name":"a","success":true,"duration_ms":1e16}',
        b'{"event":"tool_call","t_us":1,"name":"a","success":true,"duration_ms":null}',
        USE % b'{"prompt_tokens":1}',
        USE % b'{"prompt_tokens":-1,"completion_tokens":1}',
        USE % b'{"prompt_tokens":1,"completion_tokens":1},"cost":1e16',
        USE % b'{"prompt_tokens":1,"completion_tokens":1},"cost":-0.01',
    ],
)
def test_impossible_figures_are_damage(line: bytes) -> None:
    """A line that says what cannot be, as a flipped bit may make it, is refused."""
    with pytest.raises(msgspec.ValidationError):
        decoder().decode(line)


def test_the_largest_figures_are_possible() -> None:
    """The bounds themselves are inside."""
    call = events.ToolCall(253_402_300_799_999_999, "a", True, LARGEST, float(LARGEST))
    assert decoder().decode(encode(call)) == call


@given(some.all_events)
def test_events_do_not_change(event: Any) -> None:
    """Events are frozen: what was recorded cannot be rewritten in memory."""
    with pytest.raises(AttributeError):
        event.t_us = 2
