"""tools/house_figures.py counts what it says, and runs in any checkout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools import house_figures

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def invented(tmp_path: Path) -> Path:
    """A checkout with a package of six small files."""
    package = tmp_path / "src" / "m31a_metrics"
    for name, text in {
        "__init__.py": "",
        "one.py": "from m31a_metrics import three\n",
        "two.py": "def f():\n from m31a_metrics.three import x\n import m31a_metrics.sub.one\n",
        "three.py": "x = 1\n" * 40,
        "sub/__init__.py": "from m31a_metrics.sub.one import y\n",
        "sub/one.py": "# a comment is no code\n" * 50 + "\n" * 50 + "y = 1\n",
    }.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_it_counts_what_it_says(invented: Path) -> None:
    """Files, lines, importers, repeated names and small files of an invented package are right."""
    figures = {figure.what: figure for figure in house_figures.figures(invented)}
    assert figures["source files"].value == "6"
    assert figures["source lines"].value == "146"
    assert figures["modules that one module alone imports"].names == []
    assert figures["base names that stand more than once"].names == ["one: 2"]
    assert figures["files under 40 lines of code"].names == ["one.py", "sub/one.py", "two.py"]
    assert figures["lines of the longest file"].value == "101 (sub/one.py)"
    assert figures["lines of the longest function"].value == "3 (two.py:1 f)"


def test_a_module_with_one_importer_is_named(invented: Path) -> None:
    """Imports inside functions count, and a lonely module is told with its importer."""
    (invented / "src" / "m31a_metrics" / "one.py").write_text("")
    figures = {figure.what: figure for figure in house_figures.figures(invented)}
    lonely = figures["modules that one module alone imports"]
    assert (lonely.value, lonely.names) == ("1", ["m31a_metrics.three, by m31a_metrics.two"])


def test_families_are_counted_apart(invented: Path) -> None:
    """A file of each agent, and a command with its table, are no two homes of one question."""
    package = invented / "src" / "m31a_metrics"
    for name in ("sources/a/calls", "sources/b/calls", "cli/cost", "tables/cost"):
        path = package / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    figures = {figure.what: figure for figure in house_figures.figures(invented)}
    every = figures["base names that stand more than once"]
    plain = figures["such names, but for families of one file per agent or page"]
    assert every.names == ["calls: 2", "cost: 2", "one: 2"]
    assert plain.names == ["one: 2"]


def test_it_runs_here() -> None:
    """In this checkout each figure is known, the one that comes from a run too."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "house_figures.py"), "--names"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stderr == ""
    figures = dict(line.split(": ", 1) for line in done.stdout.splitlines() if line[:1].strip())
    assert len(figures) == 9
    assert "not known" not in done.stdout
    through = figures["files that a warm `m31 tools --since 7d` runs through"]
    assert 10 < int(through) < 200
    assert "    cli/tools.py\n" in done.stdout


def test_a_run_that_fails_is_told(tmp_path: Path) -> None:
    """Where the package does not run, the figure says why instead of ending in a traceback."""
    package = tmp_path / "src" / "m31a_metrics"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('half moved')\n")
    assert house_figures.traced(tmp_path).value == "not known: ImportError: half moved"
