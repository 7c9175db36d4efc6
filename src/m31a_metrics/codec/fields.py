"""Which keys METRICS.json has, of which kind, in the order in which the file holds them.

The writer, both readers and the schema go by these tables, so a new field of the model
is one line here.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from m31a_metrics.model import EditStrategyMetric, LLMMetric, PhaseMetric, ToolMetric

Kind = Literal["str", "int", "float", "bool", "time", "rows", "list", "object"]
"""`rows` is a list of one model's rows; `list` and `object` are carried as they are."""

Row = ToolMetric | LLMMetric | PhaseMetric | EditStrategyMetric

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


class Field(Struct, frozen=True, gc=False):
    """One key. An `optional` one is left out of the file while it is zero or empty."""

    name: str
    kind: Kind
    optional: bool = False


TOOL = (
    Field("name", "str"),
    Field("call_count", "int"),
    Field("success_count", "int"),
    Field("fail_count", "int"),
    Field("total_duration_ms", "int"),
    Field("avg_duration_ms", "float"),
    Field("denied_count", "int", optional=True),
)

EDIT_STRATEGY = (
    Field("strategy", "str"),
    Field("count", "int"),
)

LLM = (
    Field("phase", "str"),
    Field("prompt_tokens", "int"),
    Field("completion_tokens", "int"),
    Field("total_tokens", "int"),
    Field("cost", "float"),
    Field("interaction_count", "int"),
    Field("prompt_hash", "str", optional=True),
    Field("truncated_input", "bool", optional=True),
    Field("unpriced_tokens", "int", optional=True),
    Field("unknown_usage_count", "int", optional=True),
)

PHASE = (
    Field("phase", "str"),
    Field("duration_ms", "int"),
    Field("transition_count", "int"),
    Field("heal_trigger_count", "int"),
    Field("heal_success_count", "int", optional=True),
    Field("heal_fail_count", "int", optional=True),
    Field("heal_duration_ms", "int", optional=True),
    Field("heal_loop_count", "int", optional=True),
    Field("bisect_trigger_count", "int"),
    Field("bisect_success_count", "int", optional=True),
    Field("bisect_fail_count", "int", optional=True),
    Field("success", "bool"),
)

SESSION = (
    Field("session_id", "str"),
    Field("started_at", "time"),
    Field("updated_at", "time"),
    Field("tools", "rows"),
    Field("edit_strategies", "rows", optional=True),
    Field("llms", "rows"),
    Field("phases", "rows"),
    Field("plan_outcomes", "list", optional=True),
    Field("startup", "object", optional=True),
    Field("completions", "list", optional=True),
    Field("cancellations", "list", optional=True),
)

ROWS: dict[str, tuple[type[Row], tuple[Field, ...]]] = {
    "tools": (ToolMetric, TOOL),
    "edit_strategies": (EditStrategyMetric, EDIT_STRATEGY),
    "llms": (LLMMetric, LLM),
    "phases": (PhaseMetric, PHASE),
}
"""Of each key of kind `rows`: the model of a row, and its keys."""


def by_name(fields: tuple[Field, ...]) -> dict[str, Field]:
    """A table to look keys up in."""
    return {field.name: field for field in fields}


def match(known: dict[str, Field], key: str) -> Field | None:
    """The field that Go would fill from `key`: the exact name, else one without case.

    Go folds letters as Unicode does, where the long s and the Kelvin sign are
    letters s and k; no other letter outside ASCII folds into it.
    """
    field = known.get(key)
    if field is None:
        folded = key.replace("\u017f", "s").replace("\u212a", "k")
        if folded.isascii():
            field = known.get(folded.lower())
    return field
