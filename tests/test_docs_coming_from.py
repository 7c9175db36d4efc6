"""docs/coming-from.md is true of this side: each command of ours that it names is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from m31a_metrics.cli.app import app

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "coming-from.md").read_text("utf-8")
OURS = re.compile(r"`(m31(?: [^`]+)?)`")
TOOLS = ("ccusage", "agentsview", "codeburn", "claude-monitor")
WRITTEN = {"N": "3", "SECONDS": "2", "ZONE": "UTC"}
"""What stands for a figure or a name on the page: something that its place would take."""


def test_each_tool_has_its_section() -> None:
    """A table of what is typed there, each row with what is typed here, or that there is none."""
    for tool in TOOLS:
        section = PAGE.partition(f"\n## {tool}\n")[2].partition("\n## ")[0]
        rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| `")]
        assert len(rows) >= 8, tool
        for theirs, ours in rows:
            assert theirs.startswith("| `"), theirs
            assert len(ours) > 3, theirs


@pytest.mark.parametrize("line", sorted(set(OURS.findall(PAGE))))
def test_each_command_of_ours_is_there(line: str) -> None:
    """Its name is in the list of commands, and it knows each option that is written behind it."""
    command: click.Command = app
    words = [WRITTEN.get(word, word) for word in shlex.split(line)[1:]]
    context = click.Context(app, info_name="m31", **app.context_settings)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        _, below, words = command.resolve_command(context, words)  # raises for one of no name
        assert below is not None
        command, context = below, click.Context(below)
    # Raises for an option that is not there, and for a value that it does not take.
    _, left, _ = command.make_parser(context).parse_args(args=words)
    assert left == [], line
    for parameter in command.params:
        if isinstance(parameter, click.Option) and isinstance(parameter.type, click.Choice):
            given = [words[at + 1] for at, word in enumerate(words) if word in parameter.opts]
            for value in given:
                parameter.type.convert(value, parameter, context)
