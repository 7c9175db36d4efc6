"""Sentences that several tables share: of what they are, and what to try next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from m31a_metrics.answers import LLMRow, TotalsRow
from m31a_metrics.units import SECOND_US

NOTHING_YET = (
    "Nothing is recorded here yet. Record a command: `m31 run -- COMMAND`, "
    "or see what a review looks like: `m31 demo`."
)


class Scope(Struct):
    """Of what a table speaks: the sums of a slice, or the one session of that id."""

    totals: TotalsRow = field(default_factory=TotalsRow)
    session_id: str = ""

    def __str__(self) -> str:
        """Say it: `session 3f2a91c0`, or `12 sessions`."""
        if self.session_id:
            return f"session {self.session_id}"
        return counted(self.totals.session_count, "session")

    def lacks(self, what: str, how: str) -> str:
        """Say why a table has no rows, and `how` they would come to be."""
        if self.session_id:
            return f"Session {self.session_id} has no {what}. {how}"
        count = self.totals.session_count
        if not count:
            return NOTHING_YET
        return f"The {self} {'has' if count == 1 else 'have'} no {what}. {how}"


def last_stays(last_stay_us: int) -> list[str]:
    """Say that of some of the active time no more is known than how long phases were last."""
    if not last_stay_us:
        return []
    seconds = f"{last_stay_us / SECOND_US:,.1f} s"
    return [f"{seconds} of this are last stays: of a phase, METRICS.json alone keeps no more."]


def counted(number: int, what: str) -> str:
    """Say how many there are: `1 call`, `12 calls`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def unpriced(tokens: int, models: Iterable[LLMRow] = ()) -> list[str]:
    """Say that a cost is not all of it, where it is not, and of which `models` the rest is.

    These are rows by model.
    """
    if not tokens:
        return []
    said = f"{tokens:,} tokens are unpriced (nobody gave their cost), so cost leaves them out."
    named = sorted(
        (row for row in models if row.unpriced_tokens and row.key),
        key=lambda row: -row.unpriced_tokens,
    )
    if not named:
        return [said]
    parts = [f"{row.key} ({row.unpriced_tokens:,})" for row in named]
    rest = tokens - sum(row.unpriced_tokens for row in named)
    if rest > 0:
        parts.append(f"models that nobody named ({rest:,})")
    return [said, f"Unpriced: {', '.join(parts)}."]


def unknown_usage(count: int) -> list[str]:
    """Say that of some LLM calls nobody reported the tokens."""
    if not count:
        return []
    return [f"Of {counted(count, 'LLM call')} nobody reported the tokens, so they add none."]


def listed(words: Sequence[str]) -> str:
    """Join words as people do: `day, week or month`."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
