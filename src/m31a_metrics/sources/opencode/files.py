"""Sessions that OpenCode keeps as files, one for each session, message and part.

    storage/session/<project>/<session>.json               since July 2025
    storage/message/<session>/<message>.json
    storage/part/<message>/<part>.json                     (for a while: storage/part/<part>.json)

    project/<project>/storage/session/info/<session>.json  before
    project/<project>/storage/session/message/<session>/<message>.json
    project/<project>/storage/session/part/<session>/<message>/<part>.json

And in one file: what `opencode export` writes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import lru_cache

from m31a_metrics.errors import NotThisFormat, StorageError
from m31a_metrics.figures import text
from m31a_metrics.foreign_files import Folders, TooLong, read_head, read_whole
from m31a_metrics.jsonlines import LINE_BYTES_MAX, UNREADABLE, decode_json
from m31a_metrics.sources.opencode.records import (
    Document,
    Envelope,
    Info,
    Kind,
    Message,
    Part,
    decoder,
)
from m31a_metrics.sources.opencode.store import (
    Turn,
    is_second_generation,
    of_second_generation,
    one,
)
from m31a_metrics.timestamps import unix_us
from m31a_metrics.transcript import Damage

SUFFIX = ".json"
_LATEST_US = 2**63

EXPORT_BYTES_MAX = 2**28


class Files:
    """The session of one file, and those of its project, in a storage folder."""

    def __init__(self, path: str, session_id: str = "") -> None:
        self._path = path
        self.session_id = session_id or os.path.basename(path).removesuffix(SUFFIX)
        self._sessions = os.path.dirname(path) or "."
        above = os.path.dirname(os.path.abspath(self._sessions))
        if os.path.basename(os.path.abspath(self._sessions)) == "info":
            self._messages, self._parts, self._by_session = (
                f"{above}/message",
                f"{above}/part",
                True,
            )
        else:
            storage = os.path.dirname(above)
            self._messages, self._parts = f"{storage}/message", f"{storage}/part"
            self._by_session = False

    def holds(self) -> bool:
        """Whether messages of this session lie where they would."""
        return os.path.isdir(f"{self._messages}/{self.session_id}")

    def info(self, session_id: str, damage: Damage, /) -> Info:
        """Return what the session's own file says."""
        path = f"{self._sessions}/{session_id}{SUFFIX}"
        return (
            _record(Info, self._path if session_id == self.session_id else path, damage) or Info()
        )

    def children(self, session_id: str, /) -> list[str]:
        """Return the sessions of this project that name the given one as their parent."""
        return list(_children(self._sessions).get(session_id, ()))

    def turns(self, session_id: str, damage: Damage, /, since: int = 0) -> Iterator[Turn]:
        """Yield the session's messages, by time, from a number on."""
        directory = f"{self._messages}/{session_id}"
        folders = Folders()
        if not folders.holds(directory) and not folders.troubles:
            damage.add(directory, "the session's messages are not there")
        messages: list[tuple[int, str, Message, bytes]] = []
        for name in _names(directory, folders):
            stem = name.removesuffix(SUFFIX)
            message, written = _read(Message, f"{directory}/{name}", damage)
            if message is None:
                # Its parts tell the tokens and what the tools did.
                message = Message(id=stem, role="assistant")
            message.id = text(message.id) or stem
            created = message.time.created if message.time else None
            messages.append((unix_us(created) or _LATEST_US, stem, message, written))
        # Where one has no time, it is as if it came right after the others.
        messages.sort(key=lambda one: one[:2])
        for _, _, message, written in messages[since:]:
            paths = self._paths(session_id, text(message.id), folders)
            read = [_read(Part, path, damage) for path in paths]
            parts = [part for part, _ in read if part is not None]
            parts_written = [data for part, data in read if part is not None]
            yield Turn(message, parts, written, [*parts_written])
        for place, reason in folders.troubles.items():
            damage.add(place, reason)

    def _paths(self, session_id: str, message_id: str, folders: Folders) -> list[str]:
        directory = f"{self._parts}/{session_id}" if self._by_session else self._parts
        own = f"{directory}/{message_id}"
        paths = [f"{own}/{name}" for name in _names(own, folders)]
        if not paths:
            try:
                changed_ns = os.stat(self._parts).st_mtime_ns
            except OSError:
                return []
            paths = list(_loose(self._parts, changed_ns).get(message_id, ()))
        return paths


class Export:
    """One exported session."""

    def __init__(self, path: str, document: Document) -> None:
        self._path = path
        self._document = document
        self.session_id = os.path.basename(path).removesuffix(SUFFIX)

    def info(self, _session_id: str, damage: Damage, /) -> Info:
        """Return the session's own record."""
        return one(Info, self._document.info, self._path, damage) or Info()

    def children(self, _session_id: str, /) -> list[str]:
        """Nothing: an export holds one session."""
        return []

    def turns(self, _session_id: str, damage: Damage, /, since: int = 0) -> Iterator[Turn]:
        """Yield the session's messages in the order of the file, from a number on."""
        for number, raw in enumerate((self._document.messages or [])[since:], since + 1):
            place = f"{self._path}, message {number}"
            try:
                envelope = decode_json(decoder(Envelope), raw)
                message = decode_json(decoder(Message), envelope.info or raw)
            except UNREADABLE as error:
                damage.add(place, error)
                continue
            if is_second_generation(message):
                yield of_second_generation(message, place, damage, envelope.info or raw)
                continue
            read = [(one(Part, part, place, damage), part) for part in envelope.parts or []]
            parts = [part for part, _ in read if part is not None]
            written = [raw_part for part, raw_part in read if part is not None]
            yield Turn(message, parts, envelope.info or raw, [*written])


def open_file(path: str) -> Files | Export:
    """Tell what a JSON file is. Raises NotThisFormat with the reason, and StorageError."""
    document, why = _document(path)
    if document is None:
        files = Files(path)
        if path.endswith(SUFFIX) and files.holds():
            return files
        raise NotThisFormat(f"{path} is neither a database nor JSON of OpenCode: {why}")
    if document.messages is not None and document.info:
        try:
            info = decode_json(decoder(Info), document.info)
        except UNREADABLE:
            info = Info()
        if text(info.id) and info.time is not None:
            return Export(path, document)
    if text(document.message_id) or text(document.session_id):
        raise NotThisFormat(
            f"{path} is a piece of an OpenCode session; read storage/session/*/<session>{SUFFIX}"
        )
    created = document.time.created if document.time else None
    # Before July 2025 a session did not name its project: the folder did.
    if text(document.id) and created is not None and text(document.version):
        return Files(path, text(document.id))
    raise NotThisFormat(f"{path} is no OpenCode session: JSON without a session's keys")


def _document(path: str) -> tuple[Document | None, object]:
    try:
        # Other agents' transcripts begin the same way: do not read all of a long one.
        head = read_head(path, 2**16)
        if not head.lstrip().startswith(b"{"):
            return None, "it does not begin as one object"
        if _is_one_line_of_many(head):
            return None, "it is JSON Lines"
        data = read_whole(path, EXPORT_BYTES_MAX)
    except TooLong as error:
        return None, error.strerror
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    try:
        return decode_json(decoder(Document), data), ""
    except UNREADABLE as error:
        return None, error


def _is_one_line_of_many(head: bytes) -> bool:
    """Whether the first line is whole and another one follows."""
    line, newline, rest = head.partition(b"\n")
    if not newline or not rest.strip():
        return False
    try:
        decode_json(decoder(Document), line)
    except UNREADABLE:
        return False
    return True


def _record(kind: type[Kind], path: str, damage: Damage) -> Kind | None:
    return _read(kind, path, damage)[0]


def _read(kind: type[Kind], path: str, damage: Damage) -> tuple[Kind | None, bytes]:
    """Return a record, and as it is written."""
    try:
        data = read_whole(path, LINE_BYTES_MAX)
    except OSError as error:
        damage.add(path, error.strerror)
        return None, b""
    return one(kind, data, path, damage), data


def _names(directory: str, folders: Folders) -> list[str]:
    return [name for name in folders.listing(directory).files if name.endswith(SUFFIX)]


def subagents(directory: str, names: Iterable[str]) -> set[str]:
    """Return those of a folder's sessions whose parents are there too."""
    stems = {name.removesuffix(SUFFIX) for name in names}
    children = _children(directory)
    return {child for parent in children if parent in stems for child in children[parent]}


def _children(directory: str) -> dict[str, list[str]]:
    try:
        changed_ns = os.stat(directory).st_mtime_ns
    except OSError:
        return {}
    return _children_at(directory, changed_ns)


@lru_cache(maxsize=16)
def _children_at(directory: str, _changed_ns: int) -> dict[str, list[str]]:
    """Return the children of each session of a project. A session's parent never changes."""
    children: dict[str, list[str]] = {}
    for name in _names(directory, Folders()):
        info = _record(Info, f"{directory}/{name}", Damage())
        if info is not None and text(info.parent_id):
            children.setdefault(text(info.parent_id), []).append(name.removesuffix(SUFFIX))
    return children


@lru_cache(maxsize=4)
def _loose(directory: str, _changed_ns: int) -> dict[str, list[str]]:
    """Return the parts that lie in no folder of their message, by message."""
    paths: dict[str, list[str]] = {}
    for name in _names(directory, Folders()):
        part = _record(Part, f"{directory}/{name}", Damage())
        if part is not None and text(part.message_id):
            paths.setdefault(text(part.message_id), []).append(f"{directory}/{name}")
    return paths
