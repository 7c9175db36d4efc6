"""Words to the host's log. `logging` is imported when there is something to say.

At the very end of the interpreter nothing is said: `logging` may be there no more, and what
hosts do in a `__del__` is no trouble that anybody can see to.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logging import Logger

_NAME = "m31a_metrics"


def warn(message: str) -> None:
    """Log a warning; a message names the place and the reason."""
    logger = _logger()
    if logger is not None:
        logger.warning(message)


def exception(message: str, error: Exception) -> None:
    """Log an exception of the host's own code, with its traceback."""
    logger = _logger()
    if logger is not None:
        logger.error(message, exc_info=error)


def info(message: str) -> None:
    """Log what a session came to."""
    logger = _logger()
    if logger is not None:
        logger.info(message)


def _logger() -> Logger | None:
    try:
        if sys.is_finalizing():
            return None
        import logging

        return logging.getLogger(_NAME)
    except (ImportError, AttributeError, TypeError):
        return None  # the interpreter is ending, and takes its modules apart
