"""Tables as text: drawn with rich on a terminal, plain and quick in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from msgspec import Struct

from m31a_metrics.table import Table
from m31a_metrics.views.grid import GAP, Grid, fit
from m31a_metrics.views.names import clean, pad, width_of, wrap
from m31a_metrics.views.numbers import UNKNOWN, Tone, tone

if TYPE_CHECKING:
    from rich.table import Table as RichTable

RICH_ROWS = 60
"""Longer tables are drawn plain: rich would take longer to draw them than to read them."""

READING_WIDTH = 120
"""So wide is text that goes to no terminal, unless COLUMNS says otherwise: as people read it."""

# Where the output cannot take our own signs, these can stand for them.
_PLAINER = str.maketrans({UNKNOWN: "-", "…": "~", "█": "#"})

_STYLES = {
    Tone.PLAIN: "",
    Tone.UNKNOWN: "dim",
    Tone.GOOD: "green",
    Tone.BAD: "red",
    Tone.PICTURE: "cyan",
}


class _Page(Struct):
    """What is drawn, cleaned and fitted: title and answer, the table, lines below.

    A table without rows has no grid columns, and `empty` stands in its place.
    """

    table: Table
    grid: Grid
    titles: list[str]
    answer: list[str]
    empty: list[str]
    notes: list[str]


def print_table(
    table: Table,
    *,
    file: TextIO,
    color: bool,
    width: int | None,
    title: bool = True,
    whole: bool = False,
) -> None:
    """Write a table to `file`: its title, its answer, its rows or why there are none, its notes.

    `width` is in terminal cells; None means that of the terminal, and READING_WIDTH where
    `file` is none, or no limit if `whole`. `color` matters on a terminal only: a pipe never
    gets escapes.
    """
    terminal = file.isatty()
    if width is None:
        width = _terminal_width() if terminal else None if whole else _reading_width()
    grid = fit(table, width) if table.rows else Grid([], [])
    notes = [*table.notes, *_about_columns(grid)]
    page = _Page(
        table,
        grid,
        titles=_lines([table.title], width) if title else [],
        answer=_lines([table.answer], width),
        empty=[] if table.rows else _lines([table.empty], width),
        notes=_lines(notes, width),
    )
    if terminal and width and len(table.rows) <= RICH_ROWS:
        _write(file, _rich(page, color, width))
    else:
        _write(file, _plain(page))


def _about_columns(grid: Grid) -> list[str]:
    """Say what the columns hold that are not drawn, or that they are not."""
    return [
        f"{what}: {', '.join(columns)}."
        for what, columns in (
            ("All zero", grid.zero),
            ("The same in all rows", grid.same),
            ("Hidden for lack of width", grid.hidden),
        )
        if columns
    ]


def _lines(texts: list[str], width: int | None) -> list[str]:
    """Wrap texts; a word that is wider than all there is goes on in the next line."""
    cleaned = [clean(text) for text in texts if text]
    if width is None:
        return cleaned
    lines = [line for text in cleaned for line in wrap(text, width)]
    return [part for line in lines for part in _parts(line, width)]


def _parts(line: str, width: int) -> list[str]:
    if width_of(line) <= width:
        return [line]
    parts = [""]
    for character in line:
        if parts[-1] and width_of(parts[-1] + character) > width:
            parts.append("")
        parts[-1] += character
    return parts


def _terminal_width() -> int:
    import shutil

    return shutil.get_terminal_size().columns


def _reading_width() -> int:
    from os import environ

    wanted = environ.get("COLUMNS", "")
    return int(wanted) if wanted.isdecimal() and int(wanted) else READING_WIDTH


def _write(file: TextIO, text: str) -> None:
    try:
        file.write(text)
    except UnicodeEncodeError:
        encoding = file.encoding or "ascii"
        file.write(text.translate(_PLAINER).encode(encoding, "replace").decode(encoding))


def _plain(page: _Page) -> str:
    lines = page.titles + page.answer + page.empty
    if page.table.rows:
        lines += _plain_rows(page.grid)
    if page.notes:
        lines += ["", *page.notes]
    return "\n".join(lines) + "\n"


def _plain_rows(grid: Grid) -> list[str]:
    heads = [column.head_lines for column in grid.columns]
    deepest = max(map(len, heads))
    padded = [
        [
            pad(text, column.width, column.right)
            for text in [""] * (deepest - len(head)) + head + column.cells
        ]
        for column, head in zip(grid.columns, heads, strict=True)
    ]
    gap = " " * GAP
    return [gap.join(row).rstrip() for row in zip(*padded, strict=True)]


def _rich(page: _Page, color: bool, width: int) -> str:
    from io import StringIO

    from rich.console import Console
    from rich.text import Text

    drawn = StringIO()
    console = Console(
        file=drawn,
        width=width,
        force_terminal=True,
        color_system="standard" if color else None,
        no_color=not color,
        legacy_windows=False,
    )
    for line in page.titles:
        console.print(Text(line, style="bold"))
    for line in (*page.answer, *page.empty):
        console.print(Text(line))
    if page.table.rows:
        console.print(_rich_rows(page))
    if page.notes:
        console.print()
    for note in page.notes:
        console.print(Text(note, style="dim"))
    return drawn.getvalue()


def _rich_rows(page: _Page) -> RichTable:
    from rich.table import Table as RichTable
    from rich.text import Text

    rows = RichTable(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
    for column in page.grid.columns:
        rows.add_column(
            Text("\n".join(column.head_lines)),
            justify="right" if column.right else "left",
            vertical="bottom",
            width=column.width,
            no_wrap=True,
        )
    for at, row in enumerate(page.table.rows):
        # As Text, because a plain string would be searched for markup.
        rows.add_row(
            *(
                Text(
                    column.cells[at],
                    _STYLES[tone(row[column.index], page.table.columns[column.index])],
                )
                for column in page.grid.columns
            )
        )
    return rows
