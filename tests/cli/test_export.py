"""`m31 export csv|jsonl|parquet`: a home's sessions, for other programs."""

from __future__ import annotations

import csv
import json
import stat
from io import StringIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from m31a_metrics.cli.export import FORMATS
from m31a_metrics.cli.export.datasets import NAMES
from m31a_metrics.tables.datasets import DATASETS
from tests.cli.conftest import M31, Uninstall


def test_the_names_are_those_of_the_datasets() -> None:
    """The command knows them without importing what makes them."""
    assert tuple(DATASETS) == NAMES


@pytest.mark.usefixtures("sessions_dir")
@pytest.mark.parametrize("name", NAMES)
def test_all_forms_have_the_same_rows(m31: M31, tmp_path: Path, name: str) -> None:
    """CSV, JSON Lines and Parquet of one dataset: as many rows, with the same names."""
    as_csv = list(csv.DictReader(StringIO(m31("export", "csv", name).out, newline="")))
    as_json = [json.loads(line) for line in m31("export", "jsonl", name).out.splitlines()]
    file = tmp_path / "rows.parquet"
    said = m31("export", "parquet", name, "-o", str(file))
    table = pq.read_table(file)
    assert said.code == 0
    assert f"{len(as_csv):,} row" in said.err
    assert len(as_csv) == len(as_json) == table.num_rows > 0
    assert list(as_csv[0]) == list(as_json[0]) == table.column_names
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.usefixtures("sessions_dir")
def test_rows_add_up_to_what_the_commands_say(m31: M31) -> None:
    """Money and calls of sessions, days and events are those of `m31 sessions`."""
    said = json.loads(m31("sessions", "--json").out)
    cost = sum(row["cost_usd"] or 0 for row in said)
    calls = sum(row["call_count"] for row in said)

    def rows(name: str) -> list[dict[str, float]]:
        return [json.loads(line) for line in m31("export", "jsonl", name).out.splitlines()]

    for name in ("sessions", "llms", "phases"):
        assert sum(row["cost_usd"] for row in rows(name)) == pytest.approx(cost)
    for name in ("sessions", "tools", "phases"):
        assert sum(row["call_count"] for row in rows(name)) == calls


@pytest.mark.usefixtures("sessions_dir")
def test_a_slice_is_exported(m31: M31) -> None:
    """--tool and --since narrow the rows, of events by the moment."""
    lines = m31("export", "jsonl", "tools", "--tool", "make").out.splitlines()
    assert {json.loads(line)["tool"] for line in lines} == {"make"}
    every = m31("export", "jsonl", "events").out.splitlines()
    some = m31("export", "jsonl", "events", "--since", "2026-06-20T13:00").out.splitlines()
    assert 0 < len(some) < len(every)


def test_nothing_to_export(m31: M31, clean_home: Path) -> None:
    """A home without sessions gives a head, or nothing, and says so."""
    assert clean_home.is_dir()
    said = m31("export", "csv", "tools")
    assert (said.code, said.out.count("\n")) == (0, 1)


@pytest.mark.usefixtures("clean_home")
def test_a_dataset_that_there_is_not(m31: M31) -> None:
    """The choice is said."""
    said = m31("export", "csv", "tolls")
    assert said.code == 2
    assert "sessions" in said.err


@pytest.mark.usefixtures("sessions_dir")
def test_without_pyarrow(m31: M31, uninstall: Uninstall) -> None:
    """Parquet names the extra; CSV does without."""
    uninstall("m31a_metrics.exports.arrow", "pyarrow")
    said = m31("export", "parquet", "tools", "-o", "x.parquet")
    assert said.code != 0
    assert "m31a-metrics[parquet]" in said.err
    assert m31("export", "csv", "tools").code == 0


@pytest.mark.usefixtures("sessions_dir")
def test_a_file_that_cannot_be_written(m31: M31, tmp_path: Path) -> None:
    """One sentence names it, and nothing half written is left."""
    said = m31("export", "csv", "tools", "-o", str(tmp_path / "no" / "x.csv"))
    assert said.code == 4
    assert "x.csv" in said.err
    assert list(tmp_path.iterdir()) == []


def test_help_lists_the_formats(m31: M31) -> None:
    """Each with a line."""
    out = m31("export", "--help").out
    for name, (*_, line) in FORMATS.items():
        assert name in out
        assert line in out
