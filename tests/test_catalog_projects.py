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


def with_remote(folder: Path, *lines: str) -> Path:
    """Make a repository whose configuration has these lines."""
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "config").write_text("\n".join(["[core]", "\tbare = false", *lines]))
    return folder


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://github.com/Acme/Shop.git", "github.com/acme/shop"),
        ("https://ann:t0ken@github.com/acme/shop", "github.com/acme/shop"),
        ("https://t0ken@ch.example:8443/a/b.git/?x=t0ken", "ch.example/a/b"),
        ("git@github.com:acme/shop.git", "github.com/acme/shop"),
        ("work:acme/shop", "work/acme/shop"),
        ("ssh://git@ch.example:2222/acme/shop.git", "ch.example/acme/shop"),
        ("git+ssh://git@ch.example/acme/shop", "ch.example/acme/shop"),
        ("ssh://ch.example/home/ada/shop.git", "ch.example/shop"),
        ("ann@ch.example:~/shop.git", "ch.example/shop"),
        ("ssh://ch.example/~ada/shop", "ch.example/shop"),
        ("/srv/git/shop-bare.git", "shop"),
        ("../other", "shop"),
        ("file:///home/ada/other.git", "shop"),
        (r"C:\repositories\other", "shop"),
        ("", "shop"),
    ],
)
def test_a_project_is_called_by_its_remote(tmp_path: Path, url: str, name: str) -> None:
    """The same on all machines, without credentials and nobody's folder; else by its own name."""
    shop = with_remote(tmp_path / "shop", '[remote "origin"]', f"\turl = {url}")
    (shop / "src").mkdir()
    for folder in (shop, shop / "src", shop / "gone" / "long ago"):
        assert projects.repository_name(str(folder), "/home/ada") == name


def test_origin_goes_before_other_remotes(tmp_path: Path) -> None:
    """Of several remotes that one names the project; without it, the first."""
    one = ['[remote "fork"]', "url = https://one.example/fork/shop"]
    two = ['[remote "origin"]', "pushurl = x", "URL = https://one.example/acme/shop"]
    branch = ['[branch "main"]', "url = https://one.example/no/remote"]
    both = with_remote(tmp_path / "a", *branch, *one, *two)
    assert projects.repository_name(str(both), "") == "one.example/acme/shop"
    lone = with_remote(tmp_path / "b", *branch, *one)
    assert projects.repository_name(str(lone), "") == "one.example/fork/shop"


@pytest.mark.parametrize(
    ("project", "name"),
    [
        ("", ""),
        ("shop", "shop"),
        ("acme/shop", "acme/shop"),
        ("/srv/shop", "shop"),
        ("/home/ada", "~"),
        ("/Users/ada/", "~"),
        (f"/{'root'}", "~"),
        (r"C:\Users\Ann", "~"),
        (r"C:\Users\Ann\shop", "shop"),
        ("~/shop", "shop"),
        ("~", "~"),
        ("/", "~"),
    ],
)
def test_a_project_without_a_repository_is_called_by_its_folder(project: str, name: str) -> None:
    """Never by the name of a person's own folder; what is no folder is called as it was said."""
    assert projects.repository_name(project, "/home/bob") == name


def test_looking_for_a_repository_ends_at_home(tmp_path: Path) -> None:
    """Whoever keeps their settings in a repository works in other folders all the same."""
    home = with_remote(tmp_path / "ann", '[remote "origin"]', "url = https://one.example/ann/dots")
    (home / "notes").mkdir()
    assert projects.repository_name(str(home / "notes"), str(home)) == "notes"
    assert projects.repository_name(str(home), str(home)) == "~"


def test_a_submodule_and_a_worktree_have_the_repository_that_git_says(tmp_path: Path) -> None:
    """A file `.git` leads to the folder of git, and that of a worktree to the shared one."""
    shop = with_remote(tmp_path / "shop", '[remote "origin"]', "url = https://one.example/a/shop")
    tree = tmp_path / "tree"
    own = shop / ".git" / "worktrees" / "tree"
    own.mkdir(parents=True)
    (own / "commondir").write_text("../..\n")
    tree.mkdir()
    (tree / ".git").write_text(f"gitdir: {own}\n")
    assert projects.repository_name(str(tree), "") == "one.example/a/shop"
    part = shop / ".git" / "modules" / "part"
    part.mkdir(parents=True)
    (part / "config").write_text('[remote "origin"]\nurl = https://one.example/a/part')
    (shop / "part").mkdir()
    (shop / "part" / ".git").write_text("gitdir: ../.git/modules/part\n")
    assert projects.repository_name(str(shop / "part"), "") == "one.example/a/part"
    (shop / "part" / ".git").write_bytes(b"\xff\0 nothing of git's")
    assert projects.repository_name(str(shop / "part"), "") == "one.example/a/shop"


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
