"""Which project a session belongs to: the folder it ran in, or the repository of that.

Agents write one folder in several ways, and run in worktrees of git beside each other, which
are one repository. `.git` in a worktree's folder is a file that names the repository's; where
the worktree is gone, the places where tools make them still tell.

Beyond this machine a folder means nothing: there a project is called what its repository is
called where it comes from (`repository_name`).
"""

from __future__ import annotations

import os
import re
import stat
from functools import lru_cache

from m31a_metrics.foreign_files import read_head
from m31a_metrics.record import SessionRecord
from m31a_metrics.transcript import plain_folder

_DEPTH_MAX = 40
_HEAD_BYTES = 4_096
_GIT = ".git"
_BARE = (_GIT, ".bare")
"""Folders of git within the folder that people call the repository."""

# gitdir: /src/shop/.git/worktrees/checkout
_GITDIR = re.compile(r"gitdir:\s*(.+?)[/\\]worktrees[/\\][^/\\]+[/\\]?\s*")

# Where agents put worktrees: <repository>/.claude/worktrees/<name>, <repository>/.worktrees/<name>
_PLACE = re.compile(r"(.+?)[/\\]\.(?:claude[/\\])?worktrees[/\\]([^/\\]+)(.*)", re.DOTALL)


def place(record: SessionRecord) -> SessionRecord:
    """Give a session's project as all views show it, and the worktree that it ran in."""
    if record.project:
        record.project, record.worktree = _placed(record.project)
    return record


def around(folder: str) -> str:
    """Return the project of whoever works in a folder: its repository, or the folder itself.

    A worktree is the repository that it is of; a repository that the person's home is in is no
    project. "" for a folder that the home is in, for that would be all there is.
    """
    at = plain_folder(folder)
    if _holds_home(at):
        return ""
    for _ in range(_DEPTH_MAX):
        if os.path.lexists(os.path.join(at, _GIT)):
            return _placed(at)[0]
        at = os.path.dirname(at)
        if _holds_home(at):
            break
    return _placed(folder)[0]


def _holds_home(folder: str) -> bool:
    home = os.path.expanduser("~")
    inside = f"{folder.rstrip('/')}/"
    return any(f"{one.rstrip('/')}/".startswith(inside) for one in (home, os.path.realpath(home)))


@lru_cache(maxsize=4_096)
def _placed(project: str) -> tuple[str, str]:
    """Return the project of a folder, and the name of its worktree ("": it is in none).

    A folder within a worktree is the same folder within the repository.
    """
    project = plain_folder(project)
    root, repository = _worktree(project) if project.startswith("/") else ("", "")
    if root:
        return repository + project[len(root) :], os.path.basename(root)
    found = _PLACE.fullmatch(project)
    return (found[1] + found[3], found[2]) if found else (project, "")


def _worktree(folder: str) -> tuple[str, str]:
    """Return the worktree that a folder is in and its repository; "" where there is none."""
    for _ in range(_DEPTH_MAX):
        if folder == os.path.dirname(folder):
            break
        git = os.path.join(folder, _GIT)
        try:
            mode = os.lstat(git).st_mode
            if stat.S_ISREG(mode):
                return folder, _repository(folder, read_head(git, _HEAD_BYTES).decode())
        except (OSError, ValueError):
            mode = 0
        if mode:
            break
        folder = os.path.dirname(folder)
    return "", ""


def _repository(folder: str, said: str) -> str:
    """Return the repository that a worktree's `.git` names. ValueError where it is no worktree."""
    found = _GITDIR.fullmatch(said)
    if found is None:
        raise ValueError(said)  # a submodule's, or nobody's
    git = os.path.normpath(os.path.join(folder, found[1]))
    return os.path.dirname(git) if os.path.basename(git) in _BARE else git


_CONFIG_BYTES = 1 << 18
_REMOTE = re.compile(r'\[\s*remote\s+"((?:[^"\\]|\\.)*)"\s*\]', re.IGNORECASE)
_URL = re.compile(r"url\s*=\s*(.+)", re.IGNORECASE)
_WITH_SCHEME = re.compile(
    r"(?:git\+)?(?:ssh|git|https?)(?:\+git|\+ssh)?://(?:[^/@]*@)?([^/]+)/(.+)"
)
# git@github.com:acme/shop.git; one letter before the colon is a drive of Windows.
_LIKE_SCP = re.compile(r"(?:[^/@:]+@)?([^/@:]{2,}):(?!//)(.+)")
_HOMES = re.compile(r"(?:.*/)?(?:home|users|~[^/]*)/.*|~.*", re.IGNORECASE)
_A_HOME = re.compile(
    r"/(?:root|(?:home|Users)/[^/]+)|[A-Za-z]:[/\\]Users[/\\][^/\\]+", re.IGNORECASE
)
_IS_FOLDER = re.compile(r"[/~]|[A-Za-z]:[/\\]")

HOME_FOLDER = "~"
"""What a person's own folder is called beyond this machine: its name is the person's."""


def repository_name(project: str, home: str) -> str:
    """Name a project as all machines do: by its repository's remote, as github.com/acme/shop.

    Without user, password and port, in lower case; the folder's own name where the repository
    has no remote, or is none; what was said where a project is no folder. `home` is the
    person's own folder, at which looking for a repository ends.
    """
    if not _IS_FOLDER.match(project):
        return project
    folder = project.rstrip("/\\")
    if folder in ("", HOME_FOLDER, home) or _A_HOME.fullmatch(folder):
        return HOME_FOLDER
    root, remote = _remote_above(folder, home)
    return remote or re.split(r"[/\\]", root or folder)[-1]


def _remote_above(folder: str, home: str) -> tuple[str, str]:
    """Return the repository that a folder is in, and the name of its remote; "" for none."""
    for _ in range(_DEPTH_MAX):
        if folder == os.path.dirname(folder) or folder == home:
            break
        git = _git_folder(folder)
        if git:
            return folder, _remote_of(git)
        folder = os.path.dirname(folder)
    return "", ""


def _git_folder(folder: str) -> str:
    """Return the folder of git that a repository, worktree or submodule has; "" for none."""
    git = os.path.join(folder, _GIT)
    try:
        mode = os.lstat(git).st_mode
        if stat.S_ISDIR(mode):
            return git
        said = read_head(git, _HEAD_BYTES).decode()
        if not said.startswith("gitdir:"):
            return ""
        named = os.path.normpath(os.path.join(folder, said[7:].strip()))
        common = os.path.join(named, "commondir")
        if os.path.isfile(common):
            shared = read_head(common, _HEAD_BYTES).decode().strip()
            return os.path.normpath(os.path.join(named, shared))
        return named
    except (OSError, ValueError):
        return ""


def _remote_of(git: str) -> str:
    """Name the remote of a repository, `origin` before others; "" where it has none to name."""
    try:
        lines = read_head(os.path.join(git, "config"), _CONFIG_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    found: dict[str, str] = {}
    remote = ""
    for line in map(str.strip, lines.splitlines()):
        if line.startswith("["):
            section = _REMOTE.match(line)
            remote = section[1] if section else ""
        elif remote and (url := _URL.fullmatch(line)):
            name = _plain(url[1].strip().strip('"'))
            if name:
                found.setdefault(remote, name)
    return found.get("origin") or next(iter(found.values()), "")


def _plain(url: str) -> str:
    """Make a remote's address a name that holds no credentials and no place of a person."""
    parts = _WITH_SCHEME.fullmatch(url) or _LIKE_SCP.fullmatch(url)
    if parts is None:
        return ""  # a folder of this machine
    host = parts[1].rpartition(":")[0] if re.search(r":\d+$", parts[1]) else parts[1]
    path = re.split(r"[?#]", parts[2])[0].strip("/").removesuffix(".git")
    if _HOMES.fullmatch(path):
        path = path.rpartition("/")[2]
    return f"{host}/{path}".lower() if path else ""
