"""Which sessions are not to be read again: `~/.m31a/forgotten`, salted hashes and nothing else.

JSON Lines. The first line holds the salt, each other one a session that was forgotten. A
line is on the disk before anything of its session is removed, so that a kill in between
leaves a session that nobody reads any more, and not half of one that comes back. The file
is only ever appended to; deleting it has all transcripts read again.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Sequence
from functools import cached_property
from hashlib import blake2b

import msgspec
from msgspec import Struct

from m31a_metrics import store
from m31a_metrics.errors import StorageError
from m31a_metrics.journal.read import is_torn
from m31a_metrics.session.lock import LOCK_TIMEOUT_S, locked
from m31a_metrics.transcript import SessionRef

FORMAT = 1
_SALT_BYTES = 16
_HASH_BYTES = 16
_ID_BYTES = 8


class Leaving(Struct):
    """A session that is to be forgotten, in plain words: none of them is written down.

    `native_id` is empty where a session of the same name may be recorded again: then what
    was recorded at `places` up to `at_us` is meant. `ids` are those of its events, hashed.
    """

    agent: str
    native_id: str
    places: Sequence[str]
    ids: Sequence[int]
    at_us: int


class _Head(Struct):
    forgotten: int
    salt: bytes


class _Line(Struct, omit_defaults=True):
    at_us: int
    agent: str = ""
    sessions: list[bytes] = []
    places: list[bytes] = []
    ids: bytes = b""


_encode = msgspec.json.Encoder().encode
_decode_head = msgspec.json.Decoder(_Head).decode
_decode_line = msgspec.json.Decoder(_Line).decode
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError)


class Forgotten:
    """The list at a path, as it is now; it is read as far as it is asked.

    What reads it raises StorageError and ForeignFile: to go on without the list would be
    to read again what was to be forgotten.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.stamp = _stamp(path)
        """Tells one state of the list from another; empty where there is none."""

    def __bool__(self) -> bool:
        return bool(self.stamp)

    def has_session(self, ref: SessionRef) -> bool:
        """Tell whether an agent's session was forgotten, wherever its transcript lies."""
        return self.session(ref) in self._sessions

    def has_recording(self, path: str, started_us: int) -> bool:
        """Tell whether what was recorded in a directory was forgotten, and is not newer."""
        return started_us <= self._places.get(self.place(path), -1)

    def has_place(self, path: str) -> bool:
        """Tell whether a forgotten session was at this path."""
        return self.place(path) in self._places

    def has_all(self, agent: str, ids: Iterable[int]) -> bool:
        """Tell whether all of these events (hashed ids) are those of forgotten sessions."""
        known = self.ids.get(agent)
        return known is not None and known.issuperset(ids)

    @cached_property
    def ids(self) -> dict[str, set[int]]:
        """The hashed ids of the events that counted in forgotten sessions, by agent."""
        return self.ids_since(0)

    def ids_since(self, line: int) -> dict[str, set[int]]:
        """So, of sessions that were forgotten when the list was so many lines long."""
        ids: dict[str, set[int]] = {}
        for one in self._lines[line:]:
            if one.ids:
                packed = array("q", one.ids[: len(one.ids) // _ID_BYTES * _ID_BYTES])
                ids.setdefault(one.agent, set()).update(packed)
        return ids

    @property
    def line_count(self) -> int:
        """How many lines there are, each of them a session."""
        return len(self._lines)

    def session(self, ref: SessionRef) -> bytes:
        """A session's identity as it may be written down."""
        return self._hash(b"session", _bytes(ref.agent), _bytes(ref.native_id))

    def place(self, path: str) -> bytes:
        """A path as it may be written down."""
        return self._hash(b"place", _bytes(path))

    def look(self, stamp: bytes) -> bytes:
        """How a file looks, as it may be written down: its name is in it."""
        return self._hash(b"look", stamp)

    def _hash(self, *parts: bytes) -> bytes:
        return blake2b(b"\0".join(parts), key=self.salt, digest_size=_HASH_BYTES).digest()

    @cached_property
    def salt(self) -> bytes:
        """What goes into every hash; empty where nothing was forgotten yet."""
        first, ended, _ = self._data.partition(b"\n")
        try:
            head = _decode_head(first)
        except _UNREADABLE as error:
            if not ended:
                return b""  # torn before the first session was removed
            raise self._damaged(str(error)) from error
        if head.forgotten > FORMAT:
            raise StorageError(
                f"{self.path} (which sessions were forgotten) is of a later version of "
                "m31a-metrics; update this one"
            )
        return head.salt

    def _damaged(self, reason: str) -> StorageError:
        return StorageError(
            f"{self.path} (which sessions were forgotten) is damaged: {reason}; put a copy of it "
            "back, or delete it and have every transcript read again"
        )

    @cached_property
    def _data(self) -> bytes:
        return store.read(self.path) or b""

    @cached_property
    def _lines(self) -> list[_Line]:
        lines: list[_Line] = []
        for number, text in enumerate(self._data.split(b"\n")[1:] if self.salt else (), 2):
            try:
                lines.append(_decode_line(text))
            except _UNREADABLE as error:
                # A line that was torn by a kill: nothing of its session was removed yet.
                if text.strip() and not is_torn(text):
                    raise self._damaged(f"line {number}: {error}") from error
        return lines

    @cached_property
    def _sessions(self) -> set[bytes]:
        return {one for line in self._lines for one in line.sessions}

    @cached_property
    def _places(self) -> dict[bytes, int]:
        places: dict[bytes, int] = {}
        for line in self._lines:
            for one in line.places:
                places[one] = max(places.get(one, 0), line.at_us)
        return places


def remember(path: str, leaving: Iterable[Leaving]) -> None:
    """Write down that these sessions are not to be read again, and have it on the disk.

    Raises StorageError, ForeignFile.
    """
    store.make_directory(os.path.dirname(path))
    with locked(path, LOCK_TIMEOUT_S):
        known = Forgotten(path)
        head = b""
        if not known.salt:
            known.salt = os.urandom(_SALT_BYTES)
            head = _encode(_Head(FORMAT, known.salt))
        lines = b"".join(b"\n" + _encode(_line(known, one)) for one in leaving)
        _append(path, head + lines + b"\n", anew=bool(head))


def _line(known: Forgotten, one: Leaving) -> _Line:
    return _Line(
        one.at_us,
        one.agent,
        [known.session(SessionRef(one.agent, one.native_id))] if one.native_id else [],
        [known.place(place) for place in one.places],
        array("q", one.ids).tobytes(),
    )


def _append(path: str, data: bytes, *, anew: bool) -> None:
    descriptor = store.open_file(path, os.O_WRONLY | os.O_APPEND | (os.O_TRUNC if anew else 0))
    try:
        store.write_all(descriptor, data)
        os.fsync(descriptor)
        store.sync_directory(os.path.dirname(path))
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _stamp(path: str) -> bytes:
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise StorageError(f"cannot look at {path}: {error.strerror}") from error
    return f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}".encode()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
