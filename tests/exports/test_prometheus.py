"""Metrics as Prometheus reads them, pinned to the character."""

from __future__ import annotations

from m31a_metrics.exports.prometheus import exposition, text
from m31a_metrics.questions import series
from m31a_metrics.questions.series import Family, Labels, Runs, Value

NAME = 'a "b"\\\n'
FAMILIES: list[tuple[Family, dict[Labels, Value]]] = [
    (series.TOOL_CALLS, {("pi", NAME, "ok"): 3}),
    (series.TOOL_RUN, {("pi", "Bash"): Runs((1, 0, 2, *(0,) * 15), 1_500_000)}),
    (series.LLM_COST, {("pi", "opus-5"): 250_000_000}),
    (series.BUDGET_USED, {("day", "usd"): 0.5}),
    (series.BUILD, {("1.2.3",): 1}),
]


def test_the_text_format() -> None:
    """Names end in what they count, base units are units, and names of strangers are escaped."""
    written = text(FAMILIES).decode().splitlines()
    lines = [line for line in written if line[:1] != "#" and "_bucket" not in line]
    assert lines == [
        r'm31a_tool_calls_total{agent="pi",outcome="ok",tool="a \"b\"\\\n"} 3.0',
        'm31a_tool_run_seconds_count{agent="pi",tool="Bash"} 3.0',
        'm31a_tool_run_seconds_sum{agent="pi",tool="Bash"} 1.5',
        'm31a_llm_cost_usd_total{agent="pi",model="opus-5"} 0.25',
        'm31a_budget_used_ratio{scope="day",unit="usd"} 0.5',
        'm31a_build_info{version="1.2.3"} 1.0',
    ]
    assert "# TYPE m31a_tool_calls_total counter" in written
    assert "# HELP m31a_llm_cost_usd_total Cost of LLM use." in written


def test_buckets_hold_those_below_them() -> None:
    """The first is 10 ms, each is twice the one before, and the last holds all."""
    lines = [line for line in text(FAMILIES).decode().splitlines() if "_bucket" in line]
    found = [(line.partition('le="')[2].partition('"')[0], line.split()[-1]) for line in lines]
    assert found[:4] == [("0.01", "1.0"), ("0.02", "1.0"), ("0.04", "3.0"), ("0.08", "3.0")]
    assert found[-2:] == [("655.36", "3.0"), ("+Inf", "3.0")]
    assert len(found) == 18


def test_openmetrics_for_whoever_accepts_it() -> None:
    """With units and an end; a scraper that says nothing gets the text format."""
    written, content_type = exposition(FAMILIES, "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert b"# UNIT m31a_llm_cost_usd usd\n" in written
    assert b"# TYPE m31a_build info\n" in written
    assert written.endswith(b"# EOF\n")
    assert exposition(FAMILIES)[0] == text(FAMILIES)
