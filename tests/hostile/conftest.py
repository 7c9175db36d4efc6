"""What the hostile tests share: the warnings that a host would find in its log; the command."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.cli.conftest import m31

__all__ = ["m31", "warnings"]


class Warnings(logging.Handler):
    """Keeps what this package logs at WARNING and above, as texts."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    """The warnings so far; the list grows while the test goes on, in forked children too."""
    handler = Warnings()
    logger = logging.getLogger("m31a_metrics")
    logger.addHandler(handler)
    yield handler.texts
    logger.removeHandler(handler)
