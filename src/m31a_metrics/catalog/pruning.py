"""Forgetting sessions that only the index knows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from m31a_metrics.answers import SessionRow
from m31a_metrics.catalog.asking import ask
from m31a_metrics.catalog.progress import Progress, quiet
from m31a_metrics.config import Config
from m31a_metrics.errors import IndexUnusable
from m31a_metrics.tally import micros


def prune(
    config: Config,
    environ: Mapping[str, str],
    before: datetime,
    *,
    sure: bool,
    progress: Progress = quiet,
) -> tuple[list[SessionRow], list[str], list[str]]:
    """Find the sessions that are gone and have no event since `before`, the oldest first.

    `sure` forgets them; else nothing is changed. Also returns what was wrong on the way: with
    the index, and with files.
    The index is brought up to date first, so that a session whose files came back is kept.
    Raises IndexUnusable where the index cannot be written, if `sure`.
    """
    with ask(config, environ, progress=progress) as asking:
        rows = asking.history.gone_before(micros(before))
        if sure and rows:
            if asking.is_in_memory:
                raise IndexUnusable(f"nothing can be forgotten: {asking.notes[0]}")
            asking.history.prune(rows)
            asking.history.purge()
        return rows, asking.notes, [one.sentence for one in asking.troubles()]
