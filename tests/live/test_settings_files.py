from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest

from m31a_metrics.live.agents import AGENTS, is_ours
from m31a_metrics.live.settings_files import (
    Before,
    Wanted,
    has_our_status_line,
    has_status_line,
    ours,
    waits,
    with_ours,
    without_ours,
)
from m31a_metrics.live.settings_json import NotStrictJSON, scan

LIVE = "/home/ada/.m31a/live"
THEIRS = {"type": "command", "command": "~/.claude/line.sh", "padding": 0}
OTHER: dict[str, Any] = {"matcher": "Bash", "hooks": [{"type": "command", "command": "lint.sh"}]}

SETTINGS: dict[str, str | None] = {
    "missing": None,
    "empty": "",
    "blank": "  \r\n\n",
    "only a mark": "\ufeff",
    "an empty object": "{}",
    "an empty object with a space": "{ }",
    "an empty object on lines": "{\n}\n",
    "unknown keys": json.dumps({"zzz": {"deep": [1, {"x": None}]}, "a.b": 1.50}, indent=2),
    "one line": '{"model":"opus","env":{"A":"1"}}',
    "one line with spaces": '{ "model" : "opus" , "env" : { } }\n',
    "tabs": json.dumps({"model": "opus", "hooks": {"Stop": [OTHER]}}, indent="\t") + "\n",
    "four spaces": json.dumps({"permissions": {"allow": ["Bash(ls)"]}}, indent=4),
    "no indentation": '{\n"model": "opus"\n}\n',
    "windows": json.dumps({"model": "opus", "hooks": {}}, indent=2).replace("\n", "\r\n"),
    "a mark": "\ufeff" + json.dumps({"model": "opus"}, indent=2),
    "a mark and windows": '\ufeff{\r\n  "hooks": {\r\n    "Stop": []\r\n  }\r\n}\r\n',
    "mixed line ends": '{\r\n  "a": 1,\n  "b": 2\r\n}\n',
    "no newline": '{\n  "model": "opus"\n}',
    "many newlines": '\n\n{\n  "model": "opus"\n}\n\n\n',
    "empty hooks": '{"hooks": {}}',
    "empty hooks on lines": '{\n  "hooks": {\n  }\n}\n',
    "empty events": '{"hooks": {"PostToolUse": [], "Stop": [ ]}}',
    "empty events on lines": '{\n  "hooks": {\n    "Stop": [\n    ]\n  }\n}\n',
    "other hooks": json.dumps({"hooks": {"PostToolUse": [OTHER, OTHER]}}, indent=2) + "\n",
    "other hooks everywhere": json.dumps(
        {"hooks": {name: [OTHER] for name in AGENTS["claude-code"].tells}}, indent=1
    ),
    "other hooks in one line": json.dumps({"hooks": {"Stop": [OTHER], "PreToolUse": [OTHER]}}),
    "the same hook twice": json.dumps(
        {"hooks": {"Stop": [{"hooks": OTHER["hooks"] * 2}] * 2}}, indent=2
    ),
    "hooks twice": '{"hooks": {"Stop": []}, "a": 1, "hooks": {"Stop": [], "x": []}}',
    "an event twice": '{"hooks": {"Stop": [1], "Stop": [2]}}',
    "their status line": json.dumps({"statusLine": THEIRS, "model": "x"}, indent=2),
    "their status line in one line": '{"statusLine":{"type":"command","command":"a"},"b":[]}',
    "names that must be escaped": '{"\\u00e9\\n": "\\ud83d\\ude00", "é": "\u2028"}\n',
    "odd numbers": '{"a": 1E400, "b": -0.0, "c": 123456789012345678901234567890}',
    "a space too much everywhere": '{ "hooks" : { "Stop" : [ { "hooks" : [ ] } ] } }',
    "a blank line inside": '{\n\n  "a": 1\n\n}\n',
}
STYLES = list(product((False, True), (False, True)))


def wanted(*, budget: bool = False, line: bool = False, agent: str = "claude-code") -> Wanted:
    """What is to be installed."""
    return Wanted(AGENTS[agent].entries(LIVE, budget=budget), LIVE, line, line)


@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_installed_is_removed_to_the_byte(name: str) -> None:
    """With and without a budget and a status line: valid, complete, and gone without a trace."""
    text = SETTINGS[name]
    assert len(SETTINGS) >= 30
    for budget, line in STYLES:
        asked = wanted(budget=budget, line=line)
        installed, before = with_ours(text, None, asked)
        assert ours(installed) == {event: one["hooks"] for event, one in asked.entries.items()}
        assert has_our_status_line(installed) is line
        assert waits(ours(installed)) is budget
        assert without_ours(installed, before) == text


@pytest.mark.parametrize("name", SETTINGS)
def test_nothing_else_is_changed(name: str) -> None:
    """All that stood in the file stands in it as before, in its order."""
    text = SETTINGS[name]
    if text is None or not text.strip(" \r\n\ufeff"):
        return
    installed, _ = with_ours(text, None, wanted())
    before = json.loads(text.removeprefix("\ufeff"))
    after = json.loads(installed.removeprefix("\ufeff"))
    hooks, hooks_before = after.pop("hooks"), before.pop("hooks", {})
    assert after == before
    assert [*hooks][: len(hooks_before)] == [*hooks_before]
    for event, groups in hooks_before.items():
        assert hooks[event][: len(groups)] == groups


@pytest.mark.parametrize("name", SETTINGS)
def test_installing_again_changes_what_must_be_and_no_more(name: str) -> None:
    """A second time writes the same file; another mode is written over the first, not beside."""
    text = SETTINGS[name]
    first, before = with_ours(text, None, wanted())
    assert with_ours(first, before, wanted()) == (first, before)
    second, before = with_ours(first, before, wanted(budget=True))
    assert ours(second).keys() == wanted(budget=True).entries.keys()
    assert all(len(entries) == 1 for entries in ours(second).values())
    assert without_ours(second, before) == text


def test_without_a_note_what_is_ours_goes_all_the_same() -> None:
    """Where nobody knows what the file was, ours goes, with what it leaves empty."""
    installed, _ = with_ours('{"model": "x", "hooks": {"Stop": []}}', None, wanted(line=True))
    assert without_ours(installed, None) == '{"model": "x"}'


def test_what_a_person_added_since_stays() -> None:
    """Hooks behind ours, beside ours in one group, a file laid out anew: only ours goes."""
    installed, before = with_ours('{\n  "model": "x"\n}\n', None, wanted())
    changed = json.loads(installed)
    changed["hooks"]["Stop"].append(OTHER)
    changed["hooks"]["PostToolUse"][0]["hooks"].insert(0, OTHER["hooks"][0])
    changed["theme"] = "dark"
    left = without_ours(json.dumps(changed, indent=4), before)
    assert left is not None
    assert json.loads(left) == {
        "model": "x",
        "hooks": {"PostToolUse": [{"hooks": OTHER["hooks"]}], "Stop": [OTHER]},
        "theme": "dark",
    }


def test_a_status_line_is_replaced_only_when_asked_and_comes_back() -> None:
    """Another's stays without a word from the person; ours gives it back as it was written."""
    text = json.dumps({"statusLine": THEIRS}, indent=3)
    kept, _ = with_ours(text, None, wanted())
    assert has_status_line(kept)
    assert not has_our_status_line(kept)
    added, _ = with_ours(text, None, Wanted(wanted().entries, LIVE, status_line=True))
    assert added == kept
    replaced, before = with_ours(text, None, wanted(line=True))
    assert has_our_status_line(replaced)
    # A later installation without the option leaves ours where it is.
    later, before = with_ours(replaced, before, wanted(budget=True))
    assert has_our_status_line(later)
    assert without_ours(later, before) == text


def test_an_entry_of_an_older_version_is_known() -> None:
    """Another interpreter, another folder, other options: the call in it says that it is ours."""
    old = {"type": "command", "command": "/opt/py -I -c 'import sys;import hook;hook.main(1)'"}
    assert is_ours("hook", old)
    assert not is_ours("hook", {"type": "command", "command": "python hook.py"})
    assert not is_ours("hook", "import hook;hook.main(")
    text = json.dumps({"hooks": {"Notification": [{"hooks": [old]}]}})
    assert "Notification" not in ours(with_ours(text, None, wanted())[0])


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[]", "line 1, column 1"),
        ('{"hooks": []}', "line 1, column 11"),
        ('{"hooks": null}', "line 1, column 11"),
        ('{"hooks": {\n"Stop": {}}}', "line 2, column 9"),
        ('{"a": 1,\n // b\n}', "line 2, column 2"),
    ],
)
def test_a_file_that_is_no_settings_is_refused(text: str, place: str) -> None:
    """What is not laid out as its agent reads it is left alone, and the place is named."""
    with pytest.raises(NotStrictJSON, match=place):
        with_ours(text, None, wanted())


@pytest.mark.parametrize("agent", AGENTS)
def test_each_agent_gets_its_events(agent: str) -> None:
    """Only a call waits where a budget is set; everything else is asynchronous."""
    for budget in (False, True):
        entries = AGENTS[agent].entries(LIVE, budget=budget)
        waiting = {event for event, one in entries.items() if "async" not in str(one)}
        # Codex warns of an asynchronous hook at the end, where it waits anyway.
        waiting -= {"SessionEnd"} if agent == "codex" else set()
        assert waiting == (set(AGENTS[agent].asks) if budget else set())
        text, _ = with_ours(None, Before(), Wanted(entries, LIVE))
        assert scan(text).is_object()
