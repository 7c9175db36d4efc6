"""docs/otlp-in.md is the table of what is read, and names nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from m31a_metrics.live.otlp import names
from m31a_metrics.live.otlp.names import Emitter, Names, Rule, Tells

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "otlp-in.md").read_text(encoding="utf-8")

OF_TEXT = ("prompt", "output", "args", "arguments", "message", "content", "text", "response")
"""How attributes that hold people's text are called."""


def rows_of(who: Emitter) -> Iterator[str]:
    """The rows that the page has of an agent."""
    for kind, named in (("log", who.logs), ("span", who.spans)):
        for name, rules in named.items():
            for rule in rules:
                yield _row(f"{kind} `{name}`", rule)


def rows_of_conventions() -> Iterator[str]:
    """The rows that the page has of spans of others."""
    for convention, rules in names.CONVENTIONS.items():
        for rule in rules:
            yield _row(convention, rule, with_fields=False)


def rows_of_fields(rule: Rule) -> Iterator[str]:
    """The rows that say which attributes tell one thing, the first that is there."""
    for field, attributes in rule.fields.items():
        yield f"| {field.replace('_', ' ')} | {_listed(attributes)} |"


def _row(record: str, rule: Rule, *, with_fields: bool = True) -> str:
    where = [*_conditions(rule.where), *(f"not {one}" for one in _conditions(rule.unless))]
    cells = [record, rule.tells.value, "; ".join(where)]
    if with_fields:
        cells.append(_listed(name for names_ in rule.fields.values() for name in names_))
    return "| " + " | ".join(cells) + " |"


def _conditions(where: Mapping[str, Names]) -> list[str]:
    return [f"`{name}`" + (f" is {_listed(some)}" if some else "") for name, some in where.items()]


def _listed(some: Names | Iterator[str]) -> str:
    return ", ".join(f"`{one}`" for one in dict.fromkeys(some))


def _tables() -> list[str]:
    return [line for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line]


def _expected() -> list[str]:
    shared = {rule.tells: rule for rules in names.CONVENTIONS.values() for rule in rules}
    return [
        *(row for who in names.EMITTERS for row in rows_of(who)),
        *rows_of_conventions(),
        *rows_of_fields(shared[Tells.MODEL_CALL]),
        *rows_of_fields(shared[Tells.TOOL_CALL]),
    ]


def test_the_page_has_each_row_of_the_table() -> None:
    """Whoever wonders what is read of an agent finds it there, and no more than that."""
    rows = [row for row in _tables() if "`" in row]
    assert rows == _expected()


def test_the_page_says_where_sessions_are_named() -> None:
    """Each agent's own attribute, and what marks a person's turn or a request of its own."""
    for who in (*names.EMITTERS, names.OTHERS):
        own = (*who.session, *who.turn_where, *who.unwritten_where, *who.provider_and_model)
        for attribute in (*own, *filter(None, (who.parent,))):
            assert f"`{attribute}`" in PAGE, who.agent


@pytest.mark.parametrize("who", names.EMITTERS, ids=lambda who: str(who.agent))
def test_no_attribute_of_people_s_text_is_read(who: Emitter) -> None:
    """But Codex's output, of which two figures are."""
    wanted = {
        name
        for rules in (*who.logs.values(), *who.spans.values(), *names.CONVENTIONS.values())
        for rule in rules
        for name in rule.wanted
    }
    last = {name: re.split(r"[._]", name)[-1] for name in wanted}
    assert {name for name, word in last.items() if word in OF_TEXT and "token" not in name} == (
        {"output"} if who is names.CODEX else set()
    )


def test_one_witness_tells_of_an_agent_s_model_calls() -> None:
    """An agent that says its tokens several times is believed once."""
    for who in names.EMITTERS:
        told = [
            name
            for name, rules in (*who.logs.items(), *who.spans.items())
            for rule in rules
            if rule.tells is Tells.MODEL_CALL
        ]
        assert len(told) + who.conventions == 1, who.agent
