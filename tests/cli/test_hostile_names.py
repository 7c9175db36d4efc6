"""Names from strangers on a terminal: whatever a command writes, nothing in it is obeyed."""

from __future__ import annotations

import io
import json
import re
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from m31a_metrics import Collector, SessionMetrics, ToolMetric, Usage, config, save
from m31a_metrics.cli import main
from tests import transcripts
from tests.cli.conftest import M31
from tests.cli.terminal import on_terminal
from tests.commands import m31 as m31_process
from tests.transcripts import NOW, ONE, answer, call

HOSTILE = (
    "a\x1b[2Jb\x1b]0;t\x07\x9d52;c;UFdO\x9cc\x9b2Jd\x7ff"  # ESC, 8-bit OSC, ST and CSI, BEL, DEL
    "\u202eg\u2066h\u200fi\u061cj\u2069k\ufeffl\u2028m\u2029n\u0085o\U000e0041p\u00adq"
)
DANGEROUS = {"Cc", "Cf", "Cs", "Zl", "Zp"}

COMMANDS = (
    "glance",
    "sessions",
    "sessions --by project",
    "show hostile",
    "show theirs",
    "tools",
    "tools --by phase",
    "cost --by model",
    "cost --by project",
    "phases",
    "heals",
    "errors",
    "errors --by tool",
    "explain hostile",
    "explain last",
    "compare hostile theirs",
    "gate --max cost=1",
    "gate --list --current all",
    "baseline",
    "audit",
    "index",
    "import --dry-run",
    "prune --older-than 0",
    "forget --all --dry-run",
    "doctor",
)
"""Every command that names sessions, projects, tools, models, phases or failures."""

ERRORS = (
    ("show", f"./{HOSTILE}"),
    ("show", HOSTILE),
    ("tools", "--by", HOSTILE),
    ("tools", "--sort", HOSTILE),
    ("tools", "--tool", HOSTILE[:3]),
    ("cost", "--model", HOSTILE),
    ("sessions", "--since", HOSTILE),
    ("sessions", "--agent", HOSTILE),
    ("gate", "--max", f"{HOSTILE}=1"),
    ("gate", "--max", "tool.a.fail_rate=1"),
    ("compare", HOSTILE, "all"),
    ("run", "--", HOSTILE),
    ("run", "--session", HOSTILE, "--", "true"),
    ("record", "tool", "x", "--session", HOSTILE),
    ("import", HOSTILE),
    ("forget", HOSTILE),
    ("completion", HOSTILE),
    ("--debug", "show", f"./{HOSTILE}"),
    (HOSTILE,),
)
"""What says an error with a name in it: one that was typed, or one that is near it."""


@pytest.fixture
def home(clean_home: Path) -> Path:
    """A home in which everything that strangers name is named so."""
    here = config.defaults().sessions_dir
    with Collector("hostile", here) as collector:
        with collector.phase(HOSTILE):
            collector.record_tool_call(HOSTILE, False, 5, error=f"Error: {HOSTILE}")
            collector.record_heal_trigger(HOSTILE)
            collector.record_edit_strategy(HOSTILE)
            collector.record_llm_interaction(HOSTILE, Usage(5, 1), model=HOSTILE)
        collector.record_tool_call("a", True, 5)
    save(here, "theirs", SessionMetrics(HOSTILE, NOW, NOW, [ToolMetric(HOSTILE, 1, 1)]))
    lines = [answer("a", model=HOSTILE), *call("b", NOW, tool=HOSTILE)]
    for line in lines:
        line["gitBranch"] = line["version"] = line["cwd"] = HOSTILE
    transcripts.write(clean_home, ONE, *lines)
    (clean_home / ".claude/projects" / f"{HOSTILE}.jsonl").write_text("{\n")
    broken = Path(here, "hostile", "events", f"{HOSTILE}.jsonl")
    broken.write_text('{"event":"tool_call","t_us":1}\n{}\n')
    return clean_home


def obeyed(written: str) -> set[str]:
    """What a terminal would obey, or not show, but for our own colours and line ends."""
    text = re.sub(r"\x1b\[[0-9;]*[mK]|[\r\n]", "", written)
    return {f"U+{ord(one):04X}" for one in text if unicodedata.category(one) in DANGEROUS}


class Terminal(io.TextIOWrapper):
    """What a command writes to, in this process, as if a person looked on."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def isatty(self) -> bool:
        return True

    @property
    def written(self) -> str:
        """All of it."""
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode()


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run a command; what it wrote, data and talk."""

    def run(*arguments: str) -> str:
        terminal = Terminal()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["m31", *arguments])
            patch.setattr(sys, "stdout", terminal)
            patch.setattr(sys, "stderr", terminal)
            main()
        return terminal.written

    return run


@pytest.mark.parametrize("line", COMMANDS)
def test_nothing_is_obeyed_on_a_terminal(home: Path, shown: Callable[..., str], line: str) -> None:
    """As text, JSON and CSV, with what is said beside it."""
    for form in ([], ["--json"], ["--csv"]):
        if form and line == "baseline":
            continue  # it is JSON, whatever was asked for
        written = shown(*line.split(), *form)
        assert written
        assert "Traceback" not in written
        assert obeyed(written) == set()


@pytest.mark.parametrize("arguments", ERRORS, ids=lambda arguments: arguments[0][:8])
def test_nothing_is_obeyed_in_an_error(
    home: Path, shown: Callable[..., str], arguments: tuple[str, ...]
) -> None:
    """Neither what was typed nor the name that may be meant."""
    written = shown(*arguments)
    assert written
    assert obeyed(written) == set()


def test_a_real_terminal(home: Path) -> None:
    """The same on one of its own: the names come through, made harmless."""
    written = on_terminal("tools", "--json", stderr_too=True)
    assert "52;c;UFdO" in written
    assert obeyed(written) == set()
    assert obeyed(on_terminal("tools", stderr_too=True)) == set()


def test_programs_get_names_as_they_are(home: Path) -> None:
    """Escapes in JSON are the same value to every reader; CSV in a pipe keeps what it can say."""
    said = m31_process("tools", "--json").stdout
    assert HOSTILE in {row["tool"] for row in json.loads(said)}
    assert obeyed(said) == set()
    csv = m31_process("tools", "--csv").stdout
    assert "\u202eg\u2066h\u200fi\u061cj" in csv
    assert "\x1b" not in csv


def test_the_talk_of_a_run_is_harmless(clean_home: Path, m31: M31) -> None:
    """A command that is not there is named, without what a terminal would obey."""
    said = m31("run", "--", "./\x9b2J\u202enothing")
    assert "nothing" in said.err
    assert obeyed(said.err) == set()
