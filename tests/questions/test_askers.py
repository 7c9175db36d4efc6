"""Who asks: question functions alone put questions to the index."""

from __future__ import annotations

import ast
from pathlib import Path

from m31a_metrics.answers import Answers

SOURCE = Path(__file__).resolve().parents[2] / "src" / "m31a_metrics"
ASKERS = {"questions", "history", "catalog"}
QUESTIONS = {name for name in vars(Answers) if not name.startswith("_")}


def asked_in(path: Path) -> list[str]:
    """The calls of a file that ask answers for rows."""
    return [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in QUESTIONS
        and isinstance(node.func.value, (ast.Name, ast.Attribute))
        and (getattr(node.func.value, "id", "") or getattr(node.func.value, "attr", ""))
        in ("answers", "history", "index")
    ]


def test_question_functions_are_the_only_callers_of_answers() -> None:
    """A command, a page or an export that asks by itself would answer by itself, too."""
    assert {"sessions", "totals", "tools", "llms"} <= QUESTIONS
    found = [
        place
        for path in SOURCE.rglob("*.py")
        if path.relative_to(SOURCE).parts[0] not in ASKERS
        for place in asked_in(path)
    ]
    assert found == []
    assert any(asked_in(path) for path in (SOURCE / "questions").rglob("*.py"))
