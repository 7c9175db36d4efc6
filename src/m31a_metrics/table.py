"""The one shape of everything that is shown: a titled table with units in its columns.

`tables` makes Tables, views draw them, exporters write them. A view never computes: a
share, a sparkline or a difference is already a cell. A Panel is a Table with plots, which
name its columns and a way of drawing, and hold no figures of their own.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

Cell = str | int | float | bool | datetime | list[float] | list[str] | None
"""None is "not known" and is drawn as a dash; a list of numbers is a sparkline, of names names."""


class Unit(StrEnum):
    """What a column's numbers are; decides how a view writes and aligns them."""

    TEXT = "text"
    COUNT = "count"
    TOKENS = "tokens"
    MS = "ms"
    USD = "usd"
    SHARE = "share"  # 0..1, drawn as a percentage
    CHANGE = "change"  # 0.1 is 10 % more than before; drawn as a percentage with its sign
    BAR = "bar"  # 0..1, drawn as a bar
    SPARK = "spark"  # list of numbers, drawn as a sparkline
    TIME = "time"
    BY_ROW = "by_row"  # the row's own, which its column of UNIT names
    UNIT = "unit"  # the unit of the row's cells of BY_ROW; for programs, not drawn
    OUTCOME = "outcome"  # True, False or None


class Column(Struct, frozen=True):
    """`name` is the key in JSON and the head in CSV (unit last); `title` is for people.

    `is_line`: a line of text to be read, which is worth more room than a name. `keeps_end`:
    where there is no room, the end of the text says more than its beginning, as of a path.
    """

    name: str
    title: str
    unit: Unit = Unit.TEXT
    is_line: bool = False
    keeps_end: bool = False


class Table(Struct):
    """Rows under columns, in the order to be shown.

    `answer` is the sentence above the table, which says what matters in it: its figures are
    those of the rows. `empty` is the sentence shown when there are no rows: it names the
    command to try next. `notes` are sentences below the table (what a dash means, what is
    unpriced). None of them is in JSON or CSV.
    """

    title: str
    columns: list[Column]
    rows: list[tuple[Cell, ...]] = []
    empty: str = ""
    notes: list[str] = []
    answer: str = ""

    def unit_of(self, row: tuple[Cell, ...], at: int) -> Unit:
        """Give the unit of one cell: its column's, or the one that the row names."""
        unit = self.columns[at].unit
        if unit is not Unit.BY_ROW:
            return unit
        return Unit(str(row[[column.unit for column in self.columns].index(Unit.UNIT)]))


CARDS = "sums"
"""The name of the panel that a page draws as cards."""


class Kind(StrEnum):
    """How a plot draws its columns."""

    LINE = "line"  # x against each y, joined by lines
    STEPS = "steps"  # as LINE, where a value holds until the next
    BARS = "bars"  # x against each y, stacked
    RANKING = "ranking"  # lying bars, a row of the table each, in its order
    DAYS = "days"  # a calendar: x is a day, the first y its shade
    SPANS = "spans"  # x is when, y how long (ms), `lane` where, `series` the colour
    RANGE = "range"  # a row of the table each: its y columns as dots on one line


class Plot(Struct, frozen=True):
    """How to draw a Table: `x`, `y`, `series`, `lane` and `marks` name columns of it.

    `series` splits the rows: one colour for each of its values. `lane` is what SPANS are
    laid out by. `label` is shown on hover in addition to what is drawn. `log` asks for a
    logarithmic axis of figures.
    """

    title: str
    kind: Kind
    x: str
    y: tuple[str, ...]
    series: str = ""
    lane: str = ""
    label: tuple[str, ...] = ()
    log: bool = False


class Panel(Struct):
    """One thing to look at. `name` is its key: in addresses, in JSON, on the page.

    `is_wide` asks for the whole width of a page. `is_open` shows the table at once, and
    not on demand, though there is a plot. `is_optional`: a page leaves it out while it has
    no rows. `folded` names columns that a page shows of a row on demand.
    """

    name: str
    table: Table
    plots: tuple[Plot, ...] = ()
    is_wide: bool = False
    is_open: bool = False
    is_optional: bool = False
    folded: tuple[str, ...] = ()
