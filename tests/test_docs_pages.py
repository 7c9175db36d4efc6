"""The pages that teach are true: their files and commands run, and show what they say.

A block of `sh` runs, a block of `python` with a title is a file that it finds, and a block
of `text` behind it is what it prints, where `...` stands for anything. What cannot run in a
test (an installation, a server) is a block of `shell`; what is a fragment, one of `py`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from m31a_metrics import config

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
TEACHING = sorted([DOCS / "index.md", DOCS / "tutorial.md", *DOCS.glob("how-to/*.md")])
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("**/*.md")])

# Whose Python is run elsewhere: tests/test_examples.py, and a test of each page's own.
PYTHON_TESTED = {
    "README.md",
    "docs/fleet.md",
    "docs/journal.md",
    "docs/metrics-json.md",
    "docs/prices.md",
    "docs/recording.md",
}

FENCE = re.compile(r"^```(\w*)(?: title=\"([^\"]+)\")?[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
MARK = "-- end of block --"


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page in their order."""
    return [Block(*found) for found in FENCE.findall(page.read_text(encoding="utf-8"))]


def name(page: Path) -> str:
    """A page as people name it."""
    return page.relative_to(ROOT).as_posix()


def commands(page: Path) -> Iterator[tuple[str, str | None]]:
    """The commands of each block of shell, and what the block behind it says they print."""
    found = blocks(page)
    for block, behind in zip(found, [*found[1:], Block("", "", "")], strict=True):
        if block.language == "sh":
            yield block.text, behind.text if behind.language == "text" else None


def as_pattern(shown: str) -> str:
    """What a page shows as a regular expression: `...` alone on a line is any lines."""
    lines = []
    for line in shown.splitlines():
        if line == "...":
            lines.append(r"(?:.*\n)*?")
        else:
            lines.append(re.escape(line).replace(r"\.\.\.", ".*") + r"\n")
    return "".join(lines)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An empty home, and this Python and its `m31` under the names that the pages use."""
    programs = tmp_path / "programs"
    programs.mkdir()
    m31 = "import sys; from m31a_metrics.cli import main; sys.exit(main())"
    for program, arguments in (("m31", f'-c "{m31}"'), ("python", "-W error")):
        path = programs / program
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        path.chmod(0o755)
    return {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(ROOT / "src"),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }


@pytest.mark.parametrize("page", TEACHING, ids=name)
def test_what_a_page_teaches_works(page: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """The files and commands of a page run in their order, and print what it shows."""
    (tmp_path / "home").mkdir()
    folder = tmp_path / "folder"
    folder.mkdir()
    for block in blocks(page):
        if block.title:
            (folder / block.title).write_text(block.text)
    steps = list(commands(page))
    script = "".join(f"{text}\necho '{MARK}'\n" for text, _ in steps)
    done = subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    printed = done.stdout.split(f"{MARK}\n")[:-1]
    for (text, shown), output in zip(steps, printed, strict=True):
        if shown is not None:
            assert re.fullmatch(as_pattern(shown), output), f"{text}\nprinted\n{output}"


def test_every_page_that_teaches_by_doing_is_found() -> None:
    """The tutorial and all how-to pages have commands that the test above runs."""
    taught = {name(page) for page in TEACHING if list(commands(page))}
    assert taught >= {"docs/tutorial.md", *map(name, DOCS.glob("how-to/*.md"))}


@pytest.mark.parametrize("page", TEACHING, ids=name)
def test_every_file_of_a_page_is_run(page: Path) -> None:
    """A block of Python is a file that a command of its page runs; none stands there untried."""
    run = "".join(text for text, _ in commands(page))
    files = [block.title for block in blocks(page) if block.language == "python"]
    assert [file for file in files if not file or f"python {file}" not in run] == []


def test_no_python_is_left_untried() -> None:
    """A page with a block of Python is one whose blocks some test runs."""
    with_python = {
        name(page) for page in PAGES if any(block.language == "python" for block in blocks(page))
    }
    assert with_python <= PYTHON_TESTED | set(map(name, TEACHING))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_configuration_on_our_pages_is_read(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block of TOML with our tables is a configuration that is taken without an error."""
    for number, block in enumerate(blocks(page)):
        if block.language != "toml" or "metrics" not in tomllib.loads(block.text):
            continue
        path = tmp_path / f"{number}.toml"
        path.write_text(block.text)
        monkeypatch.setenv("M31A_CONFIG", str(path))
        assert config.read().path == str(path)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_workflows_on_our_pages_are_yaml(page: Path) -> None:
    """Each block of YAML holds jobs with steps."""
    for block in blocks(page):
        if block.language == "yaml":
            jobs = yaml.safe_load(block.text)["jobs"]
            assert all(job["steps"] for job in jobs.values())
