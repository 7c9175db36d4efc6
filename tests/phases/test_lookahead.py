from __future__ import annotations

import pytest

from tests.phases.sessions import bash, edit, inferred, phases, tool

DIFF = bash("git diff -- src/app.py")
READ = tool("Read", "", "src/other.py")
COMMIT = bash("git commit -am 'Sort rows'")


def test_a_diff_before_the_next_edit_looks() -> None:
    """The diff of a change that is edited further explores, also behind other looks."""
    assert phases(edit(), DIFF, edit(), bash("pytest"))[1] == "explore"
    assert phases(edit(), DIFF, READ, bash("git diff -- b.py"), edit())[1:4] == ["explore"] * 3


@pytest.mark.parametrize("later", [[COMMIT], [bash("make test")], [READ], [], ["thanks", edit()]])
def test_a_diff_at_the_end_of_a_change_reviews_it(later: list[object]) -> None:
    """One that a check, a commit or the end of the turn follows is a review."""
    assert phases(edit(), DIFF, *later)[1] == "verify"  # type: ignore[arg-type]


def test_a_diff_of_what_was_changed_before_the_turn_looks() -> None:
    """Where a person has spoken since the change, a diff finds out how things are."""
    assert phases(edit(), bash("pytest"), "how is it?", DIFF)[2] == "explore"


@pytest.mark.parametrize(
    ("search", "success", "later", "phase"),
    [
        ("rg -n 'old_name|OLD_NAME|old-name' src docs", True, COMMIT, "verify"),
        ("grep -rn 'old name\\|older name' docs", True, bash("make test"), "verify"),
        ("git grep -n -e old_name -e OldName", True, COMMIT, "verify"),
        ("rg -n old_name src", False, COMMIT, "verify"),
        ("rg -n old_name src", True, COMMIT, "explore"),
        ("rg -n 'old_name|OLD_NAME' src", True, edit(), "explore"),
        ("rg -n 'def old_name|class Old' src", True, COMMIT, "explore"),
        ("rg -n 'old_name|OLD_NAME' src", True, READ, "explore"),
    ],
)
def test_a_search_for_what_a_change_should_have_taken(
    search: str, success: bool, later: object, phase: str
) -> None:
    """Several texts, or one that is gone, looked for between a change and its check or commit."""
    made = phases(edit(), bash(search, ok=success), later)  # type: ignore[arg-type]
    assert made[1] == phase


def test_a_search_long_after_a_change_explores() -> None:
    """What was changed long before is not what a search is about."""
    assert phases(edit(), *[READ] * 8, bash("rg -n 'a_name|b_name' src"), COMMIT)[9] == "explore"


@pytest.mark.parametrize(
    "release",
    [
        "git commit -am 'Release 2.1.0' && git tag v2.1.0 && git push --tags",
        "npm publish --access public",
        "gh release create v2.1.0 --generate-notes",
    ],
)
def test_a_changelog_is_part_of_its_release(release: str) -> None:
    """Version and changelog, edited just before a release, leave with it."""
    made = phases(
        edit(), bash("pytest"), edit("pkg/package.json"), edit("CHANGELOG.md"), bash(release)
    )
    assert made == ["execute", "verify", "ship", "ship", "ship"]


def test_a_changelog_without_a_release_is_a_change() -> None:
    """So it is where other work follows, or where nothing is released."""
    assert phases(edit("CHANGELOG.md"), COMMIT)[0] == "execute"
    assert phases(edit("CHANGELOG.md"), edit(), bash("git tag v1"))[0] == "execute"
    assert phases(edit("CHANGELOG.md"), "now release", bash("git tag v1"))[0] == "execute"


def test_what_is_decided_last_names_its_rule() -> None:
    """The rule says what was seen, and nothing that anybody wrote."""
    calls = inferred(edit("CHANGELOG.md"), bash("npm publish"), edit(), DIFF, edit()).calls
    assert calls[0].rule == "edits for a release"
    assert calls[3].rule == "git diff: looks at a change that goes on"
