"""Fingerprints of files: what tells, without reading them, that they changed.

A transcript changes in size or time. A journal that a living process writes through a
mapping shows neither (docs/decisions/covered-not-mtime.md): of it the end of its lines is
looked for. A fingerprint (`stamp`) is compared as a whole; equal ones mean the same contents.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from errno import EACCES
from hashlib import blake2b

from msgspec import Struct
from msgspec.msgpack import Decoder, encode

from m31a_metrics import journal, store
from m31a_metrics.catalog.records import RECORDED
from m31a_metrics.foreign_files import Folders, is_absent
from m31a_metrics.session import BASE
from m31a_metrics.units import WITHIN

Look = tuple[str, int, int, int]
"""A file's name, size, time of change (ns) and inode."""

_READABLE = 0o444
_RULES_BYTES = 8


class Recorded(Struct, array_like=True):
    """How a session's directory looks.

    `ends` are how far the lines of each journal go that may still be written without a
    trace; -1 for one that is closed.
    """

    files: list[Look]
    ends: list[int]


_decoder = Decoder(Recorded)


class Seen(Struct, frozen=True):
    """A place as it looks now. `size` is how much there is to read.

    `identity` tells one session from another whatever path leads to it: device and inode of
    the file, and which one within it.
    """

    path: str
    kind: str
    stamp: bytes
    size: int
    identity: tuple[int, int, str] = (0, 0, "")


class Looker:
    """Looks at files. `rules` stand for what else reading them depends on.

    `known` are stamps of before, by path, with who reads the file: a journal that was
    closed then need not be looked into again. `packages` are those that bring the sources
    which are not built in, with their versions: another version is to read everything again.
    """

    def __init__(
        self,
        rules: bytes,
        known: Mapping[str, tuple[str, bytes]],
        packages: Mapping[str, str],
    ) -> None:
        self._rules = blake2b(rules, digest_size=_RULES_BYTES).digest()
        self._known = known
        self._packages = packages

    def knows_all(self) -> bool:
        """Tell whether all files that are known, one at least, were read by these rules."""
        stamps = [stamp for _, stamp in self._known.values()]
        return bool(stamps) and all(stamp.startswith(self._rules) for stamp in stamps)

    def transcript(self, kind: str, path: str) -> Seen | None:
        """Look at a transcript, and at the folder of its name where it keeps more; None: gone.

        A session inside a database looks as the database does, with what is not in it yet.
        Raises OSError for what is there and cannot be looked at.
        """
        file, within, name = path.partition(WITHIN)
        status = _status(file)
        if status is None:
            return None
        looks = [_look_of(file, status)]
        if within:
            ahead = f"{file}-wal"
            written = _status(ahead)
            if written is not None:
                looks.append(_look_of(ahead, written))
        else:
            stem, dot, _ = file.rpartition(".")
            if dot and os.path.isdir(stem):
                looks += _below(stem)
        size = sum(look[1] for look in looks)
        identity = status.st_dev, status.st_ino, name
        stamp = self._rules + encode(looks) + self._packages.get(kind, "").encode()
        known_kind, before = self._known.get(path, ("", b""))
        if known_kind == kind not in self._packages and before.startswith(stamp):
            stamp = before  # a package that is gone read it, and it looks as it did
        return Seen(path, kind, stamp, size, identity)

    def recorded(self, directory: str) -> Seen | None:
        """Look at a recorded session; None: gone.

        Raises OSError and StorageError for one that is there and cannot be looked at.
        """
        _, before = self._known.get(directory, ("", b""))
        known = _decoder.decode(before[_RULES_BYTES:]) if before else None
        metrics = _look(f"{directory}/{store.METRICS}")
        now = Recorded([metrics] if metrics else [], [])
        events = f"{directory}/{store.EVENTS}"
        for name in (BASE, *journal.names(events)):
            _add_journal(now, events, name, known)
        if not now.files:
            return None
        size = sum(look[1] for look in now.files)
        return Seen(directory, RECORDED, self._rules + encode(now), size)


def _look(path: str) -> Look | None:
    status = _status(path)
    return None if status is None else _look_of(path, status)


def _status(path: str) -> os.stat_result | None:
    try:
        status = os.stat(path)
    except OSError as error:
        if is_absent(error):
            return None
        raise
    # Who takes all permissions from a file changes neither its time nor its size.
    if not status.st_mode & _READABLE and not os.access(path, os.R_OK):
        raise PermissionError(EACCES, os.strerror(EACCES), path)
    return status


def _look_of(path: str, status: os.stat_result) -> Look:
    return os.path.basename(path), status.st_size, status.st_mtime_ns, status.st_ino


def _below(root: str) -> list[Look]:
    """Every file in a folder and those below it, as far as they can be looked at."""
    looks: list[Look] = []
    for directory, found in Folders().walk(root):
        for name in found.files:
            path = f"{directory}/{name}"
            try:
                looks.append(_look_of(path, os.stat(path)))
            except OSError:
                continue  # who reads it says what is wrong
    return looks


def _add_journal(now: Recorded, events: str, name: str, known: Recorded | None) -> None:
    look = _look(f"{events}/{name}")
    if look is None:
        return
    now.files.append(look)
    if known is not None and look in known.files:
        place = known.files.index(look) - (len(known.files) - len(known.ends))
        if place >= 0 and known.ends[place] < 0:
            now.ends.append(-1)  # closed then, and a closed journal stays so
            return
    # Where the last line ends; -1 if that is the end of the file too.
    end = journal.content_length(events, name) if name.endswith(journal.SUFFIX) else look[1]
    now.ends.append(end if end + 1 < look[1] else -1)
