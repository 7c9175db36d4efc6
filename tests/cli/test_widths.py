"""What people see at 60, 80, 120 and 200 cells and in a pipe, as files that a person can read.

tests/cli/golden/widths/*.txt, byte for byte. After a change on purpose:
M31_WRITE_GOLDEN=1 python -m pytest tests/cli/test_widths.py, and read the diff.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics.cli import main
from m31a_metrics.cli.options import question
from m31a_metrics.cli.options import slices as options_slices
from m31a_metrics.table import Table
from m31a_metrics.tables import written
from m31a_metrics.views import grid, text
from m31a_metrics.views.grid import Grid, GridColumn
from m31a_metrics.views.names import width_of
from tests.cli import machine, several_agents
from tests.cli.several_agents import HEALED, NOW

GOLDEN = Path(__file__).parent / "golden" / "widths"
WIDTHS = (60, 80, 120, 200, None)
"""None is a pipe."""

CASES = {
    "glance": [],
    "today": ["today"],
    "sessions": ["sessions"],
    "sessions_by_project": ["sessions", "--by", "project"],
    "show": ["show", HEALED],
    "tools": ["tools"],
    "tools_since": ["tools", "--since", "3d"],
    "cost": ["cost"],
    "cost_by_day": ["cost", "--by", "day"],
    "phases": ["phases"],
    "grep": ["grep", "hello"],
    "heals": ["heals"],
    "errors": ["errors"],
    "explain": ["explain", HEALED],
    "audit": ["audit"],
    "blocks": ["blocks"],
    "budget": ["budget"],
    "compare": ["compare", "agent=my-bot", "agent=codex"],
    "compare_all": ["compare", "agent=my-bot", "agent=codex", "--all"],
}

NOTHING = re.compile(r"0|0%|0 ms|\$0\.00|\N{EN DASH}|no|")
"""A cell that counts nothing."""

Ask = Callable[..., str]


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def ask(clean_home: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Ask a question at a width; what it writes to stdout."""
    several_agents.record(clean_home)
    for module in (question, options_slices):
        monkeypatch.setattr(module, "now", lambda *_: NOW)
    monkeypatch.setenv("NO_COLOR", "1")

    def asked(*arguments: str, width: int | None = None) -> str:
        out = io.StringIO() if width is None else Terminal()
        if width is None:
            monkeypatch.delenv("COLUMNS", raising=False)
        else:
            monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr(sys, "argv", ["m31", *arguments])
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", out)
            patched.setattr(out, "reconfigure", lambda **_: None, raising=False)
            assert main() == 0
        drawn = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())
        lines = (line.rstrip() for line in drawn.replace(str(clean_home), "~").splitlines())
        return "".join(f"{line}\n" for line in lines)

    return asked


@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("in_utc")
def test_at_every_width(name: str, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is wider than the terminal, no column counts nothing, and all is as it was."""
    drawn_columns: list[GridColumn] = []

    def fit(table: Table, width: int | None) -> Grid:
        fitted = grid.fit(table, width)
        drawn_columns.extend(fitted.columns[1:])
        return fitted

    monkeypatch.setattr(text, "fit", fit)
    drawn = {width: ask(*CASES[name], width=width) for width in WIDTHS}
    for width, page in drawn.items():
        assert max(map(width_of, page.splitlines())) <= (width or text.READING_WIDTH)
    # A place is no count: that of a file's beginning is "0".
    counting = [one for one in drawn_columns if one.head != "Place"]
    assert [one.head for one in counting if all(map(NOTHING.fullmatch, one.cells))] == []
    assert drawn_columns
    whole = "".join(f"=== {width or 'piped'}\n{page}" for width, page in drawn.items())
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("M31_WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(whole, encoding="utf-8")
    assert whole == path.read_text(encoding="utf-8"), "on purpose? then: M31_WRITE_GOLDEN=1"


@pytest.mark.parametrize("name", [HEALED, machine.FULL, machine.M31A, "codex-0"])
@pytest.mark.usefixtures("in_utc")
def test_a_session_fits_a_terminal(name: str, ask: Ask) -> None:
    """Of one session nothing is hidden at 80 cells, nor at 120."""
    for width in (80, 120):
        assert "Hidden for lack of width" not in ask("show", name, width=width)


def _sentence(page: str) -> str:
    """What stands between the title and the first table, in a pipe."""
    return page.split("\n")[1]


def _sum(rows: list[dict[str, Any]], name: str) -> Any:
    return sum(row[name] or 0 for row in rows)


def _failing(rows: list[dict[str, Any]]) -> str:
    worst = max(rows, key=lambda row: (row["fail_count"], -row["call_count"]))
    rate = written.percent(worst["fail_count"] / worst["call_count"])
    return f"{worst['tool']} failed {rate} of {worst['call_count']} calls"


def _healed(rows: list[dict[str, Any]]) -> str:
    begun, passed = _sum(rows, "heal_trigger_count"), _sum(rows, "heal_success_count")
    return f"{begun} heal{'' if begun == 1 else 's'}, {passed} passed"


def _of_sessions(data: list[dict[str, Any]]) -> list[str]:
    most = max(data, key=lambda row: row["cost_usd"] or 0)
    return [
        f"{written.usd(_sum(data, 'cost_usd'))} in {len(data)} sessions",
        f"the most in {most['session_id']}, {written.usd(most['cost_usd'])}",
        f"{_sum(data, 'fail_count')} of {_sum(data, 'call_count')} calls failed",
        _healed(data),
    ]


def _of_glance(data: dict[str, Any]) -> list[str]:
    today, week, _ = data["totals"]
    return [
        f"{written.usd(week['cost_usd'])} in {week['session_count']} sessions in the last 7 days",
        f"{written.usd(today['cost_usd'])} today",
        _failing(data["most_failing_tools"]),
        f"{week['heal_trigger_count']} heals",
    ]


def _of_show(data: dict[str, Any]) -> list[str]:
    (row,) = data["session"]
    return [
        (
            f"{written.usd(row['cost_usd'])} for {row['call_count']} calls in "
            f"{written.ms(row['active_ms'])} active"
        ),
        _failing(data["tools"]),
        _healed(data["session"]),
    ]


def _of_tools(data: list[dict[str, Any]]) -> list[str]:
    ran_ms = _sum(data, "ran_ms")
    most = max(data, key=lambda row: row["ran_ms"] or 0)
    return [
        f"{_sum(data, 'call_count')} calls",
        (
            f"they ran {written.ms(ran_ms)}, {written.percent(most['ran_ms'] / ran_ms)} of it "
            f"{most['tool']}"
        ),
        _failing(data),
    ]


def _of_cost(data: dict[str, Any]) -> list[str]:
    rows = data["cost_by_phase"]
    cost_usd, most = _sum(rows, "cost_usd"), max(rows, key=lambda row: row["cost_usd"] or 0)
    return [
        f"{written.usd(cost_usd)} for {written.tokens(_sum(rows, 'total_tokens'))} tokens",
        (
            f"the most in {most['phase'] or chr(0x2013)}, {written.usd(most['cost_usd'])} "
            f"({written.percent(most['cost_usd'] / cost_usd)})"
        ),
    ]


def _of_phases(data: dict[str, Any]) -> list[str]:
    rows = data["phases"]
    longest = max(rows, key=lambda row: row["duration_ms"] or 0)
    active_ms = _sum(rows, "duration_ms")
    return [
        (
            f"{written.ms(active_ms)} active, "
            f"{written.percent(longest['duration_ms'] / active_ms)} of it in {longest['phase']}"
        ),
        _healed(data["self_heals_and_bisects"]),
    ]


def _of_heals(data: dict[str, Any]) -> list[str]:
    rows = data["self_heals_by_phase"]
    return [
        _healed(rows),
        f"they took {written.ms(_sum(rows, 'heal_duration_ms'))}",
        f"they cost {written.usd(_sum(rows, 'cost_usd'))}",
    ]


def _of_errors(data: list[dict[str, Any]]) -> list[str]:
    known = next(row for row in data if row["line"])
    return [
        f"{_sum(data, 'count')} of ",
        f"of {known['tool']}, came {known['count']} times in {known['session_count']} sessions",
    ]


def _of_explain(data: dict[str, Any]) -> list[str]:
    calls = data["calls"]
    failed = sum(call["success"] is False for call in calls)
    passed = sum(heal["passed"] is True for heal in data["heals"])
    return [
        f"{len(calls)} calls",
        f"{failed} failed",
        f"{len(data['heals'])} heal, {passed} passed",
    ]


def _of_audit(data: dict[str, Any]) -> list[str]:
    rows = data["tokens_by_day"]
    return [f"{_sum(rows, 'total_tokens'):,} tokens of ", f"${_sum(rows, 'cost_usd'):,.4f}."]


def _of_blocks(data: dict[str, Any]) -> list[str]:
    return [
        f"{row['agent']} has used {written.usd(row['cost_usd'])}, {written.ms(row['left_ms'])} left"
        for row in data["active_blocks"]
    ]


def _of_budget(data: list[dict[str, Any]]) -> list[str]:
    words = {"day": "today", "month": "this month"}
    return [f"{written.usd(row['used'])} used {words[row['scope']]}" for row in data]


def _of_compare(data: list[dict[str, Any]]) -> list[str]:
    judged = [row for row in data if row["verdict"] is not None]
    found = [row for row in judged if row["verdict"] in ("better", "worse", "higher", "lower")]
    named = [
        f"{row['metric']} {written.signed_percent(row['change'])}, {row['verdict']}"
        for row in found
    ]
    verb = "differs" if len(found) == 1 else "differ"
    return [f"{len(found)} of {len(judged)} metrics {verb}: {'; '.join(named)}."]


TRUE: dict[str, Callable[[Any], list[str]]] = {
    "glance": _of_glance,
    "sessions": _of_sessions,
    "show": _of_show,
    "tools": _of_tools,
    "cost": _of_cost,
    "phases": _of_phases,
    "heals": _of_heals,
    "errors": _of_errors,
    "explain": _of_explain,
    "audit": _of_audit,
    "blocks": _of_blocks,
    "budget": _of_budget,
    "compare": _of_compare,
}


@pytest.mark.parametrize("name", TRUE)
@pytest.mark.usefixtures("in_utc")
def test_the_sentence_is_true(name: str, ask: Ask) -> None:
    """Each of its figures is that of the rows that a program gets, one or several added up."""
    page = ask(*CASES[name], width=400)
    said = _sentence(page)
    clauses = TRUE[name](json.loads(ask(*CASES[name], "--json")))
    assert clauses
    assert [clause for clause in clauses if clause not in said] == []
