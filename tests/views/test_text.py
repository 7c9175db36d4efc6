"""Tables as text: the figures, the widths, and names that would like to be more."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.views.names import width_of
from m31a_metrics.views.text import RICH_ROWS, print_table

COLUMNS = [
    Column("name", "Tool"),
    Column("call_count", "Calls", Unit.COUNT),
    Column("fail_count", "Failed", Unit.COUNT),
    Column("p95_ms", "p95", Unit.MS),
    Column("total_tokens", "Total", Unit.TOKENS),
    Column("cost_usd", "Cost", Unit.USD),
    Column("time_share", "Share of time", Unit.BAR),
    Column("trend", "Trend", Unit.SPARK),
    Column("success", "Outcome", Unit.OUTCOME),
]
DASH = "\N{EN DASH}"
LONG = "mcp__github__create_pull_request_with_review"
ROWS: list[tuple[Cell, ...]] = [
    ("Bash", 12345, 12, 3200.0, 57_000, 0.0381, 0.75, [1.0, 2.0, 4.0], True),
    (LONG, 3, 0, None, 999, 12.3, 0.01, [0.0, 0.0], False),
    ("日本語のツール🚀", 1, 1, 0.34, None, "unpriced", 0, None, None),
]
TOOLS = Table("Tools", COLUMNS, ROWS, "No tools: try `m31 run`.", ["A dash is not known."])


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def piped(table: Table, width: int | None = None, title: bool = True) -> str:
    file = io.StringIO()
    print_table(table, file=file, color=True, width=width, title=title)
    return file.getvalue()


def drawn(table: Table, width: int | None = 120, color: bool = False) -> str:
    file = Terminal()
    print_table(table, file=file, color=color, width=width)
    return file.getvalue()


def of(*names: str) -> Table:
    return Table("Names", [COLUMNS[0], COLUMNS[1]], [(name, 1) for name in names])


def test_piped() -> None:
    """A pipe gets title, aligned rows, columns as people read them, notes, and no escapes."""
    assert piped(TOOLS, 200) == (
        "Tools\n"
        "Tool                                           Calls  Failed      p95"
        "  Total tok      Cost  Share of time  Trend  Outcome\n"
        "Bash                                          12,345      12    3.2 s"
        "      57.0k   $0.0381  ███████▌       ▂▃▇    ok\n"
        f"mcp__github__create_pull_request_with_review       3       0        {DASH}"
        "        999    $12.30  ▏              ▁▁     failed\n"
        "日本語のツール🚀                                   1       1  0.34 ms"
        f"          {DASH}  unpriced                 {DASH}      {DASH}\n"
        "\n"
        "A dash is not known.\n"
    )


@pytest.mark.parametrize("draw", [piped, drawn])
def test_eighty_columns(draw: object) -> None:
    """At 80 cells bars go first, heads break, names are cut, and what is hidden is said."""
    text = piped(TOOLS, 80) if draw is piped else drawn(TOOLS, 80)
    lines = [line.rstrip() for line in text.splitlines()]
    assert lines == [
        "Tools",
        "                                                        Total",
        "Tool                            Calls  Failed      p95    tok      Cost  Outcome",
        "Bash                           12,345      12    3.2 s  57.0k   $0.0381  ok",
        f"mcp__github__create_pull_req…       3       0        {DASH}    999    $12.30  failed",
        f"日本語のツール🚀                    1       1  0.34 ms      {DASH}  unpriced  {DASH}",
        "",
        "A dash is not known.",
        "Hidden for lack of width: Share of time, Trend.",
    ]


@pytest.mark.parametrize("width", [1, 10, 20, 40, 41, 60, 79, 80, 100, 120, 200])
def test_widths_are_kept(width: int) -> None:
    """No line of a table is wider than asked, and no figure that is shown is cut."""
    for text in (piped(TOOLS, width), drawn(TOOLS, width)):
        body = text.split("\n\n")[0].splitlines()[1:]
        assert all(width_of(line.rstrip()) <= width for line in body)
        head, bash = body[-4].split(), body[-3]
        for title, figure in (("Calls", "12,345"), ("p95", "3.2 s"), ("Cost", "$0.0381")):
            assert (title in head) == (figure in bash)
        assert ("Hidden" in text.replace("\n", "")) == ("Share" not in "".join(body[:-3]))


def test_rich_and_plain_show_the_same() -> None:
    """Both drawings put the same characters at the same places."""
    for width in (40, 80, 200):
        rich = [line.rstrip() for line in drawn(TOOLS, width).splitlines()[:6]]
        assert rich == piped(TOOLS, width).splitlines()[:6]


def test_wide_characters_align() -> None:
    """Figures stand under one another beside CJK, emoji and combining characters."""
    names = ("plain", "日本語", "🚀🚀", "e\u0301te\u0301", "\uff27\uff28", "👍🏽", "❤\ufe0f")
    for text in (piped(of(*names)), drawn(of(*names))):
        rows = [line.rstrip() for line in text.splitlines()[2:]]
        assert {width_of(row) for row in rows} == {width_of(rows[0])}
        assert all(row.endswith("1") for row in rows)


def test_colors_only_on_a_terminal() -> None:
    """Failures are red, success is green; a pipe and --no-color get no escape at all."""
    colored = drawn(TOOLS, color=True)
    assert "\x1b[31mfailed" in colored
    assert "\x1b[32mok" in colored
    assert "\x1b[31m    12\x1b[0m" in colored
    verdicts = Table("T", [Column("verdict", "Verdict")], [("better",), ("worse",), ("noise",)])
    colored = drawn(verdicts, color=True)
    assert "\x1b[32mbetter" in colored
    assert "\x1b[31mworse" in colored
    assert "\x1b[2mnoise" in colored
    assert "\x1b" not in drawn(TOOLS, color=False)
    assert "\x1b" not in piped(TOOLS)


@pytest.mark.parametrize("draw", [piped, drawn])
def test_names_stay_names(draw: object) -> None:
    """Escapes, line breaks, markup and direction marks in a name do nothing."""
    hostile = of(
        "[red]x[/red]", "[/]", ":rocket:", "a\x1b[31mb\x1b[0m", "a\x1b]0;title\x07b", "a\nb\r\tc",
        "a\u202eb\u2066c\u2069", "a\x00\x9b1mb\x7f", "a\u2028b", "a\udcffb", "a\x1b",
    )  # fmt: skip
    text = piped(hostile) if draw is piped else drawn(hostile)
    names = [line.rsplit(None, 1)[0].rstrip() for line in text.splitlines()[2:]]
    assert names == [
        "[red]x[/red]", "[/]", ":rocket:", "ab", "ab", "a b  c",
        "abc", "a1mb", "a b", "ab", "a",
    ]  # fmt: skip


def test_titles_and_notes_stay_text() -> None:
    """Titles, notes and the sentence for no rows may carry names, and are cleaned too."""
    hostile = Table("T\x1b[2J", COLUMNS, [], "none\x1b[2J in [b]x[/b]", ["n\u202eote [i]x[/i]"])
    for text in (piped(hostile), drawn(hostile)):
        assert text == "T\nnone in [b]x[/b]\n\nnote [i]x[/i]\n"


def test_empty() -> None:
    """A table without rows is its title and the sentence that names the next command."""
    empty = Table("Tools", COLUMNS, [], "No tools: try `m31 run`.")
    assert piped(empty) == drawn(empty) == "Tools\nNo tools: try `m31 run`.\n"
    assert piped(empty, title=False) == "No tools: try `m31 run`.\n"


def test_long_tables_are_plain() -> None:
    """Beyond some 60 rows a terminal gets the plain drawing, fitted to its width."""
    rows: list[tuple[Cell, ...]] = [("x" * 100, n, 1) for n in range(RICH_ROWS + 1)]
    text = drawn(Table("Many", COLUMNS[:3], rows), 80, color=True)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) == 80


def test_the_terminal_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a width the terminal's own is taken."""
    monkeypatch.setenv("COLUMNS", "60")
    assert drawn(TOOLS, None) == drawn(TOOLS, 60)


def test_outputs_without_our_signs() -> None:
    """An output that is not UTF-8 gets plainer signs and no error."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    print_table(of("né", LONG * 2), file=file, color=False, width=40)
    file.flush()
    lines = raw.getvalue().decode("ascii").splitlines()
    assert lines[2].startswith("n? ")
    assert "~" in lines[3]


def test_pipes_do_not_load_rich() -> None:
    """Rich is imported only to draw on a terminal."""
    code = (
        "import sys; from m31a_metrics.table import *; from m31a_metrics.views.text import *\n"
        "t = Table('T', [Column('n', 'N')], [('x',)])\n"
        "print_table(t, file=sys.stdout, color=True, width=None)\n"
        "assert 'rich' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


# Beyond these, rich and we count some rare signs (hexagrams) differently.
known_widths = st.one_of(
    st.characters(max_codepoint=0x24FF, exclude_categories=["Cn"]), st.sampled_from("日本語한글🚀")
)
cells = st.one_of(
    st.none(), st.text(known_widths, max_size=30), st.integers(), st.floats(), st.booleans()
)
moments = st.datetimes(timezones=st.just(UTC))


@given(st.lists(st.tuples(*[st.one_of(cells, moments)] * 4), max_size=4), st.integers(12, 100))
def test_anything_can_be_drawn(rows: list[tuple[Cell, ...]], width: int) -> None:
    """Whatever stands in whichever column, both drawings are made and agree."""
    units = (Unit.TEXT, Unit.MS, Unit.TIME, Unit.BAR)
    columns = [Column(unit, unit.title(), unit) for unit in units]
    table = Table("Any", columns, rows, "None.")
    assert [line.rstrip() for line in drawn(table, width).split("\n")] == (
        piped(table, width).split("\n")
    )


def test_ten_thousand_rows(record_property: Callable[[str, object], None]) -> None:
    """Ten thousand rows are drawn whole; the time is noted, not judged."""
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    columns = [*COLUMNS[:7], Column("last_at", "Last", Unit.TIME)]
    rows: list[tuple[Cell, ...]] = [(*ROWS[n % 3][:7], moment) for n in range(10_000)]
    for width in (None, 80):
        began = time.perf_counter()
        assert piped(Table("Many", columns, rows), width).count("\n") >= 10_002
        record_property(f"seconds at width {width}", time.perf_counter() - began)


def test_the_answer_stands_above_the_table() -> None:
    """Below the title and before the rows, or before the words for none; wrapped like notes."""
    table = replace(TOOLS, answer="Bash failed 0.1 % of 12,345 calls; " + "x" * 200)
    for text in (piped(table, 60), drawn(table, 60)):
        lines = [line.rstrip() for line in text.splitlines()]
        assert lines[:3] == ["Tools", "Bash failed 0.1 % of 12,345 calls;", "x" * 60]
        assert max(map(width_of, lines)) <= 60
    none = replace(TOOLS, rows=[], answer="None of 31 metrics differs.")
    assert piped(none).splitlines()[:3] == ["Tools", none.answer, TOOLS.empty]


def test_a_pipe_is_as_wide_as_people_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """120 cells, or as many as COLUMNS says; what is no number there is as if it were not."""
    wide = Table("T", [COLUMNS[0], COLUMNS[1]], [("n" * 300, 1)])
    for said, width in (("", 120), ("60", 60), ("0", 120), ("many", 120)):
        monkeypatch.setenv("COLUMNS", said)
        assert max(map(width_of, piped(wide).splitlines())) == width
