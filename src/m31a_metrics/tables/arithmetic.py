"""Sums of rows as the figures of cells: costs, shares, changes."""

from __future__ import annotations

from msgspec.structs import astuple

from m31a_metrics.measures import TokenSums, token_classes
from m31a_metrics.units import HOUR_US, MINUTE_US, usd


def known_cost_usd(cost_usd: float, unpriced_tokens: int) -> float | None:
    """Give a cost; None where every token of it is unpriced."""
    return None if unpriced_tokens and not cost_usd else cost_usd


def known_usd(cost_nano: int | None, unpriced_tokens: int = 0) -> float | None:
    """Give nano-USD as a cost in US dollars; None where nobody knows it, or it is unpriced."""
    return None if cost_nano is None else known_cost_usd(usd(cost_nano), unpriced_tokens)


def class_cells(sums: TokenSums) -> tuple[int | None, ...]:
    """Make the cells of TOKEN_CLASSES, and of UNSPLIT; dashes where no prompt is split."""
    classes = astuple(token_classes(sums))
    return classes if knows_caches(sums) else (None, None, None, None, *classes[4:])


def knows_caches(sums: TokenSums) -> bool:
    """Tell whether of any of the prompts it is known what caches had a part in."""
    unsplit = sums.unsplit_prompt_tokens
    return not unsplit or unsplit < sums.prompt_tokens


def ratio(part: float, whole: float) -> float | None:
    """Divide; None where there is nothing to divide by."""
    return part / whole if whole else None


def per_hour(figure: float | None, active_us: int) -> float | None:
    """Give a rate per active hour; None for less than a minute, of which it would say nothing."""
    if figure is None or active_us < MINUTE_US:
        return None
    return figure * HOUR_US / active_us


def per_minute(figure: float, active_us: int) -> float | None:
    """Give a rate per active minute, in the same way."""
    return None if active_us < MINUTE_US else figure * MINUTE_US / active_us


def change(now: float | None, before: float | None) -> float | None:
    """Tell by which part a figure is more than before; None where nothing can be said."""
    return None if now is None or not before else now / before - 1


def difference(now: float | None, before: float | None) -> float | None:
    """Tell by how much a share is more than before."""
    return None if now is None or before is None else now - before


def heal_rate(passed: int, failed: int) -> float | None:
    """Of the heals whose end is known, the part that passed; None where none is known."""
    return ratio(passed, passed + failed)
