"""Which sessions are there, and what is in one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from m31a_metrics.answers import Answers, SessionRow, Slice
from m31a_metrics.conversation import Title
from m31a_metrics.errors import SessionNotFound
from m31a_metrics.model import SessionMetrics
from m31a_metrics.questions.ask import Ask
from m31a_metrics.questions.phases import heals, phases
from m31a_metrics.questions.tools import tools_of
from m31a_metrics.table import Panel
from m31a_metrics.tables import sessions as of_sessions
from m31a_metrics.tables.cost import token_classes
from m31a_metrics.tables.from_metrics import session_metrics
from m31a_metrics.tables.overview import cost_by, tools_by_time
from m31a_metrics.tables.sessions import (
    FOLDED,
    LATEST,
    SORTABLE,
    head,
    listing,
    sorted_by,
    with_titles,
)
from m31a_metrics.tables.timeline import EVERYTHING, Only

TitlesOf = Callable[[Sequence[SessionRow]], Sequence[Title]]
"""Reads the titles of sessions, one for each; what stands in a Table of them is kept nowhere."""
SUGGESTED_OF, SUGGESTED_MAX = 200, 50
"""Names are suggested of so many of the latest sessions, and so many of a kind."""


def sessions(
    ask: Ask,
    *,
    by: str = "",
    sort: str | None = None,
    limit: int | None = None,
    whole: bool = False,
    titles_of: TitlesOf | None = None,
) -> list[Panel]:
    """Sessions, latest first, or in the order of a column; or what their parts add up to.

    `titles_of` reads titles of sessions for whoever looks on.

    `sort` is written as for `m31 sessions --sort`; where the index cannot sort by that
    column, all rows come as they are.
    """
    if by:
        rows = ask.answers.totals(ask.which, by)
        return [Panel("sessions", of_sessions.sessions_by(rows, ask.scope, by, whole=whole))]
    field, descending = sorted_by(sort) if sort else (LATEST, True)
    if field is None:
        found = ask.answers.sessions(ask.which)
    else:
        # Of many, the index sorts and cuts, so that few need to be made rows of.
        found = ask.answers.sessions(ask.which, sort=field, descending=descending, limit=limit)
    table = of_sessions.sessions(found, ask.scope, whole=whole)
    if titles_of is not None:
        table = with_titles(table, titles_of(found), whole=whole)
    return [Panel("sessions", table, is_wide=True)]


def rows_listed(ask: Ask, *, sort: str, limit: int, offset: int) -> list[SessionRow]:
    """`limit` sessions from the `offset`-th on, in the order of a column.

    Raises KeyError for a column that the list cannot be sorted by.
    """
    field, descending = sorted_by(sort)
    if field is None or sort.removeprefix("-") not in SORTABLE:
        raise KeyError(sort)
    return ask.answers.sessions(
        ask.which, sort=field, descending=descending, limit=limit, offset=offset
    )


def listed(rows: Sequence[SessionRow]) -> Panel:
    """Sessions as a page lists them, in the order given."""
    table = listing("Sessions", rows, "No session fits.")
    return Panel("sessions", table, is_wide=True, folded=FOLDED)


def suggested(answers: Answers) -> dict[str, list[str]]:
    """Names that a person may mean, by what they narrow: those of the latest sessions first."""
    names: dict[str, dict[str, None]] = {
        name: {} for name in ("project", "model", "branch", "label")
    }
    for row in answers.sessions(Slice(), limit=SUGGESTED_OF):
        names["project"][row.project] = None
        names["branch"][row.branch] = None
        names["model"] |= dict.fromkeys(row.models)
        names["label"] |= {f"{name}={value}": None for name, value in row.labels.items()}
    return {kind: [name for name in found if name][:SUGGESTED_MAX] for kind, found in names.items()}


def every(answers: Answers, which: Slice) -> list[SessionRow]:
    """All sessions of a slice, latest first: for whoever reads their files."""
    return answers.sessions(which)


def find(answers: Answers, session_id: str, agents: Sequence[str] = ()) -> SessionRow:
    """The session of that id, of one of these agents. Raises SessionNotFound."""
    which = Slice(session=session_id, agents=tuple(agents) or None)
    rows = answers.sessions(which, limit=1) if session_id else []
    if not rows:
        raise SessionNotFound("The index knows no session of that id.")
    return rows[0]


def asked_for(ask: Ask) -> SessionRow:
    """The one session that is asked about."""
    return ask.answers.sessions(ask.which, limit=1)[0]


def of_one(ask: Ask, row: SessionRow) -> Ask:
    """The same asked of one session."""
    which = Slice(session=row.session_id, agents=(row.agent,))
    return Ask(ask.answers, which, ask.now, row.session_id)


def session(
    ask: Ask, row: SessionRow, over_time: Iterable[Panel] = (), only: Only = EVERYTHING
) -> list[Panel]:
    """What happened in one session: sums, its course (`over_time`), phases, heals, tools, use.

    `over_time` is made of its events, which the index does not keep. `only` asks for a part.
    """
    one = of_one(ask, row).narrowed(tool=only.tool, phase=only.phase)
    if only.stretch_us is not None:
        since_us, last_us = only.stretch_us
        one = one.narrowed(since_us=since_us, until_us=last_us + 1)
    answers, which = one.answers, one.which
    if only != EVERYTHING:
        row = next(iter(answers.sessions(which, limit=1)), row)
    in_phases, healing = phases(one)
    rows = answers.tools(which)
    by_tool = tools_of(one, rows)
    by_tool.table.title = "Tools"
    episodes = heals(one, whole=True)[0]
    episodes.is_optional = True
    return [
        head(row),
        *over_time,
        in_phases,
        healing,
        episodes,
        by_tool,
        token_classes(answers.llms(which, ("model",))),
        tools_by_time(rows),
        cost_by(answers.llms(which, ("phase",)), "phase"),
    ]


def metrics_of(ask: Ask, row: SessionRow) -> SessionMetrics:
    """One session as METRICS.json has it, from what the index keeps."""
    one = of_one(ask, row)
    answers, which = one.answers, one.which
    return session_metrics(
        row, answers.tools(which), answers.llms(which, ("phase",)), answers.phases(which)
    )


def counts_by_agent(answers: Answers) -> list[tuple[str, int, int]]:
    """How many sessions of each agent the index has, and of how many the files are gone."""
    counts: dict[str, list[int]] = {}
    for row in answers.sessions(Slice()):
        count = counts.setdefault(row.agent, [0, 0])
        count[0] += 1
        count[1] += row.is_gone
    return [(agent, known, gone) for agent, (known, gone) in sorted(counts.items())]


def days_of_other_zones(answers: Answers) -> list[tuple[str, int]]:
    """How many sessions have the days of another time zone, by its name."""
    counts = Counter(row.zone for row in answers.sessions(Slice()) if row.zone)
    return sorted(counts.items())


def state_of(answers: Answers) -> tuple[object, ...]:
    """What changes whenever a session does: for pages that follow."""
    latest = answers.sessions(Slice(), limit=1)
    return (
        *(
            (
                *(row.session_count, row.call_count, row.denied_count),
                *(row.total_tokens, row.cost_nano, row.duration_us),
            )
            for row in answers.totals(Slice())
        ),
        *((row.session_id, row.updated_us) for row in latest),
    )
