"""Asking: the index, brought up to date first; one in memory where there can be no file."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from msgspec import Struct

from m31a_metrics import sources
from m31a_metrics.answers import Answers
from m31a_metrics.catalog.progress import Progress, quiet
from m31a_metrics.catalog.refresh import refresh
from m31a_metrics.config import Config
from m31a_metrics.errors import ForeignFile, IndexUnusable, SessionNotFound
from m31a_metrics.history import MEMORY, History
from m31a_metrics.history.opening import begin_anew, unusable


class Asking(Struct):
    """Who answers, and what was wrong with the index, a sentence each."""

    history: History
    notes: list[str]

    @property
    def problems(self) -> list[str]:
        """What is wrong with the index or any file, a sentence each."""
        return self.problems_of(None)

    def problems_of(self, agents: Collection[str] | None) -> list[str]:
        """What is wrong with the index, or with a file of one of these agents; None: of any."""
        return self.notes + self.history.problems(agents)

    @property
    def answers(self) -> Answers:
        """Whom to ask."""
        return self.history


@contextmanager
def ask(
    config: Config,
    environ: Mapping[str, str],
    *,
    only_dir: bool = False,
    only_agent: str = "",
    in_memory: bool = False,
    progress: Progress = quiet,
    rebuild: bool = False,
) -> Iterator[Asking]:
    """Bring the index up to date and hand it out for questions.

    `only_dir`: of the sessions directory alone, in memory. `only_agent`: so, of what an agent
    keeps that is asked by name. `in_memory`: of all, but the file of the index is left alone.
    `rebuild`: everything is read anew; what only the index knows is kept. Raises IndexTooNew,
    StorageError where the sessions directory cannot be listed, and SessionNotFound where
    `only_agent` has nothing.
    """
    notes: list[str] = []
    agents = [] if only_dir else [only_agent] if only_agent else sources.present(environ)

    def brought_up_to_date(path: str) -> History:
        history = History(path)
        try:
            notes.extend(history.notes)
            if rebuild:
                history.remake()
            refresh(history, config, environ, progress, agents=agents, and_recorded=not only_agent)
            if only_agent and not history.sources():
                raise SessionNotFound(sources.why_none(only_agent, environ))
        except BaseException:
            history.close()
            raise
        return history

    path = MEMORY if in_memory or only_dir or only_agent else config.index
    try:
        try:
            history = brought_up_to_date(path)
        except (sqlite3.Error, IndexUnusable) as error:
            note = begin_anew(path, error)
            history = brought_up_to_date(path)
            notes.insert(0, note)
    except (ForeignFile, IndexUnusable) as error:
        notes[:] = [f"{error}; an index in memory answers, this time"]
        history = brought_up_to_date(MEMORY)
    with history:
        try:
            yield Asking(history, notes)
        except sqlite3.Error as error:
            raise unusable(path, error) from error
