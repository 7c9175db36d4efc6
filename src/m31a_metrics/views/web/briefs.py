"""The overview's answers, above all else: what was spent and on what, what failed, what healed.

Each stands in a panel of the page already, whose first rows are shown in brief.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from m31a_metrics.table import CARDS, Cell, Panel, Unit
from m31a_metrics.views.names import clean
from m31a_metrics.views.numbers import text_of
from m31a_metrics.views.web.links import Links
from m31a_metrics.views.web.marks import short_name

ROWS = 3

Row = Mapping[str, Cell]


class Item(Struct):
    """One line of an answer: a name, the figure beside it, and where it leads."""

    name: str
    text: str
    whole: str = ""
    href: str = ""
    share: float | None = None
    tone: str = ""


class Brief(Struct):
    """One answer: the question, the figure, a sentence, a few lines, and where to read on."""

    name: str
    title: str
    figure: str
    text: str = ""
    items: list[Item] = []
    href: str = ""


def briefs(panels: list[Panel], links: Links) -> list[Brief]:
    """Answer out of the panels of the overview; nothing where nothing happened."""
    tables = {panel.name: _rows(panel) for panel in panels}
    sums = tables.get(CARDS, [])
    if not sums or not sums[0].get("session_count"):
        return []
    figures = sums[0]
    return [
        _spent(figures, links),
        _on_what(tables, links),
        _failed(figures, tables, links),
        _healed(figures, links),
        _changed(figures, panels),
        _left(tables.get("budget", [])),
    ]


def _rows(panel: Panel) -> list[Row]:
    names = [column.name for column in panel.table.columns]
    return [dict(zip(names, row, strict=True)) for row in panel.table.rows]


def _spent(figures: Row, links: Links) -> Brief:
    count, tokens = figures["session_count"], text_of(figures["total_tokens"], Unit.TOKENS)
    sessions = "1 session" if count == 1 else f"{text_of(count, Unit.COUNT)} sessions"
    brief = Brief("spent", "Spent", text_of(figures["cost_usd"], Unit.USD))
    brief.text = f"{tokens} tokens in {sessions}"
    brief.href = links.page("/sessions")
    return brief


def _on_what(tables: Mapping[str, list[Row]], links: Links) -> Brief:
    """Name the projects that cost the most; where no project is known, the models."""
    part = "project" if any(row["project"] for row in tables["cost_by_project"]) else "model"
    rows = tables[f"cost_by_{part}"]
    brief = Brief("on-what", "On what", "")
    for row in rows[:ROWS]:
        whole = clean(str(row[part] or "")) or f"no {part} named"
        share = row["cost_share"]
        item = Item(short_name(part, whole), text_of(row["cost_usd"], Unit.USD), whole)
        item.href = links.to(part, row[part])
        item.share = float(share) if isinstance(share, int | float) else None
        brief.items.append(item)
    models = [str(row["model"]) for row in tables["cost_by_model"] if row["model"]]
    if part == "project" and models:
        brief.text = f"mostly {clean(models[0])}"
    return brief


def _failed(figures: Row, tables: Mapping[str, list[Row]], links: Links) -> Brief:
    brief = Brief("failed", "What failed", text_of(figures["fail_rate"], Unit.SHARE))
    brief.text = f"of {text_of(figures['call_count'], Unit.COUNT)} calls"
    for row in tables["tools_by_failure"][:ROWS]:
        whole = clean(str(row["tool"]))
        times, rate = text_of(row["fail_count"], Unit.COUNT), text_of(row["fail_rate"], Unit.SHARE)
        item = Item(short_name("tool", whole), f"{times} ({rate})", whole, tone="bad")
        item.href = links.to("tool", row["tool"])
        brief.items.append(item)
    brief.href = links.page("/tools")
    return brief


def _healed(figures: Row, links: Links) -> Brief:
    count = figures["heal_trigger_count"]
    heals = "heal" if count == 1 else "heals"
    brief = Brief("healed", "What healed", f"{text_of(count, Unit.COUNT)} {heals}")
    rate = figures["heal_rate"]
    if rate is not None:
        brief.text = f"{text_of(rate, Unit.SHARE)} of them passed"
    brief.href = links.page("/phases")
    return brief


def _changed(figures: Row, panels: list[Panel]) -> Brief:
    """Name what changed the most against the period before."""
    table = next(panel.table for panel in panels if panel.name == CARDS)
    changes = [
        (float(change), clean(column.title))
        for column in table.columns
        if isinstance(change := figures.get(f"{column.name}_change"), int | float)
        and text_of(change, Unit.CHANGE) != "0%"
    ]
    changes.sort(key=lambda one: -abs(one[0]))
    brief = Brief("changed", "What changed", "")
    brief.items = [Item(title, text_of(change, Unit.CHANGE)) for change, title in changes[:ROWS]]
    if not changes:
        notes = [note for note in table.notes if "period" in note]
        brief.text = notes[0] if notes else "There is no period before to compare with."
    return brief


def _left(rows: list[Row]) -> Brief:
    """Say what is left of the day and the month, where they have limits."""
    brief = Brief("left", "Left of the budget", "")
    for row in rows:
        if row["limit"] is None or row["scope"] == "session":
            continue
        unit = Unit(str(row["unit"]))
        left, limit = text_of(row["left"], unit), text_of(row["limit"], unit)
        tone = "bad" if row["state"] == "spent" else ""
        brief.items.append(Item(f"this {row['scope']}", f"{left} of {limit}", tone=tone))
    if not brief.items:
        brief.text = "No limit is set: [metrics.budget] in the configuration."
    return brief
