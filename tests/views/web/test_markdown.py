from __future__ import annotations

import pytest

from m31a_metrics.views.web.markdown import Block, Span, blocks, spans


def test_blocks_of_an_answer() -> None:
    """Headings, paragraphs, lists, quotes, rules, code and tables are told apart, in order."""
    text = """# What I did

I changed `cart.py`
and **two** tests.

1. first
   goes on
- outer
  - inner

> said
---
```python
x = "**not bold**"
```
| a | b |
|---|:-:|
| 1 | `2` |
after"""
    found = blocks(text)
    kinds = [block.kind for block in found]
    assert kinds == [
        "heading", "paragraph", "item", "item", "item", "quote", "rule", "code", "table",
        "paragraph",
    ]  # fmt: skip
    assert found[1].spans == [
        Span("I changed "), Span("cart.py", "code"), Span("\nand "), Span("two", "strong"),
        Span(" tests."),
    ]  # fmt: skip
    assert [(one.marker, one.depth) for one in found[2:5]] == [("1.", 0), ("•", 0), ("•", 1)]
    assert found[2].spans == [Span("first\ngoes on")]
    assert found[7].text == 'x = "**not bold**"'
    assert found[8].rows == [[[Span("a")], [Span("b")]], [[Span("1")], [Span("2", "code")]]]


def test_code_that_nobody_ends_goes_to_the_end() -> None:
    """An answer that was cut off within code stays code, and a longer fence holds shorter ones."""
    assert blocks("```\na\nb") == [Block("code", text="a\nb")]
    assert blocks("````\n```\n````\nx")[0] == Block("code", text="```")


EVIL, GOOD = "https://evil.example", "https://a.example/y"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("**`run`** it", [Span("run", "code"), Span(" it")]),
        ("a *b* c_d_e _f_", [Span("a "), Span("b", "em"), Span(" c_d_e "), Span("f", "em")]),
        ("2 * 3 * 4", [Span("2 * 3 * 4")]),
        ("`a", [Span("`a")]),
        (f"see {GOOD}.", [Span("see "), Span(GOOD, "link", GOOD), Span(".")]),
        (f"[x]({GOOD})", [Span("x", "link", GOOD, "a.example")]),
        (f"[{GOOD}]({EVIL})", [Span(GOOD, "link", EVIL, "evil.example")]),
        ("[x](javascript:alert`1`)", [Span("x", "path", host="javascript:alert`1`")]),
        ("[x](javascript:alert(1))", [Span("[x](javascript:alert(1))")]),
        ("[x](data:text/html,y)", [Span("x", "path", host="data:text/html,y")]),
        (f"![x]({GOOD})", [Span("x", "link", GOOD, "a.example")]),
        ("[cart.py](src/cart.py)", [Span("cart.py", "path", host="src/cart.py")]),
        ("[x](https://[bad)", [Span("x", "path", host="https://[bad")]),
        ("<img src=x onerror=y>", [Span("<img src=x onerror=y>")]),
    ],
)
def test_spans_of_a_line(text: str, found: list[Span]) -> None:
    """Code, emphasis and links are found; a link leads to http and https only, and says where."""
    assert spans(text) == found


@pytest.mark.parametrize("text", ["[" * 40_000, "`" * 40_000, "**a" * 13_000, "*a" * 20_000,
                                  "_a " * 13_000, "> " * 20_000, "|" * 40_000, "- " * 20_000,
                                  "|a|\n|---|\n" + "|" * 40_000])  # fmt: skip
def test_hostile_text_costs_no_more_than_its_length(text: str) -> None:
    """Whatever it repeats, a text is taken apart into no more spans than it has characters."""
    made = blocks(text)
    assert sum(len(block.spans) for block in made) <= len(text)
