"""Files that another program compressed with Zstandard: read as what they hold.

Nothing is unpacked to disk, and never more than one buffer of it is in memory, whatever a
file says that it holds. The decompressor is Python's own from 3.14 on, before that the
extra `zstd`; where there is none, who opens such a file is told which line installs it.
"""

from __future__ import annotations

import errno
import os
from functools import cache
from importlib import import_module
from io import FileIO, RawIOBase
from typing import Any

from m31a_metrics.errors import ExtraNotInstalled
from m31a_metrics.foreign_files import TooLong, open_regular

SUFFIX = ".zst"

_READ_BYTES = 1 << 16

_WINDOW_LOG_MAX = 25
"""What is looked back upon takes at most 32 MiB. Codex compresses with windows of 2 MiB."""

_TIMES_MAX = 200
"""A transcript is compressed to a tenth or a fiftieth; what holds more than this is a bomb."""

_ALWAYS_BYTES = 256 << 20
"""So much may come out of any file."""


class Torn(OSError):
    """A compressed file is damaged or cut behind what was read of it so far."""


def open_bytes(path: str) -> FileIO | Unpacked:
    """Open a regular file for reading, one whose name ends in `.zst` as what it holds.

    Raises OSError, as reading does.
    """
    file = open_regular(path)
    if not path.endswith(SUFFIX):
        return file
    try:
        return Unpacked(file, path)
    except BaseException:
        file.close()
        raise


def read_start(path: str, at_most: int) -> bytes:
    """Return the first bytes of what a file holds. Raises OSError."""
    with open_bytes(path) as file:
        data = b""
        while len(data) < at_most and (more := file.read(at_most - len(data))):
            data += more
        return data


@cache
def _library() -> Any:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    return None


class Unpacked(RawIOBase):
    """What a compressed file holds, from its beginning to its end."""

    def __init__(self, file: FileIO, path: str) -> None:
        self._file = file  # first: what is garbage is closed, however far this came
        self._path = path
        library = _library()
        if library is None:
            raise OSError(errno.ENOTSUP, str(ExtraNotInstalled("reading it", "zstd")), path)
        self._error: type[Exception] = library.ZstdError
        self._new = library.ZstdDecompressor
        self._options = {library.DecompressionParameter.window_log_max: _WINDOW_LOG_MAX}
        self._frame: Any = None
        self._given = 0
        self._at_most = max(_ALWAYS_BYTES, os.fstat(file.fileno()).st_size * _TIMES_MAX)

    def readable(self) -> bool:
        """Say that it is."""
        return True

    def close(self) -> None:
        """Close the file, too."""
        self._file.close()
        super().close()

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer as far as it goes; 0 at the end. Raises OSError, Torn among them."""
        view = memoryview(buffer)
        try:
            data = self._next(len(view))
        except self._error as error:
            raise self._torn(f"what it holds cannot be unpacked: {error}") from error
        view[: len(data)] = data
        self._given += len(data)
        if self._given > self._at_most:
            raise TooLong(self._path, self._at_most)
        return len(data)

    def _next(self, at_most: int) -> bytes:
        """Return the next bytes; none at the end of the last frame."""
        while True:
            if self._frame is None or self._frame.eof:
                packed = (self._frame.unused_data if self._frame else b"") or self._read()
                if not packed:
                    return b""
                self._frame = self._new(options=self._options)
            elif self._frame.needs_input:
                packed = self._read()
                if not packed:
                    raise self._torn("it ends before what it holds does")
            else:
                packed = b""
            data: bytes = self._frame.decompress(packed, at_most)
            if data:
                return data

    def _read(self) -> bytes:
        return self._file.read(_READ_BYTES) or b""

    def _torn(self, reason: str) -> OSError:
        kind = Torn if self._given else OSError
        return kind(errno.EIO, reason, self._path)
