"""Pages in one file that needs nothing else: no server, no network, no other file.

Plots are drawn in it, as on the dashboard before anybody zooms. The style sheet and two small
scripts stand in it, and its Content-Security-Policy names these by their hashes: nothing else
runs in it, and it asks nothing of anybody.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from io import StringIO

from markupsafe import Markup
from msgspec import Struct, json

from m31a_metrics.exports import tabular
from m31a_metrics.table import CARDS, Panel
from m31a_metrics.views.web.assets import assets
from m31a_metrics.views.web.drawing import (
    Card,
    DrawnPanel,
    cards,
    draw,
    templates,
)
from m31a_metrics.views.web.links import Links
from m31a_metrics.views.web.pages import Page

ROWS_MAX = 500
"""A page shows so many rows of a table; the CSV and the JSON in it have them all."""

_EARLY = ("theme.js",)
_LATE = ("dashboard.js",)
_NOWHERE = Links()


class Part(Struct):
    """One page in the file."""

    name: str
    title: str
    drawn: list[DrawnPanel]
    cards: list[Card]
    card_links: DrawnPanel | None
    card_notes: list[str]


def report(pages: Sequence[Page], title: str, made_at: datetime) -> str:
    """Write pages as one HTML document."""
    early, late = ([_script(name) for name in names] for names in (_EARLY, _LATE))
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in (*early, *late))
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    style = assets()["dashboard.css"].data.decode()
    return (
        templates()
        .get_template("report.html")
        .render(
            title=title,
            made=f"as of {made_at:%Y-%m-%d %H:%M}",
            parts=[_part(page) for page in pages],
            policy=policy,
            style=Markup(style),  # noqa: S704 - our own file
            early=early,
            late=late,
        )
    )


def _script(name: str) -> Markup:
    """Give a script as it may stand in a script element, which ends at the first `</script`."""
    # A browser takes the hash after turning line ends into those of Unix.
    text = assets()[name].data.decode().replace("\r\n", "\n")
    text = text.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    return Markup(text)  # noqa: S704 - our own file


def _digest(script: str) -> str:
    return b64encode(sha256(script.encode()).digest()).decode()


def _part(page: Page) -> Part:
    sums = [panel for panel in page.panels if panel.name == CARDS]
    return Part(
        page.name,
        page.title,
        [
            _drawn(panel, page.name)
            for panel in page.panels
            if panel.name != CARDS and (panel.table.rows or not panel.is_optional)
        ],
        cards(sums[0].table) if sums else [],
        _drawn(sums[0], page.name) if sums else None,
        sums[0].table.notes if sums else [],
    )


def _drawn(panel: Panel, page: str) -> DrawnPanel:
    table = panel.table
    drawn = draw(panel, _NOWHERE, rows_max=ROWS_MAX)
    drawn.name = f"{page}-{panel.name}"
    written = StringIO(newline="")
    tabular.write_csv(table, written)
    drawn.csv = _data("text/csv", written.getvalue())
    drawn.json = _data("application/json", json.encode(tabular.records(table)).decode())
    return drawn


def _data(media_type: str, text: str) -> str:
    packed = b64encode(text.encode("utf-8", "replace")).decode()
    return f"data:{media_type};charset=utf-8;base64,{packed}"
