"""A small workflow engine that records itself: where a Collector belongs in an agent.

    python examples/workflow_engine.py --sessions-dir sessions

It takes one task, "give the shop a discount", through plan -> execute -> verify -> ship in
a git repository that it makes in a temporary directory and removes at the end.

Real: the repository and its history, every git and Python process, the test that fails
and the edit that heals it, the `git bisect run` that finds the commit that lost the cents.
Scripted: the language model. Its answers, token counts, costs and names stand in SCRIPT.

Where it records, from the outside in:
    run             one Collector per session; leaving its `with` block is stop()
    Engine.run      each phase: that it began, how long it took, how it ended
    Engine.execute  a self-heal
    Engine.verify   a bisect and its outcome
    Model.ask       each answer of the model: tokens, cost, name, duration
    Tools           each tool call: success from the exit code, duration as measured
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from m31a_metrics import Collector, Usage, events, new_session_id


class WorkflowError(Exception):
    """A step that must not fail did; says which, and what the tool complained of."""


class Answer(NamedTuple):
    """What a model client gives back."""

    model: str
    usage: Usage
    cost_usd: float
    text: str


# The language model: no network, no key, the same answers every time.
SCRIPT = {
    "plan": Answer("scripted-large", Usage(4210, 380), 0.0121, "discount.py, its test, release"),
    "write discount.py": Answer(
        "scripted-large",
        Usage(5030, 610, cache_read_tokens=4096),
        0.0148,
        "def discounted(amount, percent):\n    return amount * percent / 100\n",
    ),
    "heal discount.py": Answer(
        "scripted-large",
        Usage(5890, 190, cache_read_tokens=5120),
        0.0087,
        "-    return amount * percent / 100\n+    return amount - amount * percent / 100\n",
    ),
    "name the release": Answer("scripted-small", Usage(1240, 60), 0.0006, "Give discounts"),
}

TEST_DISCOUNT = """\
import unittest
from discount import discounted

class DiscountTest(unittest.TestCase):
    def test_fifteen_percent_off(self):
        self.assertEqual(discounted(100, 15), 85)
"""
TEST_RECEIPT = """\
import unittest
from cart import total

class ReceiptTest(unittest.TestCase):
    def test_cents_are_kept(self):
        self.assertEqual(total([0.5, 0.25]), 0.75)
"""
CART = "def total(prices):\n    return sum(prices)\n"
BROKEN_CART = "def total(prices):\n    return int(sum(prices))\n"
COMMITS = 24
BREAKING_COMMIT = 15  # the one that the bisect must find

# -E, -B: neither the caller's settings nor a stale .pyc decide what a test says.
UNITTEST = (sys.executable, "-E", "-B", "-m", "unittest")


class Tools:
    """The tool dispatcher: every tool the agent uses runs, and is recorded, here."""

    def __init__(self, collector: Collector, directory: Path) -> None:
        self.collector = collector
        self.directory = directory

    def run(self, name: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command; its exit code decides whether the call is a success."""
        with self.collector.tool_call(name) as call:
            done = run_command(self.directory, *command)
            if done.returncode != 0:
                call.fail(done.stderr)  # one normalised line of it is kept
        return done

    def git(self, *arguments: str) -> str:
        """Run git, which must succeed; give back what it printed."""
        return output_of(self.run("git", "git", *arguments))

    def test(self, module: str) -> bool:
        """Run one test module; tell whether it passed."""
        return self.run("unittest", *UNITTEST, module).returncode == 0

    def write(self, file: str, text: str) -> None:
        """Write a whole file."""
        with self.collector.tool_call("write"):
            (self.directory / file).write_text(text)
        self.collector.record_edit_strategy("whole_file")

    def edit(self, file: str, diff: str) -> None:
        """Replace one line of a file, as a diff of two lines says."""
        old, new = (line[1:] for line in diff.splitlines())
        with self.collector.tool_call("edit"):
            text = (self.directory / file).read_text()
            if old not in text:
                raise WorkflowError(f"{file} does not hold {old!r}")
            (self.directory / file).write_text(text.replace(old, new))
        self.collector.record_edit_strategy("exact_match")


class Model:
    """The LLM client: every answer is recorded here. This one reads it from SCRIPT."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector

    def ask(self, phase: str, request: str) -> str:
        """Give the model's answer to a request made in a phase."""
        started = perf_counter()
        answer = SCRIPT[request]
        self.collector.record_llm_interaction(
            phase,
            answer.usage,
            answer.cost_usd,
            model=answer.model,
            duration_ms=(perf_counter() - started) * 1000,
        )
        return answer.text


class Engine:
    """The phase engine: plan -> execute -> verify -> ship; a failed phase ends the run."""

    def __init__(self, collector: Collector, directory: Path, say: Callable[[str], object]) -> None:
        self.collector = collector
        self.tools = Tools(collector, directory)
        self.model = Model(collector)
        self.say = say

    def run(self) -> bool:
        """Go through the phases; tell whether all of them succeeded."""
        for work in (self.plan, self.execute, self.verify, self.ship):
            with self.collector.phase(work.__name__) as phase:
                phase.success = work()
            if not phase.success:
                return False
        return True

    def plan(self) -> bool:
        """Look at the repository and decide what to do."""
        self.tools.git("log", "--oneline")
        self.tools.git("show", "HEAD:cart.py")
        return bool(self.model.ask("plan", "plan"))

    def execute(self) -> bool:
        """Write code and its test; where the test fails, heal the code."""
        self.tools.write("test_discount.py", TEST_DISCOUNT)
        self.tools.write("discount.py", self.model.ask("execute", "write discount.py"))
        if not self.tools.test("test_discount"):
            with self.collector.heal("execute") as heal:
                self.tools.edit("discount.py", self.model.ask("execute", "heal discount.py"))
                heal.success = self.tools.test("test_discount")
            if not heal.success:
                return False
        self.tools.git("add", "--all")
        self.tools.git("commit", "--message", "Add discounts")
        return True

    def verify(self) -> bool:
        """Check receipts; if an old commit broke them, find it by bisect and revert it."""
        self.tools.write("test_receipt.py", TEST_RECEIPT)
        if not self.tools.test("test_receipt"):
            self.collector.record_bisect_trigger("verify")
            self.tools.git("bisect", "start", "HEAD", "v1.0")
            bisect = self.tools.run("git bisect", "git", "bisect", "run", *UNITTEST, "test_receipt")
            self.collector.record_bisect_outcome("verify", bisect.returncode == 0)
            found = self.tools.git("show", "--no-patch", "--format=%h %s", "refs/bisect/bad")
            self.tools.git("bisect", "reset")
            self.say(f"  found:    {found.strip()}")
            self.tools.git("revert", "--no-edit", found.split()[0])
        return self.tools.test("test_receipt") and self.tools.test("test_discount")

    def ship(self) -> bool:
        """Commit the new test and tag the release."""
        name = self.model.ask("ship", "name the release")
        self.tools.git("add", "--all")
        self.tools.git("commit", "--message", name)
        self.tools.git("tag", "--annotate", "v1.1", "--message", name)
        return True


def run_command(directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the repository, whatever the caller's own git is set to."""
    environment = {name: text for name, text in os.environ.items() if name[:4] != "GIT_"}
    for who in ("AUTHOR", "COMMITTER"):
        environment[f"GIT_{who}_NAME"] = "Workflow Engine"
        environment[f"GIT_{who}_EMAIL"] = "engine@example.invalid"
        environment[f"GIT_{who}_DATE"] = "2025-01-01T12:00:00Z"  # so commits have the same ids
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    try:
        return subprocess.run(
            command, cwd=directory, env=environment, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise WorkflowError(f"{command[0]} is not installed, and this example needs it") from error


def output_of(done: subprocess.CompletedProcess[str]) -> str:
    """Give a command's output. Raises WorkflowError where the command failed."""
    if done.returncode != 0:
        raise WorkflowError(f"`{' '.join(done.args)}` failed: {done.stderr.strip()}")
    return done.stdout


def make_repository(directory: Path) -> None:
    """Make the world before the session: a shop whose totals lost their cents one day."""
    output_of(run_command(directory, "git", "init", "--quiet"))
    for number in range(COMMITS):
        if number == BREAKING_COMMIT:
            message, file, text = "Simplify totals", "cart.py", BROKEN_CART
        elif number == 0:
            message, file, text = "Open the shop", "cart.py", CART
        else:
            message, file, text = f"Sell product {number}", f"product{number}.txt", "tea\n"
        (directory / file).write_text(text)
        output_of(run_command(directory, "git", "add", file))
        output_of(run_command(directory, "git", "commit", "--quiet", "--message", message))
        if number == 0:
            output_of(run_command(directory, "git", "tag", "v1.0"))


def told(event: events.Event) -> str:
    """Say in one line what was recorded, for whoever watches; empty for the small things."""
    match event:
        case events.PhaseTransition():
            return f"{event.phase}"
        case events.ToolCall():
            outcome = "ok" if event.success else f"FAILED  {event.error}"
            return f"  {event.name:<10}{event.duration_ms:5.0f} ms  {outcome}"
        case events.LLMInteraction():
            tokens, cost = event.usage.total, event.cost
            return f"  model     {tokens:5,} tokens, ${cost} ({event.model})"
        case events.HealTrigger() | events.BisectTrigger():
            return f"  {type(event).__name__.removesuffix('Trigger').lower()} begins"
        case events.HealOutcome() | events.BisectOutcome():
            return "  ... and succeeds" if event.success else "  ... and fails"
    return ""


def run(sessions_dir: str | None = None, say: Callable[[str], object] = print) -> str:
    """Record one session in `sessions_dir` (None: the configured one); return its id."""
    session_id = new_session_id()

    def tell(event: events.Event) -> None:
        if line := told(event):
            say(line)

    with tempfile.TemporaryDirectory(prefix="workflow-") as directory:
        make_repository(Path(directory))
        with Collector(session_id, sessions_dir, on_event=tell) as collector:
            if not Engine(collector, Path(directory), say).run():
                raise WorkflowError("a phase failed; the session tells which")
    return session_id


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="A workflow engine that records its session.")
    parser.add_argument("--sessions-dir", help="where to record; default: as configured")
    sessions_dir = parser.parse_args().sessions_dir
    print("Real: git, Python, the failing test, the bisect. Scripted: the language model.")
    try:
        session_id = run(sessions_dir)
    except WorkflowError as error:
        sys.exit(str(error))
    print(f"Recorded. Look at it with: m31 show {session_id}")


if __name__ == "__main__":
    main()
