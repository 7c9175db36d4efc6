"""The public door for Python: the commands' questions, with their names, options and columns."""

from __future__ import annotations

import csv
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from m31a_metrics import Collector, Usage, query
from m31a_metrics.cli.app import COMMANDS
from m31a_metrics.errors import SessionNotFound

MAIN = "import sys; from m31a_metrics.cli import main; sys.exit(main())"
ASKED = {"sessions", "tools", "cost", "phases", "heals", "errors", "audit"}
"""What can be asked of a slice as it stands."""


@pytest.fixture
def machine(clean_home: Path) -> Iterator[query.Machine]:
    """A machine with two recorded sessions."""
    for name, failed in (("one", False), ("two", True)):
        with Collector(name, clean_home / ".m31a" / "sessions") as collector:
            with collector.phase("verify"):
                collector.record_tool_call(
                    "Bash", not failed, 12.5, error="Error: no" if failed else None
                )
            collector.record_llm_interaction("verify", Usage(10, 2), 0.5, model="m")
    with query.open() as opened:
        yield opened


@pytest.mark.parametrize("name", sorted(ASKED))
def test_a_question_answers_what_its_command_does(machine: query.Machine, name: str) -> None:
    """Same columns and rows as `m31 NAME --json`."""
    told = subprocess.run(
        [sys.executable, "-c", MAIN, name, "--json"], check=True, capture_output=True, text=True
    )
    assert json.loads(getattr(machine, name)().to_json()) == json.loads(told.stdout)


def test_every_question_of_the_command_line_is_a_method() -> None:
    """What a command asks, a script can ask."""
    not_questions = {
        "baseline", "completion", "demo", "doctor", "import", "index", "prune", "record",
        "export", "grep", "open", "report", "run", "serve", "show", "watch", "forget",
        "setup", "hooks", "mcp", "statusline", "collect", "otlp", "fleet", "push",
    }  # fmt: skip
    missing = [name for name in COMMANDS if name not in not_questions]
    assert [name for name in missing if not hasattr(query.Machine, name)] == []
    assert hasattr(query.Session, "show")


def test_a_table_as_arrow(machine: query.Machine) -> None:
    """The same columns and figures, units beside them."""
    table = machine.tools()
    made = table.to_arrow()
    assert made.column_names == table.columns
    assert made["call_count"].to_pylist() == [row.call_count for row in table]
    assert made.schema.field("p95_ms").metadata[b"unit"] == b"ms"


def test_rows_have_the_names_of_their_columns(machine: query.Machine) -> None:
    """Iterating, indexing, dictionaries and CSV all tell the same."""
    table = machine.tools()
    (row,) = table
    assert (row.tool, row.call_count, row.fail_count) == ("Bash", 2, 1)
    assert table[0] == row
    assert len(table) == 1
    assert table.to_dicts() == [row._asdict()]
    head, cells = csv.reader(StringIO(table.to_csv(), newline=""))
    assert head == table.columns
    assert cells[0] == "Bash"
    assert table.units["p95_ms"] == "ms"
    assert "Bash" not in repr(table)


def test_an_answer_has_its_sentence(machine: query.Machine) -> None:
    """The one that stands above the table on a terminal."""
    assert machine.sessions().answer.startswith("$")


def test_an_answer_of_several_tables_has_them_by_name(machine: query.Machine) -> None:
    """The first is the answer itself; the others stand beside it, as in `--json`."""
    cost = machine.cost()
    assert cost.tables.keys() == json.loads(cost.to_json()).keys()
    assert cost.tables["cost_by_phase"].to_dicts() == cost.to_dicts()
    assert [row.model for row in cost.tables["cost_by_model"]] == ["m"]


def test_a_slice_narrows_a_question(machine: query.Machine) -> None:
    """Times and names are written as for the commands; what is none is refused."""
    assert len(machine.sessions(text="two")) == 1
    assert len(machine.sessions(since="7d")) == 2
    assert len(machine.sessions(until="2020-01-01")) == 0
    with pytest.raises(ValueError, match="is no time"):
        machine.tools(since="yesteryear")
    with pytest.raises(TypeError):
        machine.tools(colour="red")


def test_one_session_is_found_as_the_commands_find_it(machine: query.Machine) -> None:
    """By id, beginning, path or `last`; its sums, its events and its explanation."""
    for name in ("two", "tw", "last", str(Path(machine.settings.sessions_dir) / "two")):
        one = machine.session(name)
        assert one.session_id == "two", name
        assert [(row.tool, row.fail_count) for row in one.tools()] == [("Bash", 1)], name
    assert one.metrics.tools[0].fail_count == 1
    assert one.detail.durations[0].count == 1
    assert [row.tool for row in machine.session("two").explain()] == ["Bash"]
    assert one.show().tables["session"][0].call_count == 1
    with pytest.raises(SessionNotFound):
        machine.session("three")


def test_two_sides_are_compared_and_held_to_limits(machine: query.Machine) -> None:
    """Sessions and slices alike; without a second side there must be a period before."""
    metrics = {row.metric: (row.a, row.b) for row in machine.compare("two", "one")}
    assert metrics["fail_rate"] == (1.0, 0.0)
    kept = {
        row.limit: row.success for row in machine.gate("all", most=["cost=5"], least=["cost=2"])
    }
    assert list(kept.values()) == [False, True], kept
    with pytest.raises(ValueError, match="compare all with what"):
        machine.compare("all")


def test_a_directory_of_sessions_is_asked_alone(clean_home: Path, tmp_path: Path) -> None:
    """Nothing else of the machine is looked at, and no index is written."""
    with Collector("only", tmp_path) as collector:
        collector.record_tool_call("Bash", True, 1)
    with query.open(tmp_path) as machine:
        assert [row.session_id for row in machine.sessions()] == ["only"]
    assert not (clean_home / ".m31a" / "metrics.db").exists()
    with pytest.raises(SessionNotFound):
        query.open(tmp_path / "absent")


def test_agents_narrow_every_question(machine: query.Machine) -> None:
    """Sessions of others do not count."""
    with query.open(agents=["codex"]) as only:
        assert len(only.sessions()) == 0
    with query.open(agents=["m31a"]) as only:
        assert len(only.sessions()) == 2


def test_agents_go_by_what_people_call_them(clean_home: Path) -> None:
    """As on the command line; a name that no agent has is an error, and no empty answer."""
    with Collector("one", clean_home / ".m31a" / "sessions", agent="claude-code") as collector:
        collector.record_tool_call("Bash", True, 12.5)
    with query.open(agents=["claude"]) as machine:
        assert [row["agent"] for row in machine.sessions().to_dicts()] == ["claude-code"]
    with query.open() as machine:
        assert len(machine.sessions(agents=["claude"])) == 1
        with pytest.raises(ValueError, match="'clawd' is not one of"):
            machine.sessions(agents=["clawd"])


def test_what_is_closed_cannot_be_asked(machine: query.Machine) -> None:
    """It says how to open it."""
    machine.close()
    with pytest.raises(ValueError, match=r"with query.open\(\)"):
        machine.tools()
    machine.refresh()
    assert len(machine.tools()) == 1


def test_every_public_name_is_documented() -> None:
    """Each method says what it answers."""
    for owner in (query.Machine, query.Session, query.Table):
        for name, member in inspect.getmembers(owner, inspect.isfunction):
            assert name.startswith("_") or member.__doc__, f"{owner.__name__}.{name}"
