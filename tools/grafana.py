"""`python -m tools.grafana`: make the dashboard for Grafana anew, integrations/grafana/m31.json.

Panels are a line each here; places, ids and what Grafana wants beside them are made. Every
expression is asked of a real Prometheus by tests/integrations/test_prometheus.py.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from msgspec import Struct

PATH = Path(__file__).parents[1] / "integrations" / "grafana" / "m31.json"

SCHEMA_VERSION = 39  # Grafana 10.4
WIDTH = 24
SOURCE = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}

SELECTORS = {
    "WHO": 'agent=~"$agent"',
    "MODEL": 'agent=~"$agent",model=~"$model"',
    "TOOL": 'agent=~"$agent",tool=~"$tool"',
    "PROJECT": 'project=~"$project"',
}
"""What stands for the variables in the expressions below."""


class Panel(Struct):
    """A panel: its title, its kind, and its expressions by the legends of their series.

    `words` is the sentence behind the title. `step` is the shortest time between two points.
    """

    title: str
    kind: str
    exprs: dict[str, str]
    words: str = ""
    unit: str = "short"
    width: int = 0
    step: str = ""
    is_stacked: bool = False
    steps: tuple[float, ...] = ()
    """From the first of these on a figure is yellow, from the second on red."""


USD, SHARE, SECONDS = "currencyUSD", "percentunit", "s"
STAT, BARS, LINES = "stat", "bargauge", "timeseries"

TODAY = [
    Panel("Cost today", STAT, {"": "sum(m31a_day_cost_usd{MODEL})"}, unit=USD),
    Panel("Cost this month", STAT, {"": "sum(m31a_month_cost_usd{MODEL})"}, unit=USD),
    Panel("Cost, all time", STAT, {"": "sum(m31a_all_cost_usd{MODEL})"}, unit=USD),
    Panel(
        "Tokens",
        STAT,
        {
            "today": "sum(m31a_day_tokens{MODEL})",
            "this month": "sum(m31a_month_tokens{MODEL})",
            "all time": "sum(m31a_all_tokens{MODEL})",
        },
        width=6,
    ),
    Panel(
        "Tool calls today",
        STAT,
        {
            "calls": "sum(m31a_day_tool_calls{WHO})",
            "failed": "sum(m31a_day_tool_failures{WHO})",
        },
    ),
    Panel(
        "Tokens without a price, today",
        STAT,
        {"": "sum(m31a_day_unpriced_tokens{WHO})"},
        "They are in no cost; set a price in the configuration.",
        steps=(1,),
    ),
    Panel("Running sessions", STAT, {"": "sum(m31a_running_sessions)"}),
]

COST = [
    Panel(
        "Cost per day, by model",
        LINES,
        {"{{model}}": "sum by (model) (increase(m31a_llm_cost_usd_total{MODEL}[1d]))"},
        "What was read in the day before each point.",
        USD,
        12,
        step="1d",
        is_stacked=True,
    ),
    Panel(
        "Tokens per day, by kind",
        LINES,
        {"{{kind}}": "sum by (kind) (increase(m31a_llm_tokens_total{MODEL}[1d]))"},
        "No token is of two kinds.",
        width=12,
        step="1d",
        is_stacked=True,
    ),
    Panel(
        "Cost per hour, by agent",
        LINES,
        {"{{agent}}": "sum by (agent) (increase(m31a_llm_cost_usd_total{MODEL}[1h]))"},
        "Of the hour before each point.",
        USD,
    ),
    Panel(
        "Answers of models",
        LINES,
        {"{{model}}": "sum by (model) (increase(m31a_llm_interactions_total{MODEL}[1h]))"},
        "In the hour before each point.",
    ),
    Panel(
        "Read from caches",
        LINES,
        {
            "{{model}}": "sum by (model) "
            '(increase(m31a_llm_tokens_total{MODEL,kind="cache_read"}[1h]))'
            ' / (sum by (model) (increase(m31a_llm_tokens_total{MODEL,kind!="output"}[1h])) > 0)'
        },
        "The part of prompts that a cache had.",
        SHARE,
    ),
    Panel(
        "Projects by cost",
        BARS,
        {
            "{{project}}": "topk(10, sum by (project) "
            "(increase(m31a_project_cost_usd_total{PROJECT}[$__range])))"
        },
        unit=USD,
    ),
    Panel(
        "Projects by tokens",
        BARS,
        {
            "{{project}}": "topk(10, sum by (project) "
            "(increase(m31a_project_tokens_total{PROJECT}[$__range])))"
        },
    ),
    Panel(
        "Reasoning, and tokens without a price",
        LINES,
        {
            "reasoning": "sum(increase(m31a_llm_reasoning_tokens_total{MODEL}[1h]))",
            "without a price": "sum(increase(m31a_llm_unpriced_tokens_total{MODEL}[1h]))",
        },
        "Reasoning is a part of output.",
    ),
]

TOOLS = [
    Panel(
        "Calls by tool",
        BARS,
        {"{{tool}}": "topk(12, sum by (tool) (increase(m31a_tool_calls_total{TOOL}[$__range])))"},
    ),
    Panel(
        "Tools that fail",
        BARS,
        {
            "{{tool}}": "topk(12, sum by (tool) "
            '(increase(m31a_tool_calls_total{TOOL,outcome="fail"}[$__range]))'
            " / (sum by (tool) (increase(m31a_tool_calls_total{TOOL}[$__range])) > 0))"
        },
        "The part of calls that failed.",
        SHARE,
        steps=(0.1, 0.3),
    ),
    Panel(
        "Run time by tool, p95",
        BARS,
        {
            "{{tool}}": "topk(12, histogram_quantile(0.95, sum by (le, tool) "
            "(increase(m31a_tool_run_seconds_bucket{TOOL}[$__range]))) > 0)"
        },
        "Buckets double each time, and the figure is as exact as they are.",
        SECONDS,
    ),
    Panel(
        "Run time of calls",
        LINES,
        {
            **{
                f"p{round(q * 100)}": f"histogram_quantile({q}, "
                "sum by (le) (increase(m31a_tool_run_seconds_bucket{TOOL}[1h])))"
                for q in (0.5, 0.95, 0.99)
            },
            "mean": "sum(increase(m31a_tool_run_seconds_sum{TOOL}[1h]))"
            " / (sum(increase(m31a_tool_run_seconds_count{TOOL}[1h])) > 0)",
        },
        "Of the hour before each point.",
        SECONDS,
    ),
    Panel(
        "Fail rate by agent",
        LINES,
        {
            "{{agent}}": "sum by (agent) "
            '(increase(m31a_tool_calls_total{TOOL,outcome="fail"}[1h]))'
            " / (sum by (agent) (increase(m31a_tool_calls_total{TOOL}[1h])) > 0)"
        },
        "Of the hour before each point.",
        SHARE,
    ),
    Panel(
        "Waiting for a person, and refused",
        LINES,
        {
            "minutes waited": "sum(increase(m31a_tool_wait_seconds_total{TOOL}[1h])) / 60",
            "calls refused": "sum(increase(m31a_tool_denied_total{TOOL}[1h]))",
        },
    ),
]

PHASES = [
    Panel(
        "Active time per day, by phase",
        LINES,
        {"{{phase}}": "sum by (phase) (increase(m31a_phase_seconds_total{WHO}[1d]))"},
        "Time of which the phase is judged anew may count in both.",
        SECONDS,
        12,
        step="1d",
        is_stacked=True,
    ),
    Panel(
        "Self-heals and bisects",
        LINES,
        {
            "begun": "sum(increase(m31a_heal_triggers_total{WHO}[1d]))",
            "{{outcome}}": "sum by (outcome) (increase(m31a_heals_total{WHO}[1d]))",
            "loops": "sum(increase(m31a_heal_loops_total{WHO}[1d]))",
            "bisects": "sum(increase(m31a_bisects_total{WHO}[1d]))",
        },
        "In the day before each point.",
        width=12,
        step="1h",
    ),
    Panel(
        "Phases that ended badly",
        BARS,
        {
            "{{phase}}": "sum by (phase) "
            '(increase(m31a_phases_total{WHO,outcome="fail"}[$__range]))'
            " / (sum by (phase) (increase(m31a_phases_total{WHO}[$__range])) > 0)"
        },
        unit=SHARE,
    ),
    Panel(
        "Sessions per day, by agent",
        LINES,
        {"{{agent}}": "sum by (agent) (increase(m31a_sessions_total{WHO}[1d]))"},
        step="1d",
        is_stacked=True,
    ),
    Panel(
        "All time and this month, by agent",
        BARS,
        {
            "{{agent}}: calls": "sum by (agent) (m31a_all_tool_calls{WHO})",
            "{{agent}}: failed": "sum by (agent) (m31a_all_tool_failures{WHO})",
            "{{agent}}: calls this month": "sum by (agent) (m31a_month_tool_calls{WHO})",
            "{{agent}}: failed this month": "sum by (agent) (m31a_month_tool_failures{WHO})",
        },
    ),
]

BUDGETS = [
    Panel(
        "Budgets, used part",
        BARS,
        {"{{scope}}, {{unit}}": "max by (scope, unit) (m31a_budget_used_ratio)"},
        "Of sessions, the running one nearest to its limit.",
        SHARE,
        steps=(0.8, 1),
    ),
    Panel(
        "Limits, and tokens without a price",
        STAT,
        {
            "{{scope}}, USD": "max by (scope) (m31a_budget_limit_usd)",
            "{{scope}}, tokens": "max by (scope) (m31a_budget_limit_tokens)",
            "no price, this month": "sum(m31a_month_unpriced_tokens{WHO})",
            "no price, all time": "sum(m31a_all_unpriced_tokens{WHO})",
        },
    ),
    Panel(
        "The exporter",
        STAT,
        {
            "seconds since the index was read": "time() - max(m31a_index_read_timestamp_seconds)",
            "problems, see m31 doctor": "sum(m31a_index_problems)",
            "seconds to ask": "max(m31a_collect_seconds)",
            "m31 {{version}}": "count by (version) (m31a_build_info)",
        },
    ),
]

ROWS = {
    "Today": TODAY,
    "Cost and tokens": COST,
    "Tools": TOOLS,
    "Phases and self-heals": PHASES,
    "Budgets and the exporter": BUDGETS,
}

VARIABLES = {
    "agent": "label_values(m31a_all_tool_calls, agent)",
    "model": "label_values(m31a_all_cost_usd, model)",
    "tool": "label_values(m31a_tool_calls_total, tool)",
    "project": "label_values(m31a_project_cost_usd_total, project)",
}


_SELECTOR = re.compile(rf"\b(?:{'|'.join(SELECTORS)})\b")


def dashboard() -> dict[str, Any]:
    """Put the dashboard together."""
    panels: list[dict[str, Any]] = []
    y = 0
    for title, row in ROWS.items():
        at = {"x": 0, "y": y, "w": WIDTH, "h": 1}
        panels.append(
            {"type": "row", "title": title, "gridPos": at, "collapsed": False, "panels": []}
        )
        x, y = 0, y + 1
        height, narrow = (4, 3) if title == "Today" else (8, 8)
        for panel in row:
            width = panel.width or narrow
            if x + width > WIDTH:
                x, y = 0, y + height
            panels.append(_panel(panel, {"x": x, "y": y, "w": width, "h": height}))
            x += width
        y += height
    for number, one in enumerate(panels, 1):
        one["id"] = number
    return {
        "__inputs": [
            {
                "name": "DS_PROMETHEUS",
                "label": "Prometheus",
                "type": "datasource",
                "pluginId": "prometheus",
                "pluginName": "Prometheus",
            }
        ],
        "__requires": [
            {"type": "grafana", "id": "grafana", "name": "Grafana", "version": "10.4.0"},
            {"type": "datasource", "id": "prometheus", "name": "Prometheus", "version": "1.0.0"},
        ],
        "title": "m31: AI agent sessions",
        "uid": "m31-sessions",
        "description": "Tools, tokens, cost, phases and self-heals of AI agents.",
        "tags": ["ai", "agents", "m31"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": "1m",
        "time": {"from": "now-7d", "to": "now"},
        "templating": {"list": [_variable(name, query) for name, query in VARIABLES.items()]},
        "annotations": {"list": []},
        "panels": panels,
    }


def _panel(panel: Panel, at: dict[str, int]) -> dict[str, Any]:
    colors = ["green", "yellow", "red"] if len(panel.steps) > 1 else ["green", "yellow"]
    steps = [
        {"color": color, "value": value}
        for color, value in zip(colors, (None, *panel.steps), strict=False)
    ]
    is_instant = panel.kind != LINES
    custom: dict[str, Any] = {}
    if not is_instant:
        custom = {"fillOpacity": 60 if panel.is_stacked else 10, "showPoints": "auto"}
        if panel.is_stacked:
            custom |= {"drawStyle": "bars", "stacking": {"mode": "normal", "group": "A"}}
    made: dict[str, Any] = {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.words,
        "datasource": SOURCE,
        "gridPos": at,
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "min": 0,
                "custom": custom,
                "color": {"mode": "palette-classic" if not is_instant else "thresholds"},
                "thresholds": {"mode": "absolute", "steps": steps},
            },
            "overrides": [],
        },
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": SOURCE,
                "expr": _SELECTOR.sub(lambda found: SELECTORS[found[0]], expr),
                "legendFormat": legend,
                "instant": is_instant,
                "range": not is_instant,
            }
            for number, (legend, expr) in enumerate(panel.exprs.items())
        ],
    }
    if is_instant:
        made["options"] = {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "orientation": "horizontal" if panel.kind == "bargauge" else "auto",
        }
    if panel.step:
        made["interval"] = panel.step
    return made


def _variable(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def written() -> str:
    """The file, as it is kept."""
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text(written(), encoding="utf-8")
    print(f"wrote {PATH}")
