"""No secret and nobody's words survive in a failure line, whichever way it comes in."""

from __future__ import annotations

import json
import random
import shutil
import sys
from itertools import product
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from m31a_metrics import Collector, sources
from m31a_metrics.cli import main
from m31a_metrics.errors import MetricsError
from m31a_metrics.events import ToolCall
from m31a_metrics.failures import failure_line, phrases
from m31a_metrics.failures.phrases.wordlists import CLASSES, PACKAGES, PROGRAMS, RULES
from m31a_metrics.phases import infer
from m31a_metrics.transcript import Facts, Transcript
from tests.commands import recorded
from tests.failures.secret_places import PLACES, SECRETS, survives
from tests.sources.golden import GOLDEN

CASES = [
    (place.format(*[secret] * place.count("{}")), secret, place)
    for secret, place in product(SECRETS.values(), PLACES.values())
]


def leaks(lines: list[str], before: str = "") -> list[tuple[str, str]]:
    """Return what is left of the secrets of all cases, whose lines these are in order.

    `before` was put in front of each text.
    """
    found = zip(CASES, lines, strict=True)
    return [
        (left, line)
        for (_, secret, place), line in found
        if (left := survives(secret, line, before + place))
    ]


def test_no_secret_survives_in_any_place() -> None:
    """Of all kinds of secrets in all places nothing is left, whole or in pieces."""
    assert leaks([failure_line(text, mark=lambda _: "abc") for text, _, _ in CASES]) == []
    assert leaks([failure_line(text, printed=True) for text, _, _ in CASES]) == []


# What tools say themselves is no secret, and a machine that invents texts knows some of it.
_SAID = frozenset(line.casefold().rstrip(" ~.") for line in phrases.lines())
_NAMES = PROGRAMS | RULES | CLASSES | PACKAGES


# Long enough that no piece of it stands in a message by chance.
_secrets = st.one_of(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12, max_size=40),
    st.text(st.characters(categories=["L", "N"]), min_size=12, max_size=40),
    st.text("abcdef0123456789", min_size=16, max_size=64),
    st.from_regex(r"[A-Z]{2,4}-?[0-9a-zA-Z_]{16,40}", fullmatch=True),
    st.lists(
        st.text("abcdefghijklmnopqrstuvwxyzäöüß", min_size=3, max_size=9), min_size=4, max_size=12
    ).map(" ".join),
).filter(lambda secret: secret.casefold() not in _SAID and secret not in _NAMES)
_around = st.lists(
    st.sampled_from(["Error: ", "error: ", "FAILED ", "x.py:1:2: ", "'", '"', "`", "(", ") ", "["])
    | st.sampled_from(
        [": ", ". ", " - ", " is not defined", " not found", "KeyError: ", "\n", " "]
    ),
    max_size=5,
).map("".join)


@given(_secrets, _around, _around, st.booleans())
def test_no_secret_of_chance_survives(secret: str, before: str, behind: str, printed: bool) -> None:
    """Letters, words and signs drawn by chance are gone, whatever stands around them."""
    behind = f" {behind}" if behind[:1].isalpha() else behind  # or it were the name of an error
    line = failure_line(f"{before}{secret}{behind}", printed=printed, mark=lambda _: "abc")
    assert not survives(secret, line, f"{before}{{}}{behind}".replace("{}", "\0"))


EVERYDAY = """
    the a my his her our not no is was has be will did does do cannot could file door house money
    mother father doctor secret love letter found open close read write missing failed refused
    denied permission connection password name street number code error test type value unknown
    invalid unexpected expected at in of to from with by for and or
"""
# The words of the tables themselves, as somebody who rolls dice would draw them.
TOLD = sorted({word.lower() for line in phrases.lines() for word in line.split() if word.isalpha()})
_SEPARATORS = (" ", "-", "_", ".", "/", "  ")


@given(
    st.lists(st.sampled_from(EVERYDAY.split()), min_size=5, max_size=14).map(" ".join),
    st.sampled_from(["{}", "Error: {}", "ValueError: {}", "x.py:1:2: error: {}"]),
)
@example("failed the the failed the", "Error: {}")
@example("error error error the the", "{}")
@example("permission denied by the unknown", "Error: {}")
def test_no_sentence_survives_though_tools_use_its_words(sentence: str, place: str) -> None:
    """Words that tools use, in an order in which they do not, are a person's."""
    line = failure_line(place.format(sentence))
    words = sentence.split()
    told = [" ".join(words[at : at + 3]) for at in range(len(words) - 2)]
    assert line == place.format(sentence) or not any(three in line.casefold() for three in told)
    assert line == place.format(sentence) or not survives(sentence, line, place)


def test_no_passphrase_survives_though_it_is_made_of_the_words_of_messages() -> None:
    """Dice roll words of the tables: no piece of eight characters is left of four to eight."""
    dice = random.Random(7)
    left = []
    for place in PLACES.values():
        for separator, size, how in product(_SEPARATORS, (4, 6, 8), (str.lower, str.capitalize)):
            secret = separator.join(how(dice.choice(TOLD)) for _ in range(size))
            line = failure_line(place.format(*[secret] * place.count("{}")))
            left += [(secret, line)] if survives(secret, line, place) else []
    assert left == []


ROWS = {
    "Error: failed the the failed the": "Error: <text>",
    "error error error the the": "error <text>",
    "correct horse battery staple": "<text>",
    "Timeout, killed, Aborted": "<text>",
    "Timeout. Failed. Aborted": "<text>",
    "Permission denied. Unknown error. Bad address": "Permission denied. <text>",
    "Error: Killed | Aborted | Timeout": "Error: <text> | <text> | <text>",
    "enoent": "<text>",
    "x: Cancelled: y": "<text>",
    "Error: (syntax) [override]": "Error: (<text>)",
    "a.py:3: error: zzz [arg-type] [override]": "<path>:<n>: error: <text> [arg-type] [override]",
    # What tools do say in few words stays.
    "Error: Timeout": "Error: Timeout",
    "bash: line 1: 4242 Killed": "bash: line <n>: <n> Killed",
    "cat: /a/b: Permission denied": "cat: <path>: Permission denied",
    "spawn helper: Permission denied": "<text>: Permission denied",
    "a.go:3:4: undefined: x": "<path>:<n>: undefined: <text>",
    "Error: connect ECONNREFUSED 127.0.0.1:80": "Error: connect ECONNREFUSED <n>",
}


@pytest.mark.parametrize(("text", "line"), ROWS.items())
def test_of_a_row_of_short_messages_one_is_kept_at_most(text: str, line: str) -> None:
    """A word or two that tools say count where a tool says them, and not in anybody's list."""
    assert failure_line(text) == line


def test_the_words_of_the_lists_are_no_secrets() -> None:
    """Names that outlive the folding by themselves are short, or names of rules with hyphens."""
    assert {name for name in PROGRAMS if len(name) > 22} == set()
    assert {name for name in RULES if len(name) > 36} == set()


def test_none_survives_being_recorded(tmp_path: Path) -> None:
    """What `record_tool_call`, a scope and `record` write to the journal holds none."""
    with Collector("one", tmp_path) as collector:
        for text, _, _ in CASES:
            collector.record_tool_call("Bash", False, 1, error=text)
        for text, _, _ in CASES:
            with pytest.raises(ValueError), collector.tool_call("Bash"):  # noqa: PT011 - any text
                raise ValueError(text)
        for text, _, _ in CASES:
            collector.record(ToolCall(1, "Bash", False, 1, error=text))
        detail = collector.detail()
    (journal,) = (tmp_path / "one" / "events").glob("*.jsonl")
    lines = [json.loads(line) for line in journal.read_text().splitlines() if line.strip("\0")]
    said = [line.get("error", "") for line in lines if line["event"] == "tool_call"]
    assert len(said) == 3 * len(CASES)
    for at, before in enumerate(("", "ValueError: ", "")):
        assert leaks(said[at * len(CASES) : (at + 1) * len(CASES)], before) == []
    assert {event.error for event in detail.latest} <= {"", *said}


def test_none_survives_on_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], clean_home: Path
) -> None:
    """`m31 record tool --error TEXT` writes none."""
    for secret in SECRETS.values():
        text = PLACES["option"].format(secret)
        arguments = ["m31", "record", "tool", "Bash", "--session", "one", "--error", text]
        monkeypatch.setattr(sys, "argv", arguments)
        assert main() == 0, capsys.readouterr()
    calls = [event for event in recorded(clean_home, "one") if isinstance(event, ToolCall)]
    assert {call.success for call in calls} == {False}
    assert [
        (call.error, secret)
        for call, secret in zip(calls, SECRETS.values(), strict=True)
        if survives(secret, call.error or "")
    ] == []


AGENTS = ("claude-code", "codex", "copilot-cli", "gemini-cli", "opencode", "pi", "qwen")


@pytest.mark.parametrize("agent", AGENTS)
def test_none_survives_in_a_transcript(agent: str, tmp_path: Path) -> None:
    """Events and self-heals of every source hold none, though its calls do, in memory."""
    folder = tmp_path / agent
    shutil.copytree(GOLDEN / agent, folder)
    files = sorted(folder.rglob("*.json*"))
    cases = iter([case for case in CASES if "\x1b" not in case[0]][:: len(PLACES) + 1])
    errors = {
        call.error: next(cases)
        for path in files
        for call in _read(agent, path).calls
        if call.error and call.success is False
    }
    for path in files:
        _put(path, errors)
    secrets = {secret for _, secret, _ in errors.values()}
    seen = set()
    for path in files:
        read = _read(agent, path)
        inference = infer(read)
        seen |= {secret for secret in secrets for call in read.calls if secret in call.error}
        lines = [event.error or "" for event in inference.events if isinstance(event, ToolCall)]
        lines += [heal.line for heal in inference.heals]
        assert [(line, one) for line in lines for one in secrets if survives(one, line)] == []
    assert seen


def _read(agent: str, path: Path) -> Transcript:
    try:
        return sources.source(agent).read(str(path))
    except (MetricsError, OSError, ValueError):
        return Transcript(Facts(agent))  # a part of a session, not the file that is read


def _put(path: Path, errors: dict[str, tuple[str, str, str]]) -> None:
    """Put a text with a secret behind each error that stands in a file."""
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    for error in sorted(errors, key=len, reverse=True):
        text = text.replace(_json(error), _json(f"{error}\n{errors[error][0]}"))
    path.write_text(text, encoding="utf-8", errors="surrogateescape")


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]
