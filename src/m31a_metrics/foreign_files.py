"""Files and folders that other programs write: opened and listed so that nothing odd hurts.

In the place of a transcript anything may stand: a pipe that nobody writes to, a device that
never ends, gigabytes of nothing, a folder of somebody else, a link that leads in a circle.
Every source finds and opens its files here; what cannot be looked at is noted, by place.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from io import FileIO

from msgspec import Struct

DEPTH_MAX = 40
"""Folders within folders. No agent nests more than ten; whoever made more made them without end."""

FOLDERS_MAX = 100_000
"""So many are looked through below one root."""

_COPY_BYTES = 1 << 20

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


class NotAFile(OSError):
    """Something else stands in a file's place: reading it might wait, or never end."""

    def __init__(self, path: str, mode: int) -> None:
        kind = next((name for tells, name in _KINDS if tells(mode)), "something else")
        super().__init__(errno.EINVAL, f"it is {kind} and no file", path)


class TooLong(OSError):
    """A file that is read whole is longer than any that its agent writes."""

    def __init__(self, path: str, at_most: int) -> None:
        super().__init__(errno.EFBIG, f"it is longer than {at_most >> 20:,} MiB", path)


def open_regular(path: str) -> FileIO:
    """Open a regular file for reading; a link to one, too.

    Never waits, and touches nothing else: opening a pipe would wake who waits to write into
    it. Raises OSError, NotAFile among them.
    """
    return FileIO(path, opener=_opened)


def _opened(path: str, flags: int) -> int:
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        raise NotAFile(path, mode)
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):  # it took the file's place this moment
        os.close(descriptor)
        raise NotAFile(path, mode)
    return descriptor


def read_head(path: str, at_most: int) -> bytes:
    """Return the first bytes of a file. Raises OSError."""
    with open_regular(path) as file:
        return file.read(at_most) or b""


def read_whole(path: str, at_most: int) -> bytes:
    """Return what was written to a file: all of it, up to the first hole if there is one.

    Behind a hole nothing is whole, and a sparse file may say that it has any length. Raises
    TooLong, OSError.
    """
    with open_regular(path) as file:
        size = _first_hole(file)
        if size > at_most:
            raise TooLong(path, at_most)
        return file.read(size) or b""


def _first_hole(file: FileIO) -> int:
    """Where the first hole begins; the file's size if it has none, or none can be told."""
    try:
        return os.lseek(file.fileno(), 0, os.SEEK_HOLE)
    except (AttributeError, OSError):  # not every system knows of holes, nor an empty file
        return _size(file)
    finally:
        file.seek(0)


def _size(file: FileIO) -> int:
    return os.fstat(file.fileno()).st_size


def pass_hole(file: FileIO) -> int:
    """Move on over a hole that begins where a file is read next; return how long it is.

    Reading it would give zeros, for hours if it is large enough. Raises OSError.
    """
    at = file.tell()
    try:
        data_at = os.lseek(file.fileno(), at, os.SEEK_DATA)
    except AttributeError:  # not every system knows of holes
        return 0
    except OSError as error:
        # ENXIO: nothing but a hole is left. Else the file system has no answer.
        data_at = max(at, _size(file)) if error.errno == errno.ENXIO else at
    file.seek(data_at)
    return data_at - at


def copy(path: str, into: str) -> None:
    """Copy a file, its holes as holes. Raises OSError."""
    with open_regular(path) as file, open(into, "xb", buffering=0) as target:
        while True:
            target.seek(pass_hole(file), os.SEEK_CUR)
            data = file.read(_COPY_BYTES)
            if not data:
                break
            target.write(data)
        target.truncate(_size(file))


class Listing(Struct):
    """The names in a folder: files (whatever they are) and folders, each sorted, links last.

    `linked` are those of the folders that are links.
    """

    files: list[str]
    folders: list[str]
    linked: frozenset[str] = frozenset()


class Folders:
    """Lists folders for whoever looks for an agent's files; links are followed.

    `troubles` are the places that could not be looked at, and why.
    """

    def __init__(self) -> None:
        self.troubles: dict[str, str] = {}

    def note(self, path: str, error: OSError | str) -> None:
        """Note that a place could not be looked at, or what is in the way to it."""
        if isinstance(error, OSError):
            path, error = in_the_way(path, error), error.strerror or str(error)
        self.troubles.setdefault(path, error)

    def listing(self, directory: str) -> Listing:
        """List a folder; nothing if it is absent or no folder, or (noted) cannot be read."""
        files: list[str] = []
        folders: list[str] = []
        linked: tuple[list[str], list[str]] = [], []
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    if not entry.is_symlink():
                        (folders if entry.is_dir() else files).append(entry.name)
                    else:
                        linked[self._leads_to_folder(entry)].append(entry.name)
        except OSError as error:
            if error.errno not in _ABSENT:
                self.note(directory, error)
        except ValueError:
            pass  # a name out of a damaged record, with a NUL in it
        to_files, to_folders = linked
        if not (to_files or to_folders):  # nearly always
            return Listing(sorted(files), sorted(folders))
        return Listing(
            sorted(files) + sorted(to_files),
            sorted(folders) + sorted(to_folders),
            frozenset(to_folders),
        )

    def holds(self, path: str) -> bool:
        """Tell whether anything is at a place; not, and noted, if nobody may look."""
        try:
            os.stat(path)
        except OSError as error:
            if error.errno not in _ABSENT:
                self.note(path, error)
            return False
        return True

    def _leads_to_folder(self, entry: os.DirEntry[str]) -> bool:
        try:
            return entry.is_dir()
        except OSError as error:
            self.note(entry.path, error)
            return False

    def walk(self, root: str) -> Iterator[tuple[str, Listing]]:
        """Yield a folder and all below it, each once, those that are linked to last.

        Whoever takes a name out of `folders` keeps the walk out of it.
        """
        seen: set[tuple[int, int]] = set()
        waiting: list[tuple[str, int]] = [(root, 0)]
        linked: list[tuple[str, int]] = []
        while waiting or linked:
            directory, depth = waiting.pop() if waiting else linked.pop(0)
            identity = self._identity(directory)
            if identity is None or identity in seen:
                continue
            if len(seen) == FOLDERS_MAX:
                self.note(root, f"it holds more than {FOLDERS_MAX:,} folders; the rest is left out")
                return
            seen.add(identity)
            found = self.listing(directory)
            yield directory, found
            if found.folders and depth == DEPTH_MAX:
                self.note(_branch(root, directory), f"it nests more than {DEPTH_MAX} folders deep")
                continue
            for name in reversed(found.folders):
                (linked if name in found.linked else waiting).append(
                    (f"{directory}/{name}", depth + 1)
                )

    def _identity(self, directory: str) -> tuple[int, int] | None:
        try:
            status = os.stat(directory)
        except OSError as error:
            if error.errno not in _ABSENT:
                self.note(directory, error)
            return None
        return status.st_dev, status.st_ino


def _branch(root: str, directory: str) -> str:
    """The folder two below a root in which another one lies: of one that is deep, the trunk."""
    below = directory[len(root) + 1 :].split("/")
    return "/".join((root, *below[:2]))


def is_absent(error: OSError) -> bool:
    """Tell whether nothing is at a place, from an error; else it could not be looked at."""
    return error.errno in _ABSENT


def in_the_way(path: str, error: OSError) -> str:
    """The place that keeps a path from being looked at: itself, or something above it."""
    if error.errno not in (errno.EACCES, errno.ELOOP):
        return path
    place, above = path, os.path.dirname(path)
    while above != place:
        # A folder that is closed can be looked at, and nothing in it; a link in a circle cannot.
        if not _fails(place if error.errno == errno.EACCES else above, error):
            break
        place, above = above, os.path.dirname(above)
    return place


def _fails(path: str, error: OSError) -> bool:
    try:
        os.stat(path)
    except OSError as again:
        return again.errno == error.errno
    return False
