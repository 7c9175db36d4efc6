"""What a plot that the server draws is made of, for the template that writes it as SVG."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from m31a_metrics.views.names import clean, cut
from m31a_metrics.views.palette import phase_color
from m31a_metrics.views.web.plots import HOVER_WIDTH

_HOME = re.compile(r"(?i)^(?:[a-z]:)?/(?:home|users)/[^/]+/(?=.)")
"""A person's own folder, in which most projects lie."""

TONES = tuple(f"c{number}" for number in range(1, 9))
"""Classes of the style sheet, each a colour in the light and another in the dark."""


class Mark(Struct):
    """A rectangle (or with `is_dot` a circle about `x` and `y`), in percent of the drawing.

    Its colour is a class of the style sheet (`tone`), or #rrggbb (`fill`).
    """

    x: float
    y: float
    width: float
    height: float
    tone: str = ""
    fill: str = ""
    title: str = ""
    is_dot: bool = False


class Group(Struct):
    """Marks that lead to one address, which `name` says; nowhere if `href` is empty."""

    marks: list[Mark]
    href: str = ""
    name: str = ""


class Line(Struct):
    """Points joined by lines, in thousandths of the drawing, as a polyline takes them."""

    points: str
    tone: str


class Tick(Struct):
    """A text beside an axis. `is_minor`: left out where there is little room."""

    at: float
    text: str
    is_minor: bool = False
    anchor: str = "middle"


class Swatch(Struct):
    """A colour and what it stands for."""

    name: str
    tone: str = ""
    fill: str = ""
    href: str = ""


class Row(Struct):
    """A name with its own marks beside it, and the figure at their end."""

    name: str
    whole: str
    groups: list[Group]
    text: str = ""
    href: str = ""
    title: str = ""


class Chart(Struct):
    """A plot as the template draws it.

    `form` is "upright" (axes), "rows" (names with bars), "days" (a calendar) or "spans".
    `under` is a sentence below it, with a link (words and address) behind it.
    """

    form: str
    label: str
    groups: list[Group] = []
    lines: list[Line] = []
    rows: list[Row] = []
    legend: list[Swatch] = []
    x_ticks: list[Tick] = []
    y_ticks: list[Tick] = []
    gaps: list[Mark] = []
    under: str = ""
    link: tuple[str, str] = ("", "")


def colour_of(kind: str, name: str, at: int) -> tuple[str, str]:
    """Give the tone and the fill of the `at`-th series: phases have colours of their own."""
    return ("", phase_color(name)) if kind == "phase" else (TONES[at % len(TONES)], "")


def title_of(lines: Sequence[str]) -> str:
    """Write what stands beside the pointer."""
    return "\n".join(cut(clean(line).strip(), HOVER_WIDTH) for line in lines if line)


def short_name(kind: str, whole: str) -> str:
    """Write a name as short as people say it: of a path its end, of an MCP tool its own name."""
    if kind == "tool" and whole.startswith("mcp__"):
        server, _, tool = whole.removeprefix("mcp__").partition("__")
        return f"{tool} ({server})" if tool else whole
    if kind == "project":
        parts = [part for part in _HOME.sub("", whole.replace("\\", "/")).split("/") if part]
        return "/".join(parts[-2:]) if parts else whole
    return whole
