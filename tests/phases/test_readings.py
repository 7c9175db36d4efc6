"""Commands of many projects and languages have the phase that a careful reader gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.phases.sessions import bash, edit, phases

_TABLE = Path(__file__).with_name("readings.txt").read_text(encoding="utf-8")
READINGS = [line.split(" :: ", 1) for line in _TABLE.splitlines() if " :: " in line]


def check(command: str, reading: str) -> bool:
    """Whether a command has these phases, before a change and after it."""
    before, _, after = reading.partition(">")
    text = command.replace("\\n", "\n") if "<<" in command else command
    return phases(bash(text)) == [before] and phases(edit(), bash(text))[1] == (after or before)


@pytest.mark.parametrize("reading", sorted({reading for reading, _ in READINGS}))
def test_commands_have_the_phase_of_a_reader(reading: str) -> None:
    """Each command of the table is for what a person says who knows the definitions."""
    commands = [command for of, command in READINGS if of == reading]
    assert [command for command in commands if not check(command, reading)] == []
