"""How people write which sessions they mean: periods of time, and slices in one word.

Days are local, as YYYY-MM-DD; weeks are those of ISO 8601 (Monday first), as 2026-W26;
months are written 2026-06. A slice in one word is `7d`, `branch=main,agent=codex` or
`label:prompt=b`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from difflib import get_close_matches

from msgspec import Struct
from msgspec.structs import replace

from m31a_metrics import validation
from m31a_metrics.answers import LABEL, Slice, label_of
from m31a_metrics.timestamps import local, micros
from m31a_metrics.transcript import plain_folder

HOW_TIMES = (
    "7d (the last 7 days, today included), 2h, today, yesterday, monday, 2026-06-20, 2026-W25, "
    "2026-06 or 2026-06-20T14:30"
)
"""How a bound of time is written."""

_AGO = re.compile(r"(\d+)([mhdw])")
_AGO_MAX = 10**9  # hours, which all calendars are shorter than
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_WEEK = re.compile(r"(\d{4})-W(\d{2})")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Bound(Struct, frozen=True):
    """One end of a period: a day, and the moment in it where it is finer than a day."""

    day: str
    at_us: int | None = None

    @property
    def begins_us(self) -> int:
        """The moment itself, or that in which the day begins where the person is."""
        if self.at_us is not None:
            return self.at_us
        return _moment(local(datetime.fromisoformat(self.day))).at_us or 0


def since(text: str, now: datetime) -> Bound:
    """Read the first day, or moment, of a period. Raises ValueError for what is no time.

    `now` is the clock's reading with its zone, which decides what a day is. Of a week and a
    month it is the first day.
    """
    return _bound(text, now, last=False)


def until(text: str, now: datetime) -> Bound:
    """Read the last day, or moment, of a period. Raises ValueError for what is no time.

    `7d` is the day before the last 7 days begin, so that since 14d until 7d are the 7 days
    before those. Of a week and a month it is the last day.
    """
    return _bound(text, now, last=True)


def previous(which: Slice, now: datetime) -> Slice | None:
    """Give the same slice of the period before, just as long.

    None where there is none: no first day, or bounds within a day, whose sums are of days.
    """
    if not which.first_day or which.since_us is not None or which.until_us is not None:
        return None
    first = date.fromisoformat(which.first_day)
    last = date.fromisoformat(which.last_day) if which.last_day else now.date()
    if last < first or (first - date.min) <= (last - first):
        return None
    before = first - timedelta(days=1)
    return replace(
        which, first_day=(before - (last - first)).isoformat(), last_day=before.isoformat()
    )


def _bound(text: str, now: datetime, *, last: bool) -> Bound:
    try:
        text = text.strip()
        ago = _AGO.fullmatch(text)
        if ago:
            return _ago(min(int(ago[1]), _AGO_MAX), ago[2], now, last=last)
        first, end = _days_of(text, now.date())
        if first is not None:
            return Bound((end if last else first).isoformat())
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:  # the person's own time, whatever the clocks were that day
            return Bound(at.date().isoformat(), _moment(at.astimezone()).at_us)
        return _moment(at.astimezone(now.tzinfo))
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text!r} is no time: write {HOW_TIMES}.") from None


def _ago(amount: int, unit: str, now: datetime, *, last: bool) -> Bound:
    if unit in "mh":
        ago = timedelta(hours=amount) if unit == "h" else timedelta(minutes=amount)
        return _moment(now - min(ago, timedelta(days=now.date().toordinal() - 2)))
    days = amount * 7 if unit == "w" else amount
    if not days:
        raise ValueError(amount)
    days = min(days - (not last), now.date().toordinal() - 1)
    return Bound((now.date() - timedelta(days=days)).isoformat())


def _moment(at: datetime) -> Bound:
    return Bound(at.date().isoformat(), micros(at))


def _days_of(text: str, today: date) -> tuple[date, date] | tuple[None, date]:
    """Give the first and the last day that a day, a week or a month has; None if it is none.

    A weekday is the latest one, today included.
    """
    word = text.casefold()
    if word in ("today", "yesterday"):
        day = today - timedelta(days=word == "yesterday")
        return day, day
    if word in _WEEKDAYS:
        day = today - timedelta(days=(today.weekday() - _WEEKDAYS.index(word)) % 7)
        return day, day
    if week := _WEEK.fullmatch(text):
        monday = date.fromisocalendar(int(week[1]), int(week[2]), 1)
        return monday, monday + timedelta(days=6)
    if month := _MONTH.fullmatch(text):
        first = date(int(month[1]), int(month[2]), 1)
        return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    if _DAY.fullmatch(text):
        day = date.fromisoformat(text)
        return day, day
    return None, date.min


EVERYTHING = "all"
NAMES = ("agent", "project", "model", "branch", "text")
"""What stands before `=`, with a part or pattern of the name after it, as in a Slice."""
TIMES = ("since", "until")

HOW = (
    "7d, 2026-06, 2026-06-01..2026-06-07, all, or branch=main,agent=codex "
    f"({', '.join((*NAMES, 'label:NAME', *TIMES))})"
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
    label: str | Sequence[str] = (),
    **names: str,
) -> Slice:
    """Make a slice of what options say: times as people write them, and fields of Slice.

    `since` may be `all`, which is no bound. `label` is one label, written NAME=VALUE, or
    several, all of which a session must have; `names` are project, model, branch, text, tool,
    phase. Raises ValueError for a time or a label that is none and for an end before the
    beginning, TypeError for a name that a slice does not have.
    """
    if names.get("project"):
        names["project"] = plain_folder(names["project"])
    first = _bound(since, now, last=False) if since and since != EVERYTHING else None
    last = _bound(until, now, last=True) if until else None
    if first and last and _is_before(last, first):
        raise ValueError(f"{since} to {until} ends before it begins: turn the two around.")
    return Slice(
        agents=tuple(dict.fromkeys(agents)) or None,
        first_day=first.day if first else "",
        last_day=last.day if last else "",
        since_us=first.at_us if first else None,
        until_us=last.at_us if last else None,
        labels=labels_of([label] if isinstance(label, str) else label),
        **names,
    )


def _is_before(one: Bound, other: Bound) -> bool:
    if one.at_us is not None and other.at_us is not None:
        return one.at_us <= other.at_us
    return one.day < other.day


_CALLED = {
    "claude": "claude-code",
    "claudecode": "claude-code",
    "gemini": "gemini-cli",
    "copilot": "copilot-cli",
    "github-copilot": "copilot-cli",
    "codex-cli": "codex",
    "openai-codex": "codex",
    "qwen-code": "qwen",
    "pi-agent": "pi",
}
"""What else people call agents."""


def agent_meant(text: str, known: Sequence[str], by_beginning: Sequence[str]) -> str:
    """Find the agent that a person means: by its name, what else it is called, its beginning.

    Of those `by_beginning` a beginning is enough. Raises ValueError for none, and for several,
    naming them.
    """
    if text in known:
        return text
    plain = re.sub(r"[\s_]+", "-", text.strip().casefold())
    for name in (plain, _CALLED.get(plain, "")):
        if name in known:
            return name
    begun = [name for name in by_beginning if plain and name.startswith(plain)]
    if len(begun) == 1:
        return begun[0]
    if begun:
        raise ValueError(f"{text!r} may be {', '.join(begun)}: write more of it.")
    raise ValueError(f"{text!r} is not one of {', '.join(map(repr, known))}.")


def labels_of(written: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Read labels, each NAME=VALUE. Raises ValueError for what is none, and for two values."""
    labels: dict[str, str] = {}
    for one in written:
        name, value = validation.label(one)
        if labels.setdefault(name, value) != value:
            raise ValueError(f"no session has two values of the label {name}: say one of them")
    return tuple(labels.items())


def both(which: Slice, other: Slice, text: str) -> Slice:
    """Narrow a slice by another one. Raises ValueError where both say one thing, naming it."""
    said = {
        field: getattr(other, field)
        for field in Slice.__struct_fields__
        if field != "labels" and getattr(other, field) not in (None, "")
    }
    twice = [field for field in said if getattr(which, field) not in (None, "")]
    if twice:
        words = {"first_day": "since", "last_day": "until", "agents": "agent"}
        name = words.get(twice[0], twice[0])
        raise ValueError(f"{text!r} is narrowed twice by {name}: say it once.")
    labels = dict(which.labels)
    for label, value in other.labels:
        if labels.setdefault(label, value) != value:
            raise ValueError(f"{text!r} is narrowed twice by {LABEL}{label}: say it once.")
    return replace(which, **said, labels=tuple(labels.items()))


def is_period(which: Slice) -> bool:
    """Tell whether a slice has a beginning or an end."""
    bounds = (which.first_day, which.last_day)
    return any(bounds) or which.since_us is not None or which.until_us is not None


def called(which: Slice, now: datetime) -> tuple[str, str]:
    """Give what people call the period of a slice, and how they say when: `in the last 7 days`."""
    today = now.date()
    first, last = which.first_day, which.last_day or today.isoformat()
    if which.since_us is not None or which.until_us is not None or not first:
        since = f"since {_clock(which.since_us, now) or first}" if first else ""
        until = f"until {_clock(which.until_us, now) or last}" if which.last_day else ""
        name = " ".join(filter(None, (since, until)))
        return name, name
    if first == last:
        days = {0: "today", 1: "yesterday"}
        ago = (today - date.fromisoformat(first)).days
        return days.get(ago, first), days.get(ago, f"on {first}")
    if _days_of(first[:7], today) == (date.fromisoformat(first), date.fromisoformat(last)):
        return first[:7], f"in {first[:7]}"
    if last == today.isoformat():
        days_count = (today - date.fromisoformat(first)).days + 1
        return f"last {days_count:,} days", f"in the last {days_count:,} days"
    return f"{first} to {last}", f"from {first} to {last}"


def _clock(at_us: int | None, now: datetime) -> str:
    if at_us is None:
        return ""
    return datetime.fromtimestamp(at_us / 1e6, now.tzinfo).isoformat(" ", "minutes")[:16]


def before(which: Slice, now: datetime) -> tuple[Slice, str] | None:
    """Give the same slice of the period just before, and what to call it; None without one."""
    earlier = previous(which, now)
    if earlier is None:
        return None
    last, first = date.fromisoformat(earlier.last_day), date.fromisoformat(earlier.first_day)
    days = (last - first).days + 1
    return earlier, "the day before" if days == 1 else f"the {days:,} days before"


def _is_formed(part: str, now: datetime) -> bool:
    if part == EVERYTHING or "=" in part or ".." in part or label_of(part):
        return True
    try:
        since(part, now)
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
    if not part or label_of(part) or not _is_formed(part, now):
        raise ValueError(f"{part!r} is no part of a slice: write {HOW}.")
    return _period(part, now)


def _named(name: str, value: str, now: datetime) -> Slice:
    if name in TIMES:
        return _span(value, "", now) if name == "since" else _span("", value, now)
    if label_of(name):
        return _labelled(label_of(name), value)
    if name == LABEL[:-1]:
        raise ValueError(f"A slice has no {name!r}. Write {LABEL}NAME=VALUE.")
    if name not in NAMES:
        near = get_close_matches(name, (*NAMES, *TIMES), n=1)
        meant = f" Did you mean {near[0]}?" if near else f" There are {', '.join(NAMES + TIMES)}."
        raise ValueError(f"A slice has no {name!r}.{meant}")
    if not value:
        raise ValueError(f"{name}= names nothing: write {name}=VALUE.")
    if name == "agent":
        return Slice(agents=(value,))
    return replace(Slice(), **{name: value})


def _labelled(name: str, value: str) -> Slice:
    try:
        return Slice(labels=(validation.label(f"{name}={value}"),))
    except ValueError as error:
        raise ValueError(f"{error}: write {LABEL}NAME=VALUE.") from None


def _span(first: str, last: str, now: datetime) -> Slice:
    which = Slice()
    if first:
        bound = since(first, now)
        which = replace(which, first_day=bound.day, since_us=bound.at_us)
    if last:
        bound = until(last, now)
        which = replace(which, last_day=bound.day, until_us=bound.at_us)
    if first and last and which.first_day > which.last_day:
        raise ValueError(f"{first}..{last} ends before it begins.")
    return which


def _period(part: str, now: datetime) -> Slice:
    """Read a period: `7d` reaches to today, a day, a week and a month to their own ends."""
    first = since(part, now)
    if first.at_us is not None:
        return Slice(first_day=first.day, since_us=first.at_us)
    is_ago = _AGO.fullmatch(part) is not None
    last = now.date().isoformat() if is_ago else until(part, now).day
    return Slice(first_day=first.day, last_day=last)
