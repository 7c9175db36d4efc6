"""Draw the pictures of the live screen in docs/pictures: real screens, as SVG.

    make screenshots

They show the invented session that the screen's tests show, so they change only when the
screen does.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from tests.views.screen.pilot import SMALL, Driver, SizeOf, drive, watch

PICTURES: dict[str, tuple[SizeOf, list[str], bool]] = {
    "watch.svg": ((140, 42), [], False),
    "watch-light.svg": ((140, 42), [], True),
    "watch-80x24.svg": (SMALL, [], False),
    "watch-tool.svg": ((120, 36), ["2", "down", "enter"], False),
}
"""Name -> size, keys pressed before, whether it is light."""

_FONT = re.compile(r"@font-face \{.*?\}", re.DOTALL)


def picture(size: SizeOf, keys: list[str], light: bool) -> str:
    """Give the screen as SVG, without the fonts that it would load from a web server."""

    async def script(driver: Driver) -> str:
        await driver.press(*keys)
        return driver.app.export_screenshot(title="m31 watch", simplify=True)

    return _FONT.sub("", drive(watch(light=light), script, size))


def main() -> None:
    """Draw every picture, in one time zone."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    directory = Path(__file__).resolve().parents[1] / "docs" / "pictures"
    for name, (size, keys, light) in PICTURES.items():
        (directory / name).write_text(picture(size, keys, light), encoding="utf-8")


if __name__ == "__main__":
    main()
