"""Names as people read them: ids and paths only as long as it takes to tell them apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from m31a_metrics.tables.columns import TIMES

RECORDED = "m31a"
"""The agent of a session in the sessions directory, as `--agent` calls it."""

SHORT_ID = 8
"""So many characters of a long id are shown to people, more where that names several."""

_SLASH = re.compile(r"[/\\]")


class Keyed(Protocol):
    """A row of one part of a slice."""

    @property
    def key(self) -> str:
        """The part's name; empty where it has none."""
        ...


_UNSET_YEARS = ("1969-", "1970-")
"""What a clock says that nobody set, in any zone."""


def day_name(key: str) -> str | None:
    """Give a day, a week, a month or an hour as tables have it; None where no clock was set."""
    return None if not key or key.startswith(_UNSET_YEARS) else key


def named(by: str, rows: Iterable[Keyed], *, whole: bool) -> dict[str, str | None]:
    """Give the name of each part: projects and ids shortened for people, None for no name.

    `whole` leaves them as they are.
    """
    keys = [row.key for row in rows]
    if by in TIMES:
        return {key: day_name(key) for key in keys}
    if not whole and by == "project":
        return {key: name or None for key, name in tails(keys).items()}
    if not whole and by == "session":
        return {key: name or None for key, name in shortened(("", key) for key in keys).items()}
    return {key: key or None for key in keys}


def shortened(named: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Shorten ids, given with their agents, to beginnings that name one of them only."""
    agents = {name: agent for agent, name in named}
    ordered = sorted(agents)
    shorter = {}
    for at, name in enumerate(ordered):
        if agents[name] == RECORDED:
            shorter[name] = name  # we made it, and it is short
            continue
        beside = ordered[max(at - 1, 0) : at] + ordered[at + 1 : at + 2]
        shared = max((_shared(name, other) for other in beside), default=0)
        shorter[name] = name[: max(SHORT_ID, shared + 1)]
    return shorter


def _shared(one: str, other: str) -> int:
    """Count the characters with which both begin."""
    for at, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return at
    return min(len(one), len(other))


def last_part(project: str) -> str:
    """Give the last part of a project's path, which is what people call it."""
    parts = _parts(project)
    return parts[-1] if parts else project


def tails(paths: Iterable[str]) -> dict[str, str]:
    """Shorten paths to their last parts, as many as tell one from the others."""
    parts = {path: _parts(path) for path in paths}
    shorter = {path: path for path in parts}
    left, count = list(parts), 1
    while left:
        ends = Counter(tuple(parts[path][-count:]) for path in left)
        for path in left:
            own = parts[path]
            if own and (ends[tuple(own[-count:])] == 1 or count >= len(own)):
                shorter[path] = "/".join(own[-count:])
        left = [
            path
            for path in left
            if count < len(parts[path]) and (ends[tuple(parts[path][-count:])] > 1)
        ]
        count += 1
    return shorter


def _parts(path: str) -> list[str]:
    return [part for part in _SLASH.split(path) if part]
