"""This machine's sessions as the server asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from m31a_metrics import catalog
from m31a_metrics.answers import Answers, SessionRow
from m31a_metrics.catalog.telling import Told, tell
from m31a_metrics.config import Config


class ThisMachine:
    """The sessions that a configuration names. `only_dir`: those of its directory alone."""

    def __init__(self, config: Config, environ: Mapping[str, str], *, only_dir: bool) -> None:
        self._config = config
        self._environ = environ
        self._only_dir = only_dir

    @contextmanager
    def ask(self) -> Iterator[Answers]:
        """Bring the index up to date and give who answers."""
        with catalog.ask(self._config, self._environ, only_dir=self._only_dir) as asking:
            yield asking.answers

    def read(self, row: SessionRow) -> Told | None:
        """Read one session from its file."""
        return tell(row, self._config)
