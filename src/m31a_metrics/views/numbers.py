"""One cell as people read it: the same figure on a terminal, in a pipe and on a page."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from math import isfinite

from m31a_metrics.table import Cell, Column, Unit
from m31a_metrics.tables import written
from m31a_metrics.timestamps import local
from m31a_metrics.views.names import clean

UNKNOWN = "\N{EN DASH}"
BAR_WIDTH = 10

_EIGHTHS = " ▏▎▍▌▋▊▉"
_SPARKS = "▁▂▃▅▇"


def text_of(cell: Cell, unit: Unit) -> str:
    """Write one cell of a column of `unit`; a dash where the figure is not known.

    Text in a column of numbers ("unpriced") is shown as it is, made harmless.
    """
    if cell is None:
        return UNKNOWN
    if isinstance(cell, str):
        return clean(cell).strip()
    if isinstance(cell, bool):
        return ("ok" if cell else "failed") if unit is Unit.OUTCOME else "yes" if cell else "no"
    if isinstance(cell, datetime):
        return _time(cell)
    if isinstance(cell, list):
        return _list(cell)
    if not isfinite(cell):
        return UNKNOWN
    return _NUMBERS.get(unit, _plain)(cell)


def is_nothing(cell: Cell, unit: Unit) -> bool:
    """Tell whether a cell counts nothing: zero, no, not known or without a word."""
    if cell is None or unit is Unit.OUTCOME:
        return cell is None
    if isinstance(cell, list):
        return not any(cell)
    if isinstance(cell, str):
        return not cell.strip()
    return not isinstance(cell, datetime) and (not cell or not isfinite(cell))


def head_of(column: Column) -> str:
    """Give a column's head. It names the unit where the cells do not carry it."""
    title = clean(column.title)
    if column.unit is Unit.TOKENS and "tok" not in title.lower():
        return f"{title} tok"
    return title


def is_number(unit: Unit) -> bool:
    """Tell whether a column is one of figures: drawn to the right and never cut."""
    return unit in _RIGHT


def _plain(number: float) -> str:
    return f"{number:.15g}" if isinstance(number, float) else str(number)


def _bar(number: float) -> str:
    eighths = round(min(max(number, 0), 1) * BAR_WIDTH * 8)
    full, rest = divmod(max(eighths, 1) if number > 0 else 0, 8)
    return ("█" * full + _EIGHTHS[rest]).rstrip()


def _list(cell: list[float] | list[str]) -> str:
    names = [clean(one).strip() for one in cell if isinstance(one, str)]
    return ", ".join(names) or _spark([one for one in cell if not isinstance(one, str)])


def _spark(numbers: list[float]) -> str:
    known = [number for number in numbers if isfinite(number)]
    top = max(known, default=0)
    return "".join(
        " " if not isfinite(number) else _SPARKS[round(number / top * 4) if number > 0 else 0]
        for number in numbers
    )


def _time(moment: datetime) -> str:
    if moment.year == 1:  # Go's zero time: nobody knows when
        return UNKNOWN
    return local(moment).isoformat(" ", "minutes")[:16]


_NUMBERS = {**written.BY_UNIT, Unit.BAR: _bar}
_RIGHT = frozenset(
    {Unit.COUNT, Unit.TOKENS, Unit.MS, Unit.USD, Unit.SHARE, Unit.CHANGE, Unit.BY_ROW}
)


class Tone(Enum):
    """What a reader should see at once."""

    PLAIN = "plain"
    UNKNOWN = "unknown"
    GOOD = "good"
    BAD = "bad"
    PICTURE = "picture"


_VERDICTS = {
    "better": Tone.GOOD,
    "worse": Tone.BAD,
    "higher": Tone.PLAIN,
    "lower": Tone.PLAIN,
    "mixed": Tone.PLAIN,
}
"""Of a comparison; the others say that nothing was found."""


def tone(cell: Cell, column: Column) -> Tone:
    """Tell the tone of a cell: failures and spent limits are bad, bars, sparklines are pictures."""
    if cell is None:
        return Tone.UNKNOWN
    if column.unit is Unit.OUTCOME:
        return Tone.GOOD if cell is True else Tone.BAD if cell is False else Tone.PLAIN
    if column.name == "verdict":
        return _VERDICTS.get(str(cell), Tone.UNKNOWN)
    if column.name in ("used_share", "used_bar") and isinstance(cell, int | float) and cell >= 1:
        return Tone.BAD
    if column.unit in (Unit.BAR, Unit.SPARK):
        return Tone.PICTURE
    failures = "fail" in column.name and isinstance(cell, int | float) and cell > 0
    return Tone.BAD if failures else Tone.PLAIN
