"""All sessions of this machine in one SQLite index: sums, no events, nobody's text.

The files are the truth; the index is made from them and can be made again. docs/index.md
tells what is in it. `rows` is a session as rows, `rollups` the sums of many, `reading`
the answers, `plans` which files make a session.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Self

from m31a_metrics.answers import SessionRow, Slice
from m31a_metrics.history import opening, refolding, remaking, settling, witnesses, writing
from m31a_metrics.history.opening import MEMORY
from m31a_metrics.history.plans import Group, Part
from m31a_metrics.history.reading import Reading
from m31a_metrics.history.rollups import Changes
from m31a_metrics.history.settling import Fresh
from m31a_metrics.history.witnesses import Witness
from m31a_metrics.record import SessionRecord

__all__ = ["MEMORY", "Fresh", "Group", "History", "Part", "Witness"]


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
        self.connection.close()

    @contextmanager
    def batch(self) -> Iterator[Changes]:
        """Make all changes within as one transaction: all of them are there, or none."""
        if self._changes is not None:
            yield self._changes
            return
        self._changes = changes = Changes()
        try:
            with opening.changing(self.connection):
                yield changes
                changes.apply(self.connection)
        except sqlite3.Error as error:
            raise opening.unusable(self.path, error) from error
        finally:
            self._changes = None

    def put(self, record: SessionRecord) -> None:
        """Write a session in place of what is known of it."""
        with self.batch() as changes:
            writing.put(self.connection, [(record, b"")], changes)

    def remove(self, agent: str, native_id: str) -> bool:
        """Take a session out; False if it is not there."""
        with self.batch() as changes:
            return writing.remove(self.connection, agent, native_id, changes)

    def sources(self) -> dict[str, tuple[str, bytes]]:
        """Each file that is known and was there: who reads it, and how it looked."""
        return {
            path: (kind, stamp)
            for path, kind, stamp in self.connection.execute(
                "SELECT path, kind, stamp FROM sources WHERE is_gone = 0"
            )
        }

    def problems(self, agents: Collection[str] | None = None) -> list[str]:
        """What is wrong with files that are there: of these agents, or of all."""
        found = self.connection.execute(
            "SELECT agent, kind, problem FROM sources "
            "WHERE problem <> '' AND is_gone = 0 ORDER BY path"
        )
        # Whose session an unreadable file would have told of, only its place says.
        return [
            problem for agent, kind, problem in found if agents is None or (agent or kind) in agents
        ]

    def take(self, read: Iterable[tuple[Witness, SessionRecord]]) -> None:
        """Keep what files tell. Sessions that need another reading become `unsettled`."""
        with self.batch() as changes:
            told = list(read)
            lone = witnesses.note_lone(self.connection, [witness for witness, _ in told])
            alone: list[tuple[Part, SessionRecord]] = []
            touched: set[Group] = set()
            fresh: Fresh = {}
            for witness, record in told:
                part = Part(witness.path, witness.kind, witness.stamp, frozenset())
                if witness.path in lone:
                    alone.append((part, record))
                else:
                    touched |= witnesses.note(self.connection, witness)
                    fresh[part] = record
            settling.settle_lone(self.connection, alone, changes)
            settling.settle(self.connection, touched, fresh, changes)

    def take_failure(self, path: str, kind: str, stamp: bytes, problem: str) -> None:
        """Keep why a file cannot be read; what was known of it stays."""
        with self.batch():
            witnesses.note_failure(self.connection, path, kind, stamp, problem)

    def take_gone(self, paths: Iterable[str], dropped: Iterable[str] = ()) -> None:
        """Keep the sessions of files that are gone; forget files that are no sessions now."""
        with self.batch() as changes:
            touched: set[Group] = set()
            for path in paths:
                touched |= witnesses.note_gone(self.connection, path)
            for path in dropped:
                touched |= witnesses.drop(self.connection, path)
            settling.settle(self.connection, touched, {}, changes)

    def remake(self) -> None:
        """Forget all but the sessions that no file tells of any more; the rest is to be read."""
        try:
            with opening.changing(self.connection):
                remaking.remake(self.connection)
        except sqlite3.Error as error:
            raise opening.unusable(self.path, error) from error

    def drop_lines(self) -> None:
        """Forget all failure lines; how often a tool failed stays."""
        try:
            if not refolding.has_lines(self.connection):
                return
            with opening.changing(self.connection):
                refolding.refold(self.connection, lambda _: "")
            opening.empty_log(self.connection)
        except sqlite3.Error as error:
            raise opening.unusable(self.path, error) from error

    def gone_before(self, updated_us: int) -> list[SessionRow]:
        """The sessions whose files are gone, and whose last event is older than that."""
        rows = self.sessions(Slice(), descending=False)
        return [row for row in rows if row.is_gone and row.updated_us < updated_us]

    def prune(self, rows: Iterable[SessionRow]) -> None:
        """Forget sessions whose files are gone, for good."""
        with self.batch() as changes:
            touched: set[Group] = set()
            for row in rows:
                touched |= witnesses.forget_gone(self.connection, (row.agent, row.native_id))
            settling.settle(self.connection, touched, {}, changes)

    def unsettled(self) -> list[tuple[Group, tuple[Part, ...]]]:
        """Sessions that are to be made of these parts, and are not yet."""
        return settling.unsettled(self.connection)

    def settle(self, groups: Iterable[Group], fresh: Fresh) -> None:
        """Make sessions of what was read for them, unless they are to be made otherwise now."""
        with self.batch() as changes:
            settling.settle(self.connection, groups, fresh, changes)

    def give_up(self, groups: Iterable[Group]) -> None:
        """Leave sessions as they are, whose files cannot be read again."""
        with self.batch():
            settling.give_up(self.connection, groups)
