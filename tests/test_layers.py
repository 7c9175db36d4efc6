"""The floors hold: who may import whom, and what `import m31a_metrics` may load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "m31a_metrics"

# Nothing here may be loaded by a host that only records. Each costs it start-up time (sqlite3,
# logging, dataclasses ...) or is a part of an extra that it may not have.
NOT_FOR_HOSTS = {
    "argparse", "asyncio", "click", "dataclasses", "email", "genai_prices", "http", "jinja2",
    "json", "logging", "multiprocessing", "opentelemetry", "pathlib", "plotly", "prometheus_client",
    "pydantic", "rich", "socket", "sqlite3", "ssl", "starlette", "subprocess", "tempfile",
    "textual", "tomllib", "unittest", "urllib", "uvicorn",
}  # fmt: skip

# Values and rules take values and give values. Whoever opens a file, reads a clock or takes a
# lock there has put a decision and a danger into one place.
PURE = (
    "errors", "units", "measures", "model", "table", "histogram", "failures", "answers", "events",
    "panel", "transcript", "record",
    "tally", "codec", "tables", "comparison", "questions", "phases", "pricing", "queries", "slices",
    "validation", "budgets", "blocks", "spending", "turns", "patterns", "conversation",
    "spans", "genai", "folding",
)  # fmt: skip
IMPURE = {
    "asyncio", "fcntl", "glob", "http", "logging", "mmap", "multiprocessing", "os", "pathlib",
    "random", "secrets", "select", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess",
    "tempfile", "threading", "time", "urllib",
}  # fmt: skip


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Who imports what, the standard library included."""
    return grimp.build_graph(PACKAGE, include_external_packages=True, cache_dir=None)


def test_imports_go_only_downward() -> None:
    """import-linter finds every contract of pyproject.toml kept."""
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", command, "--no-logo", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_values_and_rules_touch_nothing(graph: grimp.ImportGraph) -> None:
    """No module among the values and the rules imports disk, clock, lock, network or chance."""
    roots = {f"{PACKAGE}.{name}" for name in PURE}
    found = [
        f"{module} imports {imported}"
        for module in sorted(graph.modules)
        if module in roots or any(module.startswith(f"{root}.") for root in roots)
        for imported in sorted(graph.find_modules_directly_imported_by(module))
        if imported.partition(".")[0] in IMPURE
    ]
    assert not found, "\n".join(found)


def test_import_loads_only_what_recording_needs() -> None:
    """A fresh Python that imports the package has loaded nothing heavy and no extra."""
    script = (
        "import sys; before = set(sys.modules); "
        f"import {PACKAGE}; print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = done.stdout.split()
    assert PACKAGE in loaded
    assert not [name for name in loaded if name.partition(".")[0] in NOT_FOR_HOSTS]


def test_no_module_imports_itself_by_way_of_others(graph: grimp.ImportGraph) -> None:
    """There are no import circles, those for type checkers included, but at a package's door."""
    ours = {one for one in graph.modules if one.startswith(f"{PACKAGE}.")}
    inside = {one for one in ours if not graph.find_children(one)}
    imports = {one: graph.find_modules_directly_imported_by(one) & inside for one in inside}
    assert len(inside) > 100
    while free := {one for one, imported in imports.items() if not imported & imports.keys()}:
        for one in free:
            del imports[one]
    assert not imports, f"in circles, or above one: {sorted(imports)}"
