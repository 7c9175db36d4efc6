"""Counters that never fall, out of sums that do, and the names that have room for series.

`Growth` is what one exporter shows of the sums that it sees, one after the other; `Names` keeps
the number of series bounded, whoever invents names of tools, models, phases and projects.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from math import ceil

from msgspec import Struct

from m31a_metrics.answers import Answers
from m31a_metrics.series import (
    AGENT,
    PROJECT,
    ROOM,
    Family,
    Labels,
    Runs,
    Sums,
    Value,
    added,
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


def divided(answers: Answers, at: str, following: str) -> Divided:
    """Ask for sums divided at a day ("": at the following one, as for a first time).

    A clock that goes back moves nothing back.
    """
    following = max(at, following)
    since = sums(answers, following)
    if at in ("", following):
        return Divided(sums(answers, "", day_before(following)), Sums(), since, following)
    between = sums(answers, at, day_before(following))
    return Divided(sums(answers, "", day_before(at)), between, since, following)


class Growth:
    """Counters that begin at 0 with their exporter and only ever add growth.

    What sums grew by from one `add` to the next is added, series by series; what they fell by
    is not subtracted, and what they grow by after that counts from where they fell to. A
    figure that moves between series counts in both. Days that are over are compared apart from
    those that go on: so a prune, which takes out old sessions, hides nothing of what grows
    meanwhile.

    A series that was not there before is exposed as 0 once, and what it holds is added by the
    next `add`: to a scraper, which does not know that what it never saw was 0, that is growth
    too.
    """

    def __init__(self, names: Names) -> None:
        self.names = names
        self.divides_at = ""
        """The day at which sums are compared in two parts; "" while there were none."""
        self._last: dict[tuple[bool, Family, Labels], Value] = {}
        self._index: Hashable = None
        self._exposed = Sums()
        self._held: list[tuple[Family, Labels, Value]] = []

    def add(self, found: Divided, index: Hashable = None) -> None:
        """Add what sums of a whole index grew by, divided where this says.

        `index` tells one from another. Of another, nobody knows what of it is growth (one in
        memory, that stands in for a file, does not know sessions whose files are gone), so it
        counts from there on.
        """
        for part in (found.since, found.between, found.before):
            self.names.let_in(part.use)
        is_known = bool(self.divides_at) and index == self._index
        before, self._last = self._last if is_known else None, {}
        self._expose_held()
        there = {family: frozenset(each) for family, each in self._exposed.figures.items()}
        for is_over, family, labels, value in _compared(found, next_time=False):
            key = is_over, family, labels
            growth = grown(value, before.get(key) if before is not None else value)
            shown = self.names.shown(family, labels)
            if shown in there.get(family, ()):
                self._exposed.put(family, shown, growth)
            else:
                self._exposed.put(family, shown, Runs() if isinstance(growth, Runs) else 0)
                self._held.append((family, shown, growth))
        for is_over, family, labels, value in _compared(found, next_time=True):
            self._last[is_over, family, labels] = value
        self.divides_at, self._index = found.following, index

    def counters(self) -> Sums:
        """Give what is exposed now."""
        return self._exposed

    def _expose_held(self) -> None:
        for family, labels, growth in self._held:
            self._exposed.put(family, labels, growth)
        self._held.clear()


def _compared(found: Divided, *, next_time: bool) -> Iterator[tuple[bool, Family, Labels, Value]]:
    """Give the figures of what is over and of what goes on, as they are divided now or next."""
    for is_over, parts in (
        (True, (found.before, found.between) if next_time else (found.before,)),
        (False, (found.since,) if next_time else (found.between, found.since)),
    ):
        together: dict[tuple[Family, Labels], Value] = {}
        for part in parts:
            for family, labels, value in part:
                one = together.get((family, labels))
                together[family, labels] = value if one is None else added(one, value)
        for (family, labels), value in together.items():
            yield is_over, family, labels, value


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
