from __future__ import annotations

from itertools import combinations

import pytest

from m31a_metrics.active_time import AGENT_TOOLS
from m31a_metrics.phases import tools


def test_a_tool_is_of_one_kind() -> None:
    """No name stands in two of the lists, so that it does not matter which is asked first."""
    kinds = (tools.SHELLS, tools.POLLS, AGENT_TOOLS, tools.EDITS, tools.READS)
    assert all(one.isdisjoint(other) for one, other in combinations(kinds, 2))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Bash", "shell"),
        ("functions.exec", "shell"),
        ("BashOutput", "polls"),
        ("Task", "hands_over"),
        ("MultiEdit", "edits"),
        ("mcp__files__read_file", "reads"),
        ("TodoWrite", ""),
    ],
)
def test_names_say_the_kind(name: str, kind: str) -> None:
    """A tool's own name says its kind, whatever namespaces stand before it."""
    found = tools.tool(name)
    kinds = ("shell", "polls", "hands_over", "edits", "reads")
    assert [one for one in kinds if getattr(found, one)] == ([kind] if kind else [])
    assert found.scripts is (name == "functions.exec")
