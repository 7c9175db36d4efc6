"""Ids and paths as short as they can be and still be told apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.answers import ToolRow
from m31a_metrics.tables.columns import TIMES
from m31a_metrics.tables.names import day_name, last_part, named, shortened, tails
from m31a_metrics.tables.sessions import known_time
from m31a_metrics.units import YEAR_1971_US

PATHS = st.lists(st.text("ab/\\", max_size=8), unique=True, max_size=10)


@given(st.lists(st.text("abc-0", min_size=1, max_size=14), unique=True, max_size=12))
def test_short_ids_name_one_session(names: list[str]) -> None:
    """Each is a beginning of its id and of no other; recorded ones stay whole."""
    shorter = shortened(("codex", name) for name in names)
    for name in names:
        assert name.startswith(shorter[name])
        if shorter[name] != name:
            assert [one for one in names if one.startswith(shorter[name])] == [name]
    assert shortened(("m31a", name) for name in names) == {name: name for name in names}


def test_projects_are_called_by_their_last_part() -> None:
    """Where two projects end alike, as much of the path is shown as tells them apart."""
    assert tails(["/a/web/app", "/b/web/app", "/b/lib", "C:\\src\\lib2", "", "/"]) == {
        "/a/web/app": "a/web/app",
        "/b/web/app": "b/web/app",
        "/b/lib": "lib",
        "C:\\src\\lib2": "lib2",
        "": "",
        "/": "/",
    }
    assert tails(["/x", "/a/x"]) == {"/x": "x", "/a/x": "a/x"}
    assert last_part("/src/some/lib/") == "lib"
    assert last_part("") == ""


@given(PATHS)
def test_tails_are_ends_of_their_paths(paths: list[str]) -> None:
    """No path is lost, and each is shown by parts that it ends with."""
    shorter = tails(paths)
    assert list(shorter) == paths
    for path, tail in shorter.items():
        assert path.replace("\\", "/").strip("/").endswith(tail.replace("\\", "/").strip("/")) or (
            "//" in path.replace("\\", "/")
        )


def test_programs_get_names_whole() -> None:
    """Only projects and sessions are shortened, and only for people."""
    rows = [ToolRow("/a/x"), ToolRow("")]
    assert named("project", rows, whole=False) == {"/a/x": "x", "": None}
    assert named("project", rows, whole=True) == {"/a/x": "/a/x", "": None}
    assert named("day", rows, whole=False) == {"/a/x": "/a/x", "": None}


def test_no_day_is_of_1970() -> None:
    """What a clock says that nobody set is no day, week, month or hour; all others are."""
    unset = ("1970-01-01", "1969-12-31", "1970-W01", "1970-01", "1970-01-01T00:00+00:00", "")
    assert [day_name(key) for key in unset] == [None] * len(unset)
    assert day_name("2026-06-20") == "2026-06-20"
    for by in TIMES:
        rows = [ToolRow("1970-01-01"), ToolRow("2026-06-20")]
        assert named(by, rows, whole=True) == {"1970-01-01": None, "2026-06-20": "2026-06-20"}
    assert [known_time(at_us) for at_us in (0, 9_000_000, YEAR_1971_US - 1)] == [None] * 3
    assert known_time(YEAR_1971_US) is not None
