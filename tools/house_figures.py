"""Print the figures by which the source is judged, for the checkout that this file is in.

    python tools/house_figures.py           the figures
    python tools/house_figures.py --names   and what each of them is made of

It reads the source with the standard library alone. One figure comes from a run: the files
of the package in which any function is called while `m31 tools --since 7d` answers from an
index that is up to date, in a home that is invented for it. That needs the extra `cli`.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "m31a_metrics"
QUESTION = ("tools", "--since", "7d")
SMALL_LINES = 40

# Functions that run while a module is imported are not counted: what is imported on the way
# to an answer costs start-up time, which `make bench` measures; here it is about reading.
TRACER = f"""
import sys

def importing(frame):
    while frame is not None:
        code = frame.f_code
        if code.co_name == "<module>" and "/{PACKAGE}/" in code.co_filename:
            return True
        frame = frame.f_back
    return False

def called(frame, event, _):
    name = frame.f_code.co_filename
    if event == "call" and "/{PACKAGE}/" in name and name not in files and not importing(frame):
        files.add(name)

files = set()
from {PACKAGE}.cli import main
sys.argv[0] = "m31"
sys.setprofile(called)
code = main()
sys.setprofile(None)
print(*sorted(files), sep="\\n", file=sys.stderr)
sys.exit(code)
"""

RECORDER = f"""
from {PACKAGE} import Collector, Usage

for number in range(3):
    with Collector(f"invented-{{number}}") as collector, collector.phase("execute"):
        collector.record_tool_call("Bash", True, 120)
        collector.record_tool_call("Bash", False, 80, error="AssertionError: 1 != 2")
        collector.record_llm_interaction("execute", Usage(900, 80), cost=0.01, model="invented")
"""


class Figure(NamedTuple):
    """One line of the table: what is counted, how many, and which they are."""

    what: str
    value: str
    names: list[str]


class Source:
    """The files of the package: their text, trees, names, and who imports whom."""

    def __init__(self, root: Path) -> None:
        self.root = root / "src"
        self.paths = sorted((self.root / PACKAGE).rglob("*.py"))
        self.lines = {path: path.read_text(encoding="utf-8").splitlines() for path in self.paths}
        self.trees = {path: ast.parse("\n".join(self.lines[path])) for path in self.paths}
        self.modules = {self._module(path): path for path in self.paths}

    def name(self, path: Path) -> str:
        """A file as a person names it: its path in the package."""
        return str(path.relative_to(self.root / PACKAGE))

    def imported_by(self) -> dict[str, set[str]]:
        """For each module the modules that import it, inside functions too."""
        importers: dict[str, set[str]] = defaultdict(set)
        for importer, path in self.modules.items():
            for module in self._imports(self.trees[path]):
                if module != importer:
                    importers[module].add(importer)
        return importers

    def functions(self) -> Iterator[tuple[int, str]]:
        """How many lines each function has, and where it is."""
        for path, tree in self.trees.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    lines = (node.end_lineno or node.lineno) - node.lineno + 1
                    yield lines, f"{self.name(path)}:{node.lineno} {node.name}"

    def is_family(self, stem: str) -> bool:
        """Tell whether files of a name are one per agent, or all of one command's page."""
        named = [path for path in self.paths if path.stem == stem]
        apart = [path for path in named if path.parent.parent.name != "sources"]
        pages = {path.stem for path in self.paths if path.parent.name == "cli"}
        return stem in pages or len(apart) < 2

    def _module(self, path: Path) -> str:
        parts = path.relative_to(self.root).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def _imports(self, tree: ast.Module) -> Iterator[str]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from (one.name for one in node.names if one.name in self.modules)
            elif isinstance(node, ast.ImportFrom) and node.module:
                for one in node.names:
                    inner = f"{node.module}.{one.name}"
                    if inner in self.modules:
                        yield inner
                    elif node.module in self.modules:
                        yield node.module


def figures(root: Path) -> list[Figure]:
    """Count what can be read off the source."""
    source = Source(root)
    line_count = sum(map(len, source.lines.values()))
    lonely = sorted(
        f"{module}, by {next(iter(importers))}"
        for module, importers in source.imported_by().items()
        if len(importers) == 1
    )
    files = [path for path in source.paths if path.stem != "__init__"]
    stems = Counter(path.stem for path in files)
    repeated = [f"{stem}: {count}" for stem, count in sorted(stems.items()) if count > 1]
    plain = [one for one in repeated if not source.is_family(one.partition(":")[0])]
    small = [source.name(path) for path in files if _full(source.lines[path]) < SMALL_LINES]
    longest_file = max(source.paths, key=lambda path: len(source.lines[path]))
    longest_function = max(source.functions())
    return [
        Figure("source files", f"{len(source.paths):,}", []),
        Figure("source lines", f"{line_count:,}", []),
        Figure("modules that one module alone imports", str(len(lonely)), lonely),
        Figure("base names that stand more than once", str(len(repeated)), repeated),
        Figure(
            "such names, but for families of one file per agent or page", str(len(plain)), plain
        ),
        Figure(f"files under {SMALL_LINES} lines of code", str(len(small)), small),
        Figure(
            "lines of the longest file",
            f"{len(source.lines[longest_file])} ({source.name(longest_file)})",
            [],
        ),
        Figure(
            "lines of the longest function", f"{longest_function[0]} ({longest_function[1]})", []
        ),
    ]


def traced(root: Path) -> Figure:
    """Count the files that a warm question runs through."""
    what = f"files that a warm `m31 {' '.join(QUESTION)}` runs through"
    with TemporaryDirectory() as home:
        try:
            _invent(root, Path(home))
            _run(root, home, "-c", TRACER, *QUESTION)  # makes the index
            told = _run(root, home, "-c", TRACER, *QUESTION)
        except subprocess.CalledProcessError as error:
            reason = (error.stderr.strip().splitlines() or ["it said nothing"])[-1]
            return Figure(what, f"not known: {reason}", [])
    inside = f"/{PACKAGE}/"
    names = [line.partition(inside)[2] for line in told.splitlines() if inside in line]
    return Figure(what, str(len(names)), names)


def _full(lines: list[str]) -> int:
    """How many lines are neither empty nor a comment."""
    return sum(1 for line in lines if line.strip() and not line.lstrip().startswith("#"))


def _invent(root: Path, home: Path) -> None:
    """Record three sessions, and leave a transcript as Claude Code writes it."""
    _run(root, str(home), "-c", RECORDER)
    began = datetime.now(UTC) - timedelta(hours=1)
    usage = {"input_tokens": 10, "output_tokens": 100}
    use = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "make test"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "done"}
    spoken = [
        {"type": "user", "message": {"role": "user", "content": "hello"}},
        {
            "type": "assistant",
            "requestId": "req_1",
            "message": {
                "id": "msg_1",
                "role": "assistant",
                "model": "claude-sonnet-4-5-20250929",
                "usage": usage,
                "content": [use],
            },
        },
        {"type": "user", "message": {"role": "user", "content": [result]}},
    ]
    session_id = "0b7e2f14-1111-4111-8111-000000000001"
    folder = home / ".claude" / "projects" / "-src-app"
    folder.mkdir(parents=True)
    with open(folder / f"{session_id}.jsonl", "w", encoding="utf-8") as file:
        for number, record in enumerate(spoken):
            at = (began + timedelta(seconds=number)).isoformat()
            about = {"sessionId": session_id, "cwd": "/src/app", "version": "2.1.0"}
            file.write(json.dumps(about | {"uuid": str(number), "timestamp": at} | record) + "\n")


def _run(root: Path, home: str, *arguments: str) -> str:
    """Run Python on the checkout's source with an empty home; what it said on stderr."""
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": home}
    environment["PYTHONPATH"] = str(root / "src")
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--names", action="store_true", help="list what each figure is made of")
    names = parser.parse_args().names
    for figure in [*figures(ROOT), traced(ROOT)]:
        print(f"{figure.what}: {figure.value}")
        if names:
            print(*(f"    {name}" for name in figure.names), sep="\n", end="\n\n")


if __name__ == "__main__":
    main()
