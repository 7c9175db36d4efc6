"""A Table made to fit a width: which columns stay, how wide they are, what is cut.

Figures are never cut. First heads are broken over lines, then names are cut, then
columns go: bars and sparklines, because a figure beside them says the same; where that is
not enough, from the right, and then a bar is worth as much as a figure, as long as there
are a few of these. The first column always stays. A line of text (what failed) gets a good
part of the width before the columns that follow it, and then what is left.
"""

from __future__ import annotations

from msgspec import Struct

from m31a_metrics.table import Table, Unit
from m31a_metrics.views.names import cut, cut_middle, width_of, wrap
from m31a_metrics.views.numbers import head_of, is_number, text_of

GAP = 2

_ROOMY_NAME = 24  # below this a name is worth more than a bar
_FIGURES_BESIDE_A_BAR = 4
_FIRST_NAME = 16
_OTHER_NAME = 10
_LINE_SHARE = 0.4
"""The part of the width that a line of text is worth more than columns at the right."""


class GridColumn(Struct):
    """One drawn column: `index` in the table, cells as text, `width` in terminal cells."""

    index: int
    unit: Unit
    head: str
    cells: list[str]
    body_width: int
    width: int = 0
    one_line: bool = False
    least_line: int = 0

    @property
    def right(self) -> bool:
        """Whether it is aligned to the right."""
        return is_number(self.unit)

    @property
    def head_lines(self) -> list[str]:
        """The head, broken to the column's width."""
        return [cut(line, self.width) for line in wrap(self.head, self.width)]

    def least(self, name: int) -> int:
        """Give the least width it can be drawn in, where a name may be cut to `name`."""
        name = max(name, self.least_line)
        body = min(self.body_width, name) if self.unit is Unit.TEXT else self.body_width
        words = [self.head] if self.one_line else wrap(self.head, 0)
        return max(body, *map(width_of, words))


class Grid(Struct):
    """The columns that fit, and the heads of those that do not."""

    columns: list[GridColumn]
    hidden: list[str]


def fit(table: Table, width: int | None, *, ordered: bool = False) -> Grid:
    """Write a table's cells and fit them into `width` cells; None: as wide as they are.

    `ordered` is for a screen whose columns stand in the order of their worth: each keeps its
    head on one line, and what does not fit goes from the right, pictures in their turn.
    """
    columns = [
        _column(table, index, ordered)
        for index, column in enumerate(table.columns)
        if column.unit is not Unit.UNIT
    ]
    if width is None:
        for column in columns:
            column.width = max(column.body_width, width_of(column.head))
        return Grid(columns, [])
    for column in columns:
        if table.columns[column.index].is_line:
            column.least_line = int(width * _LINE_SHARE)
    kept = _that_fit(columns, width, ordered)
    _widen(kept, width)
    for column in kept:
        if column.unit is Unit.TEXT and column.width < column.body_width:
            column.cells = _shortened(column.cells, column.width)
    indexes = {column.index for column in kept}
    return Grid(kept, [column.head for column in columns if column.index not in indexes])


def _column(table: Table, index: int, one_line: bool) -> GridColumn:
    column = table.columns[index]
    unit = column.unit
    cells = [text_of(row[index], table.unit_of(row, index)) for row in table.rows]
    body_width = max(map(width_of, cells), default=0)
    return GridColumn(index, unit, head_of(column), cells, body_width, one_line=one_line)


def _that_fit(columns: list[GridColumn], width: int, ordered: bool) -> list[GridColumn]:
    if ordered:
        return _from_the_left(columns, width, _FIRST_NAME)
    plain = [column for column in columns if not _is_picture(column)]
    if _least(plain, _FIRST_NAME, _OTHER_NAME) > width:
        kept = _from_the_left(columns, width)
        if sum(not _is_picture(column) for column in kept) >= _FIGURES_BESIDE_A_BAR:
            return kept
        return _from_the_left(plain, width)
    kept = list(columns)
    for column in reversed(columns):
        if _is_picture(column) and _least(kept, _ROOMY_NAME, _ROOMY_NAME) > width:
            kept.remove(column)
    return kept


def _is_picture(column: GridColumn) -> bool:
    return column.index > 0 and column.unit in (Unit.BAR, Unit.SPARK)


def _from_the_left(
    columns: list[GridColumn], width: int, name: int = _ROOMY_NAME
) -> list[GridColumn]:
    """Keep as many as fit; beside a picture the first name needs the room of `name`."""
    kept = list(columns)
    while len(kept) > 1:
        first = name if any(map(_is_picture, kept)) else _FIRST_NAME
        if _least(kept, first, _OTHER_NAME) <= width:
            break
        kept.pop()
    return kept


def _shortened(cells: list[str], width: int) -> list[str]:
    """Cut cells to a width: at the end, or in the middle where they would look the same."""
    short = [cut(cell, width) for cell in cells]
    by_look: dict[str, set[str]] = {}
    for look, cell in zip(short, cells, strict=True):
        by_look.setdefault(look, set()).add(cell)
    return [
        look if len(by_look[look]) == 1 else cut_middle(cell, width)
        for look, cell in zip(short, cells, strict=True)
    ]


def _least(columns: list[GridColumn], first: int, other: int) -> int:
    names = [first] + [other] * (len(columns) - 1)
    least = sum(column.least(name) for column, name in zip(columns, names, strict=True))
    return least + GAP * (len(columns) - 1)


def _widen(columns: list[GridColumn], width: int) -> None:
    """Share out the width: all get their least, then names grow, then heads."""
    for at, column in enumerate(columns):
        column.width = column.least(_OTHER_NAME if at else _FIRST_NAME)
    if len(columns) == 1 and columns[0].unit is Unit.TEXT:
        columns[0].width = min(columns[0].width, max(width, 1))
    room = width - sum(column.width for column in columns) - GAP * (len(columns) - 1)
    for wanted in (
        [column.body_width for column in columns],
        [max(column.body_width, width_of(column.head)) for column in columns],
    ):
        while room > 0:
            narrow = [c for c, want in zip(columns, wanted, strict=True) if c.width < want]
            if not narrow:
                break
            for column in narrow[:room]:
                column.width += 1
            room -= min(room, len(narrow))
