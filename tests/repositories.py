"""Git repositories in which Entire keeps sessions, made of the golden checkpoints."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.sources.golden import GOLDEN

BRANCH = "refs/heads/entire/checkpoints/v1"


def git(folder: Path, *arguments: str, given: bytes = b"") -> str:
    """Run git without the developer's configuration."""
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        input=given,
        capture_output=True,
        check=True,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"},
    )
    return done.stdout.decode()


def commit(folder: Path, ref: str, tree: Mapping[str, bytes]) -> None:
    """Put files into a repository under a ref, touching no worktree."""
    parts = [b"commit %b\ncommitter a <a@b> 1770000000 +0000\ndata 0\n" % ref.encode()]
    for name, data in tree.items():
        parts.append(b"M 100644 inline %b\ndata %d\n%b\n" % (name.encode(), len(data), data))
    git(folder, "fast-import", "--quiet", given=b"".join(parts))


def repository(folder: Path, shape: str) -> Path:
    """Make a repository that holds a shape: `branch/` in one ref, or `refs/` in one for each."""
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    golden = GOLDEN / "entire" / shape
    files = {str(p.relative_to(golden)): p.read_bytes() for p in golden.rglob("*") if p.is_file()}
    refs: dict[str, dict[str, bytes]] = {}
    for name, data in files.items():
        kind, rest = name.split("/", 1)
        if kind == "branch":
            refs.setdefault(BRANCH, {})[rest] = data
        else:
            shard, checkpoint, rest = rest.split("/", 2)
            refs.setdefault(f"refs/entire/checkpoints/{shard}/{checkpoint}", {})[rest] = data
    for ref, tree in refs.items():
        commit(folder, ref, tree)
    return folder
