"""The tables of a page for programs: JSON or CSV, of all panels or of one."""

from __future__ import annotations

from io import StringIO
from typing import Any

from msgspec import json
from starlette.exceptions import HTTPException
from starlette.responses import Response

from m31a_metrics.exports import tabular
from m31a_metrics.panel import Panel
from m31a_metrics.views.web.pages import Page

FORMATS = ("json", "csv")


def answer(page: Page, panel: str, form: str) -> Response:
    """Write the panels of a page: an object of arrays of rows, or the one that is named.

    Raises HTTPException for a panel or a format that is not there.
    """
    if form not in FORMATS:
        raise HTTPException(400, f"format must be one of {', '.join(FORMATS)}.")
    if not panel:
        if form == "csv":
            raise HTTPException(400, f"CSV is of one panel: {', '.join(_names(page))}.")
        return _json({one.name: tabular.records(one.table) for one in page.panels})
    chosen = [one for one in page.panels if one.name == panel]
    if not chosen:
        raise HTTPException(404, f"The panels here are {', '.join(_names(page))}.")
    return _csv(page, chosen[0]) if form == "csv" else _json(tabular.records(chosen[0].table))


def _names(page: Page) -> list[str]:
    return [panel.name for panel in page.panels]


def _json(value: Any) -> Response:
    text = tabular.escaped(json.encode(value).decode())  # a terminal may be at the other end
    return Response(text, media_type="application/json")


def _csv(page: Page, panel: Panel) -> Response:
    written = StringIO(newline="")
    tabular.write_csv(panel.table, written)
    # A lone surrogate (a file name that is not UTF-8) is no character to send.
    data = written.getvalue().encode("utf-8", "replace")
    name = f"m31-{page.name}-{panel.name}.csv"
    return Response(
        data,
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )
