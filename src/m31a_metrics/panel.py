"""What a page shows of one question: a Table, and plots that are declarations over it.

A Plot names columns of its Table and a way of drawing; it holds no figures of its own. So
whatever is drawn can be read in the table beside it, and a view has nothing to compute.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from m31a_metrics.table import Table

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
    no rows.
    """

    name: str
    table: Table
    plots: tuple[Plot, ...] = ()
    is_wide: bool = False
    is_open: bool = False
    is_optional: bool = False
