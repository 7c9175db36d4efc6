"""The state of a page, which is in its address and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from msgspec import Struct
from msgspec.structs import asdict, replace

from m31a_metrics import slices
from m31a_metrics.answers import Slice

ALWAYS = "all"
"""Written as `since`: no first day."""
SINCE = "30d"

GRAINS = ("hour", "day", "week", "month")
TEXT_MAX = 500
PAGE_MAX = 1_000_000
ROWS_MAX = 500

PERIODS = (
    ("1d", "Today"),
    ("7d", "7 days"),
    ("30d", "30 days"),
    ("90d", "90 days"),
    ("365d", "A year"),
    (ALWAYS, "All time"),
)

_FILTERS = ("agent", "project", "model", "branch", "label", "q", "tool", "phase")
"""What narrows a page, apart from its period."""

_OF_ONE_PAGE: dict[str, Any] = {
    **dict.fromkeys(("sort", "tool", "by", "a", "b", "span", "gaps"), ""),
    "page": 1,
}

_SPAN = re.compile(r"\d{1,17}-\d{1,17}", re.ASCII)
_SORT = re.compile(r"-?[a-z][a-z0-9_]{0,60}")


class WrongState(ValueError):
    """An address that says what cannot be; one sentence for the person who typed it."""


class State(Struct, frozen=True):
    """What is shown: names as in the address. Empty: all, or the page's own choice.

    `sort` is a column as `--sort` of the command line takes it. `q` is searched for.
    `a` and `b` are what a comparison compares. `span` is a stretch of a session's time, as
    two Unix times in microseconds with a dash between; `gaps` shows when nothing happened in it.
    """

    since: str = SINCE
    until: str = ""
    agent: tuple[str, ...] = ()
    project: str = ""
    model: str = ""
    branch: str = ""
    label: tuple[str, ...] = ()
    q: str = ""
    tool: str = ""
    phase: str = ""
    span: str = ""
    gaps: str = ""
    by: str = ""
    sort: str = ""
    page: int = 1
    rows: int = 50
    a: str = ""
    b: str = ""

    def slice(self, now: datetime) -> Slice:
        """Give the slice of this state at the time `now`. Raises WrongState."""
        since = "" if self.since == ALWAYS else self.since
        try:
            which = slices.narrow(
                now,
                since=since,
                until=self.until,
                agents=self.agent,
                project=self.project,
                model=self.model,
                branch=self.branch,
                label=self.label,
                text=self.q,
                tool=self.tool,
                phase=self.phase,
            )
        except ValueError as error:
            raise WrongState(str(error)) from None
        if which.first_day and not which.last_day:
            # Without an end it would not be known how long the period is.
            which = replace(which, last_day=now.date().isoformat())
        return which

    def query(self, **changes: Any) -> str:
        """Write the state as the query of an address, changed; defaults are left out."""
        changed = asdict(replace(self, **changes) if changes else self)
        pairs = [(name, value) for name, value in changed.items() if value != _DEFAULTS[name]]
        text = urlencode(pairs, doseq=True, errors="replace")
        return f"?{text}" if text else ""

    def elsewhere(self, **changes: Any) -> str:
        """Write the query of another page: without what says nothing there, and changed."""
        return self.query(**(_OF_ONE_PAGE | changes))

    @property
    def is_filtered(self) -> bool:
        """Tell whether anything but the period is chosen."""
        return any(getattr(self, name) for name in _FILTERS)

    @property
    def is_narrowed(self) -> bool:
        """Tell whether the page of a session shows a part of it."""
        return bool(self.tool or self.phase or self.span)

    @property
    def stretch_us(self) -> tuple[int, int] | None:
        """The stretch of time that is chosen, from and to; None for the whole session."""
        began, _, ended = self.span.partition("-")
        return (int(began), int(ended)) if ended else None


_DEFAULTS = asdict(State())


def read(pairs: Iterable[tuple[str, str]]) -> State:
    """Read a state from the pairs of a query; other names are passed over.

    Raises WrongState for a value that cannot be.
    """
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name not in State.__struct_fields__ or not value:
            continue
        if len(value) > TEXT_MAX:
            raise WrongState(f"{name} is longer than {TEXT_MAX} characters.")
        if name in ("page", "rows"):
            values[name] = _count(name, value)
        elif name in ("agent", "label"):
            values[name] = (*values.get(name, ()), value)
        else:
            values[name] = value
    if values.get("by") not in (None, *GRAINS):
        raise WrongState(f"by must be one of {', '.join(GRAINS)}.")
    if "sort" in values and not _SORT.fullmatch(values["sort"]):
        raise WrongState("sort must be the name of a column; a minus before it reverses the order.")
    if "span" in values and not _SPAN.fullmatch(values["span"]):
        raise WrongState("span must be two times in microseconds, with a dash between them.")
    return State(**values)


def _count(name: str, value: str) -> int:
    most = PAGE_MAX if name == "page" else ROWS_MAX
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= most):
        raise WrongState(f"{name} must be a whole number from 1 to {most:,}.")
    return int(value)


def session_path(session_id: str) -> str:
    """Give the address of a session's page; nothing in an id can make it another."""
    escaped = quote(session_id, safe="", errors="replace")
    return f"/sessions/{escaped}"
