"""Which project a session belongs to: the folder it ran in, or the repository of that.

Agents write one folder in several ways, and run in worktrees of git beside each other, which
are one repository. `.git` in a worktree's folder is a file that names the repository's; where
the worktree is gone, the places where tools make them still tell.
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
