"""The live screen, as SVG."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from m31a_metrics.catalog.follow import follow
from m31a_metrics.views.screen.app import WatchApp, Watched
from tests.views.screen.pilot import NEVER_S, SMALL, Driver, SizeOf, drive
from tools.screenshots.machine import config_of

SESSION = "223b2708-5340-4532-879b-05e5d9aa16f1"

PICTURES: dict[str, tuple[SizeOf, list[str], bool]] = {
    "watch.svg": ((140, 42), [], False),
    "watch-light.svg": ((140, 42), [], True),
    "watch-80x24.svg": (SMALL, [], False),
    "watch-tool.svg": ((120, 36), ["2", "down", "enter"], False),
}
"""Name -> size, keys pressed before, whether it is light."""

_FONT = re.compile(r"@font-face \{.*?\}", re.DOTALL)


def draw(environ: Mapping[str, str], directory: Path) -> Iterator[Path]:
    """Watch a session of a home at the moment of its last event."""
    followed = follow(config_of(environ), SESSION, environ, only_dir=False)
    followed.look()
    metrics = followed.metrics()
    watched = Watched(followed.about, followed.metrics, followed.detail)
    for name, (size, keys, light) in PICTURES.items():
        app = WatchApp(watched, light=light, interval_s=NEVER_S, clock=lambda: metrics.updated_at)
        path = directory / name
        path.write_text(picture(app, size, keys), encoding="utf-8")
        yield path


def picture(app: WatchApp, size: SizeOf, keys: list[str]) -> str:
    """Give the screen as SVG, without the fonts that it would load from a web server."""

    async def script(driver: Driver) -> str:
        await driver.press(*keys)
        return driver.app.export_screenshot(title="m31 watch", simplify=True)

    return _FONT.sub("", drive(app, script, size))
