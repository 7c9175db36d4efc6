"""Which Python `make` and `.ci/run` take, of those that a machine has."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

FAKE = """#!/bin/sh
# A Python as far as these scripts ask: its version, whether it is final, a venv.
[ '{works}' ] || {{ echo 'pyenv: {name}: command not found' >&2; exit 127; }}
case $1$2 in
  *ensurepip*) [ '{final}' ] && echo 3 {minor} 1 "$3" ;;
  *releaselevel*) [ '{final}' ] ;;
  *hexversion*) echo {name} ;;
  -mvenv) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
  --version) echo "Python 3.{minor}.1" ;;
  *version_info*) [ {minor} -ge 11 ] ;;
  *) exit 9 ;;
esac
"""


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder for PATH with what the scripts call, and no Python yet."""
    folder = tmp_path / "bin"
    folder.mkdir()
    # One by one: in the folders where these lie, a Python of this machine's lies as well.
    for name in ("bash", "cp", "dirname", "make", "mkdir", "rm", "sed", "sh", "sort", "uniq"):
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"needs {name}, which is not on this machine's PATH")
        (folder / name).symlink_to(found)
    return folder


def add(folder: Path, name: str, minor: int, *, final: bool = True, works: bool = True) -> str:
    """Add a Python to the folder; its path."""
    path = folder / name
    said = {"final": "yes" if final else "", "works": "yes" if works else ""}
    path.write_text(FAKE.format(name=name, minor=minor, **said), encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def call(tools: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a script of ours where PATH is that folder alone."""
    return subprocess.run(
        [shutil.which(command[0]) or command[0], *command[1:]],
        cwd=ROOT,
        env={"PATH": str(tools), "HOME": str(tools.parent)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def make(tools: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Let make take a Python for an environment of its own."""
    venv = tools.parent / "venv"
    return call(tools, "make", f"{venv}/bin/python", f"VENV={venv}", *more)


def test_make_takes_the_newest_that_works(tools: Path) -> None:
    """A shim without its Python, a version before its release and an old one are passed over."""
    add(tools, "python3.16", 16, works=False)
    add(tools, "python3.15", 15, final=False)
    add(tools, "python3.14", 14)
    add(tools, "python3.11", 11)
    add(tools, "python3", 9)
    done = make(tools)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Python 3.14.1" in done.stdout


def test_make_takes_the_one_that_is_named(tools: Path) -> None:
    """PYTHON names another, in a folder with a blank too, and replaces what was made before."""
    spaced = tools.parent / "a place"
    spaced.mkdir()
    named = add(spaced, "python3.15", 15, final=False)
    add(tools, "python3.12", 12)
    assert "Python 3.12.1" in make(tools).stdout
    assert "Python" not in make(tools).stdout
    done = make(tools, f"PYTHON={named}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Python 3.15.1" in done.stdout
    assert "Python" not in make(tools, f"PYTHON={named}").stdout
    assert "Python" not in make(tools).stdout


def test_make_says_what_is_missing(tools: Path) -> None:
    """Without a Python that is new enough it says so, and leaves what was there."""
    add(tools, "python3", 9)
    venv = tools.parent / "venv"
    venv.mkdir()
    done = make(tools)
    assert done.returncode == 2
    assert "needs Python 3.11 or newer" in done.stderr
    assert venv.is_dir()


@pytest.mark.parametrize(
    ("minors", "taken"),
    [
        ((11,), [11]),
        ((12, 11), [11, 12]),
        ((13, 11, 14, 12), [11, 14]),
        ((9, 13), [13]),
        ((9,), []),
    ],
    ids=str,
)
def test_ci_takes_the_oldest_and_the_newest(
    tools: Path, minors: tuple[int, ...], taken: list[int]
) -> None:
    """Of several Pythons two, of one that one; what cannot run, or is not final, is none."""
    paths = {minor: add(tools, f"python3.{minor}", minor) for minor in minors if minor > 10}
    add(tools, "python3", min(minors), final=min(minors) > 10)
    add(tools, "python3.17", 17, works=False)
    add(tools, "python3.16", 16, final=False)
    done = call(tools, "bash", ".ci/run", "--list")
    found = [line.split() for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, "")
    assert [int(minor) for _, minor, _, _ in found] == taken
    for _, minor, _, path in found:
        assert path in (paths[int(minor)], str(tools / "python3"))


def test_ci_finds_what_pyenv_keeps(tools: Path) -> None:
    """A version of pyenv's that is not chosen is not on PATH, and counts all the same."""
    add(tools, "python3", 11)
    kept = tools.parent / ".pyenv" / "versions" / "3.14.1" / "bin"
    kept.mkdir(parents=True)
    path = add(kept, "python3", 14)
    done = call(tools, "bash", ".ci/run", "--list")
    assert done.stdout.splitlines() == [f"3 11 1 {tools}/python3", f"3 14 1 {path}"]
