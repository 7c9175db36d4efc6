"""What may stand in the place of a file: made at a path, for tests of every kind of file."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def _socket(path: str) -> None:
    # An address may have a hundred characters; a path that is given relatively has few.
    here = os.getcwd()
    os.chdir(os.path.dirname(path))
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(os.path.basename(path))
    finally:
        os.chdir(here)


def _linked_pipe(path: str) -> None:
    os.mkfifo(f"{path}.pipe")
    os.symlink(f"{path}.pipe", path)


ODD: dict[str, Callable[[str], None]] = {
    "pipe": os.mkfifo,
    "link to a pipe": _linked_pipe,
    "endless device": lambda path: os.symlink("/dev/zero", path),
    "empty device": lambda path: os.symlink("/dev/null", path),
    "socket": _socket,
    "folder": os.mkdir,
    "link to a folder": lambda path: os.symlink(os.path.dirname(path), path),
}
"""Each kind, and what makes it at a path that is free."""


def make(kind: str, path: Path) -> None:
    """Put something of this kind at a path, in folders made for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ODD[kind](str(path))


@contextmanager
def nested(folder: Path, deep: int) -> Iterator[None]:
    """Nest folders in one; they are removed afterwards, which others do by recursion."""
    here = os.getcwd()
    os.chdir(folder)
    try:
        for _ in range(deep):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(here)
    try:
        yield
    finally:
        for _ in range(deep - 1):
            os.rename(folder / "d" / "d", folder / "next")
            os.rmdir(folder / "d")
            os.rename(folder / "next", folder / "d")
        os.rmdir(folder / "d")
