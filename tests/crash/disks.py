"""A model of a disk at a power failure: what was not synced may be there or not, in any order.

A `Disk` listens to what a process asks of the file system below one directory. A file that
was synced is what it was then; of what was written since, any page may have reached the disk
or not, and a file's new length may have, too. A name in a directory that was not synced since
may still be the old one; a rename is there as a whole or not at all. `survivors` builds such
directories as a machine may find them when the power is back.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PAGE = 4096

_open = os.open  # as it is before anybody listens

Names = dict[str, "File | None"]
"""Changes to the names of a directory that come together: a file, or None for none."""


class File:
    """A file or directory, whatever its names are. `synced` is None while it never was."""

    def __init__(self, path: str) -> None:
        self.is_directory = os.path.isdir(path)
        self.synced: bytes | None = None
        self.names: dict[str, File] = {}  # of a directory, as they are on the disk
        self.pending: list[Names] = []
        # Held open, so that its number is not another's later.
        self.descriptor = _open(path, os.O_RDONLY)
        self.key = self.number(os.fstat(self.descriptor))

    @staticmethod
    def number(status: os.stat_result) -> tuple[int, int]:
        """What tells a file from all others."""
        return status.st_dev, status.st_ino

    def content(self) -> bytes:
        """What a process reads from it this moment, stores into mappings included."""
        size = os.fstat(self.descriptor).st_size
        return os.pread(self.descriptor, size, 0)

    def found(self, chance: random.Random, share: float) -> bytes:
        """What may be left of it: each page is there or not, with this chance."""
        old, new = self.synced or b"", self.content()
        if old == new:
            return new
        size = len(new) if chance.random() < share else len(old)
        pages = []
        for at in range(0, size, PAGE):
            page = (new if chance.random() < share else old)[at : at + PAGE]
            pages.append(page.ljust(min(PAGE, size - at), b"\0")[: size - at])
        return b"".join(pages)


class Disk:
    """The disk below a directory, which must be there and synced.

    `deaf_to` is the end of the names of files whose sync it does not obey, as some disks do;
    then all others are there as they were.
    """

    def __init__(self, root: Path, deaf_to: str = "") -> None:
        self.root = str(root)
        self._deaf_to = deaf_to
        self._files: dict[tuple[int, int], File] = {}
        self._top = self._file(self.root)
        self.moments = 0
        self.at_moment: Callable[[], object] = lambda: None

    def listen(self, patch: pytest.MonkeyPatch) -> None:
        """Learn of every call of this process from now on."""
        for name in ("open", "mkdir", "rename", "link", "unlink", "fsync", "fdatasync"):
            if hasattr(os, name):
                patch.setattr(os, name, self._heard(name, getattr(os, name)))
        for name in ("write", "pwrite", "ftruncate", "close"):
            patch.setattr(os, name, self._noticed(getattr(os, name)))

    def close(self) -> None:
        """Let go of all files."""
        for file in self._files.values():
            os.close(file.descriptor)

    def survivors(self, chance: random.Random, to: Path, share: float) -> Path:
        """Build what may be there after a power failure this moment."""
        self._build(self._top, str(to), chance, share)
        return to

    def _build(self, directory: File, to: str, chance: random.Random, share: float) -> None:
        os.mkdir(to, 0o700)
        names: Names = dict(directory.names)
        for change in directory.pending:
            if self._deaf_to or chance.random() < share:
                names |= change
        for name, file in names.items():
            if file is None:
                continue
            if file.is_directory:
                self._build(file, f"{to}/{name}", chance, share)
            else:
                path = Path(to, name)
                is_certain = self._deaf_to and not name.endswith(self._deaf_to)
                path.write_bytes(file.content() if is_certain else file.found(chance, share))
                path.chmod(0o600)

    def _file(self, path: str) -> File:
        key = File.number(os.lstat(path))
        if key not in self._files:
            self._files[key] = File(path)
        return self._files[key]

    def _is_ours(self, path: Any) -> bool:
        return isinstance(path, str) and path.startswith(self.root + "/")

    def _moment(self) -> None:
        self.moments += 1
        self.at_moment()

    def _noticed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def noticed(*arguments: Any, **named: Any) -> Any:
            result = call(*arguments, **named)
            self._moment()
            return result

        return noticed

    def _heard(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        take = getattr(self, f"_take_{name}")

        def heard(*arguments: Any, **named: Any) -> Any:
            moved = self._moved(*arguments) if name == "rename" else None
            result = call(*arguments, **named)
            take(*arguments)
            if moved is not None:
                self._name({arguments[0]: None, arguments[1]: moved})
            self._moment()
            return result

        return heard

    def _name(self, changes: dict[str, File | None]) -> None:
        """Note changes of names, all in one directory."""
        directory = self._file(os.path.dirname(next(iter(changes))))
        directory.pending.append({os.path.basename(path): file for path, file in changes.items()})

    def _take_open(self, path: Any, *_: Any) -> None:
        if self._is_ours(path) and File.number(os.lstat(path)) not in self._files:
            self._name({path: self._file(path)})

    def _take_mkdir(self, path: Any, *_: Any) -> None:
        if self._is_ours(path):
            self._name({path: self._file(path)})

    def _take_link(self, source: Any, path: Any, *_: Any) -> None:
        if self._is_ours(path):
            self._name({path: self._file(source)})

    def _moved(self, source: str, _: str) -> File | None:
        return self._file(source) if self._is_ours(source) else None

    def _take_rename(self, *_: Any) -> None:
        pass  # noted by what it moved

    def _take_unlink(self, path: Any) -> None:
        if self._is_ours(path):
            self._name({path: None})

    def _take_fsync(self, descriptor: int) -> None:
        file = self._files.get(File.number(os.fstat(descriptor)))
        if file is None:
            return
        if not file.is_directory:
            if not self._deaf_to:
                file.synced = file.content()
            return
        for change in file.pending:
            for name, one in change.items():
                if one is None:
                    file.names.pop(name, None)
                else:
                    file.names[name] = one
        file.pending.clear()

    _take_fdatasync = _take_fsync


def moments(disk: Disk, look: Callable[[], object], every: int) -> Iterator[int]:
    """Look at the disk at every so many calls of what happens meanwhile."""
    disk.at_moment = lambda: look() if disk.moments % every == 0 else None
    yield disk.moments
