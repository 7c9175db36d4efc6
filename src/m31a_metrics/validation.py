"""What a record method may be given: wrong types and impossible numbers raise, naming the argument.

Every function returns the value to record, or raises TypeError or ValueError before
anything has changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from msgspec.structs import replace

from m31a_metrics.events import SessionStart
from m31a_metrics.model import Usage
from m31a_metrics.units import LARGEST

LARGEST_COST_USD = 1e15

LABELS_MAX = 16
"""A session has so many labels at most."""
LABEL_NAME_MAX = 40
LABEL_VALUE_MAX = 100
AGENT_MAX = 64
BRANCH_MAX = 255
PROJECT_MAX = 4096
"""Characters; a project is a path, and no path is longer on Linux."""

_CONTROLS = frozenset(
    chr(code)
    for first, last in (
        (0x00, 0x1F),
        (0x7F, 0x9F),
        (0x200E, 0x200F),  # from here on: what turns the direction of text, and ends lines
        (0x2028, 0x2029),
        (0x202A, 0x202E),
        (0x2066, 0x2069),
    )
    for code in range(first, last + 1)
)
_JOINTS = str.maketrans("", "", "._-")


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


def session_start(
    *,
    project: str | None = None,
    branch: str | None = None,
    agent: str | None = None,
    labels: Mapping[str, str] | None = None,
    t_us: int = 0,
) -> SessionStart:
    """Return the event that says who ran where, under which labels."""
    return SessionStart(
        t_us,
        agent=None if agent is None else token(agent, "agent", AGENT_MAX),
        project=None if project is None else _line(project, "project", PROJECT_MAX),
        branch=None if branch is None else _line(branch, "branch", BRANCH_MAX),
        labels=None if labels is None else (_labels(labels) or None),
    )


def label(written: str) -> tuple[str, str]:
    """Return name and value of a label that is written as NAME=VALUE."""
    label_name, equals, value = written.partition("=")
    if not equals:
        raise ValueError(f"{written!r} is no label: write NAME=VALUE")
    return label_name_of(label_name.strip()), _value(value.strip(), f"label {label_name.strip()}")


def label_name_of(value: str) -> str:
    """Return the name of a label."""
    return token(value, "a label's name", LABEL_NAME_MAX)


def is_label(label_name: str, value: str) -> bool:
    """Tell whether a recorder may give this label: a journal may say anything."""
    try:
        return bool(label_name_of(label_name) and _value(value, "a label"))
    except ValueError:
        return False


def token(value: str, argument: str, length_max: int) -> str:
    """Return a name of ASCII letters, digits, '.', '_' and '-', which begins with no sign.

    So it can stand in every option and address as it is.
    """
    plain = name(value, argument)
    letters = plain.translate(_JOINTS)
    is_plain = plain.isascii() and letters.isalnum() and plain[0].isalnum()
    if not is_plain or len(plain) > length_max:
        raise ValueError(
            f"{argument} must be at most {length_max} letters, digits, '.', '_' and '-', "
            "and begin with a letter or digit"
        )
    return plain


def _labels(labels: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(labels, Mapping):
        raise TypeError(f"labels must be a mapping of names to str, not {type(labels).__name__}")
    if len(labels) > LABELS_MAX:
        raise ValueError(f"labels must be at most {LABELS_MAX}, not {len(labels):,}")
    return {
        token(one, "labels' names", LABEL_NAME_MAX): _value(value, f"labels[{one!r}]")
        for one, value in labels.items()
    }


def _value(value: str, argument: str) -> str:
    plain = _line(value, argument, LABEL_VALUE_MAX)
    if "," in plain or plain != plain.strip():
        # A slice in one word has commas between its parts, and spaces around them.
        raise ValueError(f"{argument} must have no comma, and no space at its ends")
    return plain


def _line(value: str, argument: str, length_max: int) -> str:
    plain = name(value, argument)
    if len(plain) > length_max:
        raise ValueError(f"{argument} must be at most {length_max:,} characters long")
    if not _CONTROLS.isdisjoint(plain):
        raise ValueError(f"{argument} must have no control characters")
    return plain
