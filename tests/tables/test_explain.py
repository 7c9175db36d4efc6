"""A session call by call, as a person and as a program gets it."""

from __future__ import annotations

from m31a_metrics.table import Cell, Table
from m31a_metrics.tables.explain import BisectRow, CallRow, Explained, HealRow, explain


def explained() -> Explained:
    calls = [
        CallRow("Bash", "verify", "pytest: checks", "toolu_1", False, True, 1_500.0, 20.0),
        CallRow("Edit", "execute", "edits", "toolu_2", True, False, 5.0),
        CallRow("Bash", "verify", "pytest: checks", "toolu_3", True),
    ]
    heal = HealRow(
        "toolu_1", ["toolu_2"], "toolu_3", True, "pytest", "verify", 1, False, 9e3, 70, 0.2
    )
    open_heal = HealRow("toolu_9", [], "", None, "", "verify", 2, True, 0.0, 0, None)
    return Explained("s1", calls, [heal, open_heal], [BisectRow(["toolu_3"], True, "verify", 5.0)])


def column(table: Table, name: str) -> list[Cell]:
    at = [one.name for one in table.columns].index(name)
    return [row[at] for row in table.rows]


def test_a_program_gets_ids() -> None:
    """Every column is there, and calls are named as the agent named them."""
    calls, heals, bisects = explain(explained(), whole=True)
    assert [table.title for table in (calls, heals, bisects)] == ["Calls", "Heals", "Bisects"]
    assert column(calls, "id") == ["toolu_1", "toolu_2", "toolu_3"]
    assert column(calls, "rule")[1] == "edits"
    assert column(heals, "failed") == ["toolu_1", "toolu_9"]
    assert column(heals, "edits") == [["toolu_2"], []]
    assert column(heals, "rerun") == ["toolu_3", None]
    assert column(heals, "cost") == [0.2, None]
    assert column(bisects, "calls") == [["toolu_3"]]


def test_an_unsure_phase_is_shown_as_such() -> None:
    """A person sees which phases may be read otherwise, a program gets it of each call."""
    found = explained()
    assert "sure" not in [one.name for one in explain(found, whole=False)[0].columns]
    found.calls[0].sure = False
    calls = explain(found, whole=False)[0]
    assert column(calls, "sure") == ["no", None, None]
    assert any("1 (Sure: no)" in note for note in calls.notes)
    assert column(explain(found, whole=True)[0], "sure") == [False, True, True]


def test_a_person_gets_numbers() -> None:
    """On a screen calls are numbered, columns that are empty are left out, and a note says so."""
    calls, heals, bisects = explain(explained(), whole=False)
    assert column(calls, "number") == [1, 2, 3]
    assert "id" not in [one.name for one in calls.columns]
    assert "subagent" not in [one.name for one in calls.columns]
    assert column(heals, "failed") == ["1", "toolu_9"]
    assert column(heals, "edits") == ["2", ""]
    assert column(bisects, "calls") == ["3"]
    assert "s1" in calls.notes[0]
    assert "Heal loops: 1" in calls.notes[1]


def test_nothing_is_explained_by_a_sentence() -> None:
    """A session without calls says so, and has neither heals nor bisects."""
    calls, heals, bisects = explain(Explained("s1"), whole=False)
    assert calls.empty
    assert [calls.rows, heals.rows, bisects.rows] == [[], [], []]
