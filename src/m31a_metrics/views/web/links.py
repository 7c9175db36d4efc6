"""Where the names on a page lead: to the same page, narrowed to what was clicked.

Whatever narrows a page is in its address, so that going back undoes it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from m31a_metrics.table import Cell
from m31a_metrics.tables import columns
from m31a_metrics.views.web.state import TEXT_MAX, State, session_path

_OF_TOOLS = "/tools"
_LISTS = "/sessions"
_NARROWED = ("/", _LISTS, _OF_TOOLS, "/phases", "/blocks")
"""Pages that filters narrow; what is clicked elsewhere leads to the list of sessions."""

_FIELDS = ("project", "model", "branch", "phase")


class Links(Struct, frozen=True):
    """Where a page's links lead. `state` None: nowhere, for a page in a file has no server.

    `root` is what all addresses of the server begin with, `within` the page's own address
    below it. `sorts` are the columns that the main table can be sorted by, `sorted_by` the
    one it is.
    """

    state: State | None = None
    path: str = "/"
    data: str = ""
    sorts: frozenset[str] = frozenset()
    sorted_by: str = ""
    root: str = ""

    @property
    def within(self) -> str:
        """The page's own address, below the root."""
        return self.path.removeprefix(self.root)

    @property
    def is_session(self) -> bool:
        """Tell whether this is the page of one session."""
        return self.within.startswith(f"{_LISTS}/")

    def page(self, path: str) -> str:
        """Give the address of another page that shows what is chosen; "" where nowhere."""
        if self.state is None:
            return ""
        return self.root + path + self.state.elsewhere()

    def to(self, name: str, cell: Cell) -> str:
        """Give where a cell of a column leads; "" where nowhere."""
        if self.state is None or not cell or not isinstance(cell, str):
            return ""
        if name == "session_id":
            return self.root + session_path(cell)
        if len(cell) > TEXT_MAX:
            return ""  # an address would not take it
        if name in ("tool", "phase") and self.is_session:
            return self.path + self.state.query(**{name: cell}, span="", sort="", page=1)
        if name == "tool":
            return self.root + _OF_TOOLS + self.state.elsewhere(tool=cell, by=self.state.by)
        changes = _narrowed(name, cell)
        if not changes:
            return ""
        page = self.within if self.within in _NARROWED else _LISTS
        sort = self.state.sort if page == self.within else ""
        return self.root + page + self.state.query(**changes, span="", gaps="", sort=sort, page=1)

    def span(self, began_us: int, ended_us: int) -> str:
        """Give where a stretch of a session's time leads: to its page, narrowed to that."""
        if self.state is None or not self.is_session or ended_us <= began_us:
            return ""
        return self.path + self.state.query(span=f"{began_us}-{ended_us}")


def _narrowed(name: str, cell: str) -> dict[str, object]:
    """What of an address a cell of a column narrows; nothing where no filter is of its kind."""
    if name in columns.TIMES:
        return {"since": cell, "until": _ends(cell) if name == "hour" else cell}
    if name == "model" and ("*" in cell or " " in cell):
        return {}  # several of them together, or none that is named
    if name == "agent":
        return {"agent": (cell,)}
    return {name: cell} if name in _FIELDS else {}


def _ends(hour: str) -> str:
    """Give the end of an hour that is given by its beginning."""
    try:
        return (datetime.fromisoformat(hour) + timedelta(hours=1)).isoformat(timespec="minutes")
    except (ValueError, OverflowError):
        return hour
