"""A slice in one word, `7d` or `branch=main,agent=codex`: how people name a side to compare."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from difflib import get_close_matches

from msgspec.structs import replace

from m31a_metrics import periods
from m31a_metrics.answers import Slice

EVERYTHING = "all"
NAMES = ("agent", "project", "model", "branch", "text")
"""What stands before `=`, with a part or pattern of the name after it, as in a Slice."""
TIMES = ("since", "until")

HOW = (
    "7d, 2026-06, 2026-06-01..2026-06-07, all, or branch=main,agent=codex "
    f"({', '.join((*NAMES, *TIMES))})"
)
"""How a slice is written."""


def slice_of(text: str, now: datetime) -> Slice | None:
    """Read a slice: parts with commas between, each of which narrows it.

    A part is a period (`7d`, `2026-06`), two days with `..` between, `all`, or NAME=VALUE. A
    repeated `agent` widens it. None for text that is not formed like a slice, and may name a
    session. Raises ValueError for one that makes no sense. `now` tells what today is.
    """
    if text.startswith(("./", "../", "/", "~")) or ("/" in text and "=" not in text):
        return None  # a path, which may hold anything
    which = Slice()
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 1 and not _is_formed(text, now):
        return None
    for part in parts:
        narrower = _part(part, now)
        if "agent=" in part and narrower.agents and which.agents:
            which = replace(which, agents=which.agents + narrower.agents)
        else:
            which = both(which, narrower, text)
    return which


def narrow(
    now: datetime,
    *,
    since: str = "",
    until: str = "",
    agents: Sequence[str] = (),
    **names: str,
) -> Slice:
    """Make a slice of what options say: times as people write them, and fields of Slice.

    `names` are project, model, branch, text, tool. Raises ValueError for a time that is
    none, TypeError for a name that a slice does not have.
    """
    first = periods.since(since, now) if since else None
    last = periods.until(until, now) if until else None
    return Slice(
        agents=tuple(dict.fromkeys(agents)) or None,
        first_day=first.day if first else "",
        last_day=last.day if last else "",
        since_us=first.at_us if first else None,
        until_us=last.at_us if last else None,
        **names,
    )


def both(which: Slice, other: Slice, text: str) -> Slice:
    """Narrow a slice by another one. Raises ValueError where both say one thing, naming it."""
    said = {
        field: getattr(other, field)
        for field in Slice.__struct_fields__
        if getattr(other, field) not in (None, "")
    }
    twice = [field for field in said if getattr(which, field) not in (None, "")]
    if twice:
        words = {"first_day": "since", "last_day": "until", "agents": "agent"}
        name = words.get(twice[0], twice[0])
        raise ValueError(f"{text!r} is narrowed twice by {name}: say it once.")
    return replace(which, **said)


def before(which: Slice, now: datetime) -> tuple[Slice, str] | None:
    """Give the same slice of the period just before, and what to call it; None without one."""
    earlier = periods.previous(which, now)
    if earlier is None:
        return None
    last, first = date.fromisoformat(earlier.last_day), date.fromisoformat(earlier.first_day)
    days = (last - first).days + 1
    return earlier, "the day before" if days == 1 else f"the {days:,} days before"


def _is_formed(part: str, now: datetime) -> bool:
    if part == EVERYTHING or "=" in part or ".." in part:
        return True
    try:
        periods.since(part, now)
    except ValueError:
        return False
    return True


def _part(part: str, now: datetime) -> Slice:
    name, equals, value = part.partition("=")
    if equals:
        return _named(name.strip(), value.strip(), now)
    if part == EVERYTHING:
        return Slice()
    if ".." in part:
        first, _, last = part.partition("..")
        return _span(first.strip(), last.strip(), now)
    if not part or not _is_formed(part, now):
        raise ValueError(f"{part!r} is no part of a slice: write {HOW}.")
    return _period(part, now)


def _named(name: str, value: str, now: datetime) -> Slice:
    if name in TIMES:
        return _span(value, "", now) if name == "since" else _span("", value, now)
    if name not in NAMES:
        near = get_close_matches(name, (*NAMES, *TIMES), n=1)
        meant = f" Did you mean {near[0]}?" if near else f" There are {', '.join(NAMES + TIMES)}."
        raise ValueError(f"A slice has no {name!r}.{meant}")
    if not value:
        raise ValueError(f"{name}= names nothing: write {name}=VALUE.")
    if name == "agent":
        return Slice(agents=(value,))
    return replace(Slice(), **{name: value})


def _span(first: str, last: str, now: datetime) -> Slice:
    which = Slice()
    if first:
        bound = periods.since(first, now)
        which = replace(which, first_day=bound.day, since_us=bound.at_us)
    if last:
        bound = periods.until(last, now)
        which = replace(which, last_day=bound.day, until_us=bound.at_us)
    if first and last and which.first_day > which.last_day:
        raise ValueError(f"{first}..{last} ends before it begins.")
    return which


def _period(part: str, now: datetime) -> Slice:
    """Read a period: `7d` reaches to today, a day, a week and a month to their own ends."""
    first = periods.since(part, now)
    if first.at_us is not None:
        return Slice(first_day=first.day, since_us=first.at_us)
    is_ago = part[-1].isalpha()
    last = now.date().isoformat() if is_ago else periods.until(part, now).day
    return Slice(first_day=first.day, last_day=last)
