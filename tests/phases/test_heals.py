from __future__ import annotations

import pytest

from m31a_metrics.phases import Episode
from m31a_metrics.transcript import Call
from tests.phases.sessions import bash, denied, edit, inferred, tool

FAILED = "FAILED tests/test_a.py::test_x - AssertionError: 1 != 2\n1 failed"
OTHER = "FAILED tests/test_b.py::test_y - KeyError: 'k'\n1 failed"


def red(command: str = "pytest", printed: str = FAILED) -> Call:
    return bash(command, ok=False, printed=printed)


def heals(*calls: Call | str) -> list[Episode]:
    return inferred(*calls).heals


def test_fail_change_pass_is_a_heal() -> None:
    """A failed check, two changes and the check again are one episode that passed."""
    (one,) = heals(red(), edit(), edit("src/b.py"), bash("pytest -q"))
    assert (one.failed, one.edits, one.rerun, one.passed) == ("c0", ["c1", "c2"], "c3", True)
    assert (one.check, one.tool, one.phase, one.loop) == ("pytest", "Bash", "verify", False)
    assert one.ended_us - one.began_us == 15_000_000


def test_each_attempt_is_an_episode() -> None:
    """A check that fails again begins the next attempt at the same failure."""
    first, second = heals(red(), edit(), red(), edit(), bash("pytest"))
    assert (first.rerun, first.passed) == ("c2", False)
    assert (second.failed, second.rerun, second.passed) == ("c2", "c4", True)
    assert first.chain == second.chain
    assert not first.loop


def test_three_attempts_at_one_failure_are_a_loop() -> None:
    """The same error three times in a row is a heal loop, counted once."""
    found = inferred(red(), edit(), red(), edit(), red(), edit(), bash("pytest"))
    assert [one.loop for one in found.heals] == [True, True, True]
    kinds = [type(event).__name__ for event in found.events]
    assert kinds.count("HealTrigger") == 3
    assert kinds.count("HealOutcome") == 3
    assert kinds.count("HealLoop") == 1


def test_another_failure_means_that_this_one_is_healed() -> None:
    """A rerun that fails for another reason passed as far as the first failure goes."""
    first, second = heals(red(), edit(), red(printed=OTHER), edit(), bash("pytest"))
    assert first.passed is True
    assert first.chain != second.chain


def test_never_run_again() -> None:
    """What was changed for a failure that nobody checked again has no outcome."""
    (one,) = heals(red("vale README.md", "README.md:3:1: error: em-dash"), edit("README.md"))
    assert (one.rerun, one.passed) == ("", None)


def test_a_wider_check_is_a_rerun_too() -> None:
    """`make check` holds the tests that failed; another linter does not hold this one."""
    assert heals(red(), edit(), bash("make check"))[0].rerun == "c2"
    assert heals(red(), edit(), bash("python -m unittest"))[0].rerun == "c2"
    failed = red("npx markdownlint-cli2 a.md", "a.md:1:2 MD013 error")
    assert heals(failed, edit("a.md"), bash("npx vale a.md"))[0].rerun == ""


def test_hidden_exit_codes_are_read_from_the_output() -> None:
    """A pipe hides that the check failed; what it printed tells."""
    failed = bash("npm test 2>&1 | tail -5", printed="Tests: 2 failed, 7 passed")
    assert heals(failed, edit(), bash("npm test 2>&1 | tail -5", printed="9 passed"))[0].passed
    passed = bash("npm test 2>&1 | tail -5", printed="Tests: 0 failed, 9 passed")
    assert heals(passed, edit(), bash("npm test")) == []


@pytest.mark.parametrize(
    ("command", "printed"),
    [
        ("pytest -q | tail -3; mypy src | tail -3", "5 passed in 1s\nFound 2 errors in 1 file"),
        ("npm test; npm run lint && echo done", "\u2716 3 problems\n> lint\ndone"),
        ("npx mdlint docs 2>&1 | grep -c error; echo linted", "4\nlinted"),
        ("tsc --noEmit | grep 'error TS' | wc -l", "      11\n"),
        ("gofmt -l . | wc -l", "2"),
        ('make test; echo "exit: $?"', "...\nexit: 2"),
        ("cargo test 2>&1 | tail -2; echo rc=${PIPESTATUS[0]}", "running\nrc=101"),
        ("ctest > /tmp/out; echo $?", "8"),
    ],
)
def test_failures_that_stand_only_in_the_output(command: str, printed: str) -> None:
    """A later command, a count or a printed code tells of a failed check that exits with 0."""
    (one,) = heals(bash(command, printed=printed), edit(), bash(command))
    assert (one.failed, one.rerun, one.passed) == ("c0", "c2", True)


@pytest.mark.parametrize(
    ("command", "printed"),
    [
        ("npx mdlint docs 2>&1 | grep -c error; echo linted", "0\nlinted"),
        ("tsc --noEmit | wc -l", "12"),
        ("npm test | grep -v ok; echo EXIT $?", "EXIT 1"),
        ('make test; echo "exit: $?"', "12 tests\nexit: 0"),
        ("set -e; npm test; npm run lint", "\u2716 0 problems"),
        ("pytest -q | grep -c passed", "1"),
    ],
)
def test_numbers_that_tell_of_no_failure(command: str, printed: str) -> None:
    """A count of something else, the code of a filter, and 0 are none."""
    assert heals(bash(command, printed=printed), edit(), bash(command)) == []


def test_a_run_that_was_not_right_is_changed_and_run_again() -> None:
    """What was changed is run, changed further, and run the same way: it was not as wanted."""
    run = "./dist/app render a.json | head -5"
    (one,) = heals(edit(), bash(run, printed="<a>"), edit(), bash(run, printed="<b>"))
    assert (one.failed, one.edits, one.rerun, one.passed) == ("c1", ["c2"], "c3", True)
    first, second = heals(edit(), bash(run), edit(), bash(run), edit(), bash(run))
    assert (first.passed, second.passed) == (False, True)
    assert first.chain == second.chain


@pytest.mark.parametrize(
    "calls",
    [
        [edit(), bash("./app a"), edit(), bash("./app b")],
        [edit(), bash("./app a"), edit(), bash("make test"), bash("./app a")],
        [edit(), bash("./app a"), edit(), "now sort them", bash("./app a")],
        [edit(), "why?", bash("./app a"), edit(), bash("./app a")],
        [edit(), bash("./app a"), bash("./app a")],
        [edit(), bash("./app a"), bash("sed -i s/a/b/ x.c && ./app a")],
        [edit(), bash("./app a"), edit(), bash("git commit -m x"), edit(), bash("./app a")],
    ],
)
def test_other_runs_were_right(calls: list[Call | str]) -> None:
    """Other arguments, another check first, a person or a commit between, or nothing changed."""
    assert heals(*calls) == []


def test_a_check_inside_of_a_commit_is_a_rerun() -> None:
    """What failed before and passes in the command that commits is healed by it."""
    lint = "npx mdlint docs"
    (one,) = heals(
        red(lint, "docs/a.md:3:1: error MD013"), edit(), bash(f"{lint} && git commit -am x")
    )
    assert (one.rerun, one.passed) == ("c2", True)


def test_one_command_may_change_and_check() -> None:
    """`sed -i ... && pytest` is both the change and the rerun."""
    (one,) = heals(red(), bash("sed -i s/a/b/ src/a.py && pytest"))
    assert (one.edits, one.rerun, one.passed) == (["c1"], "c1", True)


def test_a_commit_that_its_hook_stopped_is_a_failed_check() -> None:
    """Commit refused, change, commit again: an episode in the phase of shipping."""
    refused = bash("git commit -m x", ok=False, printed="src/a.ts(3,1): error TS2322: Type")
    (one,) = heals(refused, edit("src/a.ts"), bash("git add a && git commit -m x"))
    assert (one.phase, one.rerun, one.passed) == ("ship", "c2", True)
    empty = bash("git commit -m x", ok=False, printed="nothing to commit, working tree clean")
    assert heals(empty, edit(), bash("git commit -m x")) == []
    told = bash("gh pr comment 3 --body 'the commit is in'", ok=False, printed="HTTP 502")
    assert heals(told, edit(), bash("git commit -m x")) == []


@pytest.mark.parametrize(
    "calls",
    [
        [edit(ok=False), edit(), bash("pytest")],
        [bash("ls nothing", ok=False, printed="No such file"), edit(), bash("ls nothing")],
        [
            denied(bash("pytest", printed="FAILED tests/test_app.py::test_a")),
            edit(),
            bash("pytest"),
        ],
        [red(), bash("pytest")],
        [red(), tool("Read", "", "src/app.py"), bash("pytest")],
        [edit("tests/test_new.py"), red(), edit("src/app.py"), bash("pytest")],
        [
            bash("pytest", ok=False, printed=FAILED, said="Verify that the new test fails"),
            edit(),
            bash("pytest"),
        ],
    ],
    ids=["failed edit", "exploring", "denied", "flaky", "only read", "test first", "said to fail"],
)
def test_what_is_no_heal(calls: list[Call]) -> None:
    """No failed edit, no failed look, no denied call, no lucky rerun, no red test written first."""
    assert heals(*calls) == []


@pytest.mark.parametrize(
    "printed",
    [
        "Exit code 1\n  File \"<string>\", line 2\n    if a\n        ^\nSyntaxError: expected ':'",
        "bash: -c: line 3: syntax error near unexpected token `then'",
        "Exit code 2\nerror: unknown option '--colour'",
        "flag provided but not defined: -coverall",
    ],
)
def test_a_check_that_was_itself_wrong_is_no_failure(printed: str) -> None:
    """A script or an option that nobody can run says nothing about the work."""
    assert heals(red(printed=printed), edit(), bash("pytest")) == []


def test_a_test_that_was_broken_itself_is_healed() -> None:
    """A new test that fails and is then repaired itself was not red on purpose."""
    (one,) = heals(edit("tests/test_new.py"), red(), edit("tests/test_new.py"), bash("pytest"))
    assert one.passed is True


def test_subagents_heal_on_their_own() -> None:
    """A change of another agent is not aimed at this one's failure."""
    broken = red()
    broken.subagent = "a1"
    assert heals(broken, edit(), bash("pytest")) == []
    broken = red()
    broken.subagent = "a1"
    (one,) = heals(broken, edit(agent="a1"), bash("pytest", agent="a1"))
    assert one.subagent == "a1"


def test_what_a_check_printed_is_no_failure_line() -> None:
    """Where nothing that a check printed has a sign of failure, a heal has no line."""
    printed = "Exit code 1\nIt is communal, not agentic."
    one = inferred(bash("vale a.md", ok=False, printed=printed), edit(), bash("vale a.md")).heals[0]
    assert one.line == ""


def test_the_line_of_a_heal_is_normalised() -> None:
    """What failed is told by one line without paths and numbers."""
    (one,) = heals(red(printed="ValueError: bad value 17 in /home/me/x.py"), edit(), bash("pytest"))
    assert "/home" not in one.line
    assert "17" not in one.line


def test_bisects() -> None:
    """From start to reset is one bisect, which found something if git says so."""
    found = inferred(
        bash("git bisect start && git bisect bad HEAD && git bisect good v1"),
        bash("git bisect run pytest", printed="abc1234 is the first bad commit"),
        bash("git bisect reset"),
        bash("git log --grep bisect"),
        bash("git commit -m 'found by git bisect run'"),
    )
    (one,) = found.bisects
    assert one.calls == ["c0", "c1", "c2"]
    assert one.found
    kinds = [type(event).__name__ for event in found.events]
    assert kinds.count("BisectTrigger") == kinds.count("BisectOutcome") == 1
