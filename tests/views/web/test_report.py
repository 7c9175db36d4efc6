from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from m31a_metrics.errors import ExtraNotInstalled
from m31a_metrics.events import Event, LLMInteraction, ToolCall
from m31a_metrics.model import Usage
from m31a_metrics.tables.timeline import timeline
from m31a_metrics.views.web.assets import assets
from m31a_metrics.views.web.pages import Page
from m31a_metrics.views.web.report import ROWS_MAX, report

NOW = datetime(2026, 6, 20, 15, 30, tzinfo=UTC)
SIZE_MAX = 4_000_000


def long_session() -> list[Event]:
    """More calls than a timeline shows, with failures and names as long as they get."""
    events: list[Event] = []
    for number in range(6_000):
        t_us = 1_780_000_000_000_000 + number * 1_000_000
        name = f"mcp__a_server_with_a_long_name__tool_{number % 30}"
        error = "<path>: line <n>: something went wrong that takes a whole line to tell"
        failed = number % 7 == 0
        events.append(
            ToolCall(
                t_us=t_us,
                name=name,
                success=not failed,
                duration_ms=number,
                error=error if failed else None,
            )
        )
        usage = Usage(30_000, 400)
        events.append(
            LLMInteraction(t_us=t_us, phase="execute", usage=usage, cost=0.01, model="opus")
        )
    return events


def test_a_long_session_fits_into_a_mail() -> None:
    """The largest timeline that is drawn, and its tables, stay under 4 MB."""
    page = Page("session", "one", timeline(long_session(), lambda _: None, ()))
    written = report([page], "one", NOW)
    assert len(written.encode()) < SIZE_MAX
    assert f"The first {ROWS_MAX} of" in written


def test_a_report_asks_nobody() -> None:
    """Its policy lets it connect nowhere, and no element of it loads anything."""
    written = report([Page("tools", "Tools", [])], "one", NOW)
    head = written.partition("<style>")[0]
    assert "default-src &#39;none&#39;" in head
    assert "connect-src" not in head
    assert not re.search(r"<(?:script|link|img|iframe)[^>]*\b(?:src|href)=", written)


def test_without_plotly_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is told as everywhere, with both lines that install it."""
    monkeypatch.setattr("m31a_metrics.views.web.assets.find_spec", lambda _: None)
    with pytest.raises(ExtraNotInstalled, match=r"needs the extra `web`: pip install"):
        assets.__wrapped__()
