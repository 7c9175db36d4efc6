"""All sessions of this machine in one SQLite index: sums, no events, nobody's text.

The files are the truth; the index is made from them and can be made again. docs/index.md
tells what is in it. `rows` is a session as rows, `rollups` the sums of many, `reading`
the answers.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from m31a_metrics.history import opening, writing
from m31a_metrics.history.opening import MEMORY
from m31a_metrics.history.reading import Reading
from m31a_metrics.history.rollups import Changes
from m31a_metrics.record import SessionRecord

__all__ = ["MEMORY", "History"]


class History(Reading):
    """The index at a path, or one in memory (MEMORY); implements `answers.Answers`.

    `notes` are sentences about what was found wrong and done about it. Raises IndexTooNew,
    ForeignFile, StorageError.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.notes: list[str] = []
        self._changes: Changes | None = None
        super().__init__(opening.connect(path, self.notes))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextmanager
    def batch(self) -> Iterator[Changes]:
        """Make all changes within as one transaction: all of them are there, or none."""
        if self._changes is not None:
            yield self._changes
            return
        self._changes = changes = Changes()
        try:
            with opening.changing(self._connection):
                yield changes
                changes.apply(self._connection)
        except sqlite3.Error as error:
            raise opening.unusable(self.path, error) from error
        finally:
            self._changes = None

    def put(self, record: SessionRecord) -> None:
        """Write a session in place of what is known of it."""
        with self.batch() as changes:
            writing.put(self._connection, record, changes)

    def remove(self, agent: str, native_id: str) -> bool:
        """Take a session out; False if it is not there."""
        with self.batch() as changes:
            return writing.remove(self._connection, agent, native_id, changes)
