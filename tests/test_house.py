"""The rules of the house that no linter knows (CONTRIBUTING.md tells why they are rules)."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 60
SLIVER_LINES = 40

# A file of fewer lines of code is a part of something else, unless it is a door or an edge.
DOORS = {
    "cli": "a command each, imported when it is run and not before",
    "questions": "a page of questions each",
}
EDGES = {
    "__main__.py": "where `python -m m31a_metrics` looks",
    "collector/log.py": "the host's log, imported when there is something to say",
    "settle.py": "where `python -m m31a_metrics.settle` looks",
    "shell_report.py": "a format of Gemini CLI that its offspring write too",
    "tables/arithmetic.py": "how every table makes a figure of a whole number",
    "units.py": "what one is, for all floors above values",
    "views/palette.py": "a colour of each phase, for screens and pages alike",
    "views/web/assets.py": "what is read off the installed plotly",
}
"""Why each of the small files is one of its own."""

# Names that say nothing: whatever is put there has a better home.
VAGUE = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}

# Extras that a checkout installs; no user has a need of them.
OF_DEVELOPERS = {"bench", "dev", "docs"}

UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX)\b")

# A folder of one machine, not a name inside a longer path or address. People that everyone
# knows to be invented may have a home in an example.
MACHINE_PATH = re.compile(
    r"(?<![\w.~/-])/(?:root|work|home/(?!(?:ada|alice|bob|dev|jo|me|user)\b)\w+)(?![\w-])"
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tree(path: Path) -> ast.Module:
    """Parse a file once, however many rules look at it."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def functions(path: Path) -> Iterator[Function]:
    """Every function and method of a file, nested ones too."""
    return (node for node in ast.walk(tree(path)) if isinstance(node, Function))


def at(path: Path, line: int) -> str:
    """A place as editors and terminals make it clickable."""
    return f"{path.relative_to(ROOT)}:{line}"


def tracked() -> list[Path]:
    """Every file that is in git or about to be."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout to know which files belong to the project")
    listing = subprocess.run(
        [
            *("git", "-c", "safe.directory=*"),  # the checkout may be another user's, as root's is
            *("ls-files", "-z", "--cached", "--others", "--exclude-standard"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for name in listing.stdout.split("\0") if (path := ROOT / name).is_file()]


def test_files_stay_small() -> None:
    """A source file of more than 600 lines has become two things."""
    long = [
        path
        for path in SOURCE
        if len(path.read_text(encoding="utf-8").splitlines()) > FILE_LINES_MAX
    ]
    assert not long, f"more than {FILE_LINES_MAX} lines: make each a folder on its floor"


def code_line_count(path: Path) -> int:
    """How many lines are neither empty nor a comment."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return sum(1 for line in lines if line.strip() and not line.lstrip().startswith("#"))


def test_no_file_is_a_sliver() -> None:
    """A file of a few lines has a reason to stand alone, or is where it is used."""
    package = ROOT / "src" / "m31a_metrics"
    small = {
        path.relative_to(package)
        for path in SOURCE
        if path.stem != "__init__" and code_line_count(path) < SLIVER_LINES
    }
    assert Path("cli/tools.py") in small, "this rule looks at no file any more"
    without = [
        str(path)
        for path in sorted(small)
        if str(path) not in EDGES and str(path.parent) not in DOORS
    ]
    assert not without, f"fewer than {SLIVER_LINES} lines of code: put each where it is used"


def test_functions_stay_small() -> None:
    """A function fits on one screen, its docstring included."""
    long = [
        f"{at(path, node.lineno)} {node.name}: {lines} lines"
        for path in SOURCE
        for node in functions(path)
        if (lines := (node.end_lineno or 0) - node.lineno + 1) >= FUNCTION_LINES_MAX
    ]
    assert not long, "\n".join(long)


def test_names_say_something() -> None:
    """No module is called `utils` or the like."""
    vague = [path for path in SOURCE if VAGUE & {path.stem.strip("_"), path.parent.name}]
    assert not vague


def test_tests_say_what_they_prove() -> None:
    """Every test carries a sentence."""
    mute = [
        f"{at(path, node.lineno)} {node.name}"
        for path in TESTS
        for node in functions(path)
        if node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert not mute, "\n".join(mute)


def test_every_rule_switched_off_has_a_reason() -> None:
    """Each ruff rule ignored in pyproject.toml is followed by a comment."""
    rule = re.compile(r'^\s*"[A-Z]+\d+",(.*)$')
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    rules = [
        (number, found[1]) for number, line in enumerate(lines, 1) if (found := rule.match(line))
    ]
    bare = [number for number, rest in rules if not re.match(r"\s*# \S+ \S+", rest)]
    assert rules
    assert not bare, f"pyproject.toml, lines without a reason: {bare}"


def test_every_exception_in_the_code_has_a_reason() -> None:
    """Each `noqa`, and in the source each `type: ignore`, names its rule and says why."""
    mark = re.compile(r"#\s*(?:(?:ruff: )?noqa|type:\s*ignore)")
    mark_in_tests = re.compile(r"#\s*(?:ruff: )?noqa")
    reason = re.compile(
        r"# (?:(?:ruff: )?noqa: \w+(?:, ?\w+)*|type: ignore\[[\w, -]+\])\s+[#-] \S+ \S+"
    )
    source = set(SOURCE)
    bare = [
        at(path, number)
        for path in (*SOURCE, *sorted((ROOT / "tests").rglob("*.py")))
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if ("noqa" in line or "ignore" in line)
        and (mark if path in source else mark_in_tests).search(line)
        and not reason.search(line)
    ]
    assert not bare, "write `# noqa: RULE - why`:\n" + "\n".join(bare)


def test_every_extra_is_used() -> None:
    """An extra installs what the source imports or looks for by name; `all` names the others."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    of_users = {name: needed for name, needed in extras.items() if name not in OF_DEVELOPERS}
    assert of_users.pop("all") == [f"m31a-metrics[{','.join(of_users)}]"]
    source = "".join(path.read_text(encoding="utf-8") for path in SOURCE)
    unused = [
        f"{name}: {one}"
        for name, needed in of_users.items()
        for one in needed
        if not re.search(rf"\b{re.split('[<>=!~ ]', one)[0].replace('-', '[._]')}\b", source)
    ]
    assert unused == []


OPENING = re.compile(
    r"open|(?:os|io|codecs)\.(?:open|fdopen|listdir|scandir|walk|FileIO)"
    r"|(?:shutil|sqlite3|glob)\.\w+|.*\.(?:read_text|read_bytes|iterdir|r?glob)"
)


def test_files_of_other_agents_are_opened_in_one_place() -> None:
    """Sources open, list and connect through foreign_files and foreign_sqlite alone.

    In the place of any of their files there may be a pipe, on which others would wait for ever.
    """
    package = ROOT / "src" / "m31a_metrics"
    readers = [*sorted((package / "sources").rglob("*.py")), package / "jsonlines.py"]
    found = [
        f"{at(path, call.lineno)} {called}"
        for path in readers
        for node in functions(path)
        if node.name != "_private"  # makes a file of our own
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and OPENING.fullmatch(called := ast.unparse(call.func))
    ]
    assert not found, "\n".join(found)


def test_nothing_is_left_unfinished() -> None:
    """The source makes no promises: a thing is built or it is not there."""
    found = [
        at(path, number)
        for path in SOURCE
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert not found, "\n".join(found)


def test_no_file_speaks_of_one_machine() -> None:
    """No tracked text file holds a folder of the machine it was written on."""
    found = []
    for path in tracked():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [at(path, n) for n, line in enumerate(lines, 1) if MACHINE_PATH.search(line)]
    assert not found, "\n".join(found)
