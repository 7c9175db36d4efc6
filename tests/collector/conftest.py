"""A Collector in an empty place, with a journal and without; what it says to the host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from m31a_metrics import Collector


@pytest.fixture(params=[True, False], ids=["journal", "memory"])
def collector(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Collector]:
    with Collector("session", tmp_path, journal=request.param) as opened:
        yield opened


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Give back what was logged to the host as a warning or worse."""

    def logged() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.levelname != "INFO"]

    return logged
