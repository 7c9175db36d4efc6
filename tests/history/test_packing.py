"""Rows of the rollups: each sum stands in the row of its day, its month, and of all projects."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.history import MEMORY, History
from m31a_metrics.history.packing import Place, Rollups, spread
from m31a_metrics.queries.tables import DAY, EVERY, MONTH

days = st.dictionaries(
    st.tuples(
        st.sampled_from(["/a", "/b"]),
        st.sampled_from(["pi", "codex"]),
        st.sampled_from(["", "2026-01-01", "2026-01-31", "2026-02-01"]),
    ),
    st.dictionaries(st.sampled_from("xyz"), st.integers(-9, 9), min_size=1),
)


@given(days)
def test_sums_are_spread_upwards(held: dict[tuple[str, str, str], dict[str, int]]) -> None:
    """Each row holds, by name, what all days of projects that belong to it hold."""
    expected: dict[Place, dict[str, int]] = {}
    for (project, agent, day), names in held.items():
        for scope in (project, EVERY):
            for grain, span in ((DAY, day), (MONTH, day[:7])):
                row = expected.setdefault((scope, grain, span, agent), {})
                for name, value in names.items():
                    row[name] = row.get(name, 0) + value
    before = {day: dict(names) for day, names in held.items()}
    assert spread(held, sum) == expected
    assert held == before


def test_a_row_without_cells_goes() -> None:
    """A row is found as it was put, also before it is written; an empty one is removed."""
    place = ("/a", DAY, "2026-01-01", "pi")
    with History(MEMORY) as history, history.batch():
        rollups = Rollups(history.connection)
        rollups.row(place)["tool_days"] = b"x"
        assert rollups.row(place)["tool_days"] == b"x"
        rollups.write()
        again = Rollups(history.connection)
        assert again.row(place)["tool_days"] == b"x"
        again.row(place)["tool_days"] = b""
        again.write()
        assert not history.connection.execute("SELECT 1 FROM rollups").fetchall()
