"""Ids and paths as short as they can be and still be told apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.answers import ToolRow
from m31a_metrics.tables.names import last_part, named, shortened, tails

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
