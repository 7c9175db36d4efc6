from __future__ import annotations

import pytest

from m31a_metrics.phases import PHASES, infer
from m31a_metrics.transcript import Call
from tests.phases.sessions import bash, denied, edit, inferred, phases, session, tool


def test_running_the_program_looks_before_a_change_and_checks_after_it() -> None:
    """The same command is exploring, and verifying once the work was changed."""
    assert phases(bash("python app.py"), edit(), bash("python app.py")) == [
        "explore",
        "execute",
        "verify",
    ]


def test_a_failed_edit_changes_nothing() -> None:
    """What was not found in the file was tried to be changed, and there is nothing to check."""
    assert phases(edit(ok=False), bash("python app.py")) == ["execute", "explore"]


def test_a_denied_call_has_no_part_in_what_comes_after_it() -> None:
    """It is named by what was asked for: no file was changed, nothing was shipped or polled."""
    assert phases(denied(edit()), bash("python app.py")) == ["execute", "explore"]
    ships, state = bash("git add -A && pytest && git push"), bash("gh run list")
    assert phases(denied(ships), state) == ["ship", "explore"]
    polls = tool("BashOutput", "", polls="c0")
    assert phases(denied(bash("pytest &")), polls) == ["verify", "other"]


def test_looking_again_after_a_change_is_a_check() -> None:
    """A search repeated after a change verifies; repeated without one it still explores."""
    search = "rg -n old_name src || true"
    assert phases(bash(search), bash(search), edit(), bash(search)) == [
        "explore",
        "explore",
        "execute",
        "verify",
    ]
    assert phases(bash("git status"), edit(), bash("git status"))[2] == "explore"


def test_ci_is_looked_at_to_verify_only_after_shipping() -> None:
    """The state of CI is explored before a push, and verified after it."""
    assert phases(bash("gh run list"), bash("git push"), bash("gh run list")) == [
        "explore",
        "ship",
        "verify",
    ]


def test_logs_of_ci_belong_to_the_turn_that_shipped() -> None:
    """A log that a person asks about later is explored."""
    log = "gh run view 5 --log-failed"
    assert phases(bash("git push"), bash(log), "why is CI red?", bash(log)) == [
        "ship",
        "verify",
        "explore",
    ]


def test_a_diff_reviews_a_finished_change() -> None:
    """A diff of named files after a change verifies; a bare one before a commit explores."""
    assert phases(edit(), bash("pytest"), bash("git diff -- src/app.py"))[2] == "verify"
    assert phases(edit(), bash("pytest"), bash("git diff"))[2] == "explore"
    assert phases(bash("git diff -- src/app.py")) == ["explore"]
    broken = bash("pytest", ok=False, printed="1 failed")
    assert phases(edit(), broken, bash("git diff -- src/app.py"))[2] == "explore"


def test_what_a_subagent_changed_is_reviewed() -> None:
    """A bare diff right after handing over a change verifies."""
    handed = tool("Task", "general-purpose: Implement the parser")
    assert phases(handed, bash("git diff")) == ["execute", "verify"]


def test_silent_descriptions_are_told_by_what_was_done() -> None:
    """A subagent that edited changed the work; one that only read explored."""
    task = tool("Task", "general-purpose: onwards")
    transcript = session(task, edit(agent="a1"))
    task.end_us = transcript.calls[1].end_us
    assert infer(transcript).calls[0].phase == "execute"
    task = tool("Task", "general-purpose: onwards")
    transcript = session(task, tool("Read", "", "a.py", agent="a1"))
    task.end_us = transcript.calls[1].end_us
    assert infer(transcript).calls[0].phase == "explore"


def test_polls_take_the_phase_of_what_they_poll() -> None:
    """Codex names the call, Claude Code an id that its command printed."""
    started = bash("npm run build")
    poll = tool("write_stdin", "npm run build", polls="c0")
    assert phases(started, poll) == ["verify", "verify"]
    background = bash("npm test", printed="Command running in background with ID: b7f2")
    other = bash("ls", printed="Command running in background with ID: c111")
    assert phases(background, other, tool("BashOutput", polls="b7f2"))[2] == "verify"
    assert phases(background, tool("Read", "", "/var/claude/tasks/b7f2.output"))[1] == "verify"


def test_waiting_is_other_unless_it_is_for_a_check() -> None:
    """A wait for nothing known is bookkeeping; for the log of a check it is that check."""
    assert phases(bash("sleep 60")) == ["other"]
    assert phases(bash("pytest > /tmp/t.log 2>&1 &"), bash("sleep 60; tail /tmp/t.log")) == [
        "verify",
        "verify",
    ]
    assert phases(tool("wait_agent"), tool("TaskOutput", polls="x")) == ["other", "other"]


def test_builds_after_another_failed_check_serve_it() -> None:
    """A build between a failed test and its rerun is part of the repair."""
    failed = bash("bun test", ok=False, printed="1 failed")
    assert phases(failed, bash("bun run build"), bash("bun test")) == [
        "verify",
        "execute",
        "verify",
    ]


def test_running_a_script_that_was_changed_checks_it() -> None:
    """Even one that ships: whoever has just changed it runs it to see whether it is right."""
    run = bash("node scripts/release.mjs")
    assert phases(run) == ["ship"]
    assert phases(edit("scripts/release.mjs"), run) == ["execute", "verify"]


def test_what_is_shipped_in_a_temporary_folder_is_tried() -> None:
    """A release run in a copy that is thrown away ships nothing."""
    tried = bash('t=$(mktemp -d) && cd "$t" && git clone /src . && node release.mjs')
    assert phases(tried) == ["explore"]
    assert phases(edit(), tried) == ["execute", "verify"]


def test_a_commit_that_its_check_stopped_ships_nothing() -> None:
    """`npm test && git commit` that failed was a failed check."""
    command = "npm test && git commit -m x"
    assert phases(bash(command)) == ["ship"]
    assert phases(bash(command, ok=False, printed="1 failed")) == ["verify"]


@pytest.mark.parametrize(
    ("path", "phase"),
    [
        ("src/app.py", "execute"),
        ("docs/plans/2026-01-02-parser.md", "plan"),
        ("/home/me/.claude/plans/merry-cat.md", "plan"),
        ("/home/me/.claude/projects/p/memory/notes.md", "other"),
        ("README.md", "execute"),
    ],
)
def test_files_say_what_writing_them_is_for(path: str, phase: str) -> None:
    """Plans are planning and notes to oneself bookkeeping; all else is work."""
    assert phases(edit(path)) == [phase]


@pytest.mark.parametrize(
    ("name", "phase"),
    [
        ("Read", "explore"),
        ("grep_search", "explore"),
        ("codebase_investigator", "explore"),
        ("WebFetch", "explore"),
        ("TodoWrite", "plan"),
        ("update_plan", "plan"),
        ("ExitPlanMode", "plan"),
        ("ask_user", "plan"),
        ("Skill", "other"),
        ("ToolSearch", "other"),
        ("KillShell", "other"),
        ("save_memory", "other"),
        ("write_file", "execute"),
        ("replace", "execute"),
        ("str_replace_editor", "execute"),
        ("mcp__docs__get_page", "explore"),
        ("mcp__tickets__create_issue", "other"),
        ("mcp__github__create_pull_request", "ship"),
        ("mcp__github__add_comment_to_pending_review", "ship"),
        ("github-mcp-server-get_file_contents", "explore"),
        ("mcp__db__execute_migration", "execute"),
        ("mcp__ci__run_tests", "verify"),
        ("mcp__sequential-thinking__sequentialthinking", "plan"),
        ("mcp__ide__getDiagnostics", "verify"),
        ("mcp__x__zzz", "explore"),
        ("mcp__node_repl__js", "explore"),
        ("zzz", "other"),
    ],
)
def test_tools_have_their_phase(name: str, phase: str) -> None:
    """Every agent's tools, and by their words those of MCP servers."""
    assert phases(tool(name)) == [phase]


def test_a_browser_checks_after_a_change() -> None:
    """Screens are looked at to explore, and to verify once something was changed."""
    browse = "mcp__playwright__browser_snapshot"
    assert phases(tool(browse), edit(), tool(browse)) == ["explore", "execute", "verify"]
    assert phases(edit(), tool("Read", "", "shot.png"))[1] == "verify"


def test_scripts_of_calls_are_looked_into() -> None:
    """A script that calls the shell tool has the phase of what it runs."""
    script = 'const r = await tools.exec_command({cmd: "npm test 2>&1", yield_time_ms: 5})'
    assert phases(tool("exec", script)) == ["verify"]
    assert phases(tool("exec", "await tools.apply_patch(p)")) == ["execute"]


def test_getting_ready_is_no_change_of_the_work() -> None:
    """After what is needed was installed, a program is still run to see how it is."""
    assert phases(bash("npm ci"), bash("node dist/cli.js")) == ["execute", "explore"]
    assert phases(bash("npm install zod"), bash("node dist/cli.js")) == ["execute", "verify"]


def test_a_pattern_is_looked_for_again_elsewhere() -> None:
    """The same pattern after a change, whatever else the command says, is a check."""
    first, again = bash("rg -n 'old-plugin' src"), bash("rg -n 'old-plugin' . -g '!dist'")
    assert phases(first, edit(), again) == ["explore", "execute", "verify"]


def test_terminals_have_the_phase_of_what_runs_in_them() -> None:
    """What is typed into a terminal and what it shows is a try, unless a worker sits there."""
    made = phases(
        edit(),
        bash("tmux new-session -d -s t ./app"),
        bash("tmux send-keys -t t j j Enter"),
        bash("tmux capture-pane -p -t t"),
    )
    assert made == ["execute", "verify", "verify", "verify"]
    assert phases(bash("./tmux new " * 500)) == ["execute"]
    handed = bash("tmux send-keys -t w 'Please write the parser' Enter")
    assert phases(handed, bash("tmux capture-pane -p -t w")) == ["execute", "other"]


def test_a_programs_help_is_looked_at_long_after_a_change() -> None:
    """How a program of the project is used is a check soon after a change or its check."""
    shows = bash("./dist/app export --help")
    reads = [tool("Read", "", "a.md"), tool("Read", "", "b.md"), tool("Read", "", "c.md")]
    assert phases(edit(), shows)[-1] == "verify"
    assert phases(edit(), *reads, shows)[-1] == "explore"
    built = bash("go build -o dist/app . && ./dist/app --help")
    assert phases(edit(), *reads, built, shows)[-2:] == ["verify", "verify"]


def test_other_agents_are_waited_for_or_looked_at() -> None:
    """Right after giving them work, and while waiting for it, a look at them only waits."""
    give, wait = bash("workmux add parser -P p.md"), bash("workmux wait parser --timeout 60")
    made = phases(
        bash("workmux status"),
        give,
        bash("workmux status parser"),
        wait,
        bash("workmux capture parser"),
        bash("workmux capture parser -n 200"),
        bash("git status"),
        bash("workmux status"),
    )
    assert made == ["explore", "execute", *["other"] * 3, *["explore"] * 3]
    assert phases(wait, "go on", bash("workmux status"))[1] == "explore"
    polled = tool("write_stdin", "", polls="c0")
    polled.command = give.command
    assert phases(bash("workmux add a && workmux wait a"), polled)[1] == "other"


def test_scripts_that_call_tools_are_for_what_they_call() -> None:
    """A script of calls has the phase of the tool that it calls."""
    assert phases(tool("exec", "text(await tools.update_plan({plan}))")) == ["plan"]
    assert phases(tool("exec", "await tools.exec_command({cmd: 'rg x'})")) == ["explore"]
    assert phases(tool("container.exec", "git push")) == ["ship"]


def test_scripts_that_fail_by_themselves_are_checks() -> None:
    """A script that exits where something is not as it should be is run; a guard is none."""
    expects = bash('V=$(cat V)\nif [ -z "$V" ]; then\n  exit 1\nfi')
    assert phases(edit(), expects)[1] == "verify"
    assert phases(edit(), bash("cd app || exit 1; cat a.txt"))[1] == "explore"


def test_rules_that_guess_are_not_sure() -> None:
    """What a call ran says it, or what came around it: only the first is sure."""
    calls = inferred(
        edit(), bash("pytest"), bash("./app"), bash("git diff a.py"), bash("git commit -m x")
    ).calls
    assert [call.sure for call in calls] == [True, True, False, False, True]


def test_configured_tools_go_first() -> None:
    """A tool is what the configuration says, by its whole name."""
    configured = {"mcp__tickets__search": "plan"}
    assert phases(tool("mcp__tickets__search"), configured=configured) == ["plan"]


def test_agents_are_followed_on_their_own() -> None:
    """What a subagent changed does not make the session's own runs a check, nor the other way."""
    made = phases(edit(agent="a1"), bash("python app.py"), bash("python app.py", agent="a1"))
    assert made == ["execute", "explore", "verify"]


def test_rules_name_programs_and_nothing_that_was_written() -> None:
    """A rule can be shown to anybody: no argument, path or code is in it."""
    secret = "hunter2"  # noqa: S105 - the test looks for it
    calls: list[Call] = [
        bash(f"curl -H 'token: {secret}' https://{secret}.example"),
        bash(f"python -c 'print(\"{secret}\")'"),
        bash(f"npm run build -- --key={secret}"),
        bash(f"bun --cwd {secret} -e '{secret}()'"),
        bash(f"git commit -m {secret}"),
        edit(f"{secret}.md"),
        tool("Task", f"dev: {secret}"),
    ]
    for call in inferred(*calls).calls:
        assert secret not in call.rule
        assert call.phase in PHASES
