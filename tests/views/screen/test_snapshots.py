"""What people see, as files that a person can read: golden/*.txt, cell for cell.

After a change on purpose: M31_WRITE_GOLDEN=1 python -m pytest tests/views/screen/test_snapshots.py
Then read the diff; it is what users will see change.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.app import App

from m31a_metrics.views.screen import MetricsScreen
from tests.views.screen import sample
from tests.views.screen.pilot import LARGE, NEVER_S, SMALL, Driver, drive, watch, watch_period

GOLDEN = Path(__file__).parent / "golden"
SIZES = {"80x24": SMALL, "160x50": LARGE}
WAY: dict[str, list[str]] = {
    "overview": [],
    "tool": ["down", "enter"],
    "help": ["escape", "up", "question_mark"],
    "search": ["escape", "slash", *"web"],
    "tools": ["escape", "2", "s", "s", "s"],
    "phases": ["3"],
    "cost": ["4"],
    "events": ["5", "f"],
}
"""By what keys one comes from each to the next: one program shows all of them."""


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times are those of one zone."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def check(name: str, shown: str) -> None:
    """Compare what is shown with its golden file."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("M31_WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8"), "on purpose? then: M31_WRITE_GOLDEN=1"


@pytest.mark.parametrize("size", SIZES)
def test_the_screen_is_as_it_was(size: str) -> None:
    """Every tab, and what opens in front of it, at both sizes."""
    shown: dict[str, str] = {}

    async def script(driver: Driver) -> None:
        for name, keys in WAY.items():
            await driver.press(*keys)
            shown[name] = driver.text

    drive(watch(), script, SIZES[size])
    for name, text in shown.items():
        check(f"{name}-{size}", text)


@pytest.mark.parametrize("size", SIZES)
def test_sums_alone_are_dashes(size: str) -> None:
    """A host that gives no detail: what only events know is a dash, or says so."""
    session = sample.session()

    class Host(App[None]):
        def get_default_screen(self) -> MetricsScreen:
            return MetricsScreen(session.snapshot, interval_s=NEVER_S, clock=session.clock)

    async def script(driver: Driver) -> str:
        return driver.text

    app = Host()
    app.animation_level = "none"
    check(f"sums-{size}", drive(app, script, SIZES[size]))


@pytest.mark.parametrize("size", SIZES)
def test_a_period_is_as_it_was(size: str) -> None:
    """Sums, phases, limits, and the sessions, the one with the latest event first."""

    async def script(driver: Driver) -> str:
        return driver.text

    app = watch_period(lambda _: sample.glance(), sample.session())
    check(f"period-{size}", drive(app, script, SIZES[size]))
