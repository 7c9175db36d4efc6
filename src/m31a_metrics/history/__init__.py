"""All sessions of this machine in one SQLite index: sums, no events, nobody's text.

The files are the truth; the index is made from them and can be made again. docs/session-index.md
tells what is in it. `rows` is a session as rows, `rollups` the sums of many, `reading`
the answers, `ownership` which files make a session, and which events count in it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Self

from m31a_metrics.answers import SessionRow, Slice
from m31a_metrics.errors import MetricsError
from m31a_metrics.folding.nested import Kept
from m31a_metrics.forgotten import Forgotten
from m31a_metrics.history import (
    erasure,
    ownership,
    pushed,
    rebuild,
    reconcile,
    source_files,
    writing,
    zones,
)
from m31a_metrics.history.connection import (
    MEMORY,
    PATIENCE_S,
    changing,
    connect,
    empty_log,
    remember,
    unusable,
)
from m31a_metrics.history.ownership import KnownFile, Part
from m31a_metrics.history.pushed import Look, Pushed
from m31a_metrics.history.reading import IndexReading
from m31a_metrics.history.reconcile import Fresh
from m31a_metrics.history.rollups import Changes
from m31a_metrics.history.source_files import Folder, SourceFile
from m31a_metrics.record import SessionRecord
from m31a_metrics.timestamps import Zone
from m31a_metrics.transcript import SessionRef

__all__ = ["MEMORY", "Folder", "Fresh", "History", "KnownFile", "Part", "SourceFile"]


class History(IndexReading):
    """The index at a path, or one in memory (MEMORY); implements `answers.Answers`.

    `notes` are sentences about what was found wrong and done about it; `patience_s` is how
    long to wait for other processes that write. `copy_of`, for one in memory: it begins with
    what the index at that path knows. Raises IndexTooNew, IndexLocked, ForeignFile,
    StorageError.
    """

    def __init__(self, path: str, *, patience_s: float = PATIENCE_S, copy_of: str = "") -> None:
        self.path = path
        self.notes: list[str] = []
        self._changes: Changes | None = None
        if copy_of:
            connection = remember(copy_of, patience_s)
        else:
            connection = connect(path, self.notes, patience_s)
        super().__init__(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    def generation(self) -> int:
        """Tell tables that were made anew, by whomever, from those that were there before."""
        (generation,) = self.connection.execute("PRAGMA schema_version").fetchone()
        return int(generation)

    @contextmanager
    def batch(self) -> Iterator[Changes]:
        """Make all changes within as one transaction: all of them are there, or none."""
        if self._changes is not None:
            yield self._changes
            return
        self._changes = changes = Changes()
        try:
            with changing(self.connection):
                yield changes
                changes.apply(self.connection)
        except sqlite3.Error as error:
            raise unusable(self.path, error) from error
        finally:
            self._changes = None

    def is_of(self, zone: Zone) -> bool:
        """Tell whether this is the index of a zone; one that is nobody's becomes it."""
        mine = zones.zone_of(self.connection)
        if mine is None:
            with self.batch():
                mine = zones.zone_of(self.connection)
                if mine is None:  # else another process was quicker
                    zones.adopt(self.connection, zone)
                    return True
        return mine.rules == zone.rules

    def adopt(self, zone: Zone) -> None:
        """Make this copy of another zone's index that of a zone; files are to be read again."""
        if not self.is_of(zone):
            with self.batch():
                zones.adopt(self.connection, zone)

    def carry_over(self, path: str, list_path: str, recorded: str) -> bool:
        """Take over the sessions that are gone and that only another zone's index knows.

        False: there was none.
        `list_path` is the list of forgotten ones, `recorded` the kind of a directory of
        recordings. An index that is of no use now has nothing to give: whoever asks in its
        zone is told what is wrong with it.
        """
        forgotten = Forgotten(list_path)
        before = zones.carried(self.connection, path)
        try:
            with History(path, patience_s=zones.PATIENCE_S) as other:
                if zones.state(other.connection, forgotten) == before:
                    return False
                gone = [*zones.unnoticed(self.connection, other.connection, before.latest)]
                if gone:
                    other.take_gone(gone)
                state = zones.state(other.connection, forgotten)
                found = zones.lone(self.connection, other.connection, forgotten, recorded)
        except (MetricsError, sqlite3.Error):
            return False
        with self.batch() as changes:
            touched = zones.carry_over(self.connection, found, changes)
            zones.note_carried(self.connection, path, state)
            reconcile.reconcile(self.connection, touched, {}, changes)
        return bool(found)

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

    def folders(self) -> list[Folder]:
        """The folders below which its files were looked for."""
        return list(source_files.folders(self.connection))

    def paths_in(self, folder: Folder) -> list[str]:
        """The files that were looked for below a folder."""
        found = self.connection.execute(
            "SELECT path FROM sources WHERE kind = ? AND folder = ?", folder
        )
        return [path for (path,) in found]

    def put_into(self, folders: Mapping[str, str]) -> None:
        """Keep that files, by their paths, are looked for below other folders than they were."""
        if folders:
            with self.batch():
                for path, folder in folders.items():
                    source_files.put_into(self.connection, path, folder)

    def to_be_priced(self) -> set[str]:
        """The files of sessions that were summed while there was no price library to be asked."""
        return {
            path
            for (path,) in self.connection.execute(
                "SELECT f.path FROM sessions AS s INNER JOIN sources AS f USING (agent, native_id) "
                "WHERE s.is_to_be_priced = 1 AND f.is_gone = 0"
            )
        }

    def come_about(self, now_us: int) -> set[str]:
        """The files of sessions with an event that was later than the clock, and is no more."""
        return {
            path
            for (path,) in self.connection.execute(
                "SELECT f.path FROM sessions AS s INNER JOIN sources AS f USING (agent, native_id) "
                "WHERE s.ahead_us > 0 AND s.ahead_us <= ? AND f.is_gone = 0",
                (now_us,),
            )
        }

    def parts_of(self, ref: SessionRef) -> tuple[Part, ...] | None:
        """The files that a session is made of; None: they are gone."""
        plan = ownership.Files(self.connection).plan(ref)
        return None if plan is None else tuple(part for part in plan.parts if not part.is_copy)

    def problems(self) -> list[tuple[str, str, str]]:
        """What is wrong with files that are there: whose, where, and what, by their places.

        Whose session an unreadable file would have told of, only its place says.
        """
        return self.connection.execute(
            "SELECT CASE agent WHEN '' THEN kind ELSE agent END, path, problem FROM sources "
            "WHERE problem <> '' AND is_gone = 0 ORDER BY path"
        ).fetchall()

    def take(self, read: Iterable[tuple[SourceFile, SessionRecord]]) -> None:
        """Keep what files tell. Sessions that need another reading become `unreconciled`."""
        with self.batch() as changes:
            told = list(read)
            lone = source_files.note_lone(self.connection, [file for file, _ in told])
            alone: list[tuple[Part, SessionRecord]] = []
            touched: set[SessionRef] = set()
            fresh: Fresh = {}
            for file, record in told:
                part = Part(file.path, file.kind, file.stamp, frozenset())
                if file.path in lone:
                    alone.append((part, record))
                else:
                    touched |= source_files.note(self.connection, file)
                    fresh[part] = record
            reconcile.reconcile_lone(self.connection, alone, changes)
            reconcile.reconcile(self.connection, touched, fresh, changes)

    def take_failure(self, path: str, kind: str, stamp: bytes, problem: str) -> None:
        """Keep why a file cannot be read; what was known of it stays."""
        with self.batch():
            source_files.note_failure(self.connection, path, kind, stamp, problem)

    def take_gone(self, paths: Iterable[str], dropped: Iterable[str] = ()) -> None:
        """Keep the sessions of files that are gone; forget files that are no sessions now."""
        with self.batch() as changes:
            touched: set[SessionRef] = set()
            for path in paths:
                touched |= source_files.note_gone(self.connection, path)
            for path in dropped:
                touched |= source_files.drop(self.connection, path)
            reconcile.reconcile(self.connection, touched, {}, changes)

    def remake(self) -> None:
        """Forget all but the sessions that no file tells of any more; the rest is to be read."""
        try:
            with changing(self.connection):
                rebuild.remake(self.connection)
        except sqlite3.Error as error:
            raise unusable(self.path, error) from error

    def drop_lines(self) -> None:
        """Forget all failure lines; how often a tool failed stays."""
        try:
            if not rebuild.has_lines(self.connection):
                return
            with changing(self.connection):
                rebuild.refold(self.connection, lambda _: "")
            empty_log(self.connection)
        except sqlite3.Error as error:
            raise unusable(self.path, error) from error

    def gone_before(self, updated_us: int) -> list[SessionRow]:
        """The sessions whose files are gone, and whose last event is older than that."""
        rows = self.sessions(Slice(), descending=False)
        return [row for row in rows if row.is_gone and row.updated_us < updated_us]

    def prune(self, rows: Sequence[SessionRow]) -> None:
        """Forget sessions whose files are gone; one whose files come back is read again."""
        with self.batch() as changes:
            touched: set[SessionRef] = set()
            for row in rows:
                touched |= source_files.forget_gone(self.connection, row.ref)
            reconcile.reconcile(self.connection, touched, {}, changes)
            for row in rows:  # a fleet keeps them
                pushed.stay(self.connection, pushed.keys_of(row.ref, row.started_us))

    def forgotten(self) -> bytes:
        """The state of the list of forgotten sessions that was applied last."""
        return erasure.applied(self.connection)[0]

    def clean(self, list_path: str, recorded: str) -> None:
        """Take out the sessions that the list of forgotten ones names, if it changed.

        `recorded` is the kind of a directory of recordings. Raises StorageError where the
        list cannot be read.
        """
        if Forgotten(list_path).stamp == self.forgotten():
            return
        self.connection.execute("PRAGMA secure_delete = ON")
        with self.batch() as changes:
            # Read in here, so that nobody applies a state that is older than the index's.
            erasure.clean(self.connection, Forgotten(list_path), recorded, changes)

    def purge(self) -> bool:
        """Leave nothing in the file of what was deleted; False while another process reads."""
        try:
            return erasure.purge(self.connection)
        except sqlite3.Error as error:
            raise unusable(self.path, error) from error

    def pass_over(self, forgotten: Forgotten, path: str, stamp: bytes) -> None:
        """Keep that a file of a forgotten session, as it looks now, is not to be read."""
        with self.batch():
            erasure.pass_over(self.connection, forgotten, path, stamp)

    def passed_over(self) -> dict[bytes, bytes]:
        """How the files looked that are not to be read, by the hashes of their paths."""
        return erasure.passed_over(self.connection)

    def files_of(self, ref: SessionRef) -> list[KnownFile]:
        """All files that tell of a session."""
        return ownership.sources(self.connection, "agent = ? AND native_id = ?", ref)

    def files_called(self, native_id: str) -> list[KnownFile]:
        """All files that tell of a session of this id, whose ever, and if it is none of its own."""
        return ownership.sources(self.connection, "native_id = ?", (native_id,))

    def files_at(self, path: str) -> list[KnownFile]:
        """The file at a path, if it is known, also if it could never be read."""
        return ownership.sources(self.connection, "path = ?", (path,), unread=True)

    def hooks_of(self, ref: SessionRef) -> list[str]:
        """The directories in which hooks may have recorded a session, or one of its subagents."""
        return [one.path for one in ownership.Files(self.connection).recordings(ref)]

    def with_transcript_of(self, path: str) -> SessionRef | None:
        """The session that a recording of its subagent counts in; None: it is of none."""
        for one in self.files_at(path):
            return ownership.Files(self.connection).with_transcript_of(one)
        return None

    def kept(self, refs: Iterable[SessionRef]) -> Iterator[Kept]:
        """Sessions as they are kept here, for whoever keeps them elsewhere, too."""
        yield from writing.kept(self.connection, refs)

    def looks(self) -> Iterator[Look]:
        """How each session looks that is asked about, to be compared with what was pushed."""
        return pushed.looks(self.connection, self.left_out)

    def pushed(self, destination: str) -> dict[int, Pushed]:
        """What went to a fleet, by the sessions' numbers there."""
        return pushed.pushed(self.connection, destination)

    def forget_in_fleets(self, refs: Iterable[SessionRef]) -> None:
        """Keep that fleets are to be told that sessions were forgotten."""
        with self.batch():
            erasure.forget_in_fleets(self.connection, refs)

    def note_pushed(
        self, destination: str, sent: Iterable[Pushed], out: Iterable[int] = ()
    ) -> None:
        """Keep that sessions went to a fleet, and that others were taken out of it."""
        with self.batch():
            pushed.note(self.connection, destination, sent)
            pushed.take_out(self.connection, destination, out)

    def own_ids(self, ref: SessionRef) -> set[int]:
        """The hashed ids of the events that count in a session, and in no other."""
        return erasure.own_ids(self.connection, ref)

    def row_count(self, ref: SessionRef) -> int:
        """How many rows are a session's own, in all tables."""
        return erasure.row_count(self.connection, ref)

    def unreconciled(self) -> list[tuple[SessionRef, tuple[Part, ...]]]:
        """Sessions that are to be made of these parts, and are not yet."""
        return reconcile.unreconciled(self.connection)

    def reconcile(self, refs: Iterable[SessionRef], fresh: Fresh) -> None:
        """Make sessions of what was read for them, unless they are to be made otherwise now."""
        with self.batch() as changes:
            reconcile.reconcile(self.connection, refs, fresh, changes)

    def give_up(self, refs: Iterable[SessionRef]) -> None:
        """Leave sessions as they are, whose files cannot be read again."""
        with self.batch():
            reconcile.give_up(self.connection, refs)
