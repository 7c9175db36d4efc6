"""docs/otlp.md is true: it explains each attribute and metric, and no others."""

from __future__ import annotations

import re
from pathlib import Path

from m31a_metrics import genai
from m31a_metrics.genai import METRICS

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "otlp.md").read_text(encoding="utf-8")
OF_RESOURCES = {"service.name", "service.version", "service.instance.id"}


def named() -> set[str]:
    """What the page names with dots, in code."""
    return set(re.findall(r"`((?:[a-z_0-9]+\.)+[a-z_0-9]+)(?:\.<name>)?`", PAGE))


def test_every_attribute_and_metric_is_explained() -> None:
    """Each name of the table of names stands on the page, in a table."""
    names = {
        value.rstrip(".")
        for value in vars(genai).values()
        if isinstance(value, str)
        and "m31a_" not in value
        and re.fullmatch(r"(?:[a-z_0-9]+\.)+[a-z_0-9]*", value)
    }
    assert len(names) > 40
    rows = "\n".join(line for line in PAGE.splitlines() if line.startswith("|"))
    missing = {name for name in names | set(METRICS) if f"`{name}" not in rows}
    assert missing == set()
    ours = {name for name in named() if name.startswith(("m31a.", "gen_ai.", "error."))}
    assert ours - names - set(METRICS) == set()


def test_metrics_have_the_units_and_kinds_that_the_page_says() -> None:
    """A row of the table of metrics says what is sent."""
    table = PAGE.partition("## Metrics")[2].splitlines()
    for metric in METRICS.values():
        (row,) = (line for line in table if f"`{metric.name}`" in line)
        assert f"| {metric.unit} | {metric.kind.value} |" in row
