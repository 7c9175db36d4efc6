"""What a session that goes on used by now: read whole once, and then what its files grew by.

Reading a transcript of megabytes takes most of a second. So after it was read whole a
`_Standing` is kept: the sums, how far each file was read, and the sums of an excerpt that
ends there. A later look reads the same excerpt with what was written since, and what that
has more than before is new, whatever the agent's format is. Where anything is in doubt (a
file was replaced or cut, one came to it, another day began, prices changed) the transcript
is read whole again. What is kept are figures, ids and places of files.
"""

from __future__ import annotations

import os
from array import array
from hashlib import blake2b
from time import time_ns

from msgspec import MsgspecError, Struct
from msgspec.json import Decoder, encode
from msgspec.structs import replace

from m31a_metrics import store
from m31a_metrics.agent_totals import Amount, excess, runs, spent_in, told_in
from m31a_metrics.catalog.load import LoadedSession, Loader
from m31a_metrics.catalog.records import DayOf
from m31a_metrics.config import Config
from m31a_metrics.errors import MetricsError
from m31a_metrics.events import (
    UNATTRIBUTED,
    AgentTotals,
    LLMInteraction,
    PhaseTransition,
)
from m31a_metrics.foreign_files import open_regular
from m31a_metrics.history.source_files import hashed
from m31a_metrics.journal import SHARED
from m31a_metrics.jsonlines import UNREADABLE, Excerpt, Excerpts
from m31a_metrics.pricing import library
from m31a_metrics.rates import pricer, remember
from m31a_metrics.spending import BEFORE, DAY, MONTH, Account, Spending
from m31a_metrics.timestamps import Today
from m31a_metrics.units import nano_usd

_FORMAT = 1
_WORTH_BYTES = 1 << 20
"""A transcript of less is read whole each time: that takes some ten milliseconds."""
_HEAD_BYTES, _HEAD_BYTES_MAX = 1 << 16, 1 << 20
_OVERLAPS_BYTES = (1 << 18, 1 << 20, 1 << 22)
"""So much before the place that was read to is read again, until the latest responses are in it:
a response goes on over several lines, and sums are told against the ones before."""
_GROWN_BYTES_MAX = 1 << 22
"""Of more than this the transcript is read whole again, so that later settlings read little."""
_RESTING_NS = 3600 * 10**9
"""A file that did not change for so long before (a subagent's that ended) is read no more."""
_MARK_BYTES = 4096
_STANDING_BYTES_MAX = 1 << 24
_LATEST = 2
_AGENT_TOTALS = b'"agent_totals"'
_JOURNAL_BYTES_MAX = 1 << 26


class Grown(Struct, frozen=True):
    """What a session used by now, and the phase that it is in, "" where no call told.

    `is_part`: it is a subagent's, and counts in the session that began it.
    """

    spending: Spending
    phase: str
    is_part: bool = False


class _File(Struct, frozen=True):
    """A file of a session as far as it was read: up to `until`. `excerpt` None: it rested."""

    path: str
    device: int
    inode: int
    until: int
    mark: str
    excerpt: Excerpt | None


class _Standing(Struct, frozen=True):
    """What a session used when its transcript was last read whole, and what is read since.

    `whole` are its sums, with the `rest_nano` by which what the agent said of its cost exceeded
    its calls; `account` is what tells how that goes on, from the byte `told_until` of the
    journal that says so. `view` are the sums of the excerpts alone, of which the latest
    response was at `until_us`, and they cost `view_nano`; `latest` tell the latest responses,
    which are the same in both. `known` are the hashed ids of all responses, `seen` those of
    the view: what only the former has was read before, wherever it comes again. `rules` stand
    for what else the sums depend on.
    """

    format: int
    rules: str
    day_from_us: int
    files: list[_File]
    whole: Spending
    view: Spending
    phase: str
    latest: list[str]
    known: bytes
    seen: bytes
    until_us: int
    view_nano: int
    account: Account
    told_until: int
    rest_nano: int


_standing = Decoder(_Standing)
_agent_totals = Decoder(AgentTotals)


class _PartOf(DayOf):
    """Which part of time an event counts in; in none where a fork copied it."""

    def __init__(self, today: Today, not_before_us: int) -> None:
        super().__init__()
        self._today = today
        self._not_before_us = not_before_us
        self.edges = (not_before_us, today.month_from_us, today.day_from_us)

    def __call__(self, t_us: int) -> str:
        """The part of time of a time (Unix microseconds)."""
        if t_us < self._not_before_us:
            return ""
        if t_us >= self._today.day_from_us:
            return DAY
        return MONTH if t_us >= self._today.month_from_us else BEFORE


class GrowingSession:
    """A session by its transcript, at a path; what it used is apart by the parts of `today`.

    It is read for budgets: what came by OTLP without the token counts for none.
    """

    def __init__(self, config: Config, agent: str, path: str, today: Today) -> None:
        self._config = config
        self._agent = agent
        self._path = path
        self._today = today
        self._price = pricer(config)
        self._loader = Loader(config, self._price, verified=True)

    def look(self, name: str) -> Grown:
        """Read what is new of it, or all where that cannot be told.

        `name` is that of its directory. Raises MetricsError.
        """
        place = standing_path(self._config.live_dir, name)
        standing = self._read_standing(place)
        grown = None if standing is None else self._since(standing, name)
        if grown is None:
            grown, standing = self._whole(name)
            if standing is None:
                store.remove(place)
            else:
                store.make_directory(os.path.dirname(place))
                store.replace(place, encode(standing), sync=False)
        remember(self._config, self._price)
        return grown

    def _load(self, excerpts: Excerpts, witnesses: list[str] | None = None) -> LoadedSession:
        """Read what excerpts leave of the transcript; `witnesses` None: all that there are."""
        with excerpts.in_force():
            return self._loader.load(self._agent, self._path, witnesses=witnesses, goes_on=True)

    def _spent(self, loaded: LoadedSession) -> Spending:
        """Sum by parts of time what calls took: what the agent's totals exceed is apart."""
        part_of = self._part_of(loaded)
        spending = Spending.of(loaded.divided(part_of))
        for event in loaded.events:
            if type(event) is LLMInteraction and event.phase == UNATTRIBUTED and event.cost:
                self._add_rest(spending, part_of(event.t_us), -nano_usd(event.cost))
        return spending

    def _part_of(self, loaded: LoadedSession) -> _PartOf:
        facts = loaded.facts
        return _PartOf(self._today, facts.started_us if facts.parent_id else 0)

    def _add_rest(self, spending: Spending, part: str, nano: int) -> None:
        if part:
            getattr(spending, part).cost_nano += nano

    def _costs(self, responses: list[LLMInteraction]) -> list[Amount]:
        return spent_in(responses, self._price)

    # ---- whole

    def _whole(self, name: str) -> tuple[Grown, _Standing | None]:
        excerpts, journal = Excerpts(), self._journal(name)
        told, told_until = _totals(journal, 0)
        loaded = self._load(excerpts)
        spending, phase, responses = self._spent(loaded), _phase(loaded), _responses(loaded)
        if any(self._price.has_own(one.model) for one in responses if one.model):
            told = []  # the agent's prices are others
        costs = self._costs(responses)
        rest_nano, at_us = excess(costs, runs(told))
        self._add_rest(spending, self._part_of(loaded)(at_us), rest_nano)
        grown = Grown(spending, phase, bool(loaded.subagent_of))
        if sum(excerpts.opened.values()) < _WORTH_BYTES:
            return grown, None
        latest = responses[-_LATEST:]
        for overlap in _OVERLAPS_BYTES:
            try:
                files = [_file(path, until, overlap) for path, until in excerpts.opened.items()]
                view = self._load(_excerpts(files), [])
            except (OSError, MetricsError):
                return grown, None
            seen = _responses(view)
            if latest and all(one in seen for one in latest):
                return grown, _Standing(
                    _FORMAT,
                    self._rules(),
                    self._today.day_from_us,
                    files,
                    spending,
                    self._spent(view),
                    phase,
                    [_known_by(one) for one in latest],
                    _ids(responses).tobytes(),
                    _ids(seen).tobytes(),
                    latest[-1].t_us,
                    sum(nano for _, nano in self._costs(seen)),
                    Account.of(told, costs),
                    told_until,
                    rest_nano,
                )
        return grown, None

    def _journal(self, name: str) -> str:
        return f"{self._config.sessions_dir}/{name}/{store.EVENTS}/{SHARED}"

    # ---- what is new

    def _read_standing(self, place: str) -> _Standing | None:
        try:
            standing = _standing.decode(store.read(place, at_most=_STANDING_BYTES_MAX) or b"")
        except (MsgspecError, UnicodeDecodeError, MetricsError):
            return None
        same = _FORMAT, self._rules(), self._today.day_from_us
        if (standing.format, standing.rules, standing.day_from_us) != same:
            return None
        return standing

    def _since(self, standing: _Standing, name: str) -> Grown | None:
        grown = _grown(standing.files)
        if grown is None:
            return None
        excerpts = _excerpts(grown)
        try:
            view = self._load(excerpts, [])
            spending = standing.whole
            spending.add(self._spent(view))
        except MetricsError:
            return None  # read whole, it may tell what is wrong
        if excerpts.opened.keys() - {file.path for file in grown}:
            return None  # a subagent began
        responses = _responses(view)
        if not set(standing.latest) <= set(map(_known_by, responses)):
            return None
        known, seen = set(_numbers(standing.known)), set(_numbers(standing.seen))
        if any(one in known and one not in seen for one in _ids(responses)):
            return None  # a copy of what is in no excerpt
        spending.take_out(standing.view)
        rest_nano = self._rest(standing, name, self._costs(responses))
        self._add_rest(spending, DAY, rest_nano - standing.rest_nano)
        return Grown(spending, _phase(view) or standing.phase, bool(view.subagent_of))

    def _rest(self, standing: _Standing, name: str, costs: list[Amount]) -> int:
        """By how much the agent's totals exceed its calls by now."""
        told, _ = _totals(self._journal(name), standing.told_until)
        if not told and not standing.account.told:
            return 0
        since = [one for one in costs if one[0] > standing.until_us]
        # What went on when the transcript was read whole took more than was known of it then.
        more_nano = sum(nano for _, nano in costs) - standing.view_nano
        more_nano -= sum(nano for _, nano in since)
        return standing.account.rest(told, [(standing.until_us, more_nano), *since])

    def _rules(self) -> str:
        settings = (self._path, self._agent, self._config.prices, self._config.phases)
        rules = repr((settings, library.edition(), _PACKAGE)).encode("utf-8", "surrogateescape")
        return blake2b(rules, digest_size=16).hexdigest()


_PACKAGE = os.path.abspath(__file__)


def standing_path(live_dir: str, name: str) -> str:
    """Where it is kept how far a session was read; the file may be deleted at any time."""
    return f"{live_dir}/settling/{name}.json"


def _phase(loaded: LoadedSession) -> str:
    entered = (one for one in reversed(loaded.events) if type(one) is PhaseTransition)
    latest = next(entered, None)
    return "" if latest is None else latest.phase


def _responses(loaded: LoadedSession) -> list[LLMInteraction]:
    """The responses that a transcript tells of, without what was inferred of them."""
    return [
        replace(one, phase="")
        for one in loaded.events
        if type(one) is LLMInteraction and one.phase != UNATTRIBUTED
    ]


def _known_by(response: LLMInteraction) -> str:
    """What stays of a response while it goes on.

    Whatever its price depends on is in it: what a transcript says once, of the model, an
    excerpt may have lost.
    """
    told = f"{response.id} {response.model} {response.tier}".encode("utf-8", "surrogateescape")
    return blake2b(told, digest_size=8).hexdigest()


def _ids(responses: list[LLMInteraction]) -> array[int]:
    return array("q", hashed([one.id for one in responses if one.id]))


def _numbers(data: bytes) -> array[int]:
    numbers = array("q")
    numbers.frombytes(data[: len(data) // numbers.itemsize * numbers.itemsize])
    return numbers


def _totals(journal: str, since: int) -> tuple[list[Amount], int]:
    """What an agent said of its cost behind a byte of a journal; and how far that was read."""
    told: list[Amount] = []
    try:
        with open(store.open_file(journal, os.O_RDONLY), "rb", buffering=0) as file:
            file.seek(since)
            data = file.read(_JOURNAL_BYTES_MAX) or b""
    except (OSError, MetricsError):
        return told, since  # there are no hooks and no status line here
    for line in data.split(b"\n"):
        if _AGENT_TOTALS in line:
            try:
                told += told_in([_agent_totals.decode(line)])
            except UNREADABLE:
                continue  # damaged, or another event of which this is a part
    return told, since + data.rfind(b"\n") + 1


def _file(path: str, until: int, overlap: int) -> _File:
    """Mark how far a file was read, and say what is read of it from now on. Raises OSError."""
    with open_regular(path) as file:
        status = os.fstat(file.fileno())
        excerpt = None
        if time_ns() - status.st_mtime_ns < _RESTING_NS:
            head = os.pread(file.fileno(), _HEAD_BYTES, 0).rfind(b"\n") + 1
            if not head:
                head = os.pread(file.fileno(), _HEAD_BYTES_MAX, 0).find(b"\n") + 1
            since = max(head, until - overlap)
            if since > head:
                # From where the next line begins: of one that is cut nothing is known.
                since += os.pread(file.fileno(), until - since, since).find(b"\n") + 1
            excerpt = Excerpt(min(head, until), min(since, until), until)
        mark = _mark(file.fileno(), until)
        return _File(path, status.st_dev, status.st_ino, until, mark, excerpt)


def _mark(descriptor: int, until: int) -> str:
    """Tell a file that only grew from one that was replaced."""
    mark = blake2b(os.pread(descriptor, min(_MARK_BYTES, until), 0), digest_size=16)
    mark.update(os.pread(descriptor, min(_MARK_BYTES, until), max(until - _MARK_BYTES, 0)))
    return mark.hexdigest()


def _excerpts(files: list[_File]) -> Excerpts:
    return Excerpts({one.path: one.excerpt or Excerpt(0, 0, 0) for one in files})


def _grown(files: list[_File]) -> list[_File] | None:
    """The files with what they grew by; None where they are no longer what they were."""
    grown = []
    grown_bytes = 0
    for one in files:
        try:
            status = os.stat(one.path)
            if (status.st_dev, status.st_ino) != (one.device, one.inode):
                return None
            if one.excerpt is None:
                if status.st_size != one.until:
                    return None  # it rests no more
                grown.append(one)
                continue
            with open_regular(one.path) as file:
                if status.st_size < one.until or _mark(file.fileno(), one.until) != one.mark:
                    return None
        except OSError:
            return None
        grown_bytes += status.st_size - one.until
        excerpt = Excerpt(one.excerpt.head, one.excerpt.since, status.st_size)
        grown.append(_File(one.path, one.device, one.inode, status.st_size, one.mark, excerpt))
    return grown if grown_bytes <= _GROWN_BYTES_MAX else None
