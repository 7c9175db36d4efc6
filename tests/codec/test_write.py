"""SessionMetrics to bytes."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given

from m31a_metrics.codec import decode, encode
from m31a_metrics.codec.fields import ROWS, SESSION
from m31a_metrics.model import (
    EditStrategyMetric,
    LLMMetric,
    PhaseMetric,
    SessionMetrics,
    ToolMetric,
    WorkflowPhase,
)
from tests.codec.strategies import broken_words, example_session, sessions

FULL = """\
{
  "session_id": "0a1b2c3d",
  "started_at": "2026-06-20T10:00:00.25Z",
  "updated_at": "2026-06-20T12:15:30+02:00",
  "tools": [
    {
      "name": "Bash",
      "call_count": 12,
      "success_count": 11,
      "fail_count": 1,
      "total_duration_ms": 45200,
      "avg_duration_ms": 3766.6666666666665
    },
    {
      "name": "a\\u003cb\\u003e\\u0026",
      "call_count": 8,
      "success_count": 8,
      "fail_count": 0,
      "total_duration_ms": 0,
      "avg_duration_ms": 0
    }
  ],
  "edit_strategies": [
    {
      "strategy": "exact_match",
      "count": 2
    }
  ],
  "llms": [
    {
      "phase": "execute",
      "prompt_tokens": 45000,
      "completion_tokens": 12000,
      "total_tokens": 57000,
      "cost": 0.038,
      "interaction_count": 15,
      "prompt_hash": "b94d27b9",
      "truncated_input": true,
      "unpriced_tokens": 7
    }
  ],
  "phases": [
    {
      "phase": "execute",
      "duration_ms": 180000,
      "transition_count": 1,
      "heal_trigger_count": 2,
      "heal_success_count": 4,
      "heal_fail_count": 5,
      "heal_duration_ms": 6,
      "heal_loop_count": 7,
      "bisect_trigger_count": 3,
      "bisect_success_count": 8,
      "bisect_fail_count": 9,
      "success": true
    }
  ],
  "plan_outcomes": [
    {
      "task_id": 1,
      "files": [
        "a.go",
        "b.go"
      ],
      "success": true
    }
  ],
  "startup": {
    "duration_ms": 420
  },
  "completions": [
    {
      "phase": "plan",
      "timeout": false
    }
  ],
  "cancellations": [
    {
      "phase": "verify",
      "timestamp": "2026-06-20T10:15:30Z"
    }
  ]
}"""

EMPTY = """\
{
  "session_id": "",
  "started_at": "0001-01-01T00:00:00Z",
  "updated_at": "0001-01-01T00:00:00Z",
  "tools": [],
  "llms": [],
  "phases": []
}"""


def test_the_whole_file() -> None:
    """Every key in its place, and no line feed at the end."""
    assert encode(example_session()).decode() == FULL


def test_an_empty_session() -> None:
    """Lists never filled are `[]`, times never set are Go's zero time."""
    assert encode(SessionMetrics()).decode() == EMPTY


def test_newer_fields_are_left_out_while_zero() -> None:
    """A row with nothing in it has the page's keys and no others."""
    metrics = SessionMetrics(
        tools=[ToolMetric()], llms=[LLMMetric()], phases=[PhaseMetric()], edit_strategies=[]
    )
    text = encode(metrics).decode()
    for fields in (SESSION, *(fields for _, fields in ROWS.values())):
        for field in fields:
            if field.optional:
                assert f'"{field.name}"' not in text
    # A row of a list that is left out while empty has all of its keys, zero or not.
    rows = encode(SessionMetrics(edit_strategies=[EditStrategyMetric()])).decode()
    assert '"strategy": "",\n      "count": 0\n' in rows


def test_unknown_keys_stand_behind_the_known_ones() -> None:
    """At the top and in rows, in their own order, laid out like the rest."""
    metrics = SessionMetrics(
        tools=[ToolMetric(unknown={"z": [], "a": {"b": 1.0}})], unknown={"<": None, "x": [[1]]}
    )
    text = encode(metrics).decode()
    assert '      "avg_duration_ms": 0,\n      "z": [],\n      "a": {\n        "b": 1.0\n' in text
    tail = '  "phases": [],\n  "\\u003c": null,\n  "x": [\n    [\n      1\n    ]\n  ]\n}'
    assert text.endswith(tail)


def test_a_phase_is_its_name() -> None:
    """The members of WorkflowPhase are written as the strings they are."""
    metrics = SessionMetrics(phases=[PhaseMetric(WorkflowPhase.SHIP)])
    assert b'"phase": "ship"' in encode(metrics)


REFUSED: list[tuple[Any, str]] = [
    (SessionMetrics(started_at=datetime(2026, 6, 20)), "^started_at is .* without a time zone"),  # noqa: DTZ001 - that is the point
    (SessionMetrics(session_id=5), "^session_id is of type int, not a string"),  # type: ignore[arg-type]
    (SessionMetrics(tools=[ToolMetric(), ToolMetric(avg_duration_ms=math.nan)]), "is nan"),
    (SessionMetrics(llms=[LLMMetric(cost=math.inf)]), r"^llms\[0\].cost is inf"),
    (SessionMetrics(llms=[LLMMetric(cost=-math.inf)]), r"^llms\[0\].cost is -inf"),
    (SessionMetrics(llms=[LLMMetric(prompt_tokens=2**63)]), r"^llms\[0\].prompt_tokens is outside"),
    (SessionMetrics(phases=[PhaseMetric(heal_loop_count=2**63)]), r"^phases\[0\].heal_loop_count"),
    (SessionMetrics(tools=[ToolMetric(call_count=True)]), r"^tools\[0\].call_count is True"),
    (SessionMetrics(tools=[ToolMetric(call_count=1.0)]), r"call_count is 1.0"),  # type: ignore[arg-type]
    (SessionMetrics(phases=[PhaseMetric(success=1)]), r"^phases\[0\].success is 1"),  # type: ignore[arg-type]
    (SessionMetrics(startup=[1]), "^startup is a list"),  # type: ignore[arg-type]
    (SessionMetrics(completions={"a": 1}), "^completions is a dict"),  # type: ignore[arg-type]
    (SessionMetrics(plan_outcomes=[{"a": math.nan}]), "^plan_outcomes holds nan"),
    (SessionMetrics(unknown={"a": math.nan}), "^unknown holds nan"),
    (SessionMetrics(unknown={1: 2}), "^unknown has the key 1, which is not a string"),  # type: ignore[dict-item]
    (SessionMetrics(unknown={"TOOLS": 2}), "^unknown has the key 'TOOLS', which is the name"),
    (
        SessionMetrics(tools=[ToolMetric(unknown={"name": 2})]),
        r"^tools\[0\].unknown has the key 'name'",
    ),
]


@pytest.mark.parametrize(("metrics", "message"), REFUSED)
def test_what_the_file_cannot_hold_is_refused(metrics: SessionMetrics, message: str) -> None:
    """ValueError names the field and says what is wrong with it."""
    with pytest.raises(ValueError, match=message):
        encode(metrics)


@given(sessions)
def test_a_session_comes_back(metrics: SessionMetrics) -> None:
    """decode(encode(x)) is x, and encoding that again gives the same bytes."""
    data = encode(metrics)
    found = decode(data)
    assert found == metrics
    assert encode(found) == data


@given(broken_words, broken_words)
def test_broken_names_come_back_replaced(name: str, key: str) -> None:
    """Half a character is one U+FFFD after load, in names and in unknown keys."""
    metrics = SessionMetrics(name, tools=[ToolMetric(name)], unknown={f"-{key}": name})
    clean = "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in name)
    clean_key = "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in key)
    found = decode(encode(metrics))
    assert (found.session_id, found.tools[0].name) == (clean, clean)
    assert found.unknown == {f"-{clean_key}": clean}
    assert decode(encode(found)) == found
