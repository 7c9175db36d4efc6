"""A Table made to fit a width: which columns stay, how wide they are, what is cut.

A column that counts nothing in any row is left out, whatever the width is: a word below
the table says it shorter. Figures are never cut. First heads are broken over lines, then
names are cut, then columns go: those that are the same in all rows, which a word below says
as well; then bars and sparklines, because a figure beside them says the same; where that is
not enough, from the right. The first column always stays. A line of text (what failed) gets
a good part of the width before the columns that follow it, and then what is left.
"""

from __future__ import annotations

from msgspec import Struct

from m31a_metrics.table import Table, Unit
from m31a_metrics.views.names import cut, cut_middle, cut_start, width_of, wrap
from m31a_metrics.views.numbers import head_of, is_nothing, is_number, text_of

GAP = 2

_ROOMY_NAME = 24  # below this a name is worth more than a bar
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
    keeps_end: bool = False

    @property
    def is_same(self) -> bool:
        """Whether several rows have all the same in it."""
        return len(self.cells) > 1 and len(set(self.cells)) == 1

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
    """The columns that fit, and the heads of those that do not.

    `same` are those that went because all rows have the same, each with that; `zero` those
    that count nothing in any row.
    """

    columns: list[GridColumn]
    hidden: list[str]
    same: list[str] = []
    zero: list[str] = []


def fit(table: Table, width: int | None, *, ordered: bool = False) -> Grid:
    """Write a table's cells and fit them into `width` cells; None: as wide as they are.

    `ordered` is for a screen whose columns stand in the order of their worth, and whose cells
    change: each column stays whatever is in it and keeps its head on one line, and what does
    not fit goes from the right, pictures in their turn.
    """
    columns = [
        _column(table, index, ordered)
        for index, column in enumerate(table.columns)
        if column.unit is not Unit.UNIT
    ]
    zero: list[str] = []
    if not ordered:
        columns, zero = _that_tell(table, columns)
    if width is None:
        for column in columns:
            column.width = max(column.body_width, width_of(column.head))
        return Grid(columns, [], [], zero)
    for column in columns:
        if table.columns[column.index].is_line:
            column.least_line = int(width * _LINE_SHARE)
    kept = _that_fit(columns, width, ordered)
    _widen(kept, width)
    for column in kept:
        if column.unit is Unit.TEXT and column.width < column.body_width:
            column.cells = _shortened(column.cells, column.width, keeps_end=column.keeps_end)
    indexes = {column.index for column in kept}
    gone = [column for column in columns if column.index not in indexes]
    same = [column for column in gone if column.is_same and not ordered]
    return Grid(
        kept,
        [column.head for column in gone if column not in same],
        [f"{column.head} {column.cells[0]}" for column in same if not _is_picture(column)],
        zero,
    )


def _that_tell(table: Table, columns: list[GridColumn]) -> tuple[list[GridColumn], list[str]]:
    """Leave out the columns that count nothing in any row; also name those that count."""
    told, zero = columns[:1], []
    for column in columns[1:]:
        cells = [row[column.index] for row in table.rows]
        if not all(is_nothing(cell, column.unit) for cell in cells):
            told.append(column)
        elif any(cell is not None for cell in cells) and not _is_picture(column):
            zero.append(column.head)
    return told, zero


def _column(table: Table, index: int, one_line: bool) -> GridColumn:
    column = table.columns[index]
    unit = column.unit
    cells = [text_of(row[index], table.unit_of(row, index)) for row in table.rows]
    body_width = max(map(width_of, cells), default=0)
    return GridColumn(
        index,
        unit,
        head_of(column),
        cells,
        body_width,
        one_line=one_line,
        keeps_end=column.keeps_end,
    )


def _that_fit(columns: list[GridColumn], width: int, ordered: bool) -> list[GridColumn]:
    if ordered:
        return _from_the_left(columns, width)
    kept = list(columns)
    for column in reversed(columns[1:]):
        if column.is_same and not _fits(kept, width):
            kept.remove(column)
    for column in reversed(tuple(kept)):
        if _is_picture(column) and _least(kept, _ROOMY_NAME, _ROOMY_NAME) > width:
            kept.remove(column)
    return _from_the_left(kept, width)


def _fits(columns: list[GridColumn], width: int) -> bool:
    """Tell whether they fit; beside a picture names need more room."""
    name = _ROOMY_NAME if any(map(_is_picture, columns)) else 0
    return _least(columns, name or _FIRST_NAME, name or _OTHER_NAME) <= width


def _is_picture(column: GridColumn) -> bool:
    return column.index > 0 and column.unit in (Unit.BAR, Unit.SPARK)


def _from_the_left(columns: list[GridColumn], width: int) -> list[GridColumn]:
    kept = list(columns)
    while len(kept) > 1 and _least(kept, _FIRST_NAME, _OTHER_NAME) > width:
        kept.pop()
    return kept


def _shortened(cells: list[str], width: int, *, keeps_end: bool) -> list[str]:
    """Cut cells to a width so that those that differ look different.

    At the end, or at the start where the end tells more; else in the middle; else before
    the place where they differ.
    """
    short = [cut_start(cell, width) if keeps_end else cut(cell, width) for cell in cells]
    for other in (cut_middle, None):
        by_look: dict[str, set[str]] = {}
        for look, cell in zip(short, cells, strict=True):
            by_look.setdefault(look, set()).add(cell)
        if len(by_look) == len(set(cells)):
            break
        for at, (look, cell) in enumerate(zip(short, cells, strict=True)):
            alike = by_look[look]
            if len(alike) > 1:
                short[at] = (
                    other(cell, width)
                    if other
                    else _from_where_they_differ(cell, _shared(min(alike), max(alike)), width)
                )
    return short


def _shared(one: str, other: str) -> int:
    """Count the characters with which both begin, and so all that lie between them."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (left, right) in pairs if left != right), min(len(one), len(other)))


def _from_where_they_differ(cell: str, shared: int, width: int) -> str:
    return cut(f"…{cell[shared - 1 :]}" if shared else cell, width)


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
