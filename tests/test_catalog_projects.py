"""Which project a session belongs to: one folder however it is written, one repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from m31a_metrics.catalog import projects
from m31a_metrics.record import SessionRecord
from tests.repositories import commit, git


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    """What a folder was found to be in another test does not count."""
    projects._placed.cache_clear()
    yield
    projects._placed.cache_clear()


def placed(project: object) -> tuple[str, str]:
    """The project and the worktree of a session that ran in a folder."""
    record = projects.place(SessionRecord("pi", "a", "a", "/a", project=str(project)))
    return record.project, record.worktree


@pytest.mark.parametrize(
    ("written", "project"),
    [
        ("/src/shop", "/src/shop"),
        ("/src/shop//", "/src/shop"),
        ("/", "/"),
        ("", ""),
        ("shop", "shop"),
        (r"c:\Users\ann\shop", r"C:\Users\ann\shop"),
        ("C:/Users/ann/shop/", r"C:\Users\ann\shop"),
        ("c:/", "C:\\"),
    ],
)
def test_a_folder_is_one_project_however_it_is_written(written: str, project: str) -> None:
    """The case of a drive's letter and a separator at the end make no difference."""
    assert placed(written) == (project, "")


def test_a_worktree_belongs_to_its_repository(tmp_path: Path) -> None:
    """Of git's own worktrees, also for a folder within; the repository itself is no worktree."""
    repository, tree = tmp_path / "shop", tmp_path / "trees" / "checkout"
    repository.mkdir()
    git(repository, "init", "--quiet")
    commit(repository, "refs/heads/other", {"src/a.py": b"1"})
    git(repository, "worktree", "add", "--quiet", str(tree), "other")
    assert placed(tree) == (str(repository), "checkout")
    assert placed(tree / "src") == (f"{repository}/src", "checkout")
    assert placed(repository) == (str(repository), "")


@pytest.mark.parametrize(
    ("said", "folder", "repository"),
    [
        ("gitdir: ../shop/.git/worktrees/tree\n", "tree", "shop"),
        ("gitdir: {}/shop/.bare/worktrees/tree\n", "tree", "shop"),
        ("gitdir: {}/shop.git/worktrees/tree", "tree/a", "shop.git/a"),
        ("gitdir: ../.git/modules/tree\n", "tree", None),
        ("gitdir:", "tree", None),
        ("\x00\xff", "tree", None),
    ],
)
def test_the_git_file_tells(tmp_path: Path, said: str, folder: str, repository: str | None) -> None:
    """Relative or not, of a bare repository too; a submodule is a project of its own."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / ".git").write_text(said.format(tmp_path), encoding="latin-1")
    ours = (
        (f"{tmp_path}/{folder}", "") if repository is None else (f"{tmp_path}/{repository}", "tree")
    )
    assert placed(tmp_path / folder) == ours


@pytest.mark.parametrize(
    ("gone", "project"),
    [
        ("/nowhere/shop/.claude/worktrees/fix", "/nowhere/shop"),
        ("/nowhere/shop/.worktrees/fix/api", "/nowhere/shop/api"),
        (r"d:\shop\.claude\worktrees\fix", r"D:\shop"),
    ],
)
def test_a_worktree_that_is_gone_is_told_by_its_place(gone: str, project: str) -> None:
    """Agents remove theirs at the end; where they make them is known."""
    assert placed(gone) == (project, "fix")


def test_the_project_around_a_folder_is_its_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From wherever in it, a worktree's too; without one it is the folder; never the home."""
    home, shop = tmp_path / "home", tmp_path / "home" / "shop"
    (shop / "src").mkdir(parents=True)
    (home / "notes").mkdir()
    monkeypatch.setenv("HOME", str(home))
    git(shop, "init", "--quiet")
    commit(shop, "refs/heads/other", {"src/a.py": b"1"})
    git(shop, "worktree", "add", "--quiet", str(tmp_path / "tree"), "other")
    for folder in (shop, shop / "src", tmp_path / "tree" / "src", f"{shop}/"):
        assert projects.around(str(folder)) == str(shop)
    git(home, "init", "--quiet")  # whoever keeps their settings so
    assert projects.around(str(home / "notes")) == str(home / "notes")
    (tmp_path / "by-another-name").symlink_to(home)
    monkeypatch.setenv("HOME", str(tmp_path / "by-another-name"))
    for folder in (home, tmp_path, "/"):
        assert projects.around(str(folder)) == ""
