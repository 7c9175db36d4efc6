"""Uses of `git bisect`: from its start until it is reset, or until the session ends."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from m31a_metrics.phases.judged import Judged

_USES = re.compile(
    r"\bgit\s[^|;&\n]{0,60}?\bbisect\s+(start|run|good|bad|new|old|skip|reset|replay|log|visualize)\b"
)
_FOUND = re.compile(r"\b[0-9a-f]{7,40} is the first (?:bad|new) commit\b")


class Bisect(Struct, gc=False):
    """One `git bisect`: its calls, and whether it named a commit. Times in Unix microseconds."""

    calls: list[str]
    found: bool = False
    phase: str = "explore"
    began_us: int = 0
    ended_us: int = 0


def bisects(calls: Sequence[Judged]) -> list[Bisect]:
    """Find the bisects of a session."""
    done: list[Bisect] = []
    current: Bisect | None = None
    for judged in calls:
        call = judged.call
        if "bisect" not in call.command:
            continue
        verbs = _USES.findall(call.command)
        if not verbs:
            continue
        if current is None and verbs == ["reset"]:
            continue
        if current is None or verbs[0] == "start":
            current = Bisect([], phase=judged.phase, began_us=call.t_us)
            done.append(current)
        current.calls.append(call.id)
        current.found = current.found or _FOUND.search(call.printed) is not None
        current.ended_us = max(current.ended_us, call.end_us or call.t_us)
        if verbs[-1] == "reset":
            current = None
    return done
