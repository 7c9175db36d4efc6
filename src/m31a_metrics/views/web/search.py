"""The page that searches what was said: words in, places out, each with a link to it.

The function is that of `m31 grep`. What it finds is drawn and kept nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol
from urllib.parse import urlencode

from msgspec import Struct
from msgspec.structs import replace
from starlette.datastructures import QueryParams

from m31a_metrics.answers import Found, Hit, SessionRow, Slice
from m31a_metrics.conversation import Title
from m31a_metrics.patterns import Pattern
from m31a_metrics.table import Unit
from m31a_metrics.tables.names import last_part
from m31a_metrics.tables.search import TOO_LONG, answer, by_session, where
from m31a_metrics.timestamps import moment
from m31a_metrics.transcript import SessionRef
from m31a_metrics.views.names import clean
from m31a_metrics.views.numbers import text_of
from m31a_metrics.views.palette import phase_color
from m31a_metrics.views.web.state import ALWAYS, State, WrongState, session_path

PATH = "/search"
HITS_MAX = 1000

RUNS_AWAY = (
    "This regular expression repeats what varies itself, and may keep the server busy for ever: "
    "m31 grep -e takes it, where Ctrl-C ends it."
)
_FIELDS = ("words", "anycase", "regex")


class Searching(Protocol):
    """Who searches the conversations of sessions. Raises ConversationAbsent."""

    def __call__(
        self,
        rows: Sequence[SessionRow],
        pattern: Pattern,
        *,
        which: Slice | None = None,
        limit: int | None = None,
    ) -> Found:
        """Find places in their order, of the days of a slice, up to a limit."""
        ...


class Sought(Struct, frozen=True):
    """What the address asks to be searched for; `anycase` and `regex` are "1" or ""."""

    words: str = ""
    anycase: str = ""
    regex: str = ""

    @property
    def pattern(self) -> Pattern:
        """What is searched for. Raises WrongState."""
        try:
            options = {"is_regex": bool(self.regex), "ignores_case": bool(self.anycase)}
            pattern = Pattern(self.words, **options)
        except ValueError as error:
            raise WrongState(str(error)) from None
        if pattern.may_run_away:
            raise WrongState(RUNS_AWAY)
        return pattern

    def query(self, state: State) -> str:
        """Write the query of an address at which this is searched for."""
        pairs = [(name, getattr(self, name)) for name in _FIELDS if getattr(self, name)]
        kept = state.query(sort="", tool="", a="", b="", by="").removeprefix("?")
        return "?" + "&".join(filter(None, [urlencode(pairs, errors="replace"), kept]))


def sought(query: QueryParams) -> Sought:
    """Read what an address asks for."""
    return Sought(**{name: query.get(name, "") for name in _FIELDS})


class ShownHit(Struct):
    """A place as it is drawn: `pieces` are of its line, each with whether it was searched for."""

    href: str
    where: str
    turn: int
    time: str
    phase: str
    color: str
    pieces: list[tuple[str, bool]]


class ShownSession(Struct):
    """A session in which something was found."""

    href: str
    name: str
    known: list[str]
    hits: list[ShownHit]


class Shown(Struct):
    """What the page is made of; `sentence` says what was found, or why nothing can be."""

    sentence: str = ""
    notices: list[str] = []
    sessions: list[ShownSession] = []
    more: str = ""
    everything: str = ""


class Scope(Struct, frozen=True):
    """Where was searched: the state of the page, below which root, and how many sessions."""

    root: str
    state: State
    session_count: int


def drawn(found: Found, asked: Sought, scope: Scope, titles: Mapping[SessionRef, Title]) -> Shown:
    """Make what the page shows of what was found."""
    root, state = scope.root, scope.state
    shown = Shown(clean(answer(found, asked.words, scope.session_count, how="")))
    shown.notices = [clean(problem) for problem in found.problems[:1]]
    for row, hits in by_session(found):
        path = f"{root}{session_path(row.session_id)}"
        when = text_of(moment(row.updated_us), Unit.TIME)
        known = [row.session_id, row.agent, last_part(row.project), when]
        shown.sessions.append(
            ShownSession(
                path,
                clean(titles.get(row.ref, Title()).line) or clean(row.session_id),
                [clean(one) for one in known if one],
                [_hit(hit, asked, path) for hit in hits],
            )
        )
    if (found.more_records or not found.is_whole) and len(found.hits) < HITS_MAX:
        shown.more = f"{root}{PATH}{asked.query(replace(state, page=state.page + 1))}"
    if state.is_filtered or state.since != ALWAYS or state.until:
        shown.everything = f"{root}{PATH}{asked.query(State(since=ALWAYS, rows=state.rows))}"
    return shown


def _hit(hit: Hit, asked: Sought, path: str) -> ShownHit:
    named = [("at", hit.place), ("agent", hit.row.agent)]
    if not asked.regex:
        named.append(("q", asked.words))
    return ShownHit(
        f"{path}/transcript?{urlencode(named, errors='replace')}",
        clean(where(hit)),
        hit.turn,
        text_of(moment(hit.t_us), Unit.TIME) if hit.t_us else "",
        clean(hit.phase),
        phase_color(hit.phase) if hit.phase else "",
        _pieces(hit) or [(TOO_LONG, False)],
    )


def _pieces(hit: Hit) -> list[tuple[str, bool]]:
    pieces, at = [], 0
    for began, ended in hit.spans:
        pieces += [(hit.line[at:began], False), (hit.line[began:ended], True)]
        at = ended
    pieces.append((hit.line[at:], False))
    return [(clean(text), is_sought) for text, is_sought in pieces if text]
