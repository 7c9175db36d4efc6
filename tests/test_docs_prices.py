"""docs/prices.md is true: its examples are read and priced as it says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from m31a_metrics.pricing import overrides
from m31a_metrics.pricing.names import TIERS
from m31a_metrics.pricing.overrides import _CLASSES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "prices.md"


def blocks(language: str) -> list[str]:
    """The examples of one language."""
    page = PAGE.read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert found
    return found


def test_its_configuration_is_read() -> None:
    """Every example of prices is taken without an error."""
    for block in blocks("toml"):
        assert overrides(tomllib.loads(block)["metrics"]["prices"], "config.toml")


def test_its_program_costs_what_it_says() -> None:
    """The example for programs runs, and its comment is its result."""
    for block in blocks("python"):
        names: dict[str, Any] = {}
        exec(block, names)  # noqa: S102 - our own page
        [said] = re.findall(r"# ([\d.]+)$", block, re.MULTILINE)
        assert f"{names['usd']:g}" == said


def test_its_table_names_every_key() -> None:
    """Whoever reads the page knows all keys there are."""
    rows = re.findall(r"^\| (`.*?`) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", " ".join(rows)))
    assert named >= {*_CLASSES, *TIERS}
