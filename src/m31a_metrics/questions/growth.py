"""Counters that never fall, out of sums that do, and the names that have room for series.

`Growth` is what one exporter shows of the sums that it sees, one after the other; `Names` keeps
the number of series bounded, whoever invents names of tools, models, phases and projects.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from math import ceil

from msgspec import Struct

from m31a_metrics.answers import Answers
from m31a_metrics.questions.series import (
    AGENT,
    PROJECT,
    ROOM,
    Family,
    Known,
    Labels,
    Runs,
    Sums,
    Value,
    day_before,
    grown,
    sums,
)
from m31a_metrics.tables.names import last_part

OTHER = "other"
"""Stands for all names that there is no room for."""
UNKNOWN = "unknown"
"""Stands for a name that nobody told: an empty label would be as good as none."""

LABEL_MAX = 120
"""Characters of a label's value; whatever writes a name may write any."""


class Names:
    """Which names have series of their own; each is decided on once, for as long as this lasts.

    At first those that are used most are let in, and a quarter of the room is left for what
    comes later: else no new model would ever be seen where many old ones are known. Then
    whoever comes first, and all others are OTHER of their agent. Nothing is ever ranked anew,
    for a name that gave up its place would take its series with it.
    """

    def __init__(self, room: Mapping[Labels, int] = ROOM) -> None:
        self._whole_room = {**ROOM, **room}
        self._room = {scope: ceil(count * 0.75) for scope, count in self._whole_room.items()}
        self._in: dict[Labels, set[Labels]] = {scope: set() for scope in self._room}
        self._shown: dict[tuple[Labels, Labels], Labels] = {}

    def let_in(self, use: Mapping[Labels, Mapping[Labels, int]]) -> None:
        """Decide on names by how much they are used."""
        for scope in self._room:
            asking = use.get(scope, {})
            for names in sorted(asking, key=lambda names: (-asking[names], names)):
                self._decide(scope, names)
        self._room = self._whole_room

    def shown(self, family: Family, labels: Labels) -> Labels:
        """Give the labels under which a figure is exposed."""
        scope = family.scope
        return self._decide(scope, labels[: len(scope)]) + labels[len(scope) :]

    def gathered(self, found: Sums) -> Sums:
        """Add up figures whose labels are exposed as the same."""
        gathered = Sums()
        for family, labels, value in found:
            gathered.put(family, self.shown(family, labels), value)
        return gathered

    def _decide(self, scope: Labels, names: Labels) -> Labels:
        key = scope, names
        shown = self._shown.get(key)
        if shown is None:
            shown = self._shown[key] = self._place_of(scope, _clean(scope, names))
        return shown

    def _place_of(self, scope: Labels, names: Labels) -> Labels:
        if not scope:
            return names
        agent = names[:1]
        if len(scope) > 1 and self._decide(AGENT, agent) != agent:
            return (OTHER,) * len(scope)
        inside = self._in[scope]
        if names not in inside:
            if len(inside) >= self._room[scope]:
                return (*names[:-1], OTHER)
            inside.add(names)
        return names


def _clean(scope: Labels, names: Labels) -> Labels:
    """Make labels of names: of a project's path the last part, and no character unseen."""
    if scope == PROJECT:
        names = tuple(map(last_part, names))
    return tuple(map(_label, names))


def _label(name: str) -> str:
    cut = name[:LABEL_MAX]
    return "".join(one if one.isprintable() else "�" for one in cut) if cut else UNKNOWN


class Divided(Struct):
    """Sums by time: before the day at which `Growth` divides them, and since.

    `between` are those of the days from there to `following`, the day at which it will divide
    them next; `since` those from there on.
    """

    before: Sums
    between: Sums
    since: Sums
    following: str

    def use(self) -> dict[Labels, dict[Labels, int]]:
        """By how much each name is used, of all time."""
        found = Sums()
        for part in (self.before, self.between, self.since):
            for scope, use in part.use.items():
                for names, count in use.items():
                    found.used(scope, names, count)
        return found.use


def divided(answers: Answers, at: str, following: str, known: Known | None = None) -> Divided:
    """Ask for sums divided at a day ("": at the following one, as for a first time).

    A clock that goes back moves nothing back. `known` is what was asked before.
    """
    following = max(at, following)
    since = sums(answers, following, "", known)
    if at in ("", following):
        before = sums(answers, "", day_before(following), known)
        return Divided(before, Sums(), since, following)
    between = sums(answers, at, day_before(following), known)
    return Divided(sums(answers, "", day_before(at), known), between, since, following)


class Growth:
    """Counters that begin at 0 with their exporter and only ever add growth.

    What sums grew by from one `add` to the next is added, series by series; what they fell by
    is not subtracted, and what they grow by after that counts from where they fell to. A
    figure that moves between series counts in both. What is over (the months before) is compared
    apart from what goes on: so a prune, which takes out old sessions, hides nothing of what
    grows meanwhile.

    A series that was not there before is exposed as 0 once, and what it holds is added by the
    next `add`: to a scraper, which does not know that what it never saw was 0, that is growth
    too.
    """

    def __init__(self, names: Names) -> None:
        self.names = names
        self.divides_at = ""
        """The day at which sums are compared in two parts; "" while there were none."""
        self._last = Sums(), Sums()
        self._index: Hashable = None
        self._exposed = Sums()
        self._held: list[tuple[Family, Labels, Value]] = []

    def add(self, found: Divided, index: Hashable = None) -> None:
        """Add what sums of a whole index grew by, divided where this says.

        `index` tells one from another. Of another, nobody knows what of it is growth (one in
        memory, that stands in for a file, does not know sessions whose files are gone), so it
        counts from there on.
        """
        self.names.let_in(found.use())
        is_known = bool(self.divides_at) and index == self._index
        before, self._last = self._last, (together(found.before, found.between), found.since)
        self._expose_held()
        there = {family: frozenset(each) for family, each in self._exposed.figures.items()}
        now = found.before, together(found.between, found.since)
        for was, sums_now in zip(before, now, strict=True):
            for family, figures in sums_now.figures.items():
                old = was.figures.get(family, {}) if is_known else figures
                for labels, value in figures.items():
                    known = old.get(labels)
                    if not is_known or value is not known:
                        self._expose(there, family, labels, value, known)
        self.divides_at, self._index = found.following, index

    def _expose(
        self,
        there: Mapping[Family, frozenset[Labels]],
        family: Family,
        labels: Labels,
        value: Value,
        before: Value | None,
    ) -> None:
        shown = self.names.shown(family, labels)
        if shown not in there.get(family, ()):
            self._exposed.put(family, shown, Runs() if isinstance(value, Runs) else 0)
            self._held.append((family, shown, grown(value, before)))
        else:
            self._exposed.put(family, shown, grown(value, before))

    def counters(self) -> Sums:
        """Give what is exposed now."""
        return self._exposed

    def _expose_held(self) -> None:
        for family, labels, growth in self._held:
            self._exposed.put(family, labels, growth)
        self._held.clear()


def together(one: Sums, more: Sums) -> Sums:
    """Two stretches of days as one."""
    if not one.figures or not more.figures:
        return one if one.figures else more
    both = Sums()
    for part in (one, more):
        for family, labels, value in part:
            both.put(family, labels, value)
    return both


Past = dict[Family, dict[Labels, dict[str, Value]]]
"""What each series grew by on which days."""


def past(answers: Answers, days: Iterable[str], names: Names) -> Past:
    """Ask what counters would have grown by on each of these days, given in their order."""
    names.let_in(sums(answers).use)
    found: Past = {}
    for day in days:
        for family, labels, value in names.gathered(sums(answers, day, day)):
            grew = grown(value, None)
            if grew and grew != Runs():
                found.setdefault(family, {}).setdefault(labels, {})[day] = grew
    return found
