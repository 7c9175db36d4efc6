"""Indexes in memory are closed when the test that asked them is over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.tables.builders import OPENED


@pytest.fixture(autouse=True)
def close_indexes() -> Iterator[None]:
    """Close what `indexed` opened."""
    yield
    while OPENED:
        OPENED.pop().close()
