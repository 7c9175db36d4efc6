"""Searching what was said in the sessions of the index, in their agents' own files.

There is no index of texts: files of one record a line are looked through for bytes that what is
searched for cannot do without, and only the records that have them are read, through the
agent's reader, until as many places are found as are shown. What is no such file (a database,
one JSON for all, what is compressed) is read by windows.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from m31a_metrics.answers import Found, Hit, SessionRow, Slice
from m31a_metrics.catalog.agents import process_count
from m31a_metrics.catalog.conversations import Conversations
from m31a_metrics.catalog.load import load_row
from m31a_metrics.catalog.refresh import size_of
from m31a_metrics.catalog.workers import work
from m31a_metrics.config import Config
from m31a_metrics.conversation import ONE_RECORD, Part, PartKind
from m31a_metrics.errors import ConversationAbsent, MetricsError
from m31a_metrics.events import LLMInteraction, UserTurn
from m31a_metrics.foreign_files import open_regular
from m31a_metrics.patterns import Pattern
from m31a_metrics.record_search import File, Records, find_records, key_before
from m31a_metrics.timestamps import local_day
from m31a_metrics.transcript import SessionRef

HITS_MAX = 1000
"""So many a program gets that asks for no other number."""

LINE_CHARS = 160
"""So much of a line is shown around what was found in it."""

_PARTS_AT_ONCE = 500
_BYTES_BEFORE = 256

_INFERENCE = 4
"""So much more than reading a byte is reading it and inferring phases."""

_MISSES = 20
"""A key below which so many occurrences are no part of what was said, and none is, has ids."""


def search(
    conversations: Conversations,
    config: Config,
    rows: Sequence[SessionRow],
    pattern: Pattern,
    *,
    which: Slice | None = None,
    limit: int | None = None,
) -> Found:
    """Search the conversations of sessions, in their order, up to `limit` hits.

    Hits are of the days of `which`. Each is looked up in its session's events for its turn and
    its phase. Raises ConversationAbsent where conversations are switched off.
    """
    conversations.check_on()
    which = which or Slice()
    found = _Search(conversations, rows, pattern, which, limit).run()
    _mark(found.hits, config)
    # By now it is known of results whose they are, and when.
    once = {_key(hit): hit for hit in reversed(found.hits) if _is_within(hit.t_us, which)}
    found.hits = list(reversed(once.values()))
    return found


def _key(hit: Hit) -> tuple[SessionRef, str, str]:
    """What makes two hits one place: they are in one text."""
    is_call = hit.kind is PartKind.CALL and bool(hit.id)
    return hit.row.ref, hit.id if is_call else hit.place, hit.field


class _Share(Struct):
    """What one process found, and what it left."""

    found: list[Records]
    left: list[File]


class _Search:
    """One search, while it goes on."""

    def __init__(
        self,
        conversations: Conversations,
        rows: Sequence[SessionRow],
        pattern: Pattern,
        which: Slice,
        limit: int | None,
    ) -> None:
        self._conversations = conversations
        self._rows = rows
        self._pattern = pattern
        self._which = which
        self._limit = limit
        self._found = Found([])
        self._with_more: set[SessionRef] = set()
        self._places: dict[str, tuple[int, str]] = {}
        self._files: list[str] = []
        self._read_by_windows: list[int] = []
        self._seen: set[tuple[SessionRef, str, str]] = set()
        self._misses: Counter[bytes] = Counter()
        self._fruitful: set[bytes] = set()
        self._passed_over: set[bytes] = set()

    def run(self) -> Found:
        """Look through all files until enough is found."""
        self._gather()
        waiting = [(path, -1) for path in self._files]
        threads = process_count(size_of(path) for path in self._files)
        while waiting and not self._has_enough():
            found, left = self._find(waiting, threads)
            again = self._take(found)
            looked_at = {one.path for one in found} if again else ()
            waiting = [*again, *(one for one in left if one[0] not in looked_at)]
        self._read_up_to(len(self._rows))
        self._found.is_whole = not waiting and not self._read_by_windows
        self._found.more_sessions = len(self._with_more - {row for row, _, _ in self._seen})
        return self._found

    def _find(self, waiting: Sequence[File], processors: int) -> tuple[list[Records], list[File]]:
        """Look through files by threads of the C library; by processes what is Python's work."""
        if self._pattern.is_quick or processors == 1:
            return find_records(self._pattern, waiting, self._passed_over, processors)
        shares = [waiting[number::processors] for number in range(processors)]

        def look(share: Sequence[File]) -> _Share:
            return _Share(*find_records(self._pattern, share, self._passed_over))

        found: list[Records] = []
        left: list[File] = []
        for _, share in work(shares, [1] * processors, look, _Share, processors):
            found += share.found
            left += share.left
        order = {path: place for place, (path, _) in enumerate(waiting)}
        found.sort(key=lambda one: order[one.path])
        left.sort(key=lambda one: order[one[0]])
        if not left:
            return found, left
        # What comes behind a file that is left comes later.
        until = order[left[0][0]]
        early = [one for one in found if order[one.path] <= until]
        late = [(one.path, one.behind) for one in found if order[one.path] > until]
        kept = {path for path, _ in late}
        left = [one for one in left if one[0] not in kept] + late
        return early, sorted(left, key=lambda one: order[one[0]])

    def _gather(self) -> None:
        """Name the files of all sessions; one that is a session's own is of no other."""
        own = {row.path: number for number, row in enumerate(self._rows)}
        for number, row in enumerate(self._rows):
            if row.is_gone or os.path.isdir(row.path):
                continue
            try:
                files = self._conversations.texts(row)
            except ConversationAbsent as error:
                self._found.problems.append(f"{row.path}: {error}")
                continue
            if not files:
                self._read_by_windows.append(number)
            for prefix, file in files.items():
                if file not in self._places and own.get(file, number) == number:
                    self._places[file] = (number, prefix)
                    self._files.append(file)

    def _has_enough(self) -> bool:
        return self._limit is not None and len(self._found.hits) >= self._limit

    def _take(self, found: Sequence[Records]) -> list[tuple[str, int]]:
        """Look at records; return what to look through again, for more is known of keys."""
        for place, records in enumerate(found):
            number, prefix = self._places[records.path]
            self._read_up_to(number)
            if records.reason:
                self._found.problems.append(f"cannot read {records.path}: {records.reason}")
            for offset in records.offsets:
                if self._has_enough():
                    self._found.more_records += 1
                    self._with_more.add(self._rows[number].ref)
                elif self._learns_by(number, prefix, records.path, offset):
                    rest = [(one.path, one.behind) for one in found[place + 1 :]]
                    return [(records.path, offset), *rest]
        return []

    def _learns_by(self, number: int, prefix: str, path: str, offset: int) -> bool:
        """Add what a record holds; tell whether texts of its key are passed over from now on."""
        key = _key_at(path, offset)
        if self._add(number, self._parts_at(number, prefix, offset)):
            self._fruitful.add(key)
            return False
        self._misses[key] += 1
        if not key or key in self._fruitful or self._misses[key] != _MISSES:
            return False
        self._passed_over.add(key)
        return True

    def _parts_at(self, number: int, prefix: str, offset: int) -> list[Part]:
        """Read the parts of the record that an offset is in."""
        row = self._rows[number]
        try:
            window = self._conversations.window(row, at=f"{prefix}{offset}", limit=ONE_RECORD)
        except ConversationAbsent as error:
            self._problem(row, error)
            return []
        return window.parts

    def _add(self, number: int, parts: Iterable[Part]) -> bool:
        """Add the places in which it stands in these parts; tell whether there are any."""
        is_there, longest = False, None
        for part in parts:
            for field, text in texts_of(part):
                hit = hit_of(self._rows[number], part, field, text, self._pattern)
                if hit is None:
                    continue
                is_there = True
                self._put(number, hit)
            if part.left_out and (longest is None or part.left_out > longest.left_out):
                longest = part
        if not is_there and longest is not None:
            row = self._rows[number]
            self._put(number, _hit_in(row, longest, "output" if longest.output else ""))
        return is_there or longest is not None

    def _put(self, number: int, hit: Hit) -> None:
        key = _key(hit)
        if key in self._seen or not _is_within(hit.t_us, self._which):
            return
        if self._has_enough():
            self._found.more_records += 1
            self._with_more.add(self._rows[number].ref)
            return
        self._seen.add(key)
        self._found.hits.append(hit)

    def _read_up_to(self, number: int) -> None:
        """Read the sessions before one that are read by windows."""
        while self._read_by_windows and self._read_by_windows[0] < number:
            if self._has_enough():
                return
            self._read_whole(self._read_by_windows[0])
            self._read_by_windows.pop(0)

    def _read_whole(self, number: int) -> None:
        """Read a session by windows, and behind it the conversations of its subagents."""
        row, places, known = self._rows[number], [""], {""}
        while places and not self._has_enough():
            at = places.pop(0)
            try:
                window = self._conversations.window(row, at=at, limit=_PARTS_AT_ONCE)
            except ConversationAbsent as error:
                self._problem(row, error)
                return
            self._add(number, [part for part in window.parts if self._is_in(part)])
            begun = [part.subagent for part in window.parts]
            for place in dict.fromkeys([window.after, *begun]):
                if place not in known:
                    known.add(place)
                    places.append(place)

    def _is_in(self, part: Part) -> bool:
        return any(True for _, text in texts_of(part) for _ in self._pattern.spans(text))

    def _problem(self, row: SessionRow, error: ConversationAbsent) -> None:
        sentence = f"{row.session_id}: {error}"
        if sentence not in self._found.problems:
            self._found.problems.append(sentence)


def _is_within(t_us: int, which: Slice) -> bool:
    """Tell whether a time is of a slice; what has none is."""
    if not t_us:
        return True
    if which.since_us is not None and t_us < which.since_us:
        return False
    if which.until_us is not None and t_us >= which.until_us:
        return False
    if not (which.first_day or which.last_day):
        return True
    return which.first_day <= local_day(t_us) <= (which.last_day or "9999-12-31")


def hit_of(row: SessionRow, part: Part, field: str, text: str, pattern: Pattern) -> Hit | None:
    """Give the place in a text of a part, with the line of its first occurrence; None: none."""
    spans = pattern.spans(text)
    first = next(spans, None)
    if first is None:
        return None
    hit = _hit_in(row, part, field)
    begun = text.rfind("\n", 0, first[0]) + 1
    ended = text.find("\n", first[1])
    ended = len(text) if ended < 0 else ended
    begins = max(begun, first[0] - LINE_CHARS // 2)
    ends = min(ended, begins + LINE_CHARS)
    before, after = "…" * (begins > begun), "…" * (ends < ended)
    hit.line = f"{before}{text[begins:ends]}{after}"
    for span in (first, *spans):
        if span[0] >= ends:
            break
        shift = len(before) - begins
        hit.spans.append((span[0] + shift, min(span[1], ends) + shift))
    return hit


def _hit_in(row: SessionRow, part: Part, field: str) -> Hit:
    return Hit(row, part.place, part.kind, field, part.tool, part.id, part.author, part.t_us)


def texts_of(part: Part) -> Iterator[tuple[str, str]]:
    """The texts of a part, each with the field that it is."""
    if part.kind is not PartKind.CALL:
        yield "", part.text
        return
    yield "input", part.input
    yield "input", part.diff
    yield "output", part.output


def _key_at(path: str, offset: int) -> bytes:
    try:
        with open_regular(path) as file:
            begins = max(offset - _BYTES_BEFORE, 0)
            return key_before(os.pread(file.fileno(), offset - begins, begins))
    except OSError:
        return b""


class _Call(Struct):
    """What its session knows of a call."""

    id: str
    tool: str
    t_us: int
    phase: str = ""
    subagent: str = ""


class _Marks(Struct):
    """When turns began; calls and the phases of answers, by id."""

    turns_us: list[int] = []
    calls: dict[str, _Call] = {}
    phases: dict[str, str] = {}


def _mark(hits: Sequence[Hit], config: Config) -> None:
    """Look up turns, phases and calls in what is read of the sessions for their figures."""
    rows = {one.row.ref: one.row for one in hits}
    wanted: dict[SessionRef, set[str]] = {ref: set() for ref in rows}
    for hit in hits:
        wanted[hit.row.ref].add(hit.id)
    sessions = list(rows.values())
    sizes = [size_of(row.path) * _INFERENCE for row in sessions]
    config = replace(config, failure_lines=False)  # nobody asks here how calls failed

    def marks(row: SessionRow) -> _Marks:
        return _marks(row, config, wanted[row.ref])

    found = {
        sessions[number].ref: marks
        for number, marks in work(sessions, sizes, marks, _Marks, process_count(sizes))
    }
    for hit in hits:
        known = found[hit.row.ref]
        call = known.calls.get(hit.id)
        if call is not None:
            hit.id, hit.tool, hit.t_us = call.id, call.tool, hit.t_us or call.t_us
            hit.phase, hit.author = call.phase, hit.author or call.subagent
        hit.phase = hit.phase or known.phases.get(hit.id, "")
        hit.turn = bisect_right(known.turns_us, hit.t_us) if hit.t_us else 0


def _marks(row: SessionRow, config: Config, ids: set[str]) -> _Marks:
    try:
        loaded = load_row(row, config)
        if loaded is None:
            return _Marks()
        events = loaded.events
    except MetricsError:
        return _Marks()  # it is told of where it is read for its figures
    marks = _Marks(sorted({event.t_us for event in events if type(event) is UserTurn}))
    for event in events:
        if type(event) is LLMInteraction and event.id in ids and event.phase:
            marks.phases[event.id] = event.phase
    inferred = () if loaded.inference is None else loaded.inference.calls
    phases = {call.id: call.phase for call in inferred}
    for call in loaded.calls:
        # A result names its call as its agent does, without what makes that unlike all others.
        for name in {call.id, call.id.partition("@")[0]} & ids:
            known = _Call(call.id, call.tool, call.t_us, phases.get(call.id, ""), call.subagent)
            marks.calls.setdefault(name, known)
    return marks
