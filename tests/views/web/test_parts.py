from __future__ import annotations

import pytest

from m31a_metrics.conversation import Part, PartKind
from m31a_metrics.views.web.parts import (
    NOTICE_CHARS,
    PATH_WIDTH,
    Addresses,
    DrawnPart,
    anchor_of,
    draw_parts,
)

HERE = Addresses("/x/sessions/s/transcript", (("agent", "codex"),))
NOON_US = 1_780_000_000_000_000


def drawn(part: Part, *, whole: bool = False) -> DrawnPart:
    """One part as the page has it."""
    return draw_parts([part], HERE, project="/home/ada/shop", whole=whole)[0]


def call(given: str = "", **fields: str) -> DrawnPart:
    """A call of these arguments."""
    return drawn(Part(PartKind.CALL, "7", tool="Bash", input=given, success=True, **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "target"),
    [
        ("ls -la", "ls -la"),
        ("cd src\nls", "cd src …"),
        ("pytest -q\ndescription: Run the tests", "pytest -q"),
        ("file_path: /home/ada/shop/src/cart.py", "src/cart.py"),
        ("file_path: /home/ada/shopping/x.py", "/home/ada/shopping/x.py"),
        ("prompt:\nLook around\nand tell", "Look around …"),
        ("cat /home/ada/shop/x", "cat /home/ada/shop/x"),
        ("", ""),
        ("\x1b[31mred\x07\u202e", "red"),
    ],
)
def test_a_call_is_told_in_a_few_words(given: str, target: str) -> None:
    """Its line says the command, or the path within the project, and no names of arguments."""
    assert call(given).target == target


def test_a_long_path_keeps_its_end() -> None:
    """The name of a file says more than the folders above it."""
    target = call("file_path: /" + "folder/" * 30 + "cart.py").target
    assert target.startswith("…")
    assert target.endswith("folder/cart.py")
    assert len(target) == PATH_WIDTH
    assert call("echo " + "a" * 500).target.startswith("echo aaa")


def test_a_diff_tells_its_file_and_its_lines() -> None:
    """Heads of files are told from lines that begin alike, and a deleted file has its name."""
    made = call(diff="--- a/q.sql\n+++ b/q.sql\n@@ -1 +1 @@\n--- drop it\n+-- keep it\n same")
    assert made.target == "q.sql"
    assert [line.kind for line in made.diff] == ["file", "file", "hunk", "removed", "added", ""]


@pytest.mark.parametrize(
    ("tool", "short"),
    [
        ("mcp__tracker__search_issues", "tracker: search_issues"),
        ("mcp__tracker", "tracker"),
        ("Bash", "Bash"),
        ("", "tool"),
        ("x" * 100, "x" * 39 + "…"),
    ],
)
def test_a_tool_has_a_short_name(tool: str, short: str) -> None:
    """An MCP tool goes by its server and its own name; the whole name is kept beside it."""
    made = drawn(Part(PartKind.CALL, "7", tool=tool))
    assert made.tool == short
    assert made.tool_name == (tool or "tool")


def test_what_is_cut_is_counted_and_can_be_had() -> None:
    """A long text is cut, says by how much, and links to all of it; a short one does not."""
    part = Part(PartKind.CALL, "7", output="x" * 10_000)
    assert (drawn(part).left_out, len(drawn(part).output)) == (6_000, 4_000)
    assert drawn(part).whole == "/x/sessions/s/transcript?agent=codex&at=7&only=1"
    assert (drawn(part, whole=True).left_out, drawn(part, whole=True).whole) == (0, "")


def test_a_long_notice_is_folded() -> None:
    """A summary of all that was said is a line until somebody wants it."""
    assert drawn(Part(PartKind.NOTICE, "7", text="compacted")).target == ""
    text = "Summary:\n" + "x" * NOTICE_CHARS
    assert drawn(Part(PartKind.NOTICE, "7", text=text)).target == "Summary: …"


def test_days_models_and_minutes_are_said_when_they_change() -> None:
    """What stays the same from part to part is said once."""
    day_us = 86_400_000_000
    parts = [
        Part(PartKind.ANSWER, str(number), t_us=t_us, model=model)
        for number, (t_us, model) in enumerate(
            [(NOON_US, "a"), (NOON_US + 1, "a"), (NOON_US + day_us, "b"), (0, "b")]
        )
    ]
    made = draw_parts(parts, HERE, whole=False)
    assert [bool(one.day) for one in made] == [True, False, True, False]
    assert [one.model for one in made] == ["a", "", "b", ""]
    assert [one.is_same_minute for one in made] == [False, True, True, False]
    assert made[3].time == ""


def test_addresses_hold_whatever_a_place_holds() -> None:
    """A place is part of an address and of an anchor and can leave neither."""
    place = '7&x="<b>#\ud800/ ?'
    assert HERE.at(place) == (
        "/x/sessions/s/transcript?agent=codex&at=7%26x%3D%22%3Cb%3E%23%3F%2F+%3F"
    )
    assert anchor_of(place) == "p-7%26x%3D%22%3Cb%3E%23%3F%2F%20%3F"
    assert HERE.image("a b") == "/x/sessions/s/transcript/image?agent=codex&place=a+b"
