"""`m31 compare`: sides named in a word, verdicts over sessions on disk, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli import two_months
from tests.cli.conftest import M31, Said


@pytest.fixture(autouse=True)
def months(clean_home: Path, in_utc: None) -> Path:
    """The default place of sessions, with those of two months in it."""
    directory = clean_home / ".m31a" / "sessions"
    two_months.record(directory)
    return directory


def metrics(said: Said) -> dict[str, dict[str, Any]]:
    """The rows of the comparison in JSON, by metric."""
    assert said.code == 0, said.err
    return {row["metric"]: row for row in json.loads(said.out)}


def test_slice_against_slice(m31: M31) -> None:
    """June is dearer and fails more than May, and of what is alike nothing is said."""
    rows = metrics(m31("compare", "2026-06", "2026-05", "--json"))
    assert rows["sessions"]["a"] == rows["sessions"]["b"] == two_months.COUNT
    assert rows["cost"]["verdict"] == "worse"
    assert rows["cost"]["a"] == pytest.approx(2.035)
    assert rows["tool.Bash.fail_rate"]["a"] == 0.5
    assert rows["tool.Bash.fail_rate"]["verdict"] == "worse"
    assert rows["tool.Bash.p95"]["verdict"] == "same"
    assert rows["tokens"]["change"] == 0
    assert rows["phase.verify.time_share"]["a"] == 1
    back = metrics(m31("compare", "2026-05", "2026-06", "--json"))
    assert back["cost"]["verdict"] == "better"
    assert back["cost"]["difference_low"] == -rows["cost"]["difference_high"]


def test_a_period_against_the_one_before(m31: M31) -> None:
    """Without B it is the period before, just as long, and the title says which."""
    said = m31("compare", "2026-06-01..2026-06-30")
    assert said.code == 0, said.err
    assert said.out.startswith("2026-06-01..2026-06-30 against the 30 days before\n")
    assert "worse" in said.out


def test_session_against_session(m31: M31) -> None:
    """Two sessions stand side by side, and no word about noise is said."""
    rows = metrics(m31("compare", "june-0", "may-0", "--json"))
    assert rows["cost"]["difference"] == pytest.approx(1.5)
    assert "verdict" not in rows["cost"]


def test_session_against_slice(m31: M31) -> None:
    """One session does not scatter: too few."""
    rows = metrics(m31("compare", "june-0", "2026-05", "--json"))
    assert rows["cost"]["verdict"] == "too few"
    assert (rows["cost"]["a_session_count"], rows["cost"]["b_session_count"]) == (1, 8)


def test_options_narrow_both_sides(m31: M31) -> None:
    """An agent that has no session here leaves nothing to compare; said twice it is refused."""
    said = m31("compare", "2026-06", "2026-05", "--agent", "m31a", "--json")
    assert metrics(said)["sessions"]["a"] == two_months.COUNT
    said = m31("compare", "2026-06", "2026-05", "--agent", "codex")
    assert said.code == 3
    assert "no session is in '2026-06'" in said.err
    said = m31("compare", "2026-06", "2026-05", "--since", "7d")
    assert said.code == 2
    assert "narrowed twice by since" in said.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("branch=main",), 2, "Compare branch=main with what?"),
        (("june-0",), 2, "Compare june-0 with what?"),
        (("12h",), 2, "Only whole days"),
        (("brnch=main", "all"), 2, "Did you mean branch?"),
        (("agent=codx", "all"), 2, "'codx' is not one of 'm31a', "),
        (("nobody", "all"), 3, "nobody"),
        (("2025", "all"), 3, "2025"),
        (("2025-01", "all"), 3, "no session is in '2025-01'"),
    ],
)
def test_what_cannot_be_compared_says_why(
    arguments: tuple[str, ...], code: int, words: str, m31: M31
) -> None:
    """Wrong usage is 2, what is not there 3, each with a sentence that names it."""
    said = m31("compare", *arguments)
    assert said.code == code
    assert words in said.err
    assert said.out == ""
