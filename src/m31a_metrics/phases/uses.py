"""What a program, a tool, or a part of a command is used for.

Six uses are phases. The others say what the phase depends on: a program of the project is
run to look before anything was changed, and to check afterwards.
"""

from __future__ import annotations

from enum import StrEnum


def names(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


def phrases(text: str) -> frozenset[str]:
    """Return what stands between the commas of a text: names of several words."""
    return frozenset(" ".join(phrase.split()) for phrase in text.split(","))


class Use(StrEnum):
    """A phase, or what decides between two of them."""

    # Enum's own is a Python function, and every look into the table asks for it.
    __hash__ = str.__hash__

    EXPLORE = "explore"
    PLAN = "plan"
    EXECUTE = "execute"
    VERIFY = "verify"
    SHIP = "ship"
    OTHER = "other"

    NEUTRAL = "neutral"
    """Decides nothing: `cd`, `echo`, `export`."""
    RUN = "run"
    """Runs a program or a script of the project: verify after a change, else explore."""
    HELP = "help"
    """Asks a program of the project how it is used: verify soon after it was changed or run."""
    ASK = "ask"
    """Asks an unknown program how things are: verify right after a change, else explore."""
    MAKE = "make"
    """Builds something to be used: verify after a change, else execute."""
    STATE = "state"
    """The state of what left the workplace: verify after shipping, else explore."""
    LOG = "log"
    """A log of CI: verify after shipping in the same turn, else explore."""
    DIFF = "diff"
    """Shows what was changed: verify where it reviews a finished change, else explore."""
    SEARCH = "search"
    """Looks for a pattern: verify where it looks for what a change should have left or taken."""
    SCRATCH = "scratch"
    """Changes only what is thrown away: execute where nothing else is done."""
    POLL = "poll"
    """Looks at what other agents do: other while they are waited for, else explore."""
    WAIT = "wait"
    """Waits: other, unless for a check."""


PHASES = ("explore", "plan", "execute", "verify", "ship", "other")
"""In the order of the definitions."""
