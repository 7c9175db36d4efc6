"""The JSON Schema of METRICS.json, made from the model.

`python -m m31a_metrics.codec.schema > schema/metrics.schema.json` writes it anew.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from msgspec.json import schema_components

from m31a_metrics.codec.fields import INT64_MAX, INT64_MIN, ROWS, SESSION, Field
from m31a_metrics.model import SessionMetrics

_TIME_PATTERN = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})$"
)

DESCRIPTIONS: dict[str, dict[str, str]] = {
    "SessionMetrics": {
        "session_id": "The session. Inside the file it is data and may be any string.",
        "started_at": "When the session began (RFC 3339).",
        "updated_at": "When the last event happened (RFC 3339).",
        "tools": "One row per tool, in order of first appearance.",
        "edit_strategies": "One row per way of applying an edit. M31A's newer files.",
        "llms": "One row per phase that used a model, in order of first appearance.",
        "phases": "One row per workflow phase, in order of first appearance.",
        "plan_outcomes": "M31A's record of each planned task. Carried as it is.",
        "startup": "M31A's start-up durations (ms). Carried as it is.",
        "completions": "M31A's record of each phase's end. Carried as it is.",
        "cancellations": "M31A's record of what a person cancelled. Carried as it is.",
    },
    "ToolMetric": {
        "name": "The tool. Upper and lower case differ.",
        "call_count": "Calls.",
        "success_count": "Calls that succeeded.",
        "fail_count": "Calls that failed.",
        "total_duration_ms": "Sum of all calls' durations (ms, each call rounded).",
        "avg_duration_ms": "Mean duration of a call (ms); 0 without calls.",
        "denied_count": "Calls refused by a hook, a rule or a person; not among calls. Ours.",
    },
    "EditStrategyMetric": {
        "strategy": "The way an edit was applied, such as exact_match.",
        "count": "Edits applied that way.",
    },
    "LLMMetric": {
        "phase": "The workflow phase that used the model.",
        "prompt_tokens": "Tokens in, cache reads and writes among them.",
        "completion_tokens": "Tokens out, reasoning among them.",
        "total_tokens": "Tokens as the provider totalled them; else prompt + completion.",
        "cost": "Cost (USD).",
        "interaction_count": "Answers of a model.",
        "prompt_hash": "Hash of the phase's prompt. M31A's newer files.",
        "truncated_input": "Whether input was cut to fit. M31A's newer files.",
        "unpriced_tokens": "Tokens whose cost nobody knew; they add nothing to cost. Ours.",
        "unknown_usage_count": "Answers whose tokens nobody reported; they add none. Ours.",
    },
    "PhaseMetric": {
        "phase": "The workflow phase; any string may be one.",
        "duration_ms": "Duration last recorded (ms); not a sum.",
        "transition_count": "Times the phase was entered.",
        "heal_trigger_count": "Self-heals begun.",
        "heal_success_count": "Self-heals that worked. M31A's newer files.",
        "heal_fail_count": "Self-heals that did not. M31A's newer files.",
        "heal_duration_ms": "Sum of all self-heals' durations (ms). M31A's newer files.",
        "heal_loop_count": "Times the same error came back again and again. M31A's newer files.",
        "bisect_trigger_count": "Git bisects begun.",
        "bisect_success_count": "Git bisects that named a commit. M31A's newer files.",
        "bisect_fail_count": "Git bisects that did not. M31A's newer files.",
        "success": "Whether the phase succeeded when its duration was last recorded.",
    },
}
"""What each field means, with its unit; of every field of the model, by its struct."""


def schema() -> dict[str, Any]:
    """The schema (draft 2020-12) of a file as it is written; loading takes more.

    Further keys are allowed everywhere: they are another version's, and are kept.
    """
    _, components = schema_components((SessionMetrics,))
    rows = {model.__name__: fields for model, fields in ROWS.values()}
    definitions = {
        name: _refine(components[name], name, fields)
        for name, fields in {"SessionMetrics": SESSION, **rows}.items()
    }
    session = definitions.pop("SessionMetrics")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **session,
        "title": "METRICS.json",
        "$defs": definitions,
    }


def _refine(component: dict[str, Any], name: str, fields: tuple[Field, ...]) -> dict[str, Any]:
    """The file's order and required keys, and what types alone do not tell."""
    properties = {}
    for field in fields:
        property_: dict[str, Any] = {"description": DESCRIPTIONS[name][field.name]}
        property_ |= component["properties"][field.name]
        if not field.optional:
            del property_["default"]
        if field.kind == "int":
            property_ |= {"minimum": INT64_MIN, "maximum": INT64_MAX}
        elif field.kind == "time":
            property_ |= {"format": "date-time", "pattern": _TIME_PATTERN}
        properties[field.name] = property_
    return {
        "title": name,
        "description": " ".join(component["description"].split("\n\n")[0].split()),
        "type": "object",
        "properties": properties,
        "required": [field.name for field in fields if not field.optional],
        "additionalProperties": True,
    }


def text() -> str:
    """The schema as its file holds it."""
    return json.dumps(schema(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
