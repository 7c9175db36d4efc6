"""docs/commands.md is true: every command and column is there, and the output is real."""

from __future__ import annotations

import importlib
import pkgutil
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from m31a_metrics import comparison, tables
from m31a_metrics.cli.app import COMMANDS, app, load
from m31a_metrics.table import Column
from tests.cli import machine
from tests.cli.terminal import on_terminal

ROOT = Path(__file__).resolve().parents[1]
PATH = ROOT / "docs" / "commands.md"
PAGE = PATH.read_text(encoding="utf-8")

# A command line of ours on any page, in a block of a shell.
BLOCK = re.compile(r"^```(?:console|sh|shell)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
OURS = re.compile(r"(?:^(?:\$ )?|'m31a-metrics\[cli\]' |\$\()(m31\b.*)", re.MULTILINE)
END = re.compile(r" -- | [|>#]|\)")


def section(name: str) -> str:
    """What the page says below a heading."""
    found = re.search(rf"^## {re.escape(name)}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found, f"docs/commands.md has no section {name!r}"
    return found[1]


def options_of(command: click.Command) -> Iterator[str]:
    """The long options of a command and of the commands below it."""
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield from (option for option in parameter.opts + parameter.secondary_opts)
    if isinstance(command, click.Group) and command is not app:
        for below in command.commands.values():
            yield from options_of(below)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_section(name: str) -> None:
    """The section of a command has an example, and names each option that is its own."""
    text = section(f"m31 {name}")
    assert "```console\n$ " in text
    assert f"m31 {name}" in text.partition("```console")[2]
    everywhere = PAGE.partition("\n## ")[0]
    unnamed = [
        option
        for option in options_of(load(name))
        if option.startswith("--")
        and not re.search(rf"`{option}\b", text)
        and f"`{option}" not in everywhere
    ]
    assert unnamed == []


def test_options_of_all_commands_are_named() -> None:
    """What `m31` itself takes stands in the first table of the page."""
    everywhere = PAGE.partition("\n## ")[0]
    assert [option for option in options_of(app) if f"`{option}" not in everywhere] == []


def test_every_column_is_explained() -> None:
    """Each name that a program finds in JSON or CSV stands in the table of columns."""
    columns = set()
    for package in (tables, comparison):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for value in vars(importlib.import_module(module.name)).values():
                values = value if isinstance(value, list) else [value]
                columns |= {one.name for one in values if isinstance(one, Column)}
    assert len(columns) > 30
    named = re.findall(r"`(\w+)`", section("Columns"))
    assert sorted(columns - set(named)) == []
    assert [
        name for name in named if name.endswith(("_ms", "_count", "_usd")) and name not in columns
    ] == []


def test_the_environment_is_named() -> None:
    """Each variable that the source reads stands in the table of the environment."""
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    names = set(re.findall(r"\bM31A_[A-Z_]+\b", source)) | {"NO_COLOR"}
    assert {name for name in names if f"`{name}`" not in section("Environment")} == set()


@pytest.mark.parametrize(
    "page", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]), ids=lambda page: page.name
)
def test_command_lines_on_our_pages_can_be_typed(page: Path) -> None:
    """Every `m31 ...` in a block of shell names a command and options that are there."""
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in OURS.findall(block):
            ours = shlex.split(END.split(line)[0])[1:]
            context = click.Context(
                app, info_name="m31", resilient_parsing=True, **app.context_settings
            )
            command: click.Command = app
            while isinstance(command, click.Group) and ours and not ours[0].startswith("-"):
                below = command.get_command(context, ours.pop(0))
                assert below is not None, line
                command = below
            known = set(options_of(command)) | {"-h", "--help"}
            words = [word for word in ours if word.startswith("-") and word != "-"]
            assert [word for word in words if word not in known] == [], line


def test_shown_output_is_real(clean_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page shows below a command is what a terminal of 80 columns shows."""
    machine.record(clean_home / ".m31a" / "sessions")
    shown = 0
    for block in BLOCK.findall(PAGE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, output = part.partition("\n")
            if not output:
                continue
            drawn = on_terminal(*shlex.split(line)[1:], NO_COLOR="1", TZ="UTC")
            assert [row.rstrip() for row in drawn.splitlines()] == output.splitlines(), line
            shown += 1
    assert shown >= 4
