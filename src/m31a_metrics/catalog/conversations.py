"""What was said in the sessions of the index, read from their agents' own files when shown.

Nothing of it is kept: titles stay in this process's memory, for as long as their file is
unchanged, and the rest is gone with the answer.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import monotonic

from msgspec import Struct

from m31a_metrics import sources
from m31a_metrics.answers import SessionRow
from m31a_metrics.catalog.guard import guarded
from m31a_metrics.config import Config
from m31a_metrics.conversation import WINDOW_PARTS, Title, Window
from m31a_metrics.errors import ConversationAbsent, MetricsError
from m31a_metrics.transcript import SessionRef
from m31a_metrics.units import file_of

_TITLES_MAX = 20_000

_TRUSTED_S = 60.0
"""So long a title is believed while its file is unchanged: some agents keep it in another."""


class _Known(Struct, frozen=True):
    """A title, and what its file looked like when it was read."""

    title: Title
    size: int
    changed_ns: int
    read_s: float


class Conversations:
    """Titles and conversations of sessions, by the rows that the index has of them."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._titles: dict[str, _Known] = {}

    @property
    def is_on(self) -> bool:
        """Whether conversations are shown at all: `[metrics] conversations`."""
        return self._config.conversations

    def check_on(self) -> None:
        """Refuse to show any. Raises ConversationAbsent where they are switched off."""
        if not self.is_on:
            where = self._config.path or "the configuration"
            raise ConversationAbsent(
                f"conversations are off: [metrics] conversations = false in {where}"
            )

    def title(self, row: SessionRow) -> Title:
        """Give a session's title; an empty one where there is none to be had, for any reason."""
        if not self.is_on or row.is_gone:
            return Title()
        reader = sources.conversational(row.agent)
        looks = None if reader is None else _looked_at(file_of(row.path))
        if reader is None or looks is None:
            return Title()
        known = self._titles.get(row.path)
        if (
            known is not None
            and (known.size, known.changed_ns) == (looks.st_size, looks.st_mtime_ns)
            and monotonic() - known.read_s < _TRUSTED_S
        ):
            return known.title
        try:
            with guarded(row.path):
                title = reader.title(row.path)
        except MetricsError:
            title = Title()
        if len(self._titles) >= _TITLES_MAX:
            self._titles.clear()
        self._titles[row.path] = _Known(title, looks.st_size, looks.st_mtime_ns, monotonic())
        return title

    def titles(self, rows: Iterable[SessionRow]) -> dict[SessionRef, Title]:
        """Give the titles of sessions, by what they are known by."""
        return {row.ref: self.title(row) for row in rows}

    def window(self, row: SessionRow, at: str = "", limit: int = WINDOW_PARTS) -> Window:
        """Give a window of a session's conversation. Raises ConversationAbsent."""
        with self._reading(row) as reader:
            return reader.window(row.path, at=at, limit=limit)

    def place_of(self, row: SessionRow, id: str) -> str:  # noqa: A002 - as events name it
        """Find the place of a call, an answer or a turn; "". Raises ConversationAbsent."""
        with self._reading(row) as reader:
            return reader.place_of(row.path, id)

    def image(self, row: SessionRow, place: str) -> tuple[str, bytes]:
        """Give an image's media type and its bytes. Raises ConversationAbsent."""
        with self._reading(row) as reader:
            try:
                return reader.image(row.path, place)
            except KeyError as error:
                raise ConversationAbsent(f"there is no image at {place!r}") from error

    def texts(self, row: SessionRow) -> dict[str, str]:
        """Name the files that hold a session's conversation, by how places in them begin.

        Raises ConversationAbsent.
        """
        with self._reading(row) as reader:
            return dict(reader.texts(row.path))

    @contextmanager
    def _reading(self, row: SessionRow) -> Iterator[sources.Conversational]:
        reader = self._reader(row)
        try:
            with guarded(row.path):
                yield reader
        except ConversationAbsent:
            raise
        except MetricsError as error:
            raise ConversationAbsent(f"its conversation cannot be read: {error}") from error

    def _reader(self, row: SessionRow) -> sources.Conversational:
        self.check_on()
        file = file_of(row.path)
        reader = sources.conversational(row.agent)
        if os.path.isdir(row.path) or not row.path:
            raise ConversationAbsent(
                "it was recorded here, as figures without any text; its agent's own transcript"
                " is not among the files that are read"
            )
        if os.path.isdir(file):
            raise ConversationAbsent(
                f"its transcript is kept in the repository {file}, of which figures alone are read"
            )
        if row.is_gone or not os.path.exists(file):
            raise ConversationAbsent(
                f"its transcript is gone, and only its figures are kept; it was {file}"
            )
        if reader is None:
            raise ConversationAbsent(f"what {row.agent} keeps in {file} cannot be shown")
        return reader


def _looked_at(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (OSError, ValueError):
        return None
