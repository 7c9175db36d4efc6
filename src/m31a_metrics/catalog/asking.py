"""Whom the questions are asked of: an index over all sessions of this machine."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from m31a_metrics import sources, store
from m31a_metrics.answers import Answers
from m31a_metrics.catalog.agents import places, read_places
from m31a_metrics.catalog.progress import Progress, quiet
from m31a_metrics.catalog.records import damage, recorded
from m31a_metrics.config import Config
from m31a_metrics.errors import MetricsError
from m31a_metrics.rates import pricer
from m31a_metrics.session import Session

if TYPE_CHECKING:
    from m31a_metrics.history import History


class Asking(Struct):
    """Who answers, and sentences that name what could not be read."""

    answers: Answers
    problems: list[str] = []


@contextmanager
def ask(
    config: Config,
    environ: Mapping[str, str],
    *,
    only_dir: bool = False,
    progress: Progress = quiet,
) -> Iterator[Asking]:
    """Read all sessions into an index in memory, and open it for questions.

    A transcript goes before its imported copy, which has the same native id. `only_dir`
    speaks of the sessions directory alone. Raises StorageError where that cannot be listed.
    """
    from m31a_metrics.history import MEMORY, History

    found = [] if only_dir else places(sources.present(environ), environ)
    with History(MEMORY) as history:
        with history.batch():
            problems = _put_recorded(history, config, progress)
            records, more = read_places(found, config, progress)
            for record in records:
                history.put(record)
        yield Asking(history, problems + more)


def _put_recorded(history: History, config: Config, progress: Progress) -> list[str]:
    """Put the sessions directory into the index; return what could not be read."""
    price = pricer(config)
    problems: list[str] = []
    names = sorted(store.session_ids(config.sessions_dir))
    gc.disable()  # events are no rings; it would look at thousands again and again
    try:
        for done, name in enumerate(names):
            progress(done, len(names))
            try:
                record = recorded(Session(config.sessions_dir, name), price)
            except MetricsError as error:
                problems.append(str(error))
                continue
            if record is not None:
                history.put(record)
                problems += damage(record)
    finally:
        gc.enable()
    progress(len(names), len(names))
    return problems
