"""What a question gets: sessions, and what their journals or transcripts add."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from m31a_metrics.catalog.summary import Summary
from m31a_metrics.histogram import Histogram
from m31a_metrics.model import ModelMetric, SessionDetail, SessionMetrics, ToolDurations
from m31a_metrics.tally.detail import durations
from m31a_metrics.transcript import Facts

Progress = Callable[[int, int], None]
"""Told how many sessions are read, and of how many."""


def quiet(_done: int, _total: int) -> None:
    """Nobody watches."""


class Reading(Struct):
    """What was asked for: sessions (latest first), and what their journals add.

    `session_id` of each is the name it is found by, whatever stands inside the file.
    `histograms` and `waits_ms` are by tool, of all these sessions together; `models` of
    each on its own; all are empty unless asked for. `summaries` are what else the
    transcripts among them tell; a recorded session has none.
    """

    sessions: list[SessionMetrics]
    histograms: dict[str, Histogram] = {}
    waits_ms: dict[str, float] = {}
    models: list[ModelMetric] = []
    problems: list[str] = []
    summaries: list[Summary] = []

    @property
    def facts(self) -> dict[str, Facts]:
        """Whose transcript a session is, by session id; a recorded session has none."""
        return {summary.metrics.session_id: summary.facts for summary in self.summaries}

    @property
    def durations(self) -> list[ToolDurations]:
        """Percentiles by tool."""
        return [
            durations(tool, histogram, self.waits_ms.get(tool, 0.0))
            for tool, histogram in self.histograms.items()
        ]

    @property
    def detail(self) -> SessionDetail:
        """What the journals add, as review takes it for one session."""
        return SessionDetail(self.durations, self.models)
