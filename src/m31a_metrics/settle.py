"""`python -P -E -m m31a_metrics.settle AGENT ID TRANSCRIPT`: what a hook starts in the background.

Nobody waits for it or reads what it says, so whatever goes wrong is a line for `m31 doctor`.
"""

from __future__ import annotations

import os
import sys
import time

from m31a_metrics import config, store
from m31a_metrics.catalog.guard import bug
from m31a_metrics.catalog.settling import is_refresh_due, refresh, settle
from m31a_metrics.config import Config
from m31a_metrics.errors import MetricsError

_TROUBLE_BYTES_MAX = 1 << 16


def main(arguments: list[str]) -> int:
    """Settle the session that the arguments name; 0, or 1 where something went wrong."""
    agent, native_id, path = arguments
    # Days and months are the machine's: an agent could choose itself another day by TZ.
    if os.environ.pop("TZ", None) is not None:
        time.tzset()
    settings = config.defaults()
    try:
        settings = config.read()
        if settings.metrics_enabled:
            settle(settings, agent, native_id, path, os.environ)
            if is_refresh_due(settings, os.environ):
                os.nice(10)  # nobody waits for it
                refresh(settings, os.environ)
    except MetricsError as error:
        return _note(settings, agent, str(error))
    except Exception as error:  # noqa: BLE001 - nobody would see a traceback
        return _note(settings, agent, bug("settling", error))
    return 0


def _note(settings: Config, agent: str, sentence: str) -> int:
    line = f"{time.time_ns() // 1000} {agent} cannot settle: {' '.join(sentence.split())}\n"
    try:
        store.make_directory(settings.live_dir)
        place = f"{settings.live_dir}/trouble"
        number = store.open_file(place, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            if os.fstat(number).st_size < _TROUBLE_BYTES_MAX:
                os.write(number, line.encode("utf-8", "replace"))
        finally:
            os.close(number)
    except (MetricsError, OSError):
        pass  # the disk that refuses is what is wrong
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:4]))
