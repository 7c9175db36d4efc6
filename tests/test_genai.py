from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics import genai
from m31a_metrics.genai import COST_SUM, METRICS, OVERFLOW, SERIES_MAX, TOOL_DURATION, Measured


@pytest.mark.parametrize(
    ("model", "who"),
    [
        ("claude-opus-4-5", "anthropic"),
        ("anthropic/claude-haiku-4-5", "anthropic"),
        ("us.anthropic.claude-sonnet-4", "aws.bedrock"),
        ("gpt-5.2-codex", "openai"),
        ("o3-mini", "openai"),
        ("azure/gpt-5", "azure.ai.openai"),
        ("models/gemini-3-pro", "gcp.gemini"),
        ("Grok-4", "x_ai"),
        ("deepseek-v3", "deepseek"),
        ("devstral-small", "mistral_ai"),
        ("my-own-model", ""),
        ("", ""),
    ],
)
def test_a_provider_is_told_from_the_name_of_a_model(model: str, who: str) -> None:
    """It is spelt as the conventions have it; a name that tells nobody gives none."""
    assert genai.provider(model) == who


@given(st.lists(st.floats(0, 1e6)), st.lists(st.floats(0, 1e6)))
def test_histograms_hold_each_value_once_and_add_up(some: list[float], more: list[float]) -> None:
    """Buckets count each value below its bound; two that are merged are one of all values."""
    first, second, both = Measured(), Measured(), Measured()
    for values, measured in ((some, first), (more, second), (some + more, both)):
        for value in values:
            measured.add(TOOL_DURATION, [("a", "b")], value)
    first.merge(second.points())
    assert [(one.labels, one.count, one.buckets) for one in first.points()] == [
        (one.labels, one.count, one.buckets) for one in both.points()
    ]
    for one in both.points():
        assert sum(one.buckets) == one.count == len(some + more)
        for bound, below in zip(TOOL_DURATION.bounds, range(1, len(one.buckets)), strict=True):
            assert sum(one.buckets[:below]) == sum(value <= bound for value in some + more)


def test_series_beyond_the_most_are_counted_together() -> None:
    """What names there are without end costs no memory without end, and no value is lost."""
    measured = Measured()
    for number in range(SERIES_MAX + 50):
        measured.add(COST_SUM, [("gen_ai.request.model", str(number))], 1.0)
    measured.add(COST_SUM, [("gen_ai.request.model", "7")], 1.0)
    points = {one.labels: one.sum for one in measured.points()}
    assert len(points) == SERIES_MAX + 1
    assert points[OVERFLOW] == 50
    assert sum(points.values()) == SERIES_MAX + 51


def test_series_of_metrics_that_are_no_more_are_left_out() -> None:
    """What an earlier version kept, under other names or with other bounds, is not sent."""
    measured = Measured(
        [
            genai.Point("m31a.gone", (), 1, 1.0),
            genai.Point("gen_ai.execute_tool.duration", (), 1, 1.0, [1]),
            genai.Point("m31a.cost", (), 1, 1.0),
        ]
    )
    assert [one.metric for one in measured.points()] == ["m31a.cost"]


def test_metrics_are_in_base_units_and_say_what_they_are() -> None:
    """Seconds, tokens, counts of something, dollars; the bounds of buckets rise."""
    for metric in METRICS.values():
        assert metric.unit in {"s", "USD"} or metric.unit.startswith("{")
        assert metric.description.endswith(".")
        assert list(metric.bounds) == sorted(set(metric.bounds))
