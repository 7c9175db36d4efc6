"""The tables of a page for programs, JSON or CSV, and their description as OpenAPI 3.1.

The description is made from the same lists as the routes.
"""

from __future__ import annotations

from io import StringIO
from typing import Any

from msgspec import json
from starlette.exceptions import HTTPException
from starlette.responses import Response

from m31a_metrics.exports import tabular
from m31a_metrics.table import Panel
from m31a_metrics.views.web.pages import PAGES, Page
from m31a_metrics.views.web.plots import figure
from m31a_metrics.views.web.state import GRAINS, PAGE_MAX, ROWS_MAX, SINCE, TEXT_MAX

FORMATS = ("json", "csv", "figure")


def answer(page: Page, panel: str, form: str, plot: str = "") -> Response:
    """Write the panels of a page: an object of arrays of rows, or the one that is named.

    `plot` is the number of the plot whose figure is asked for. Raises HTTPException for a
    panel, a format or a plot that is not there.
    """
    if form not in FORMATS:
        raise HTTPException(400, f"format must be one of {', '.join(FORMATS)}.")
    if not panel:
        if form != "json":
            raise HTTPException(400, f"{form} is of one panel: {', '.join(_names(page))}.")
        return _json({one.name: tabular.records(one.table) for one in page.panels})
    chosen = [one for one in page.panels if one.name == panel]
    if not chosen:
        raise HTTPException(404, f"The panels here are {', '.join(_names(page))}.")
    if form == "figure":
        return _figure(chosen[0], plot or "0")
    return _csv(page, chosen[0]) if form == "csv" else _json(tabular.records(chosen[0].table))


def _figure(panel: Panel, number: str) -> Response:
    """Write what plotly.js draws of a plot."""
    plots = panel.plots
    if number not in map(str, range(len(plots))):
        raise HTTPException(404, f"The plots of {panel.name} are numbered to {len(plots)} from 0.")
    return _json(figure(panel.table, plots[int(number)]))


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


API = "/api"
METRICS_NAME = "METRICS.json"
METRICS_PATH = f"/sessions/{{session_id}}/{METRICS_NAME}"
DATA_PATHS = {
    name: f"{API}/overview" if page.path == "/" else f"{API}{page.path}".replace(":path", "")
    for name, page in PAGES.items()
}

PARAMETERS: dict[str, tuple[dict[str, Any], str]] = {
    "since": ({"type": "string", "default": SINCE}, "first day: 7d, 2026-06-20, 2026-06; or all"),
    "until": ({"type": "string"}, "last day, written in the same ways"),
    "agent": ({"type": "array", "items": {"type": "string"}}, "agents; all if none is named"),
    "project": ({"type": "string", "maxLength": TEXT_MAX}, "a part of the project's path"),
    "model": ({"type": "string", "maxLength": TEXT_MAX}, "a model, or a pattern with *"),
    "branch": ({"type": "string", "maxLength": TEXT_MAX}, "a branch, or a pattern with *"),
    "label": ({"type": "array", "items": {"type": "string"}}, "NAME=VALUE, all of them"),
    "q": ({"type": "string", "maxLength": TEXT_MAX}, "a part of id, project, branch or model"),
    "tool": ({"type": "string", "maxLength": TEXT_MAX}, "one tool"),
    "phase": ({"type": "string", "maxLength": TEXT_MAX}, "one phase"),
    "span": ({"type": "string"}, "of a session: from and to, Unix microseconds, a dash between"),
    "by": ({"type": "string", "enum": list(GRAINS)}, "the grain of what is shown over time"),
    "sort": ({"type": "string"}, "a column of the main table, as m31 --sort takes it"),
    "page": ({"type": "integer", "minimum": 1, "maximum": PAGE_MAX}, "which part of the rows"),
    "rows": ({"type": "integer", "minimum": 1, "maximum": ROWS_MAX}, "rows of a part"),
    "a": ({"type": "string"}, "the slice or session that is compared"),
    "b": ({"type": "string"}, "the slice or session it is compared with"),
    "panel": ({"type": "string"}, "one table of the page; all if none is named"),
    "format": (
        {"type": "string", "enum": list(FORMATS), "default": "json"},
        "csv: of one panel; figure: of one plot",
    ),
    "plot": ({"type": "integer", "minimum": 0}, "which plot of the panel, as plotly.js draws it"),
}

_SECURITY = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of dashboard.json, which is for its owner alone.",
    },
}
_REFUSED = {
    "400": "A parameter says what cannot be.",
    "401": "The token is missing or wrong.",
    "404": "There is no such session or table.",
    "503": "It cannot be read at present.",
}
_CELL = {
    "description": "null: not known; a list of numbers: a course over time",
    "anyOf": [
        {"type": ["string", "number", "boolean", "null"]},
        {"type": "array", "items": {"type": ["number", "null"]}},
    ],
}
_ROWS = {
    "type": "array",
    "items": {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Cell"}},
}
_PANELS = {
    "type": "object",
    "additionalProperties": {"$ref": "#/components/schemas/Rows"},
    "description": "each table of the page by its name",
}
_ERROR = {
    "type": "object",
    "properties": {"error": {"type": "string"}},
    "required": ["error"],
    "additionalProperties": False,
}
_ID = {
    "name": "session_id",
    "in": "path",
    "required": True,
    "description": "the session's id, as the agent wrote it",
    "schema": {"type": "string"},
}


def described(version: str, root: str) -> dict[str, Any]:
    """Give the description of all addresses that are for programs, of this `version`.

    They lie below `root`.
    """
    paths = {path: _tables(name) for name, path in DATA_PATHS.items()}
    paths[METRICS_PATH] = {"get": _metrics()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "m31a-metrics",
            "version": version,
            "summary": "The tables of the dashboard, and METRICS.json of any session.",
        },
        "servers": [{"url": root or "/"}],
        "security": [{name: []} for name in _SECURITY],
        "paths": paths,
        "components": {
            "securitySchemes": _SECURITY,
            "schemas": {"Cell": _CELL, "Rows": _ROWS, "Panels": _PANELS, "Error": _ERROR},
        },
    }


def _tables(name: str) -> dict[str, Any]:
    page = PAGES[name]
    tables = {"oneOf": [_ref("Panels"), _ref("Rows")]}
    parameters = [
        {"name": one, "in": "query", "description": words, "schema": schema}
        for one, (schema, words) in PARAMETERS.items()
    ]
    operation = {
        "operationId": name,
        "summary": (page.build.__doc__ or "").strip(),
        "parameters": [_ID, *parameters] if "{" in page.path else parameters,
        "responses": {
            "200": {
                "description": "All tables, or the one that `panel` names.",
                "content": {
                    "application/json": {"schema": tables},
                    "text/csv": {"schema": {"type": "string"}},
                },
            },
            **_refused("400", "401", "404", "503"),
        },
    }
    return {"get": operation}


def _metrics() -> dict[str, Any]:
    return {
        "operationId": "metrics",
        "summary": "One session as its METRICS.json has it, whoever recorded it.",
        "parameters": [_ID],
        "responses": {
            "200": {
                "description": "docs/metrics-json.md tells what is in it.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            **_refused("401", "404", "503"),
        },
    }


def _refused(*codes: str) -> dict[str, Any]:
    content = {"application/json": {"schema": _ref("Error")}}
    return {code: {"description": _REFUSED[code], "content": content} for code in codes}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
