"""The sentence above a table: what its rows come to, in clauses with semicolons between.

    $61.15 in 3 sessions; Edit failed 22 % of 41 calls; 5 heals, 3 passed.

Every figure is that of a row, of several rows added up, or of the slice that they are of,
written as its cell is. A sentence holds figures and names (tools, phases, models, projects,
days, ids), and nothing of what anybody wrote.
"""

from __future__ import annotations

from collections.abc import Sequence

from m31a_metrics.answers import ToolRow, TotalsRow
from m31a_metrics.measures import LLMSums, PhaseSums, PhaseTotals, SessionSums
from m31a_metrics.tables import written
from m31a_metrics.tables.arithmetic import known_usd
from m31a_metrics.tables.phrases import counted

NAME_MAX = 40
"""So many characters of a name stand in a sentence: enough for any tool of a well-known server."""


_OUR_WORDS = ("the ", "none ", "they ")

Costed = LLMSums | PhaseTotals | SessionSums
Healed = PhaseSums | SessionSums


def sentence(*clauses: str) -> str:
    """Join what was found, leaving out what is empty; "" where nothing was."""
    said = "; ".join(filter(None, clauses))
    # A name stands as it is, also at the beginning.
    begun = f"{said[0].upper()}{said[1:]}" if said.startswith(_OUR_WORDS) else said
    return f"{begun}." if said else ""


def name_of(name: str | None) -> str:
    """Give a name as a sentence has it: cut where it is endless, and words for none."""
    name = name or "what has no name"
    return name if len(name) <= NAME_MAX else f"{name[: NAME_MAX - 1]}…"


def spent(sums: Costed) -> str:
    """Say what it cost: `$61.15`; and where nobody knows, the tokens that it took."""
    cost_usd = known_usd(sums.cost_nano, sums.unpriced_tokens)
    if cost_usd is None:
        return f"{written.tokens(sums.total_tokens)} tokens of unknown cost"
    return written.usd(cost_usd)


def spent_in(totals: TotalsRow) -> str:
    """Say what sessions cost: `$61.15 in 3 sessions`; without LLM use, how many there are."""
    sessions = counted(totals.session_count, "session")
    return f"{spent(totals)} in {sessions}" if used(totals) else sessions


def is_priced(sums: Costed) -> bool:
    """Tell whether `spent` says a cost."""
    return known_usd(sums.cost_nano, sums.unpriced_tokens) is not None


def used(sums: LLMSums | SessionSums) -> bool:
    """Tell whether there was any LLM use."""
    return bool(sums.interaction_count or sums.total_tokens)


def most_failing(rows: Sequence[ToolRow]) -> str:
    """Name the tool with the most failures: `Edit failed 22 % of 41 calls`."""
    row = min(rows, key=lambda row: (-row.fail_count, row.call_count, row.key), default=None)
    if row is None or not row.fail_count:
        return failed(rows)
    name, calls = name_of(row.key), counted(row.call_count, "call")
    if row.fail_count == row.call_count:
        return f"{name} failed in {'its only call' if row.call_count == 1 else f'all {calls}'}"
    return f"{name} failed {share(row.fail_count, row.call_count)} of {calls}"


def failed(rows: Sequence[SessionSums | ToolRow]) -> str:
    """Say how many calls failed: `141 of 3,250 calls failed`; none: `none of 12 calls failed`."""
    calls = sum(row.call_count for row in rows)
    fails = sum(row.fail_count for row in rows)
    if calls == 1:
        return f"the only call {'failed' if fails else 'went well'}"
    count = f"{fails:,}" if fails else "none"
    return f"{count} of {counted(calls, 'call')} failed" if calls else ""


def healed(rows: Sequence[Healed]) -> str:
    """Say how many heals were begun, and passed: `5 heals, 3 passed`."""
    begun = sum(row.heal_trigger_count for row in rows)
    passed = sum(row.heal_success_count for row in rows)
    ended = passed + sum(row.heal_fail_count for row in rows)
    if not begun and not ended:
        return ""
    heals = counted(begun, "heal")
    return f"{heals}, {passed:,} passed" if ended else heals


def share(part: float, whole: float) -> str:
    """Write a part of a whole: `22 %`; "" where there is no whole."""
    return written.percent(part / whole) if whole > 0 else ""


def most(name: str | None, sums: Costed) -> str:
    """Name the part that cost most: `the most in explore, $196.39`; "" where none is known."""
    return f"the most in {name_of(name)}, {spent(sums)}" if name and sums.cost_nano else ""
