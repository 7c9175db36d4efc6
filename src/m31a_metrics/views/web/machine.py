"""This machine's sessions as the server asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager

from m31a_metrics import catalog
from m31a_metrics.answers import SessionRow
from m31a_metrics.catalog.load import LoadedSession, load_row
from m31a_metrics.catalog.open_index import OpenIndex
from m31a_metrics.config import Config


class ThisMachine:
    """The sessions that a configuration names. `only_dir`: those of its directory alone."""

    def __init__(self, config: Config, environ: Mapping[str, str], *, only_dir: bool) -> None:
        self._config = config
        self._environ = environ
        self._only_dir = only_dir

    def ask(self, *, in_memory: bool = False) -> AbstractContextManager[OpenIndex]:
        """Bring the index up to date, or one in memory, and give who answers."""
        return catalog.ask(
            self._config, self._environ, only_dir=self._only_dir, in_memory=in_memory
        )

    def read(self, row: SessionRow) -> LoadedSession | None:
        """Load one session from its file."""
        return load_row(row, self._config)
