"""The tables of a period on a live screen: sums, phases, limits, sessions by their titles."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from m31a_metrics import budgets, events
from m31a_metrics.answers import PhaseRow, RateLimitRow, SessionRow, TotalsRow
from m31a_metrics.blocks import BLOCK_US, Block
from m31a_metrics.budgets import DAY, MONTH, USD, Limit, Limits, Use
from m31a_metrics.conversation import Title
from m31a_metrics.model import SessionDetail, SessionMetrics
from m31a_metrics.table import Table
from m31a_metrics.tables import live
from m31a_metrics.tables.budget import Budgeted
from m31a_metrics.tally.live import LiveTally
from m31a_metrics.timestamps import micros
from m31a_metrics.transcript import RateLimit, SessionRef
from m31a_metrics.units import HOUR_US, MINUTE_US, NANO_PER_USD, SECOND_US
from tests.tables.builders import NOW, column, records, session, tool

NOW_US = micros(NOW)
NO_LIMITS = Table("Limits", [])


def row(
    session_id: str, *, minutes_ago: int = 0, agent: str = "codex", **more: object
) -> SessionRow:
    """A session of the index; `native_id` is its id."""
    updated_us = NOW_US - minutes_ago * MINUTE_US
    made = SessionRow(agent, session_id, session_id, updated_us=updated_us, started_us=1)
    for name, value in more.items():
        setattr(made, name, value)
    return made


def running(session_id: str, project: str = "/srv/shop") -> live.Running:
    """One that called a tool in a phase that goes on."""
    tally = LiveTally(lambda _: None)
    tally.add(events.PhaseTransition(NOW_US - 60 * SECOND_US, "execute"))
    tally.add(events.ToolCall(NOW_US - 10 * SECOND_US, "Bash", False, 1_000))
    return live.Running(
        session_id, "claude-code", project, tally.metrics(session_id), tally.detail()
    )


def period(*rows: SessionRow, **more: object) -> live.Period:
    """A period of these sessions."""
    made = live.Period(TotalsRow(session_count=len(rows)), [], rows, NO_LIMITS)
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_sessions_are_called_by_their_titles() -> None:
    """The title, where the agent gave one, else how it began, else the beginning of its id."""
    rows = [row(f"{number:08d}-and-more", minutes_ago=number) for number in range(1, 4)]
    titles = {rows[0].ref: Title("Round coupons"), rows[1].ref: Title("", "A coupon of")}
    listed = live.sessions(period(*rows, titles=titles), [], NOW)
    assert column(listed, "title") == ["Round coupons", "A coupon of", "00000003"]
    assert column(listed, "session_id") == [one.session_id for one in rows]


def test_what_runs_has_the_figures_of_this_moment() -> None:
    """Followed and known to the index, it stands there once: with its title, phase and calls."""
    known = row("aaa", agent="claude-code", call_count=0, minutes_ago=3)
    over = row("bbb", minutes_ago=64, cost_nano=NANO_PER_USD, interaction_count=1)
    titles = {SessionRef("claude-code", "aaa"): Title("Round coupons")}
    listed = records(live.sessions(period(over, known, titles=titles), [running("aaa")], NOW))
    assert [one["title"] for one in listed] == ["Round coupons", "bbb"]
    first, second = listed
    assert (first["phase"], first["idle_ms"], first["call_count"]) == ("execute", 10_000, 1)
    assert (first["project"], first["fail_count"]) == ("shop", 1)
    assert (second["phase"], second["idle_ms"], second["cost_usd"]) == ("", 3_840_000, 1.0)


def test_what_runs_and_does_nothing_is_idle() -> None:
    """A session that waits for its person is in no phase, and is not over."""
    old = session("old", tools=[tool("Bash", 4, 1)])
    one = live.Running("old", "m31a", "", old, SessionDetail(), "it is damaged")
    listed = live.sessions(period(), [one], NOW)
    assert column(listed, "phase") == ["idle"]
    assert listed.notes == ["old: it is damaged"]


def test_a_period_without_sessions_says_how_to_see_more() -> None:
    """Neither a session nor a phase: both tables say so."""
    shown = live.glance(period(), [], NOW)
    assert (shown.running_count, shown.sessions.rows, shown.phases.rows) == (0, [], [])
    assert "`t`" in shown.sessions.empty
    assert "m31 run" in shown.sessions.empty


def test_phases_make_one_bar() -> None:
    """In the order of work, each as wide as its share; what had no time is left out."""
    phases = [
        PhaseRow("verify", active_us=3 * HOUR_US),
        PhaseRow("explore", active_us=HOUR_US),
        PhaseRow("ship"),
    ]
    shown = live.glance(period(phases=phases), [], NOW)
    bar = records(shown.timeline)
    assert [(one["phase"], one["began_share"], one["width_share"]) for one in bar] == [
        ("explore", 0.0, 0.25),
        ("verify", 0.25, 0.75),
    ]
    assert [one[0] for one in shown.phases.rows] == ["explore", "verify"]


def test_cards_add_the_period_up() -> None:
    """As the cards of one session, with the sessions in place of how long it lasted."""
    totals = TotalsRow(
        session_count=2,
        call_count=30,
        fail_count=3,
        interaction_count=9,
        total_tokens=900,
        cost_nano=6 * NANO_PER_USD,
        active_us=HOUR_US // 2,
        heal_trigger_count=1,
        heal_success_count=1,
    )
    (cards,) = records(live.glance(period(totals=totals), [], NOW).cards)
    assert (cards["active_ms"], cards["session_count"]) == (1_800_000, 2)
    assert (cards["cost_usd"], cards["cost_per_hour_usd"]) == (6.0, 12.0)
    assert (cards["calls_per_minute"], cards["fail_rate"]) == (1.0, 0.1)


def budgeted(scope: str, used_usd: int, limit_usd: int) -> Budgeted:
    """A day or a month with a limit, of which so much is used; one session runs."""
    limits = Limits((Limit(scope, USD, limit_usd * NANO_PER_USD),))
    use = Use(used_usd * NANO_PER_USD, active_us=HOUR_US)
    verdict = budgets.judge(limits, {scope: use}, ())
    return Budgeted(scope, "2026-06", use, verdict, 1, NOW_US + 5 * HOUR_US)


def told(name: str, minutes: int, *, resets_us: int = NOW_US + HOUR_US) -> RateLimitRow:
    """What Codex was told of one of its windows."""
    return RateLimitRow("codex", RateLimit(name, 40.0, minutes, resets_us))


def test_limits_stand_by_their_worth() -> None:
    """The day first, windows of hours, the month, longer windows; each with what is known."""
    block = Block(NOW_US - HOUR_US, NOW_US - HOUR_US + BLOCK_US, NOW_US - HOUR_US, NOW_US)
    block.cost_nano = 2 * NANO_PER_USD
    table = live.limits(
        [budgeted(MONTH, 30, 200), budgeted(DAY, 12, 10)],
        {"claude-code": block, "codex": block},
        [told("secondary", 7 * 24 * 60), told("primary", 300)],
        NOW_US,
    )
    by_name = {one["limit"]: one for one in records(table)}
    assert list(by_name) == [
        "budget today",
        "codex 5 h",
        "claude-code block",
        "budget this month",
        "codex 7 d",
    ]
    today, month = by_name["budget today"], by_name["budget this month"]
    assert (today["used"], today["of"], today["left"]) == (12.0, 10.0, 0.0)
    assert today["used_share"] == pytest.approx(1.2)
    assert (month["left"], month["ends_ms"]) == (170.0, 5 * 3_600_000)
    assert (by_name["codex 5 h"]["used_share"], by_name["codex 5 h"]["ends_ms"]) == (
        0.4,
        3_600_000,
    )
    window = by_name["claude-code block"]
    assert (window["used"], window["at_end"], window["used_share"]) == (2.0, 10.0, None)


def test_limits_that_began_anew_are_left_out() -> None:
    """What an agent was told of a window that is over says nothing of the next."""
    table = live.limits([], {}, [told("primary", 300, resets_us=NOW_US - 1)], NOW_US)
    assert table.rows == []
    one = told("weekly", 0, resets_us=0)
    assert column(live.limits([], {}, [one], NOW_US), "limit") == ["codex weekly"]


def test_times_that_are_no_dates_are_listed() -> None:
    """At both ends of the calendar, running or not."""
    metrics = SessionMetrics("a", datetime.min.replace(tzinfo=NOW.tzinfo), NOW + timedelta(days=9))
    far = row("b", updated_us=2**62)
    one = live.Running("a", "m31a", "", metrics, SessionDetail())
    assert len(live.sessions(period(far), [one], NOW).rows) == 2
