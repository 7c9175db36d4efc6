"""Sentences that several tables share: of what they are, and what to try next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from m31a_metrics.model import ModelMetric, SessionMetrics

NOTHING_YET = (
    "Nothing is recorded here yet. Record a command: `m31 run -- COMMAND`, "
    "or see what a review looks like: `m31 demo`."
)


def scope(sessions: Sequence[SessionMetrics]) -> str:
    """Say of which sessions a table speaks."""
    if len(sessions) == 1:
        return f"session {sessions[0].session_id}"
    return f"{len(sessions):,} sessions"


def empty(what: str, how: str, sessions: Sequence[SessionMetrics]) -> str:
    """Say why a table has no rows, and `how` they would come to be."""
    if not sessions:
        return NOTHING_YET
    if len(sessions) == 1:
        return f"Session {sessions[0].session_id} has no {what}. {how}"
    return f"The {len(sessions):,} sessions have no {what}. {how}"


def unpriced(tokens: int, models: Iterable[ModelMetric] = ()) -> list[str]:
    """Say that a cost is not all of it, where it is not, and of which models the rest is."""
    if not tokens:
        return []
    said = f"{tokens:,} tokens are unpriced (nobody gave their cost), so cost leaves them out."
    named = sorted(
        (model for model in models if model.unpriced_tokens and model.model),
        key=lambda model: -model.unpriced_tokens,
    )
    if not named:
        return [said]
    parts = [f"{model.model} ({model.unpriced_tokens:,})" for model in named]
    rest = tokens - sum(model.unpriced_tokens for model in named)
    if rest > 0:
        parts.append(f"models that nobody named ({rest:,})")
    return [said, f"Unpriced: {', '.join(parts)}."]
