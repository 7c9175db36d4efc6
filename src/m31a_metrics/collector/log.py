"""Words to the host's log. `logging` is imported when there is something to say.

At the very end of the interpreter nothing is said: `logging` may be there no more, and what
hosts do in a `__del__` is no trouble that anybody can see to.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger

_NAME = "m31a_metrics"


def warn(message: str) -> bool:
    """Log a warning; a message names the place and the reason. False where it cannot be said."""
    return _say(lambda logger: logger.warning(message))


def exception(message: str, error: Exception) -> None:
    """Log an exception of the host's own code, with its traceback."""
    _say(lambda logger: logger.error(message, exc_info=error))


def info(message: str) -> None:
    """Log what a session came to."""
    _say(lambda logger: logger.info(message))


def _say(how: Callable[[Logger], None]) -> bool:
    try:
        if sys.is_finalizing():
            return False
        import logging

        how(logging.getLogger(_NAME))
    except Exception:  # noqa: BLE001 - no memory or files to import it with, a handler that fails
        return False
    return True
