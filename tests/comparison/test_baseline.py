"""Baselines: what is in the file, what comes back, and which files are refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings

from m31a_metrics.answers import SessionParts
from m31a_metrics.comparison.baseline import Baseline, baseline, is_baseline, read, write
from m31a_metrics.errors import NotThisFormat
from tests.comparison import lots
from tests.comparison.lots import lot, one

MADE_AT = "2026-06-20T15:30:00Z"


def test_a_baseline_holds_figures_by_name() -> None:
    """The version stands first, then when and of what; a metric has value, unit and n."""
    written = write(baseline(lot("7d", [one(cost_usd=2)]), MADE_AT))
    data = json.loads(written)
    assert list(data) == ["m31_baseline", "made_at", "label", "session_count", "metrics"]
    assert data["m31_baseline"] == 1
    assert data["label"] == "7d"
    assert data["metrics"]["cost"] == {"value": 2.0, "unit": "usd", "session_count": 1}
    assert data["metrics"]["fail_rate"]["value"] is None
    assert is_baseline(written)
    assert is_baseline(json.dumps(data).encode())
    assert not is_baseline(b'{"session_id": "m31_baseline"}')


@settings(max_examples=30)
@given(lots.lots)
def test_what_is_written_comes_back(parts: list[SessionParts]) -> None:
    """Every figure survives the file, to the last bit."""
    made: Baseline = baseline(lot("a", parts), MADE_AT)
    assert read(write(made), "b.json") == made


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b'{"m31_baseline": 2, "new": 1}',
            "b.json is a baseline of version 2, and this m31 knows 1",
        ),
        (b'{"m31_baseline": 1}', "b.json is no whole baseline"),
        (b'{"m31_baseline": "x"}', "b.json is no whole baseline"),
        (b'{"m31_baseline": 1,', "b.json is no whole baseline"),
        (b"\xff\xfe", "b.json is no whole baseline"),
        (b"[" * 100_000, "b.json is no whole baseline"),
    ],
)
def test_other_files_are_refused(content: bytes, said: str) -> None:
    """A damaged file, and one of a later version, say what they are and what to do."""
    with pytest.raises(NotThisFormat, match=said):
        read(content, "b.json")
