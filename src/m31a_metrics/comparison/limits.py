"""A limit as people write it, `cost=+10%`, and what it allows.

A number with a sign is set against the baseline: `+10%` of it more, or `+0.02` more. A number
without a sign stands for itself: `0.05` or `5%` for shares, `1.50` or `$1.50` for cost, `30s`
for times.
"""

from __future__ import annotations

import re
from math import isfinite

from msgspec import Struct

from m31a_metrics.comparison.metrics import Metric
from m31a_metrics.table import Unit

_NUMBER = r"(\d+(?:\.\d*)?|\.\d+)"
_LIMIT = re.compile(rf"([+-]?)\s*(\$?){_NUMBER}\s*(%|[A-Za-z]*)")
_MS = {"ms": 1.0, "s": 1e3, "m": 60e3, "min": 60e3, "h": 3_600e3, "d": 86_400e3}
_MANY = {"": 1.0, "k": 1e3, "M": 1e6}

_HOW = {
    Unit.MS: "a time with its unit, as 500ms, 30s or 2m",
    Unit.SHARE: "a share, as 0.05 or 5%",
    Unit.USD: "US dollars, as 1.50",
    Unit.COUNT: "a number, as 20",
    Unit.TOKENS: "a number, as 200000 or 200k",
}

_SLACK = 1e-9
"""Relative: what adding up in another order may do to a figure breaks no limit."""


class Limit(Struct, frozen=True):
    """What a metric may be at most, or must be at least.

    `amount` is in the metric's unit; where `is_relative` it is added to the baseline, where
    `is_percent` too, as so many parts of it (0.1 for +10%). `text` is how it was written.
    """

    metric: Metric
    is_most: bool
    text: str
    amount: float
    is_relative: bool = False
    is_percent: bool = False

    def bound(self, base: float | None) -> float | None:
        """Give the value that must not be passed; None where a baseline is needed."""
        if not self.is_relative:
            return self.amount
        if base is None:
            return None
        return base * (1 + self.amount) if self.is_percent else base + self.amount

    def holds(self, value: float, bound: float) -> bool:
        """Tell whether a value keeps to the bound."""
        slack = _SLACK * max(abs(value), abs(bound))
        return value <= bound + slack if self.is_most else value >= bound - slack


def split(text: str) -> tuple[str, str]:
    """Part a limit into the metric's name and the rest. Raises ValueError for what is none."""
    name, equals, amount = text.rpartition("=")
    if not equals or not name or not amount:
        raise ValueError(f"{text!r} is no limit: write METRIC=VALUE, as cost=+10%.")
    return name.strip(), amount.strip()


def limit_of(metric: Metric, text: str, *, is_most: bool) -> Limit:
    """Read what stands behind `METRIC=`. Raises ValueError that says how it is written."""
    found = _LIMIT.fullmatch(text)
    if found is None:
        raise _wrong(metric, text)
    sign, dollar, number, suffix = found.groups()
    amount = float(number) * (-1 if sign == "-" else 1)
    if not isfinite(amount) or (dollar and metric.unit is not Unit.USD):
        raise _wrong(metric, text)
    if suffix == "%" and (sign or metric.unit is Unit.SHARE) and not dollar:
        return Limit(metric, is_most, text, amount / 100, bool(sign), bool(sign))
    return Limit(metric, is_most, text, amount * _scale(metric, suffix, text), bool(sign))


def _scale(metric: Metric, suffix: str, text: str) -> float:
    if metric.unit is Unit.MS:
        scale = _MS.get(suffix)
    elif metric.unit in (Unit.TOKENS, Unit.COUNT):
        scale = _MANY.get(suffix)
    else:
        scale = None if suffix else 1.0
    if scale is None:
        raise _wrong(metric, text)
    return scale


def _wrong(metric: Metric, text: str) -> ValueError:
    return ValueError(
        f"{metric.name}={text}: write {_HOW[metric.unit]}; "
        "with a sign it is set against the baseline, as +10%."
    )
