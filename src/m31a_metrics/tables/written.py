"""Figures as people read them: the same in a cell and in a sentence above the table."""

from __future__ import annotations

from collections.abc import Callable

from m31a_metrics.table import Unit


def count(number: float) -> str:
    """Write a number of things; a mean with one digit behind the point."""
    if isinstance(number, int) or number.is_integer():
        return f"{int(number):,}"
    # A mean below one would be drawn as none at all.
    return f"{number:,.1f}" if abs(number) >= 0.95 else f"{number:.2g}"


def tokens(number: float) -> str:
    """Write a number of tokens, shortened from a thousand on."""
    size = abs(number)
    if size < 999.5:
        return f"{number:.0f}"
    # The limits are where rounding would write 1000.0k instead of 1.0M.
    if size < 999_950:
        return f"{number / 1e3:.1f}k"
    if size < 999_950_000:
        return f"{number / 1e6:.1f}M"
    return f"{number / 1e9:,.1f}B"


def ms(number: float) -> str:
    """Write a time in milliseconds in the units in which people have it."""
    if number < 0:
        return f"-{ms(-number)}"
    if number < 999.5:
        return f"{_short_ms(number)} ms"
    if number < 59_950:
        return f"{number / 1e3:.1f} s"
    if number < 3_599_500:
        minutes, seconds = divmod(round(number / 1e3), 60)
        return f"{minutes} min {seconds:02d} s"
    if number < 86_370_000:
        hours, minutes = divmod(round(number / 60e3), 60)
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(round(number / 3_600e3), 24)
    return f"{days} d {hours:02d} h"


def _short_ms(number: float) -> str:
    if not number:
        return "0"
    if number < 0.01:
        return "<0.01"
    if number < 0.995:
        return f"{number:.2g}"
    if number < 9.95:
        return f"{number:.1f}".removesuffix(".0")
    return f"{number:.0f}"


def usd(number: float) -> str:
    """Write US dollars: four digits behind the point below one, else two."""
    if number < 0:
        return f"-{usd(-number)}"
    if not number:
        return "$0.00"
    if number < 0.00005:
        return "<$0.0001"
    return f"${number:.4f}" if number < 0.99995 else f"${number:,.2f}"


def share(number: float) -> str:
    """Write a share (0 to 1) as a percentage, as cells have it."""
    if number in (0, 1):
        return "100%" if number else "0%"
    # Nearly nothing and nearly all are not nothing and all.
    if 0 < number < 0.0005:
        return "<0.1%"
    if 0.9995 <= number < 1:
        return ">99.9%"
    return f"{number:,.1%}"


def change(number: float) -> str:
    """Write a change (0.1: 10 % more) as a percentage with its sign, as cells have it."""
    percent = number * 100
    if not round(percent, 1):
        return "0%"
    return f"{percent:+.1f}%" if abs(percent) < 9.95 else f"{percent:+,.0f}%"


def percent(number: float) -> str:
    """Write a share as a sentence has it: `22 %`, `7.4 %`; nearly none is not none."""
    if abs(number) < 0.0995 or 0.995 <= number < 1:
        return share(number).replace("%", " %").replace(".0 %", " %")
    return f"{number:,.0%}".replace("%", " %")


def signed_percent(number: float) -> str:
    """Write a change as a sentence has it: `+34 %`."""
    return change(number).replace("%", " %")


BY_UNIT: dict[Unit, Callable[[float], str]] = {
    Unit.COUNT: count,
    Unit.TOKENS: tokens,
    Unit.MS: ms,
    Unit.USD: usd,
    Unit.SHARE: share,
    Unit.CHANGE: change,
}
"""How a figure of a unit is written."""
