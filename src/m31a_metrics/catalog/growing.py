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
from hashlib import blake2b
from time import time_ns

from msgspec import MsgspecError, Struct
from msgspec.json import Decoder, encode
from msgspec.structs import replace

from m31a_metrics import store
from m31a_metrics.catalog.load import LoadedSession, Loader
from m31a_metrics.catalog.records import DayOf
from m31a_metrics.config import Config
from m31a_metrics.errors import MetricsError
from m31a_metrics.events import LLMInteraction, PhaseTransition
from m31a_metrics.jsonlines import Excerpt, Excerpts
from m31a_metrics.pricing import library
from m31a_metrics.rates import pricer, remember
from m31a_metrics.spending import BEFORE, DAY, MONTH, Spending
from m31a_metrics.timestamps import Today

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
_STANDING_BYTES_MAX = 1 << 20
_LATEST = 2


class Grown(Struct, frozen=True):
    """What a session used by now, and the phase that it is in, "" where no call told."""

    spending: Spending
    phase: str


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

    `whole` are its sums, `view` those of the excerpts alone; `latest` tell the latest responses,
    which are the same in both. `rules` stand for what else the sums depend on.
    """

    format: int
    rules: str
    day_from_us: int
    files: list[_File]
    whole: Spending
    view: Spending
    phase: str
    latest: list[str]


_standing = Decoder(_Standing)


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
    """A session by its transcript, at a path; what it used is apart by the parts of `today`."""

    def __init__(self, config: Config, agent: str, path: str, today: Today) -> None:
        self._config = config
        self._agent = agent
        self._path = path
        self._today = today
        self._price = pricer(config)
        self._loader = Loader(config, self._price)

    def look(self, name: str) -> Grown:
        """Read what is new of it, or all where that cannot be told.

        `name` is that of its directory. Raises MetricsError.
        """
        place = standing_path(self._config.live_dir, name)
        standing = self._read_standing(place)
        grown = None if standing is None else self._since(standing)
        if grown is None:
            grown, standing = self._whole(name)
            if standing is None:
                store.remove(place)
            else:
                store.make_directory(os.path.dirname(place))
                store.replace(place, encode(standing), sync=False)
        remember(self._config, self._price)
        return grown

    def _load(self, excerpts: Excerpts, timed_by: list[str]) -> LoadedSession:
        with excerpts.in_force():
            return self._loader.load(self._agent, self._path, timed_by=timed_by, goes_on=True)

    def _spent(self, loaded: LoadedSession) -> Spending:
        facts = loaded.facts
        copied_until_us = facts.started_us if facts.parent_id else 0
        return Spending.of(loaded.divided(_PartOf(self._today, copied_until_us)))

    # ---- whole

    def _whole(self, name: str) -> tuple[Grown, _Standing | None]:
        excerpts = Excerpts()
        directory = f"{self._config.sessions_dir}/{name}"
        loaded = self._load(excerpts, [directory] if os.path.isdir(directory) else [])
        spending, phase = self._spent(loaded), _phase(loaded)
        grown = Grown(spending, phase)
        if sum(excerpts.opened.values()) < _WORTH_BYTES:
            return grown, None
        latest = _responses(loaded)[-_LATEST:]
        told = [_known_by(one) for one in latest]
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
                    told,
                )
        return grown, None

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

    def _since(self, standing: _Standing) -> Grown | None:
        grown = _grown(standing.files)
        if grown is None:
            return None
        excerpts = _excerpts(grown)
        try:
            view = self._load(excerpts, [])
            if excerpts.opened.keys() - {file.path for file in grown}:
                return None  # a subagent began
            if not set(standing.latest) <= set(map(_known_by, _responses(view))):
                return None
            spending = standing.whole
            spending.add(self._spent(view))
        except MetricsError:
            return None  # read whole, it may tell what is wrong
        spending.take_out(standing.view)
        return Grown(spending, _phase(view) or standing.phase)

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
    """The responses that have an id, without what was inferred of them."""
    return [
        replace(one, phase="") for one in loaded.events if type(one) is LLMInteraction and one.id
    ]


def _known_by(response: LLMInteraction) -> str:
    """What stays of a response while it goes on.

    Whatever its price depends on is in it: what a transcript says once, of the model, an
    excerpt may have lost.
    """
    told = f"{response.id} {response.model} {response.tier}".encode("utf-8", "surrogateescape")
    return blake2b(told, digest_size=8).hexdigest()


def _file(path: str, until: int, overlap: int) -> _File:
    """Mark how far a file was read, and say what is read of it from now on. Raises OSError."""
    with open(path, "rb", buffering=0) as file:
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
            with open(one.path, "rb", buffering=0) as file:
                if status.st_size < one.until or _mark(file.fileno(), one.until) != one.mark:
                    return None
        except OSError:
            return None
        grown_bytes += status.st_size - one.until
        excerpt = Excerpt(one.excerpt.head, one.excerpt.since, status.st_size)
        grown.append(_File(one.path, one.device, one.inode, status.st_size, one.mark, excerpt))
    return grown if grown_bytes <= _GROWN_BYTES_MAX else None
