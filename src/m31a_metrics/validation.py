"""What a record method may be given: wrong types and impossible numbers raise, naming the argument.

Every function returns the value to record, or raises TypeError or ValueError before
anything has changed.
"""

from __future__ import annotations

from math import isfinite

from msgspec.structs import replace

from m31a_metrics.model import Usage
from m31a_metrics.units import LARGEST

LARGEST_COST_USD = 1e15


def text(value: str, argument: str) -> str:
    """Return a str (an enum's own value, lone surrogates replaced), which may be empty."""
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be a str, not {type(value).__name__}")
    # A str subclass (WorkflowPhase) becomes the plain string that it stands for.
    plain = str.__str__(value)
    if not plain.isascii():
        plain = plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return plain


def name(value: str, argument: str) -> str:
    """Return a str that is not empty."""
    plain = text(value, argument)
    if not plain:
        raise ValueError(f"{argument} must not be empty")
    return plain


def optional_name(value: str | None, argument: str) -> str | None:
    """Return None, or a str that is not empty."""
    return None if value is None else name(value, argument)


def flag(value: bool, argument: str) -> bool:
    """Return a bool; 1 and 0 are not taken, for they are usually a mistake."""
    if value is not True and value is not False:
        raise TypeError(f"{argument} must be a bool, not {type(value).__name__}")
    return value


def duration_ms(value: int | float, argument: str) -> int | float:
    """Return a finite int or float; it may be negative (the caller counts that as 0)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{argument} must be an int or a float, not {type(value).__name__}")
    if isinstance(value, float) and not isfinite(value):
        raise ValueError(f"{argument} must be finite, not {value}")
    if value > LARGEST or value < -LARGEST:
        raise ValueError(f"{argument} must be at most 2**53")
    # A subclass (numpy's float64) becomes the plain number that JSON can say.
    return float(value) if isinstance(value, float) else int(value)


def optional_duration_ms(value: int | float | None, argument: str) -> int | float | None:
    """Return None, or a finite int or float."""
    return None if value is None else duration_ms(value, argument)


def cost(value: float | None) -> float | None:
    """Return None, or a finite number of USD, which is never negative."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"cost must be a float (USD) or None, not {type(value).__name__}")
    if not 0 <= value <= LARGEST_COST_USD:
        raise ValueError("cost must be finite and from 0 to 1e15 USD")
    return float(value) or 0.0  # of two zeros the one without a sign


def usage(value: Usage) -> Usage:
    """Return a Usage whose token counts are whole numbers from 0 to 2**53."""
    if not isinstance(value, Usage):
        raise TypeError(f"usage must be a Usage or None, not {type(value).__name__}")
    plain = True
    for field in Usage.__struct_fields__:
        count = getattr(value, field)
        if field == "total_tokens" and count is None:
            continue
        if isinstance(count, bool) or not isinstance(count, int):
            raise TypeError(f"usage.{field} must be an int, not {type(count).__name__}")
        if not 0 <= count <= LARGEST:
            raise ValueError(f"usage.{field} must be from 0 to 2**53")
        plain = plain and type(count) is int
    if plain:
        return value
    # msgspec encodes plain integers only.
    counts = {field: getattr(value, field) for field in Usage.__struct_fields__}
    return replace(value, **{field: int(n) for field, n in counts.items() if n is not None})
