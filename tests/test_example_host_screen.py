"""The example of a host's own program: its Collector's metrics, live, over its screen."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from m31a_metrics import Collector
from m31a_metrics.views.screen import MetricsScreen
from tests.views.screen.pilot import Driver, drive

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "host_screen.py"


@pytest.fixture
def example() -> Iterator[ModuleType]:
    spec = spec_from_file_location("host_screen", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["host_screen"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["host_screen"]


def test_a_host_shows_its_live_collector(example: ModuleType, tmp_path: Path) -> None:
    """`m` opens the metrics while the work goes on and the figures grow; Esc goes back."""
    with Collector("host", tmp_path) as collector:

        async def script(driver: Driver) -> None:
            await driver.pilot.press("m")
            calls = []
            for _ in range(200):
                await driver.pilot.pause(0.05)
                assert isinstance(driver.app.screen, MetricsScreen)
                view = driver.app.screen._view
                if view._look is not None:
                    calls.append(sum(tool.call_count for tool in view._look.metrics.tools))
                if len(set(calls)) >= 2:
                    break
            assert calls[0] < calls[-1]
            assert "Tokenize" in driver.text
            assert "esc Back" in driver.lines[-1]
            await driver.pilot.press("escape")
            await driver.pilot.pause()
            assert "Press m" in driver.text

        drive(example.Workshop(collector, pause_s=0.01), script, busy=True)
    assert collector.snapshot().tools[0].name == "Glob"
