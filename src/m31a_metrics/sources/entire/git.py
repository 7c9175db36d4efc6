"""Reading objects of a git repository: no checkout, no lock, no network, no write."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, BinaryIO

from msgspec import Struct

from m31a_metrics.errors import StorageError

_TIMEOUT_S = 20
"""Nothing that is asked takes so long; but git waits where a pipe stands in a file's place."""

_COPY_BYTES = 2**20
_TREE = b"40000"

# What must not decide which repository is read, and what keeps git from fetching objects
# that a partial clone has not, from taking locks and from asking for a password.
_OURS = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


class Child(Struct, frozen=True):
    """An entry of a tree."""

    name: str
    oid: str
    is_tree: bool


class Ref(Struct, frozen=True):
    """A name and the commit that it stands for."""

    name: str
    oid: str


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for git: the given one without a repository's own variables."""
    kept = {name: value for name, value in environ.items() if not name.startswith("GIT_")}
    return kept | _OURS


def top(folder: str) -> str:
    """Return the root of the repository that a folder lies in, or its git directory if bare.

    Raises StorageError if there is none, or no git.
    """
    try:
        return _ask(folder, "rev-parse", "--show-toplevel")
    except StorageError:
        return _ask(folder, "rev-parse", "--absolute-git-dir")


def refs(repository: str, *patterns: str) -> list[Ref]:
    """Return the refs that match. Raises StorageError."""
    lines = _ask(repository, "for-each-ref", "--format=%(objectname) %(refname)", *patterns)
    found = (line.partition(" ") for line in lines.splitlines())
    return [Ref(name, oid) for oid, _, name in found]


def _ask(folder: str, *arguments: str) -> str:
    command = ["git", "-C", folder, *arguments]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            check=False,
            env=environment(os.environ),
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
        )
    except FileNotFoundError as error:
        raise StorageError(
            f"{folder}: reading a repository needs git, which is not here"
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StorageError(f"cannot run git in {folder}: {error}") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
        raise StorageError(f"cannot read the repository {folder}: {said}")
    return done.stdout.decode("utf-8", "surrogateescape").strip()


@contextmanager
def objects(repository: str) -> Iterator[Objects]:
    """Open a repository's objects for reading, by one process of git. Raises StorageError."""
    command = ["git", "-C", repository, "cat-file", "--batch"]
    try:
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(os.environ),
        ) as process:
            if process.stdin is None or process.stdout is None:
                raise StorageError(f"cannot run git in {repository}")
            try:
                yield Objects(repository, process.stdin, _Answers(process.stdout.fileno()))
            finally:
                process.kill()
    except OSError as error:
        raise StorageError(f"cannot run git in {repository}: {error.strerror or error}") from error


class _Answers:
    """What git answers, read without waiting for ever."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._held = b""

    def line(self) -> bytes:
        """The next line; what there is of it if that is the end."""
        parts = []
        while b"\n" not in self._held:
            parts.append(self._held)
            self._held = self._more()
            if not self._held:
                return b"".join(parts)
        line, _, self._held = self._held.partition(b"\n")
        return b"".join((*parts, line))

    def some(self, at_most: int) -> bytes:
        """The next bytes, so many at most; nothing at the end."""
        data = self._held or self._more()
        self._held = data[at_most:]
        return data[:at_most]

    def _more(self) -> bytes:
        if not select.select([self._pipe], [], [], _TIMEOUT_S)[0]:
            raise TimeoutError(f"it did not answer within {_TIMEOUT_S} s")
        return os.read(self._pipe, _COPY_BYTES)


class Objects:
    """The objects of one repository."""

    def __init__(self, repository: str, asking: IO[bytes], answering: _Answers) -> None:
        self._repository = repository
        self._asking = asking
        self._answering = answering

    def read(self, oid: str, at_most: int) -> bytes | None:
        """Return an object's bytes; None if it is not here, or larger."""
        size = self._find(oid)
        if size is None:
            return None
        if size > at_most:
            self._pass(size + 1)
            return None
        data = b"".join(self._next(size))
        self._pass(1)
        return data

    def copy(self, oid: str, file: BinaryIO, at_most: int) -> bool:
        """Write an object's bytes to a file; False if it is not here.

        Raises StorageError if it is larger, or broken off.
        """
        size = self._find(oid)
        if size is None:
            return False
        if size > at_most:
            raise StorageError(
                f"{self._repository} holds a transcript of {size >> 20:,} MiB, too long to be read"
            )
        file.writelines(self._next(size))
        self._pass(1)
        return True

    def children(self, oid: str, at_most: int) -> list[Child]:
        """Return the entries of a tree, or of a commit's; none if it is not here."""
        data = self.read(f"{oid}^{{tree}}", at_most)
        width = len(oid) // 2
        found = []
        at = 0
        while data and at < len(data):
            mode, _, rest = data[at : at + 4_096].partition(b" ")
            name, end, _ = rest.partition(b"\0")
            at += len(mode) + len(name) + 2
            if not end or at + width > len(data):
                break
            child = Child(
                name.decode("utf-8", "replace"), data[at : at + width].hex(), mode == b"40000"
            )
            found.append(child)
            at += width
        return found

    def _find(self, oid: str) -> int | None:
        self._asking.write(f"{oid}\n".encode())
        self._asking.flush()
        answer = self._answering.line().split()
        if not answer:
            raise self._broken()
        if len(answer) != 3 or not answer[2].isdigit():
            return None
        return int(answer[2])

    def _pass(self, size: int) -> None:
        for _ in self._next(size):
            pass

    def _next(self, size: int) -> Iterator[bytes]:
        while size:
            data = self._answering.some(size)
            if not data:
                raise self._broken()
            yield data
            size -= len(data)

    def _broken(self) -> StorageError:
        return StorageError(
            f"cannot read the objects of {self._repository}: some are not here "
            "(a partial clone?); fetch them: `git fetch --refetch --no-filter`"
        )
