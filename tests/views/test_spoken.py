"""A conversation as text: who, what came of it, and nothing that a terminal would obey."""

from __future__ import annotations

from m31a_metrics.conversation import Image, Part, PartKind
from m31a_metrics.views.spoken import lines_of


def drawn(part: Part) -> list[str]:
    """The lines of a part."""
    return list(lines_of(part))


def test_each_kind_says_who() -> None:
    """A person, a model, an agent's own word, and of subagents whose it is."""
    heads = {
        "You": Part(PartKind.PROMPT, "0"),
        "To explore": Part(PartKind.PROMPT, "0", author="explore"),
        "Answer (opus)": Part(PartKind.ANSWER, "0", model="opus"),
        "explore: thinking": Part(PartKind.THINKING, "0", author="explore"),
        "Notice": Part(PartKind.NOTICE, "0"),
        "explore: Bash  [failed]": Part(
            PartKind.CALL, "0", tool="Bash", author="explore", success=False
        ),
    }
    assert [drawn(part)[0] for part in heads.values()] == list(heads)


def test_a_call_has_what_came_of_it() -> None:
    """Input or diff, outcome, output; what was not read is said."""
    call = Part(PartKind.CALL, "0", tool="Bash", input="ls\n-a", output="till.py", success=True)
    assert drawn(call) == ["Bash  [ok]", "  ls", "  -a", "  ->", "  till.py"]
    edit = Part(PartKind.CALL, "0", tool="Edit", input="x", diff="-a\n+b", denied=True)
    assert drawn(edit) == ["Edit  [denied]", "  -a", "  +b"]
    more = Part(
        PartKind.CALL,
        "0",
        tool="Task",
        images=(Image("0", "image/png"),),
        left_out=1234,
        subagent="agent-a:0",
    )
    assert drawn(more) == [
        "Task",
        "  [image image/png]",
        "  [1,234 characters more]",
        "  [its subagent's conversation: --at agent-a:0]",
    ]


def test_nothing_of_it_is_obeyed_by_a_terminal() -> None:
    """Escapes, turns of direction and carriage returns go, tabs are blanks, lines stay lines."""
    part = Part(PartKind.ANSWER, "0", text="a\x1b]0;t\x07b\tc\r\nd\u202e\0", model="\x1b[31mm")
    assert drawn(part) == ["Answer (m)", "  ab    c", "  d"]


def test_times_are_the_askers() -> None:
    """Local ones; none where nobody knows it, or no calendar has it."""
    assert drawn(Part(PartKind.PROMPT, "0", t_us=1_777_888_800_000_000))[0].startswith("2026-05-04")
    assert drawn(Part(PartKind.PROMPT, "0", t_us=2**62)) == ["You"]
