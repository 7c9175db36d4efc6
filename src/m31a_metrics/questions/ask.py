"""What every question is asked with: who answers, about which sessions, at what time.

And what to say where the answer is nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from m31a_metrics import slices
from m31a_metrics.answers import LABEL, Answers, Slice, TotalsRow
from m31a_metrics.tables.names import day_name, last_part
from m31a_metrics.tables.phrases import Scope
from m31a_metrics.tables.trend import grain

_EVERY = Slice()


class Ask(Struct):
    """Whom to ask, about which slice, at what time (with the zone that decides what a day is).

    `session_id` is set where the slice is one session that a person named; tables then
    speak of that session.
    """

    answers: Answers
    which: Slice
    now: datetime
    session_id: str = ""
    _totals: TotalsRow | None = None

    @property
    def totals(self) -> TotalsRow:
        """What the slice adds up to; asked for once."""
        if self._totals is None:
            self._totals = totals_of(self.answers, self.which)
        return self._totals

    @property
    def scope(self) -> Scope:
        """What tables say they are of."""
        return Scope(self.totals, self.session_id)

    @property
    def today(self) -> str:
        """The day that the person has, as YYYY-MM-DD."""
        return self.now.date().isoformat()

    def about(self, which: Slice) -> Ask:
        """The same question of another slice."""
        return Ask(self.answers, which, self.now, self.session_id)

    def before(self) -> tuple[Ask, str] | None:
        """The same slice of the period just before, and what to call it; None without one."""
        earlier = slices.before(self.which, self.now)
        return None if earlier is None else (self.about(earlier[0]), earlier[1])

    def grain(self, over: str = "") -> str:
        """How finely to show the slice over time: as asked, or what suits its length."""
        which = self.which
        if over:
            return over
        last = which.last_day or self.today
        if which.since_us is not None and last == which.first_day:
            return "hour"
        if which.first_day:
            return grain(which.first_day, last)
        # Without a beginning it is as long as there is something in it.
        keys = (row.key for row in self.answers.totals(which, "month"))
        months = sorted(key for key in keys if day_name(key))
        if not months:
            return "month"
        return grain(f"{months[0]}-01", min(f"{months[-1]}-28", last))

    def narrowed(self, **fields: object) -> Ask:
        """The same question of a part of the slice, by fields of Slice."""
        return self.about(replace(self.which, **fields))


def totals_of(answers: Answers, which: Slice) -> TotalsRow:
    """What a slice adds up to; zeros where no session is in it."""
    rows = answers.totals(which)
    return rows[0] if rows else TotalsRow()


def recorded_agents(answers: Answers, which: Slice = _EVERY) -> list[str]:
    """The agents of a slice whose sessions a recorder keeps, by directories of their ids.

    Of a fleet: all.
    """
    return [
        session.agent
        for row in answers.totals(which, "agent")
        for session in answers.sessions(replace(which, agents=(row.key,)), limit=1)
        if session.machine or session.path.rpartition("/")[2] == session.session_id
    ]


def why_none(ask: Ask, narrowed: Sequence[str], problems: Sequence[str]) -> str | None:
    """Say why a slice holds nothing, and the name that may be meant; None where it holds some.

    `narrowed` are the options that narrow it, as they were given; `problems` what could not
    be read.
    """
    about, answers = ask.which, ask.answers
    if ask.totals.session_count:
        if not about.tool or ask.totals.call_count:
            return None
        names = [row.key for row in answers.tools(ask.narrowed(tool="").which)]
        return f"No call of a tool {about.tool!r} in {ask.scope}.{_near(about.tool, names)}"
    if len(narrowed) == 1 and about.model:
        names = [row.key for row in answers.llms(Slice(), ("model",))]
        return f"No session used a model {about.model!r}.{_near(about.model, names)}"
    if len(narrowed) == 1 and about.project:
        names = [last_part(row.key) for row in answers.totals(Slice(), "project")]
        return f"No session ran in a project {about.project!r}.{_near(about.project, names)}"
    if len(narrowed) == 1 and len(about.labels) == 1:
        ((name, value),) = about.labels
        rows = answers.totals(Slice(), f"{LABEL}{name}")
        names = [f"{name}={row.key}" for row in rows if row.key]
        return f"No session has the label {name}={value}.{_near(f'{name}={value}', names)}"
    if narrowed:
        it = "it" if len(narrowed) == 1 else "them"
        return f"No session fits {' '.join(narrowed)}. Leave {it} out for all."
    return "No session here can be read. See why: `m31 doctor`." if problems else None


def _near(name: str, known: list[str]) -> str:
    """Name what may be meant, and how to write a part of a name."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1) or [one for one in known if name in one][:1]
    return f" Did you mean {near[0]}?" if near else " Leave it out for all."
