"""What the questions are asked of, and what answers are made of.

A Slice says which sessions and days; rows are sums over them. Rows are what an engine
(the index, a fleet) returns and what `tables` makes Tables of. Every figure is a whole
number (nano-USD, microseconds), so that the rows of any partition add up exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from msgspec import Struct, field

from m31a_metrics.conversation import PartKind
from m31a_metrics.histogram import Histogram
from m31a_metrics.measures import LLMSums, PhaseTotals, SessionSums, ToolSums
from m31a_metrics.transcript import Effects, RateLimit, SessionRef

LABEL = "label:"
"""Before the name of a label, where questions are grouped by it: `label:prompt`."""


def label_of(part: str) -> str:
    """Name the label that a part is; "" for a part that is none."""
    return part[len(LABEL) :] if part.startswith(LABEL) else ""


def part_of(part: str, day: str) -> str:
    """Name the `day`, `week` or `month` that a day lies in; "" for a day that nobody knows.

    An hour (`time_order`) is a part of a day, and stands for itself where days are asked for.
    Weeks are those of ISO 8601, which begin on Monday, as 2026-W26; months are 2026-06.
    """
    if part == "week" and day:
        year, week, _ = date.fromisoformat(day[:10]).isocalendar()
        return f"{year:04d}-W{week:02d}"
    return day[:7] if part == "month" else day


def time_order(key: str) -> tuple[str, int]:
    """Sort parts of time as they came: an hour that came twice by its offset from UTC, too."""
    hour, offset = key[:16], key[16:]
    if not offset:
        return key, 0
    minutes = int(offset[1:3]) * 60 + int(offset[4:6])
    return hour, minutes if offset[0] == "-" else -minutes


class Slice(Struct, frozen=True):
    """Which sessions, and which of their days. None and "" stand for all.

    Days are local, as YYYY-MM-DD, both included: what happened on other days is left out
    of every sum. `since_us` and `until_us` (Unix microseconds) are bounds within a day, the
    latter not included: an index, which knows days, leaves out a session that has no event
    between them, and whoever reads events what is outside of them. `agents` None: all.
    `project` is a part of the project's path; `folder` is one that the project is, or lies in;
    `model` and `branch` are whole names, or
    patterns with `*`; `model` also leaves out the LLM use of other models. `text` is a part
    of the id, project, branch, agent or a model, in any case. `session` is one session's id.
    `tool` leaves out the calls and failures of other tools. `phase` leaves out what was done in
    other phases, and sessions in which nothing was done in it; failures are not kept by phase,
    and there are none of one. `labels` are names and whole values; a session must have all of
    them.
    """

    agents: tuple[str, ...] | None = None
    project: str = ""
    model: str = ""
    branch: str = ""
    text: str = ""
    session: str = ""
    tool: str = ""
    first_day: str = ""
    last_day: str = ""
    since_us: int | None = None
    until_us: int | None = None
    labels: tuple[tuple[str, str], ...] = ()
    phase: str = ""
    folder: str = ""


class SessionRow(SessionSums, array_like=True):
    """One session of a slice. Sums are of the slice's days; times are of the whole session."""

    agent: str
    session_id: str
    native_id: str = ""
    path: str = ""
    version: str = ""
    project: str = ""
    branch: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    started_us: int = 0
    updated_us: int = 0
    user_turn_count: int = 0
    compaction_count: int = 0
    unpaired_count: int = 0
    is_gone: bool = False
    """Its source is no longer there: only the index still knows of it."""
    zone: str = ""
    """The time zone that its days are of, where that is another: they cannot be told anew."""

    worktree: str = ""
    """The worktree of the project's repository that it ran in, by its folder's name."""

    machine: str = ""
    """Where its files are, by the name that a fleet knows; "" for this machine."""
    user: str = ""
    """Whose it is, by the name that a fleet knows."""

    @property
    def ref(self) -> SessionRef:
        """What it is known by."""
        return SessionRef(self.agent, self.native_id)


class TotalsRow(SessionSums):
    """What a slice, or one part of it, adds up to; `key` names the part (a day, an agent).

    `lasted_us` adds up the time from the first event to the last of its sessions.
    """

    key: str = ""
    session_count: int = 0
    lasted_us: int = 0


class ToolRow(ToolSums):
    """Calls of one tool (`key`), or of one part of the slice: a day, a project, a phase.

    `ran` holds the durations of which `ran_us` is the sum, without the `summed_count` calls.
    """

    key: str
    session_count: int = 0
    ran: Histogram = field(default_factory=Histogram)

    @property
    def ran_count(self) -> int:
        """How many calls took `ran_us`."""
        return self.ran.count + self.summed_count


class LLMRow(LLMSums):
    """LLM use of one part of a slice: a phase, a model, a day; with `model`, of it on a day."""

    key: str
    model: str = ""
    session_count: int = 0


class PhaseRow(PhaseTotals):
    """One phase of a slice, or one part of it: a day, a project, an agent."""

    key: str
    session_count: int = 0


class SessionParts(Struct):
    """One session of a slice with its own tools and phases, for setting sessions side by side.

    `tools` has a row for each of its tools (`key`), `phases` one for each of its phases, of
    the slice's days; `session_count` is 1 in all of them.
    """

    session: SessionRow
    tools: list[ToolRow] = []
    phases: list[PhaseRow] = []


class HealRow(Struct):
    """One failure that an agent set out to heal: all attempts at it in one session.

    `passed` is the outcome of the last attempt; None: the check was not run again.
    `cost_nano` None: nobody knows what it cost.
    """

    agent: str
    session_id: str
    project: str = ""
    day: str = ""
    phase: str = ""
    tool: str = ""
    check: str = ""
    line: str = ""
    attempt_count: int = 0
    passed: bool | None = None
    loop: bool = False
    began_us: int = 0
    duration_us: int = 0
    total_tokens: int = 0
    cost_nano: int | None = None
    branch: str = ""
    labels: dict[str, str] = {}
    machine: str = ""
    user: str = ""


class FailureRow(Struct):
    """One way in which a tool fails, and in which sessions (the latest few, by id)."""

    tool: str
    line: str
    count: int = 0
    session_count: int = 0
    last_day: str = ""
    session_ids: list[str] = []


class ReadingRow(Struct):
    """What reading its sessions came to: of whole sessions, for no day can be told.

    `transcript_count` of them were read of agents' transcripts, and not recorded by whatever
    agent; they have `transcript_tokens` in all. `effects` and the counts are added up.
    """

    session_count: int = 0
    transcript_count: int = 0
    transcript_tokens: int = 0
    unpaired_count: int = 0
    damage_count: int = 0
    effects: Effects = field(default_factory=Effects)


class RateLimitRow(Struct):
    """What an agent was told last of one limit of its provider's."""

    agent: str
    limit: RateLimit


class Hit(Struct):
    """A place in a conversation where what somebody searched for was found.

    `field` is where in its part: "input" or "output" of a call, else "". `line` is the line
    around it, as much of it as is shown, and `spans` where in that it stands; of a text that
    is longer than what is read both are empty. `turn` counts what the person said up to there,
    from 1; 0: before any of it, or nobody knows. `phase` is that of the call or the answer.
    """

    row: SessionRow
    place: str
    kind: PartKind
    field: str = ""
    tool: str = ""
    id: str = ""
    author: str = ""
    t_us: int = 0
    line: str = ""
    spans: list[tuple[int, int]] = []
    turn: int = 0
    phase: str = ""


class Found(Struct):
    """What a search found: hits in the order of the sessions.

    `more_records` may hold more, in `more_sessions` others. `is_whole`: nothing is left that
    nobody looked at. `problems` say what could not be read, a sentence each.
    """

    hits: list[Hit]
    more_records: int = 0
    more_sessions: int = 0
    is_whole: bool = True
    problems: list[str] = []

    @property
    def session_count(self) -> int:
        """In how many sessions hits are."""
        return len({one.row.ref for one in self.hits})


class Answers(Protocol):
    """Whoever can answer: the index of this machine, one in memory, a fleet's database.

    `by` names what the rows are the parts of: `day`, `week`, `month`, `agent`, `project`,
    `branch`, `label:NAME`, `model`, `phase`, `tool`, `session`, or "" for the slice as one;
    of a fleet also `machine` and `user`; of whoever reads events (`Exact` in `catalog`) also
    `hour`, and of LLM use `moment`, which is the Unix time of each answer in microseconds.
    ValueError for a part that a question cannot be grouped by. Parts come in no certain order;
    those of time have the names that `part_of` gives, and what has no value of a part (a
    session without that label) is of the part "". Wholes of sessions, to which each belongs
    with all it has, are agent, project, branch and label.
    """

    def sessions(
        self,
        which: Slice,
        *,
        sort: str = "updated_us",
        descending: bool = True,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[SessionRow]:
        """Sessions in the order of a field of SessionRow."""
        ...

    def parts(self, which: Slice, limit: int) -> list[SessionParts]:
        """Sessions one by one, in no certain order; of more than `limit`, so many of them.

        Which ones has nothing to do with their age, size or agent, and is the same each time
        they are asked for while the sessions are the same: a fair sample, for statistics.
        """
        ...

    def totals(self, which: Slice, by: str = "") -> list[TotalsRow]:
        """Sums of all kinds: one row, or one for each day, week, month, or whole of sessions."""
        ...

    def tools(self, which: Slice, by: str = "tool") -> list[ToolRow]:
        """Calls by tool, phase, day, week, month, session, or a whole of sessions."""
        ...

    def llms(self, which: Slice, by: Sequence[str] = ("phase",)) -> list[LLMRow]:
        """LLM use by phase, model, day, week, month, session, or a whole of sessions.

        By two of them, the second being `model`, each row names its model too.
        """
        ...

    def phases(self, which: Slice, by: str = "phase") -> list[PhaseRow]:
        """Phases, or all of them together by day, week, month, session, or a whole of sessions."""
        ...

    def heals(self, which: Slice, limit: int | None = None) -> list[HealRow]:
        """Failures that agents set out to heal, the most expensive first, then the longest."""
        ...

    def failures(self, which: Slice, limit: int | None = None) -> list[FailureRow]:
        """The most frequent ways to fail first."""
        ...

    def reading(self, which: Slice) -> ReadingRow:
        """What the rules of counting did to the sessions of a slice, for the audit."""
        ...

    def rate_limits(self, which: Slice) -> list[RateLimitRow]:
        """Of each agent the limits of its provider, as they were told last; by agent and name.

        Of the latest few hundred sessions of the slice, for these are about now.
        """
        ...
