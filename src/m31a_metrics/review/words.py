"""Sentences that several tables share: of what they are, and what to try next."""

from __future__ import annotations

from collections.abc import Sequence

from m31a_metrics.model import SessionMetrics

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


def unpriced(tokens: int) -> list[str]:
    """Say that a cost is not all of it, where it is not."""
    if not tokens:
        return []
    return [f"{tokens:,} tokens are unpriced (nobody gave their cost), so cost leaves them out."]
