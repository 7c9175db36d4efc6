"""Pages of the dashboard in a real browser, as PNG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from m31a_metrics import config
from m31a_metrics.catalog.conversations import Conversations
from m31a_metrics.views.web.index_thread import ThisMachine
from m31a_metrics.views.web.safety import Doors
from tests.views.web.browser import Visit, browser
from tests.views.web.served import credentials, served
from tools.screenshots.machine import LONG_SESSION

LIGHT, DARK = "light", "dark"
DESKTOP, LAPTOP, PHONE = (1440, 900), (1024, 768), (390, 844)
PERIOD = "since=30d"
_MOMENT_MS = 3_000
"""So long a page has until a key is pressed, and to do what it asks for."""


class Shot(Struct):
    """A picture of a page: what it is called, the page's address, the window, the colours.

    `keys` are pressed before it is taken.
    """

    name: str
    address: str
    size: tuple[int, int] = DESKTOP
    colors: str = LIGHT
    keys: tuple[str, ...] = ()


ADDRESSES = {
    "overview": f"/?{PERIOD}",
    "sessions": f"/sessions?{PERIOD}",
    "session": f"/sessions/{LONG_SESSION}",
    "transcript": f"/sessions/{LONG_SESSION}/transcript",
    "tools": f"/tools?{PERIOD}",
    "phases": f"/phases?{PERIOD}",
    "blocks": f"/blocks?{PERIOD}",
    "compare": "/compare?a=model=claude-opus-*&b=model=claude-sonnet-*",
}
"""Every page that somebody has to look at; a new page is a line here."""

PAGES = (
    Shot("dashboard-overview", ADDRESSES["overview"]),
    Shot("dashboard-overview-dark", ADDRESSES["overview"], colors=DARK),
    Shot("dashboard-sessions", ADDRESSES["sessions"]),
    Shot("dashboard-session", ADDRESSES["session"]),
    Shot("dashboard-transcript", ADDRESSES["transcript"]),
    Shot("dashboard-transcript-heal", ADDRESSES["transcript"], colors=DARK, keys=("h",)),
    Shot("dashboard-tools", ADDRESSES["tools"], colors=DARK),
    Shot("dashboard-overview-phone", ADDRESSES["overview"], PHONE),
    Shot("dashboard-sessions-phone", ADDRESSES["sessions"], PHONE),
)
"""What docs and README show."""

EVERY = tuple(
    Shot(f"{page}-{size[0]}-{colors}", address, size, colors)
    for page, address in ADDRESSES.items()
    for size in (DESKTOP, LAPTOP, PHONE)
    for colors in (LIGHT, DARK)
)
"""What a person looks at before a page is done."""


def draw(shots: Iterable[Shot], directory: Path) -> Iterator[Path]:
    """Serve the home of this process and take each picture."""
    settings = config.read()
    machine = ThisMachine(settings, config.environment(), only_dir=False)
    doors, said = Doors(credentials), Conversations(settings)
    with served(machine, doors, said) as address, browser() as chromium:
        for shot in shots:
            visit = Visit(chromium, address, color_scheme=shot.colors)
            visit.page.set_viewport_size({"width": shot.size[0], "height": shot.size[1]})
            between = "&" if "?" in shot.address else "?"
            visit.open(f"{shot.address}{between}token={doors.credentials().token}")
            for key in shot.keys:
                visit.page.wait_for_timeout(_MOMENT_MS)  # marks follow, and keys go by them
                visit.page.keyboard.press(key)
            if shot.keys:
                visit.page.wait_for_timeout(_MOMENT_MS)
            path = directory / f"{shot.name}.png"
            visit.page.screenshot(path=path)
            visit.close()
            yield path
