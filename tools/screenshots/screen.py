"""The live screen, as SVG."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from m31a_metrics import config
from m31a_metrics.catalog.conversations import Conversations
from m31a_metrics.catalog.follow import follow
from m31a_metrics.catalog.running import WatchedMachine
from m31a_metrics.views.screen.app import PERIODS, WatchApp, Watched
from tests.views.screen.pilot import NEVER_S, SMALL, Driver, SizeOf, drive
from tools.screenshots.machine import RUNNING_SESSION

WIDE = (140, 42)
SESSIONS: dict[str, tuple[SizeOf, list[str], bool]] = {
    "watch.svg": (WIDE, [], False),
    "watch-light.svg": (WIDE, [], True),
    "watch-tool.svg": ((120, 36), ["2", "down", "enter"], False),
}
PERIOD: dict[str, tuple[SizeOf, list[str], bool]] = {
    "watch-period.svg": ((120, 30), [], False),
    "watch-80x24.svg": (SMALL, [], False),
}
"""Name -> size, keys pressed before, whether it is light."""

_FONT = re.compile(r"@font-face \{.*?\}", re.DOTALL)


def draw(directory: Path) -> Iterator[Path]:
    """Watch this day and a session in the home of this process."""
    settings, environ = config.read(), config.environment()
    machine = WatchedMachine(settings, environ)
    now = datetime.now(UTC).astimezone()
    today = PERIODS[0][1]
    glance = machine.look(today, now)
    for name, (size, keys, light) in PERIOD.items():
        app = WatchApp(None, glance=lambda _: glance, since=today, light=light, interval_s=NEVER_S)
        yield _save(directory / name, app, size, keys)
    followed = follow(settings, RUNNING_SESSION, environ)
    followed.look()
    metrics = followed.metrics()
    title = Conversations(settings).title(followed.row).line
    watched = Watched(followed.about, followed.metrics, followed.detail, title)
    for name, (size, keys, light) in SESSIONS.items():
        app = WatchApp(watched, light=light, interval_s=NEVER_S, clock=lambda: metrics.updated_at)
        yield _save(directory / name, app, size, keys)


def _save(path: Path, app: WatchApp, size: SizeOf, keys: list[str]) -> Path:
    """Keep the screen as SVG, without the fonts that it would load from a web server."""

    async def script(driver: Driver) -> str:
        await driver.press(*keys)
        return driver.app.export_screenshot(title="m31 watch", simplify=True)

    path.write_text(_FONT.sub("", drive(app, script, size)), encoding="utf-8")
    return path
