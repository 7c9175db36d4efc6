"""Who asks: question functions alone put questions to the index."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from m31a_metrics.answers import Answers

SOURCE = Path(__file__).resolve().parents[2] / "src" / "m31a_metrics"
ASKERS = {"questions", "history", "catalog"}
QUESTIONS = {name for name in vars(Answers) if not name.startswith("_")}

TYPES = {"Answers", "History", "Reading"}
NAMES = {"answers", "history", "index"}
"""What answers are called where nothing else tells that it is they."""


def asked_in(text: str) -> list[int]:
    """The lines of a file that ask answers for rows."""
    tree = ast.parse(text)
    names = NAMES | set(_named_otherwise(tree))
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in QUESTIONS
        and isinstance(node.value, (ast.Name, ast.Attribute))
        and _last_name(node.value) in names
    ]


def _last_name(node: ast.expr) -> str:
    return getattr(node, "id", "") or getattr(node, "attr", "")


def _named_otherwise(tree: ast.Module) -> Iterator[str]:
    """Names that a file gives to answers: by a type, or by taking them from somewhere."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and _is_typed(node.annotation):
            yield node.arg
        elif isinstance(node, ast.AnnAssign) and _is_typed(node.annotation):
            yield _last_name(node.target)
        elif isinstance(node, ast.Assign) and _last_name(node.value) in NAMES:
            yield from map(_last_name, node.targets)
        elif isinstance(node, ast.NamedExpr) and _last_name(node.value) in NAMES:
            yield node.target.id


def _is_typed(annotation: ast.expr | None) -> bool:
    return annotation is not None and any(
        _last_name(node) in TYPES for node in ast.walk(annotation) if isinstance(node, ast.expr)
    )


def files() -> Iterator[Path]:
    """The source outside the rooms that ask."""
    return (
        path
        for path in SOURCE.rglob("*.py")
        if path.relative_to(SOURCE).parts[0] not in ASKERS and path.stem != "answers"
    )


def test_question_functions_are_the_only_callers_of_answers() -> None:
    """A command, a page or an export that asks by itself would answer by itself, too."""
    assert {"sessions", "totals", "tools", "llms"} <= QUESTIONS
    found = [
        f"{path.relative_to(SOURCE)}:{line}"
        for path in files()
        for line in asked_in(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_the_index_is_opened_by_the_catalog_alone() -> None:
    """Whoever does not import it cannot ask it under a name that this test does not know."""
    importers = [
        path.relative_to(SOURCE)
        for path in files()
        if "m31a_metrics.history" in path.read_text(encoding="utf-8")
        or "import history" in path.read_text(encoding="utf-8")
    ]
    assert importers == []


@pytest.mark.parametrize("room", ["catalog", "questions"])
def test_every_room_that_may_ask_does(room: str) -> None:
    """What finds nothing outside finds the questions that are there; the history answers them."""
    assert any(asked_in(path.read_text(encoding="utf-8")) for path in (SOURCE / room).rglob("*.py"))


@pytest.mark.parametrize(
    "text",
    [
        "ask.answers.tools(which)",
        "asked.ask.answers.totals(which)",
        "answers.sessions(which)",
        "def page(told: Answers): return told.sessions(which)",
        "def page(told: answers.Answers | None): return told.sessions(which)",
        "def page(ask):\n    told = ask.answers\n    return told.llms(which)",
        "def page(ask):\n    return (told := ask.answers) and told.llms(which)",
        "rows = map(ask.answers.tools, parts)",
    ],
)
def test_a_question_is_found_however_it_is_put(text: str) -> None:
    """By attribute, by a typed name, by a name of one's own, called at once or later."""
    assert asked_in(text)


@pytest.mark.parametrize("text", ["machine.tools(by='tool')", "tools(ask)", "metrics.tools"])
def test_what_only_looks_like_a_question_is_none(text: str) -> None:
    """Methods of the query API, question functions and rows of METRICS.json have such names too."""
    assert not asked_in(text)
