"""The bar of phases: as many cells for each as its share of the time, which is that of `show`."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.catalog.load import Loader
from m31a_metrics.config import defaults
from m31a_metrics.errors import MetricsError
from m31a_metrics.questions.session import show
from m31a_metrics.table import Table
from m31a_metrics.tables import live
from m31a_metrics.tables.live.course import TIMELINE
from m31a_metrics.views.screen.timeline import bar
from tests.tables.builders import records

LARGEST_BYTES = 400_000
WIDTH = 78
AGENTS = ("claude-code", "codex", "gemini-cli")


def stays(*shares: tuple[str, float, float]) -> Table:
    return Table("", TIMELINE, [(phase, began, width, 0, False) for phase, began, width in shares])


def test_a_gap_is_drawn_as_one() -> None:
    """Where no phase is, no phase's colour is."""
    shown = bar(stays(("plan", 0.0, 0.25), ("ship", 0.75, 0.25)), 8)
    assert shown == ["plan", "plan", None, None, None, None, "ship", "ship"]
    assert bar(stays(), 3) == [None, None, None]
    assert bar(stays(("plan", 0.0, 1.0)), 0) == []


PHASES = st.tuples(st.sampled_from(["plan", "execute", "verify"]), st.integers(1, 50))


@given(st.lists(PHASES, min_size=1, max_size=300), st.integers(1, 120))
def test_each_phase_has_its_share_of_the_cells(lasted: list[tuple[str, int]], width: int) -> None:
    """However many short stays there are in one cell: no phase is more than a cell short."""
    whole = sum(amount for _, amount in lasted)
    began = 0
    rows: list[tuple[str, float, float]] = []
    shares: dict[str, float] = {}
    for phase, amount in lasted:
        rows.append((phase, began / whole, amount / whole))
        began += amount
        shares[phase] = shares.get(phase, 0.0) + amount / whole
    cells = bar(stays(*rows), width)
    assert None not in cells
    for phase, share in shares.items():
        assert abs(cells.count(phase) - share * width) <= 1.5


@pytest.mark.parametrize("agent", AGENTS)
def test_the_bar_is_that_of_show(agent: str, shared: Path) -> None:
    """Of each small sample: bar, cells and legend have the shares that `m31 show` has."""
    compared = 0
    for path in sorted((shared / "samples" / agent).rglob("*.json*")):
        if path.stat().st_size > LARGEST_BYTES:
            continue
        try:
            over = Loader(defaults()).load("", str(path))
            going_on = Loader(defaults()).load("", str(path), goes_on=True)
        except MetricsError:
            continue  # damaged on purpose, or no session
        panels = show(over.metrics, over.detail, over.record, record=over.record, whole=True)
        (phases,) = (panel.table for panel in panels if panel.name == "phases")
        shares = shares_of(phases, "duration_share")
        if not shares:
            continue  # nobody named a phase
        metrics, detail = going_on.metrics, going_on.detail
        course = live.timeline(metrics, detail, metrics.updated_at)
        assert shares_of(course, "width_share") == pytest.approx(shares), path.name
        legend = live.by_phase(metrics, detail, metrics.updated_at)
        assert shares_of(legend, "duration_share") == pytest.approx(shares), path.name
        cells = bar(course, WIDTH)
        for phase, share in shares.items():
            assert abs(cells.count(phase) - share * WIDTH) <= 1.5, path.name
        compared += 1
    assert compared


def shares_of(table: Table, name: str) -> dict[str, float]:
    """Add up the shares of each phase that has any."""
    shares: dict[str, float] = {}
    for row in records(table):
        phase, share = str(row["phase"] or ""), row[name]
        if isinstance(share, float) and share:
            shares[phase] = shares.get(phase, 0.0) + share
    return shares
