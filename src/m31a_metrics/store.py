"""The only place that writes METRICS.json, and the rules of the disk for all the rest.

Modes are 0600 for files and 0700 for directories, whatever the umask. A file is
replaced by temporary file, fsync, rename and fsync of the directory: a reader sees the
old file or the new one, never a third thing.

Every function raises StorageError where the disk refuses and ForeignFile where
something stands that is not ours to touch; both name the path.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from errno import EBADF
from time import time_ns

from m31a_metrics.errors import ForeignFile, InvalidSessionId, StorageError, TooLarge

FILE_BYTES_MAX = 1 << 26
"""No file that is read whole has more than 64 MiB; journals are read in chunks."""

KEY_BYTES = 32

METRICS = "METRICS.json"
EVENTS = "events"

_ID_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_ID_LENGTH = 128


def check_session_id(session_id: str) -> str:
    """Return the id if it can name a directory; it can then never leave `sessions_dir`.

    Raises InvalidSessionId, or TypeError for something that is no string.
    """
    if not isinstance(session_id, str):
        raise TypeError(f"session_id must be a str, not {type(session_id).__name__}")
    if (
        not session_id
        or len(session_id) > _ID_LENGTH
        or not _ID_CHARACTERS.issuperset(session_id)
        or session_id[0] in "._-"
    ):
        raise InvalidSessionId(
            f"session id {session_id[:140]!r} cannot name a directory: use 1 to {_ID_LENGTH} "
            "letters, digits, '.', '_' or '-', the first a letter or digit"
        )
    return session_id


def make_directory(path: str) -> None:
    """Make a directory and its parents, mode 0700 each; one that exists must be ours."""
    if check_directory(path):
        return
    parent = os.path.dirname(path)
    if parent and not os.path.isdir(parent):
        make_directory(parent)
        try:
            sync_directory(os.path.dirname(parent) or ".")
        except OSError:
            pass  # it is there, and whoever writes into it says what is wrong
    try:
        os.mkdir(path, 0o700)
        os.chmod(path, 0o700)  # mkdir obeys the umask
    except FileExistsError:
        check_directory(path)  # another process was quicker
    except OSError as error:
        raise _storage_error("make the directory", path, error) from error


def check_directory(path: str, *, ours: bool = True) -> bool:
    """Tell whether a directory is there; refuse a link, a file, another user's directory.

    A symbolic link in place of a session could lead anywhere, so it is not followed.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _storage_error("look at", path, error) from error
    if stat.S_ISLNK(status.st_mode):
        raise ForeignFile(f"{path} is a symbolic link, which is not followed; remove it")
    if not stat.S_ISDIR(status.st_mode):
        raise ForeignFile(f"{path} is a file where a directory belongs; move it away")
    if ours and status.st_uid != os.geteuid():
        raise ForeignFile(
            f"{path} belongs to user {status.st_uid}, not to you; choose another sessions_dir"
        )
    return True


def read(path: str, *, at_most: int = FILE_BYTES_MAX) -> bytes | None:
    """Read a file; None if it is not there.

    A symbolic link is not followed. Raises TooLarge for one of more than `at_most` bytes:
    what nobody bounds may be gigabytes of nothing.
    """
    try:
        descriptor = open_file(path, os.O_RDONLY)
    except StorageError as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            return None
        raise
    try:
        size = length = os.fstat(descriptor).st_size
        chunks = []
        if size <= at_most:
            # One read is enough for a file that nobody lengthens meanwhile.
            length = 0
            while length <= at_most and (chunk := os.read(descriptor, max(size + 1, 1 << 16))):
                chunks.append(chunk)
                length += len(chunk)
        if length > at_most:
            raise TooLarge(
                f"{path} has {length:,} bytes, where no such file has more than {at_most:,}; "
                "move it away"
            )
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    except OSError as error:
        raise _storage_error("read", path, error) from error
    finally:
        os.close(descriptor)


def open_file(path: str, flags: int) -> int:
    """Open a regular file of ours and return its descriptor; one that is made has mode 0600.

    A link is not followed, and a pipe would swallow what is written to it.
    """
    what = "write" if flags & (os.O_WRONLY | os.O_RDWR) else "read"
    try:
        # O_NONBLOCK: opening a pipe would wait for somebody at its other end.
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        if os.path.lexists(path) and (os.path.islink(path) or not os.path.isfile(path)):
            raise _not_regular(path) from error
        raise _storage_error(what, path, error) from error
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise _not_regular(path)
        if flags & os.O_CREAT and stat.S_IMODE(mode) != 0o600:
            os.fchmod(descriptor, 0o600)  # made under an odd umask
    except OSError as error:
        os.close(descriptor)
        raise _storage_error(what, path, error) from error
    except ForeignFile:
        os.close(descriptor)
        raise
    return descriptor


class HeldFile:
    """An open file that is held beyond the call which opened it.

    A host that becomes a daemon closes all descriptors and opens files of its own under
    the same numbers. So each use asks for `number`, which compares what is open under it
    (device and inode) with what was opened.
    """

    __slots__ = ("device", "inode", "last_number")

    def __init__(self, descriptor: int) -> None:
        self.last_number = descriptor
        status = os.fstat(descriptor)
        self.device = status.st_dev
        self.inode = status.st_ino

    def status(self) -> os.stat_result:
        """What the system says of the file. Raises OSError where its number is another's.

        Right after it `last_number` may be used.
        """
        try:
            status = os.fstat(self.last_number)
            if self.is_of(status):
                return status
        except OSError as error:
            if error.errno != EBADF:
                raise
        raise OSError(EBADF, "its descriptor was closed")

    @property
    def number(self) -> int:
        """Its descriptor, for one use. Raises OSError where that is another's by now."""
        self.status()
        return self.last_number

    def is_of(self, status: os.stat_result) -> bool:
        """Tell whether this is the status of the file that was opened."""
        return status.st_ino == self.inode and status.st_dev == self.device

    def is_open(self) -> bool:
        """Tell whether it is still open under its number."""
        try:
            self.status()
        except OSError:
            return False
        return True

    def again(self, path: str) -> HeldFile | None:
        """Open it once more where a path still leads to it."""
        try:
            # It may get the very number that the host closed, which other threads then take for
            # theirs again: without O_APPEND their lines would stand over the first ones.
            file = HeldFile(open_file(path, os.O_RDWR | os.O_APPEND))
        except (StorageError, ForeignFile, OSError):
            return None
        if (file.device, file.inode) == (self.device, self.inode):
            return file
        file.close()
        return None

    def fill(self, data: bytes, offset: int) -> None:
        """Write every byte at a place of its own. Raises OSError."""
        view = memoryview(data)
        while view:
            written = os.pwrite(self.number, view, offset)
            view = view[written:]
            offset += written

    def unlock(self) -> None:
        """Give up a lock on it at once, which a child that was forked this moment shares."""
        try:
            fcntl.flock(self.number, fcntl.LOCK_UN)
        except OSError:
            pass  # who closed it unlocked it

    def close(self) -> None:
        """Close it, where it is still open under its number. Raises nothing."""
        try:
            os.close(self.number)
        except OSError:
            pass


def replace(
    path: str, data: bytes | Iterable[bytes], *, sync: bool = True, mode: int = 0o600
) -> None:
    """Write a file so that a reader, or a crash, sees the old one whole or the new one.

    `data` may come in pieces. What stands at the path is replaced, also where it is a link.
    `sync=False` spares the disk where losing the file in a power failure costs nothing.
    """
    temporary = _write_temporary(path, data, sync=sync, mode=mode)
    try:
        os.rename(temporary, path)
        if sync:
            sync_directory(os.path.dirname(path))
    except OSError as error:
        _unlink(temporary)
        raise _storage_error("write", path, error) from error


def create(path: str, data: bytes) -> bool:
    """Write a file that is not there yet; False, changing nothing, if it is.

    Whole or not at all, whoever is quicker, and no lock is needed. It outlasts a power failure
    when its directory was synced.
    """
    temporary = _write_temporary(path, data, sync=True)
    try:
        os.link(temporary, path, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        raise _storage_error("write", path, error) from error
    finally:
        _unlink(temporary)
    return True


def own_key(path: str) -> bytes:
    """Read this machine's key at a path, made when it is first asked for.

    Of two processes that make it at once, one is quicker, and both have its one; b"" where it
    cannot be kept.
    """
    key = _key_at(path)
    if key:
        return key
    make_directory(os.path.dirname(path))
    own = f"{path}.{os.getpid()}-{os.urandom(4).hex()}"
    replace(own, os.urandom(KEY_BYTES), sync=False)  # who asks waits, and it can be made anew
    try:
        os.link(own, path)
    except OSError:
        if not _key_at(path):
            os.replace(own, path)  # what stood there was no key, or there are no links here
    finally:
        if os.path.lexists(own):
            os.unlink(own)
    return _key_at(path)


def _key_at(path: str) -> bytes:
    key = read(path) or b""
    return key if len(key) == KEY_BYTES else b""


def _write_temporary(
    path: str, data: bytes | Iterable[bytes], *, sync: bool, mode: int = 0o600
) -> str:
    directory, name = os.path.split(path)
    temporary = f"{directory}/.{name}.{os.getpid()}-{os.urandom(4).hex()}.tmp"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _storage_error("write", path, error) from error
    try:
        try:
            os.fchmod(descriptor, mode)
            for piece in (data,) if isinstance(data, bytes) else data:
                write_all(descriptor, piece)
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException as error:
        _unlink(temporary)
        if isinstance(error, OSError):
            raise _storage_error("write", path, error) from error
        raise
    return temporary


def _unlink(temporary: str) -> None:
    try:
        os.unlink(temporary)
    except OSError:
        pass  # gone already: the rename was done, or the directory was removed


def hand_over(path: str, data: bytes | Iterable[bytes], mode: int) -> None:
    """Write a file for a person, wherever that named it: whole or not at all, with this mode.

    `data` may come in pieces.
    A link of the person's own is followed, and a pipe or a device is written into. Raises
    ForeignFile for those of another user, who would get to read what is written.
    """
    path = os.path.abspath(path)
    try:
        if os.path.lexists(path):
            _check_owner(path, os.lstat(path))
        if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
            _write_into(path, data)
            return
    except OSError as error:
        raise _storage_error("write", path, error) from error
    replace(os.path.realpath(path) if os.path.islink(path) else path, data, mode=mode)


def _write_into(path: str, data: bytes | Iterable[bytes]) -> None:
    """Write into what is no file: a pipe, a device."""
    descriptor = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        _check_owner(path, status)
        if stat.S_ISREG(status.st_mode):
            raise ForeignFile(f"{path} was changed this moment; try again")
        for piece in (data,) if isinstance(data, bytes) else data:
            write_all(descriptor, piece)
    finally:
        os.close(descriptor)


def _check_owner(path: str, status: os.stat_result) -> None:
    if status.st_uid not in (0, os.geteuid()):
        raise ForeignFile(f"{path} belongs to user {status.st_uid}; name another file")


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte: `write` comes back short at a size limit before it fails."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync(path: str) -> None:
    """Make what a file holds last through a power failure. Raises ForeignFile, StorageError."""
    descriptor = open_file(path, os.O_RDONLY)
    try:
        # What was stored through a mapping, by whatever process, goes with it. macOS has no
        # fdatasync, which spares Linux the file's times.
        getattr(os, "fdatasync", os.fsync)(descriptor)
    except OSError as error:
        raise _storage_error("write", path, error) from error
    finally:
        os.close(descriptor)


def sync_directory(path: str) -> None:
    """Make a rename or a new file last through a power failure."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_half_written(name: str) -> bool:
    """Tell whether `replace` left a file of this name behind, in a process that is gone."""
    if not (name.startswith(".") and name.endswith(".tmp")):
        return False
    pid, _, own = name.removesuffix(".tmp").rpartition(".")[2].partition("-")
    return len(own) == 8 and pid.isdecimal() and not is_alive(int(pid))


def is_alive(pid: int) -> bool:
    """Tell whether a process may still be there; one of another user is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass  # another user's, or no process id at all
    return True


def sync_directory_of(path: str) -> None:
    """Make the name of a new file or directory last. Raises StorageError."""
    directory = os.path.dirname(path) or "."
    try:
        sync_directory(directory)
    except OSError as error:
        raise _storage_error("write", directory, error) from error


def set_aside(path: str) -> str:
    """Move a damaged file to `<path>.bad-<time>`, so that nothing is lost; return where."""
    aside = vacant(path)
    try:
        os.rename(path, aside)
    except OSError as error:
        raise _storage_error("set aside", path, error) from error
    return aside


def remove(path: str) -> None:
    """Remove a file; one that is not there is fine."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _storage_error("remove", path, error) from error


def vacant(path: str) -> str:
    """A name `<path>.bad-<time>` that nothing has yet."""
    at_ms = time_ns() // 1_000_000
    while os.path.lexists(aside := f"{path}.bad-{at_ms}"):
        at_ms += 1  # a clock that was set back must not cost what was set aside before
    return aside


def session_ids(sessions_dir: str) -> Iterator[str]:
    """Names below `sessions_dir` that may be sessions, in no order; none if it is absent."""
    try:
        with os.scandir(sessions_dir) as entries:
            for entry in entries:
                name = entry.name
                if (
                    name[0] not in "._-"
                    and _ID_CHARACTERS.issuperset(name)
                    and len(name) <= _ID_LENGTH
                    and entry.is_dir(follow_symlinks=False)
                ):
                    yield name
    except FileNotFoundError:
        return
    except OSError as error:
        raise _storage_error("list", sessions_dir, error) from error


def _not_regular(path: str) -> ForeignFile:
    if os.path.islink(path):
        return ForeignFile(f"{path} is a symbolic link, which is not followed; move it away")
    return ForeignFile(f"{path} is not a regular file; move it away")


def _storage_error(what: str, path: str, error: OSError) -> StorageError:
    return StorageError(f"cannot {what} {path}: {error.strerror or error}")
