"""What lies in integrations/: made of what is declared, and whole."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

from m31a_metrics.questions import series
from tools import grafana

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "integrations"
DASHBOARD: dict[str, Any] = json.loads(grafana.PATH.read_text(encoding="utf-8"))
RULES = (FOLDER / "prometheus" / "rules.yml").read_text(encoding="utf-8")

NAMES = {
    name
    for family in series.FAMILIES
    for name in {
        series.COUNTER: [f"{family.name}_total"],
        series.GAUGE: [family.name],
        series.INFO: [f"{family.name}_info"],
        series.HISTOGRAM: [f"{family.name}_{part}" for part in ("bucket", "sum", "count")],
    }[family.kind]
}
METRIC = re.compile(r"\bm31a_\w+")


def test_the_dashboard_is_as_its_script_makes_it() -> None:
    """`python -m tools.grafana` was run after the last change."""
    assert grafana.PATH.read_text(encoding="utf-8") == grafana.written()


def test_every_metric_is_shown_and_every_name_is_one() -> None:
    """The dashboard leaves none out; it and the rules ask for nothing that there is not."""
    shown = {
        name
        for panel in DASHBOARD["panels"]
        for target in panel.get("targets", ())
        for name in METRIC.findall(target["expr"])
    }
    assert shown == NAMES
    asked = {name for query in grafana.VARIABLES.values() for name in METRIC.findall(query)}
    by_rules = {name for rule in rules() for name in METRIC.findall(rule["expr"])}
    assert (asked | by_rules) <= NAMES
    assert len(by_rules) >= 6


def rules() -> list[dict[str, Any]]:
    """Every rule."""
    return [rule for group in yaml.safe_load(RULES)["groups"] for rule in group["rules"]]


def test_every_metric_has_a_line_on_its_page() -> None:
    """docs/prometheus.md names each with its labels, and no other."""
    page = (ROOT / "docs" / "prometheus.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(m31a_\w+?)(?:\{(?:\w|, )*\})?` \| (.*) \|$", page, re.MULTILINE))
    labels = dict(re.findall(r"^\| `(m31a_\w+)\{((?:\w|, )*)\}`", page, re.MULTILINE))
    suffixes = {series.COUNTER: "_total", series.INFO: "_info"}
    expected = {family.name + suffixes.get(family.kind, ""): family for family in series.FAMILIES}
    assert set(rows) == set(expected)
    for name, family in expected.items():
        assert labels.get(name, "") == ", ".join(family.labels), name


def test_no_panel_lies_on_another() -> None:
    """Each has an id of its own and a place within the width of the page."""
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        at = panel["gridPos"]
        assert 0 <= at["x"] < at["x"] + at["w"] <= grafana.WIDTH
    for one, other in combinations((panel["gridPos"] for panel in panels), 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below


def test_the_dashboard_names_no_source_of_its_own() -> None:
    """Whoever imports it chooses the Prometheus; its variables are there, and each is used."""
    text = json.dumps(DASHBOARD)
    inputs = {one["name"] for one in DASHBOARD["__inputs"]}
    assert set(re.findall(r"\$\{(\w+)\}", text)) == inputs == {"DS_PROMETHEUS"}
    defined = {one["name"] for one in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$(\w+)", text)) - {"__range", "__all"}
    assert used == defined == set(grafana.VARIABLES)
    for panel in DASHBOARD["panels"]:
        if panel["type"] != "row":
            assert panel["datasource"] == grafana.SOURCE
            assert len({one["refId"] for one in panel["targets"]}) == len(panel["targets"])


def test_every_rule_has_its_case() -> None:
    """rules_test.yml tries each, and says what is told of it."""
    cases = yaml.safe_load((FOLDER / "prometheus" / "rules_test.yml").read_text(encoding="utf-8"))
    tried = {
        case["alertname"]
        for test in cases["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert tried == {rule["alert"] for rule in rules()}
    for rule in rules():
        assert set(rule["annotations"]) == {"summary", "description"}
