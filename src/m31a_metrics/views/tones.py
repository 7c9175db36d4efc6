"""What a cell's figure means for its colour; every view has its own colours for it."""

from __future__ import annotations

from enum import Enum

from m31a_metrics.table import Cell, Column, Unit


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
    """Tell the tone of a cell: failures are bad, bars and sparklines are pictures."""
    if cell is None:
        return Tone.UNKNOWN
    if column.unit is Unit.OUTCOME:
        return Tone.GOOD if cell is True else Tone.BAD if cell is False else Tone.PLAIN
    if column.unit in (Unit.BAR, Unit.SPARK):
        return Tone.PICTURE
    if column.name == "verdict":
        return _VERDICTS.get(str(cell), Tone.UNKNOWN)
    failures = "fail" in column.name and isinstance(cell, int | float) and cell > 0
    return Tone.BAD if failures else Tone.PLAIN
