"""`m31 tools`, `cost`, `phases`, `heals`, `errors`: of one session, of all, by part."""

from __future__ import annotations

import json
from typing import Any

import pytest

from m31a_metrics.tables.columns import FLEET, PARTS
from m31a_metrics.tables.cost import PARTS as COST
from m31a_metrics.tables.errors import PARTS as ERRORS
from m31a_metrics.tables.heals import PARTS as HEALS
from m31a_metrics.tables.phases import PARTS as PHASES
from m31a_metrics.tables.sessions import PARTS as SESSIONS
from m31a_metrics.tables.tools import PARTS as TOOLS
from tests.cli.conftest import M31
from tests.cli.machine import FULL, SHELL

pytestmark = pytest.mark.usefixtures("sessions_dir", "in_utc")


def rows(said: tuple[int, str, str], key: str | None = None) -> list[dict[str, Any]]:
    """The rows of a table in JSON."""
    data = json.loads(said[1])
    return data if key is None else data[key]  # type: ignore[no-any-return] # what JSON says


def test_tools_of_all_and_of_one(m31: M31) -> None:
    """Without a name the tools of all sessions are added up, with one they are its own."""
    everything = {row["tool"]: row for row in rows(m31("tools", "--json"))}
    assert everything["Bash"]["call_count"] == 14
    assert everything["make"]["p50_ms"] == pytest.approx(9_000.5, rel=0.02)
    own = {row["tool"]: row for row in rows(m31("tools", FULL, "--json"))}
    assert set(own) == {"Bash", "Read"}
    assert own["Bash"]["call_count"] == 2
    assert own["Read"]["max_ms"] == 50
    assert "Tools of session 3f2a91c0" in m31("tools", "3f2").out


def test_cost_of_all_and_of_one(m31: M31) -> None:
    """Phases add up over sessions; models are those that journals name, the rest is a row."""
    everything = m31("cost", "--json")
    assert sum(row["cost_usd"] for row in rows(everything, "cost_by_phase")) == pytest.approx(0.338)
    models = [row["model"] for row in rows(everything, "cost_by_model")]
    assert models == ["large-1", "small-2", None, "local"]
    own = m31("cost", FULL, "--json")
    assert [row["model"] for row in rows(own, "cost_by_model")] == ["large-1", "small-2"]
    assert rows(own, "most_expensive_sessions") == []


def test_phases_of_all_and_of_one(m31: M31) -> None:
    """Of all sessions phases count outcomes; of one they have one."""
    everything = {row["phase"]: row for row in rows(m31("phases", "--json"), "phases")}
    assert everything["execute"]["session_count"] == 2
    assert everything["execute"]["duration_ms"] == 360_000
    assert everything["plan"]["call_count"] == 100
    own = {row["phase"]: row for row in rows(m31("phases", FULL, "--json"), "phases")}
    assert own["ship"]["success"] is False


def test_heals_of_all_and_of_one(m31: M31) -> None:
    """What was recorded of a heal is listed; what M31A only counted is in the rate."""
    everything = m31("heals", "--json")
    (heal,) = rows(everything, "self_heals")
    assert (heal["session_id"], heal["attempt_count"], heal["passed"]) == (FULL, 1, True)
    by_phase = {row["phase"]: row for row in rows(everything, "self_heals_by_phase")}
    assert by_phase["execute"]["heal_trigger_count"] == 3
    assert by_phase["execute"]["heal_rate"] == 1.0
    assert "What 2 of them were about was not recorded" in m31("heals").out
    assert rows(m31("heals", FULL, "--json"), "self_heals") == [heal]


def test_errors_of_all_and_of_one(m31: M31) -> None:
    """Each way to fail is a row with the sessions where it was seen."""
    lines = {row["line"]: row for row in rows(m31("errors", "--json"))}
    assert lines["make: *** [test] Error <n>"]["session_ids"] == SHELL
    assert lines["AssertionError: assert <n> == <n>"]["count"] == 1
    assert [row["tool"] for row in rows(m31("errors", "--tool", "make", "--json"))] == ["make"]
    assert [row["tool"] for row in rows(m31("errors", SHELL, "--json"))] == ["make"]
    assert "The first 1; see all: --all." in m31("errors", "--limit", "1").out
    assert "The first 1 of 3; see" in m31("errors", "--limit", "1", "--sort", "tool").out
    by_tool = rows(m31("errors", "--by", "tool", "--json"))
    assert [(row["tool"], row["fail_count"]) for row in by_tool] == [("Bash", 2), ("make", 1)]


@pytest.mark.parametrize("command", ["tools", "cost", "phases"])
def test_a_session_that_lacks_it_says_so(command: str, m31: M31) -> None:
    """A session without the thing asked for names itself and a command to try."""
    said = m31(command, SHELL)
    assert said.code == 0
    if command != "tools":
        assert "Session nightly has no " in said.out
        assert "`m31 record " in said.out


@pytest.mark.parametrize(
    ("command", "parts"),
    [
        ("sessions", SESSIONS),
        ("tools", TOOLS),
        ("cost", COST),
        ("phases", PHASES),
        ("heals", HEALS),
        ("errors", ERRORS),
    ],
)
def test_every_question_can_be_cut(command: str, parts: tuple[str, ...], m31: M31) -> None:
    """Each part that a question offers gives rows with that part first; a fleet has two more."""
    for part in parts:
        if part in FLEET:
            continue
        said = m31(command, "--by", part, "--json")
        assert (said.code, said.err) == (0, "")
        first = {next(iter(row)) for row in rows(said, None if said.out[0] == "[" else "phases")}
        assert first == {PARTS[part].name}, part


def test_the_sum_is_the_same_whatever_it_is_cut_into(m31: M31) -> None:
    """The line with the total is one for all parts, with --since as without."""
    for narrowed in ([], ["--since", "2026-06-18"]):
        lines = {
            next(
                line
                for line in m31("cost", "--by", part, *narrowed).out.splitlines()
                if "In all" in line
            )
            for part in COST
            if part not in FLEET
        }
        assert len(lines) == 1
    assert lines == {"In all $0.3000 for 50,500 tokens of 2 sessions."}


def test_the_trend_is_against_the_period_before(m31: M31, monkeypatch: pytest.MonkeyPatch) -> None:
    """Days before the slice, as many as it has, are what its tools are compared with."""
    monkeypatch.setenv("COLUMNS", "200")
    said = m31("tools", "--since", "2026-06-20", "--until", "2026-06-20", "--json")
    assert [(row["tool"], row["call_change"]) for row in rows(said)] == [
        ("Bash", None),
        ("Read", None),
    ]
    said = m31("tools", "--since", "2026-06-18", "--until", "2026-06-20", "--json")
    bash = next(row for row in rows(said) if row["tool"] == "Bash")
    assert bash["call_change"] == pytest.approx(2 / 12 - 1)
    assert bash["fail_rate_change"] == pytest.approx(1 / 2 - 1 / 12)
    people = m31("tools", "--since", "2026-06-18", "--until", "2026-06-20").out
    assert "Trends: against the 3 days before" in people
    assert "Calls trend" in people
    assert "trend" not in m31("tools").out


def test_rows_can_be_sorted_and_cut(m31: M31) -> None:
    """`--sort` takes names, heads and beginnings; `--limit` says what it left out."""
    names = [row["tool"] for row in rows(m31("tools", "--sort", "calls", "--json"))]
    assert names[0] == "Read"
    names = [row["tool"] for row in rows(m31("tools", "--sort", "-calls", "--json"))]
    assert names[-1] == "Read"
    cut = m31("tools", "--sort", "fail", "--limit", "1")
    assert "The first 1 of 4; see all: --all." in cut.out
    assert "make" in cut.out
    days = rows(m31("cost", "--by", "day", "--limit", "1", "--json"))
    assert [row["day"] for row in days] == ["2026-06-20"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tools", "--tool", "bash"], "No call of a tool 'bash' in 4 sessions. Did you mean Bash?"),
        (["errors", "--tool", "zzz"], "No call of a tool 'zzz' in 4 sessions. Leave it out"),
        (["cost", "--model", "large"], "No session used a model 'large'. Did you mean large-1?"),
        (
            ["tools", "--model", "zzz", "--agent", "m31a"],
            "No session fits --model --agent. Leave them out for all.",
        ),
    ],
)
def test_a_name_that_fits_nothing_names_the_nearest(
    arguments: list[str], words: str, m31: M31
) -> None:
    """An empty table says which name is unknown, and which may be meant."""
    said = m31(*arguments)
    assert said.code == 0
    assert words in said.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cost", "--by", "tool"], "cost cannot be grouped by tool; group by phase, model, day"),
        (["tools", "--by", "model"], "tools cannot be grouped by model; group by tool, day"),
        (["tools", "--by", "wek"], "there is no part 'wek'. Did you mean week?"),
        (["tools", "--sort", "fial_rate"], "Did you mean fail_rate?"),
        (["sessions", "--sort", "cozt"], "Did you mean cost_usd?"),
        (["tools", "--limit", "0"], "--limit"),
        (["tools", "--all", "--limit", "3"], "choose one"),
        (["tools", FULL, "--since", "7d"], "--since is for many sessions, not for one."),
        (["cost", "--model", ""], "it is empty"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(arguments: list[str], words: str, m31: M31) -> None:
    """Each mistake gets a sentence that names the nearest thing, and exit code 2."""
    said = m31(*arguments)
    assert said.code == 2
    assert words in " ".join(said.err.split())


def test_hours_and_minutes(m31: M31) -> None:
    """By hour the sum is that of the whole, for all sessions and for one; a bound cuts sums."""
    whole = rows(m31("cost", "--by", "agent", "--json"))
    hours = rows(m31("cost", "--by", "hour", "--json"))
    for name in ("total_tokens", "interaction_count"):
        assert sum(row[name] for row in hours) == sum(row[name] for row in whole)
    assert {row["hour"] for row in hours} >= {"2026-06-20T13:00+00:00"}
    (row,) = rows(m31("tools", SHELL, "--by", "hour", "--json"))
    assert (row["hour"], row["call_count"]) == ("2026-06-19T15:00+00:00", 3)
    bounds = ("--since", "2026-06-20T13:30", "--until", "2026-06-20T13:30:00.000051")
    (row,) = rows(m31("tools", *bounds, "--json"))
    assert (row["tool"], row["call_count"]) == ("Read", 50)
    assert m31("tools", "--since", "90m", "--json").out == "[]\n"
