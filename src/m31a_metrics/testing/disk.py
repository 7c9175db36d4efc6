"""What a source does to the disk: told by Python's own audit events, and by comparing."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_MUTATED_BYTES_MAX = 1 << 20
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGING = frozenset(
    ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "os.link", "os.symlink")
)
_watcher: Callable[[str, tuple[Any, ...]], None] | None = None
_is_hooked = False


@contextmanager
def watched(home: str) -> Iterator[list[str]]:
    """Note what is opened below a folder that is no regular file, or is opened for writing."""
    global _watcher, _is_hooked
    found: list[str] = []
    thread = threading.get_ident()

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if threading.get_ident() != thread:
            return
        if event == "open":
            _watch_open(arguments, home, found)
        elif event in _CHANGING and str(arguments[0]).startswith(home):
            found.append(f"{event} of {arguments[0]!r} changes what its agent keeps")

    if not _is_hooked:
        sys.addaudithook(_hook)  # there is no way to take it back; it does nothing while unused
        _is_hooked = True
    _watcher = watch
    try:
        yield found
    finally:
        _watcher = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watcher is not None:
        _watcher(event, arguments)


def _watch_open(arguments: tuple[Any, ...], home: str, found: list[str]) -> None:
    path, _, flags = arguments
    if isinstance(path, str | bytes) and flags & _WRITING:  # else it is a descriptor
        name = os.path.abspath(os.fsdecode(path))
        if name.startswith(home):
            found.append(f"it opens {name!r} for writing")


@contextmanager
def pipe(path: str) -> Iterator[list[str]]:
    """Put a pipe at a path; tell whether anybody opened it, who does not have to wait then."""
    os.mkfifo(path)
    opened: list[str] = []
    is_over = threading.Event()

    def answer() -> None:
        descriptor = os.open(path, os.O_WRONLY)  # waits for who reads, who finds the end
        if not is_over.is_set():
            opened.append(path)
        os.close(descriptor)

    writer = threading.Thread(target=answer, daemon=True)
    writer.start()
    try:
        yield opened
    finally:
        is_over.set()
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        writer.join()
        os.close(descriptor)
        os.unlink(path)


def snapshot(home: str) -> dict[str, tuple[int, str]]:
    """Every file below a folder: when it changed, and what stands for its contents."""
    found = {}
    for folder, _, names in os.walk(home):
        for name in names:
            path = f"{folder}/{name}"
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    digest = hashlib.blake2b(file.read()).hexdigest()
                found[path] = (os.stat(path).st_mtime_ns, digest)
    return found


def is_small(path: str) -> bool:
    """Tell whether a file is worth damaging: not empty, and quickly read many times."""
    return 0 < os.path.getsize(path) <= _MUTATED_BYTES_MAX


def rewrite(path: str, content: bytes) -> None:
    """Give a file of the copy other contents, in place."""
    os.chmod(path, 0o600)
    with open(path, "wb") as file:
        file.write(content)
