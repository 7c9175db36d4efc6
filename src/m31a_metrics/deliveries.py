"""What was sent to a receiver so far: a file for each destination, moved on after success alone.

A line is appended when the receiver has taken what it tells of, so that a process that is killed,
or a disk that is full, costs no more than sending something twice. A line names a session by
the id of its trace. While a session goes on, all ids of what was sent of it are kept; of one
that has ended, their number and sum. Only one process at a time sends to a destination.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import blake2s
from uuid import uuid4

from msgspec import MsgspecError, Struct, field
from msgspec.json import Decoder, encode
from msgspec.structs import replace

from m31a_metrics import store
from m31a_metrics.active_time import MODEL_WAIT_US
from m31a_metrics.errors import MetricsError, StorageError
from m31a_metrics.genai import Measured, Point
from m31a_metrics.session.lock import locked
from m31a_metrics.spans import ENDED_AFTER_US, Named, Prefix

FORMAT = 1
_BYTES_MAX = 1 << 30
_LOCK_S = 0.5
_ID_BYTES = 8
_SPARE_BYTES = 1 << 20
"""A file of more is written anew where half of its lines say what others say, too."""


class Head(Struct, frozen=True):
    """The first line: where to, and since when (Unix microseconds); `instance` names who sends."""

    format: int
    destination: str
    start_us: int
    instance: str


class Line(Struct, omit_defaults=True):
    """What more was sent of a session, or that all of it was, if it has `ended_us`.

    `ids` are those of spans, each of 16 hexadecimal digits, and `phases` those that they were
    sent under; `points` is what they added to the metrics. `mark` is how the session looked in
    the index at `looked_us`.
    """

    session: str = ""
    mark: str = ""
    looked_us: int = 0
    ids: str = ""
    phases: list[Named] = []
    ended_us: int | None = None
    prefix: Prefix = Prefix()
    points: list[Point] = []


class Sent(Struct):
    """What was sent of one session.

    The first calls and answers are those of `prefix`, others those of `ids`. It had ended with
    an event at `ended_us`; None: not yet.
    """

    mark: str = ""
    looked_us: int = 0
    ended_us: int | None = None
    prefix: Prefix = Prefix()
    ids: array[int] = field(default_factory=lambda: array("Q"))
    phases: frozenset[Named] = frozenset()

    def is_due(self, mark: str, updated_us: int, now_us: int) -> bool:
        """Tell whether there may be more to send of a session that has this mark now.

        Without a change there is, when what was kept back need not be any longer.
        """
        if mark != self.mark:
            return True
        if self.ended_us == updated_us:
            return False
        due_us = (updated_us + wait_us for wait_us in (MODEL_WAIT_US, ENDED_AFTER_US))
        return any(self.looked_us < at_us <= now_us for at_us in due_us)


_head = Decoder(Head)
_line = Decoder(Line)


def folder(forgotten: str) -> str:
    """Where the files of all destinations are, beside the list of forgotten sessions."""
    return f"{os.path.dirname(forgotten)}/exports"


def path(directory: str, destination: str, secret: str = "") -> str:
    """The file of a destination; `secret` tells apart whom its requests are of, and is hashed."""
    key = blake2s(f"{destination}\0{secret}".encode(), digest_size=8).hexdigest()
    return f"{directory}/otlp-{key}.jsonl"


class Deliveries:
    """What was sent to one destination; held open, and locked, while more is sent."""

    def __init__(self, path: str, destination: str, now_us: int) -> None:
        """Open the file, or begin one. Raises StorageError, ForeignFile."""
        self._held = ExitStack()
        self._path = path
        self._sent: dict[str, Sent] = {}
        self.measured = Measured()
        store.make_directory(os.path.dirname(path))
        self._held.enter_context(_alone(path, destination))
        try:
            lines = _read(path)
            head = _head_of(lines)
            if head is None:
                lines = []  # of another version, or nobody knows what
            self.head = head or Head(FORMAT, destination, now_us, uuid4().hex)
            count = sum(map(self._take, lines))
            size = sum(map(len, lines))
            if count != len(lines) - 1 or (size > _SPARE_BYTES and count > 2 * len(self._sent)):
                store.replace(path, self._lines())
            self._number = store.open_file(path, os.O_WRONLY | os.O_APPEND)
            self._held.callback(os.close, self._number)
        except BaseException:
            self._held.close()
            raise

    def close(self) -> None:
        """Let others send."""
        self._held.close()

    def of(self, session: str) -> Sent:
        """What was sent of a session, which is known by the id of its trace."""
        return self._sent.get(session) or Sent()

    def note(self, line: Line) -> None:
        """Keep that a receiver has taken what a line tells of. Raises StorageError."""
        data = encode(line) + b"\n"
        try:
            store.write_all(self._number, data)
        except OSError as error:
            raise StorageError(f"cannot write {self._path}: {error.strerror}") from error
        self._apply(line)

    def _take(self, data: bytes) -> bool:
        """Read a line; False, changing nothing, for the head, and for one that is damaged."""
        line = _line_of(data)
        if line is None or not (line.session or line.points):
            return False
        self._apply(line)
        return True

    def _apply(self, line: Line) -> None:
        self.measured.merge(line.points)
        if not line.session:
            return
        sent = self._sent.setdefault(line.session, Sent())
        sent.mark = line.mark or sent.mark
        sent.looked_us = max(line.looked_us, sent.looked_us)
        if line.ended_us is not None:
            sent.ended_us, sent.prefix = line.ended_us, line.prefix
            sent.ids, sent.phases = array("Q"), frozenset()
        sent.ids.extend(_ids(line.ids))
        if line.phases:
            sent.phases |= frozenset(line.phases)

    def _lines(self) -> Iterator[bytes]:
        yield encode(self.head) + b"\n"
        if self.measured:
            yield encode(Line(points=self.measured.points())) + b"\n"
        for session, sent in self._sent.items():
            line = Line(session, sent.mark, sent.looked_us, packed(sent.ids), sorted(sent.phases))
            line.ended_us, line.prefix = sent.ended_us, sent.prefix
            yield encode(line) + b"\n"


def packed(ids: Iterable[int]) -> str:
    """Write ids as a line has them."""
    return "".join(f"{one:016x}" for one in ids)


def erase(directory: str, sessions: Sequence[str], now_us: int) -> list[str]:
    """Take sessions out of the files of all destinations; say what remains, a sentence each.

    The sums of metrics hold names of tools and models that only they may have had: these begin
    anew at `now_us`, as counters of a process do that was started again.
    """
    remaining = []
    for found in holding(directory, sessions):
        try:
            with _alone(found, found):
                store.replace(found, _without(_read(found), sessions, now_us))
        except MetricsError as error:
            remaining.append(str(error))
    return remaining


def _without(lines: Sequence[bytes], sessions: Sequence[str], now_us: int) -> Iterator[bytes]:
    head = _head_of(lines)
    if head is None:
        return
    yield encode(replace(head, start_us=now_us)) + b"\n"
    for data in lines[1:]:
        line = _line_of(data)
        if line is not None and line.session and line.session not in sessions:
            line.points = []
            yield encode(line) + b"\n"


def holding(directory: str, sessions: Sequence[str]) -> list[str]:
    """Name the files that know of any of these sessions."""
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    paths = [f"{directory}/{name}" for name in names if name.endswith(".jsonl")]
    return [one for one in paths if any(_names(line, sessions) for line in _read(one))]


def _names(data: bytes, sessions: Sequence[str]) -> bool:
    line = _line_of(data)
    if line is None:
        return any(session.encode() in data for session in sessions)
    return line.session in sessions


def _line_of(data: bytes) -> Line | None:
    try:
        return _line.decode(data)
    except (MsgspecError, RecursionError):
        return None


def _read(path: str) -> list[bytes]:
    return (store.read(path, at_most=_BYTES_MAX) or b"").splitlines()


def _head_of(lines: Sequence[bytes]) -> Head | None:
    """The first line, where it is one of ours; a file of another format is begun anew."""
    try:
        head = _head.decode(lines[0]) if lines else None
    except (MsgspecError, RecursionError):
        return None
    return head if head is not None and head.format == FORMAT else None


def _ids(text: str) -> Iterator[int]:
    try:
        data = bytes.fromhex(text)
    except ValueError:
        return iter(())
    return (
        int.from_bytes(data[at : at + _ID_BYTES], "big") for at in range(0, len(data), _ID_BYTES)
    )


@contextmanager
def _alone(path: str, destination: str) -> Iterator[None]:
    """Hold the lock beside a file. Raises StorageError where somebody else has it."""
    with ExitStack() as held:
        try:
            held.enter_context(locked(f"{path}.lock", _LOCK_S))
        except StorageError as error:
            if not os.path.exists(f"{path}.lock"):
                raise
            raise StorageError(
                f"another process is sending to {destination}; end it, or let it go on"
            ) from error
        yield
