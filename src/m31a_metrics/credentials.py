"""What lets people and programs in to a server of ours, and tells it from a stranger's.

A token, and the prefix below which all pages lie, are made once and kept in a file that only
its owner can read. A server follows the file: a token that was made anew there is the only one
that counts from then on. Where no file can be kept, they last as long as the process.

A server holds a lock as long as it lives: while it is held, the port belongs to that server,
and not to a stranger who would be told the token.
"""

from __future__ import annotations

import fcntl
import hmac
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from ipaddress import ip_address

from msgspec import MsgspecError, Struct, json
from msgspec.structs import replace

from m31a_metrics import store
from m31a_metrics.errors import MetricsError
from m31a_metrics.session.lock import LOCK_TIMEOUT_S, locked

_PREFIX_BYTES, _TOKEN_BYTES = 12, 32
_PREFIX = re.compile(r"[A-Za-z0-9_-]{16,200}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,200}")
_FILE_BYTES_MAX = 4096


class Credentials(Struct, frozen=True):
    """The first part of every address, and the secret that is asked for."""

    prefix: str
    token: str

    def __repr__(self) -> str:
        return "Credentials(...)"  # no traceback and no log tells them


class CredentialsFile:
    """The credentials that the file at `path` holds, made if it holds none.

    `note` says why they are not kept there, if they are not.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._stamp: tuple[int, ...] | None = None
        self._credentials = _made()
        self.note = ""
        self._keep()

    @property
    def folder(self) -> str:
        """Where the file is, or was to be."""
        return os.path.dirname(self.path)

    @property
    def is_kept(self) -> bool:
        """Tell whether another process finds the same ones."""
        return not self.note

    def current(self) -> Credentials:
        """Give them as they are now."""
        stamp = _stamp(self.path) if self.is_kept else self._stamp
        if stamp is not None and stamp != self._stamp:
            # One that was damaged meanwhile changes nothing, and neither does one that is gone.
            self._stamp, self._credentials = stamp, self._read() or self._credentials
        return self._credentials

    def renew(self) -> None:
        """Make a new token; from now on the old one, and what it let in, is refused."""
        self._credentials = replace(self._credentials, token=secrets.token_urlsafe(_TOKEN_BYTES))
        if self.is_kept:
            self._keep(anew=True)

    def _keep(self, *, anew: bool = False) -> None:
        try:
            store.make_directory(self.folder)
            # Two servers that start at once must not make two of them.
            with locked(f"{self.path}.lock", LOCK_TIMEOUT_S):
                found = None if anew else self._read()
                if found is None:
                    store.replace(self.path, self._encoded(self._credentials))
                else:
                    self._credentials = found
                self._stamp = _stamp(self.path)
        except MetricsError as error:
            self.note = str(error)

    def _read(self) -> Credentials | None:
        """Read them; None where they are not there, damaged, or others may have read them."""
        try:
            if not _is_private(os.lstat(self.path)):
                return None
            found = self._decoded(store.read(self.path) or b"")
        except (OSError, ValueError, MetricsError, MsgspecError):
            return None
        is_whole = _PREFIX.fullmatch(found.prefix) and _TOKEN.fullmatch(found.token)
        return found if is_whole else None

    def _encoded(self, credentials: Credentials) -> bytes:
        return json.encode(credentials)

    def _decoded(self, data: bytes) -> Credentials:
        return json.decode(data, type=Credentials)


class TokenFile(CredentialsFile):
    """A token that the file at `path` holds and nothing else, as scrapers read one."""

    def _encoded(self, credentials: Credentials) -> bytes:
        return f"{credentials.token}\n".encode()

    def _decoded(self, data: bytes) -> Credentials:
        return replace(self._credentials, token=data.decode("ascii").strip())


def _made() -> Credentials:
    return Credentials(secrets.token_urlsafe(_PREFIX_BYTES), secrets.token_urlsafe(_TOKEN_BYTES))


def _stamp(path: str) -> tuple[int, ...] | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _is_private(status: os.stat_result) -> bool:
    return (
        stat.S_ISREG(status.st_mode)
        and not status.st_mode & 0o077
        and status.st_uid == os.geteuid()
        and status.st_size <= _FILE_BYTES_MAX
    )


# Whom a request comes from, by its headers.


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches a server that listens on `host`."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def knows_host(header: str, host: str) -> bool:
    """Tell whether a Host header can come from someone who was given our address.

    `host` is what the server was told to listen on.
    """
    name = _without_port(header).lower().rstrip(".")
    if not name:
        return False
    if is_loopback(name):
        return True
    if is_loopback(host):
        return False
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return name == host.lower().rstrip(".")
    return True


def has_bearer(authorization: str, token: str) -> bool:
    """Tell whether an Authorization header brings this token."""
    scheme, _, bearer = authorization.partition(" ")
    return scheme.lower() == "bearer" and is_same(bearer.strip(), token)


def is_same(given: str, wanted: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


def _without_port(header: str) -> str:
    name, colon, port = header.strip().rpartition(":")
    return name if colon and port.isdigit() and (name[:1] != "[" or name[-1:] == "]") else header


class ServerLock:
    """The lock of the server at `host` and `port`: a byte of its own of the file at `path`."""

    def __init__(self, path: str, host: str, port: int) -> None:
        self._path = path
        self.byte = int.from_bytes(sha256(f"{host} {port}".encode()).digest()[:7])

    def is_held(self) -> bool:
        """Tell whether a server of this account, in another process, is running there."""
        try:
            descriptor = store.open_file(self._path, os.O_RDWR)
        except MetricsError:
            return False
        try:
            return not self._take(descriptor)
        finally:
            os.close(descriptor)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it. Raises ForeignFile, StorageError."""
        descriptor = store.open_file(self._path, os.O_RDWR | os.O_CREAT)
        try:
            self._take(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _take(self, descriptor: int) -> bool:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, self.byte)
        except (BlockingIOError, PermissionError):
            return False  # systems differ in how they say that another holds it
        return True
