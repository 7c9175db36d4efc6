"""Words to the host's log. `logging` is imported when there is something to say."""

from __future__ import annotations

_LOGGER = "m31a_metrics"


def warn(message: str) -> None:
    """Log a warning; a message names the place and the reason."""
    import logging

    logging.getLogger(_LOGGER).warning(message)


def exception(message: str, error: Exception) -> None:
    """Log an exception of the host's own code, with its traceback."""
    import logging

    logging.getLogger(_LOGGER).error(message, exc_info=error)


def info(message: str) -> None:
    """Log what a session came to."""
    import logging

    logging.getLogger(_LOGGER).info(message)
