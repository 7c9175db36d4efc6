"""What tools say, as tables: each line outlives the folding, and no sentence of people's does."""

from __future__ import annotations

from collections import Counter

from m31a_metrics.failures import LINE_LENGTH, failure_line, phrases
from m31a_metrics.failures.phrases import REST, WORD
from m31a_metrics.failures.phrases.wordlists import PROGRAMS

LINES = list(phrases.lines())
FILLED = {"*": "<text>", "#": "<n>", "%": "git"}


def filled(line: str) -> str:
    """Return a message as a tool would say it, its slots filled with what is folded already."""
    return " ".join(_filled(word) for word in line.split(" ") if word != "~")


def _filled(word: str) -> str:
    (token,) = phrases.message(word).tokens
    if token.slot == REST:
        return f"{word.removesuffix(REST)}<text>"
    return word.replace(token.slot, FILLED[token.slot], 1) if token.slot else word


def is_label(line: str) -> bool:
    """Tell whether a line is a label of one word (`details:`), which stands in front."""
    message = phrases.message(line)
    return message.is_short and message.leads and not message.says


def test_each_message_is_kept() -> None:
    """A message of any table comes back whole; the tables are in the form of folded lines."""
    said = [f"{'' if is_label(line) else 'error: '}{filled(line)}" for line in LINES]
    whole = [line for line in said if len(line) <= LINE_LENGTH - len(" #abc")]
    assert len(whole) > len(said) - 9
    assert [line for line in whole if failure_line(line) != line] == []


def test_each_message_that_says_something_needs_no_letters() -> None:
    """Only behind what says nothing by itself, as `error:`, letters tell failures apart."""
    asked = [
        line
        for line in LINES
        if phrases.message(line).says
        and failure_line(f"error: {filled(line)}", mark=lambda _: "abc").endswith("#abc")
    ]
    assert asked == []


def test_no_message_stands_twice() -> None:
    """Each line is in one table, once."""
    assert [line for line, count in Counter(LINES).items() if count > 1] == []


def test_no_message_is_one_word_and_slots() -> None:
    """A slot beside a single word would keep that word of anybody's sentence."""
    loose = []
    for line in LINES:
        message = phrases.message(line)
        plain = [token.before for token in message.tokens if not token.slot]
        slots = [t for t in message.tokens if t.slot in (WORD, REST) and not t.before]
        if message.says and slots and len(plain) == 1 and plain[0].isalpha():
            loose.append(line)
    assert loose == ["zsh:#: unmatched *"]  # behind the name of the shell


def test_what_may_stand_before_anything_is_short_or_a_label() -> None:
    """Words that may lead into anybody's sentence end in a colon, or hold less than 8 letters."""
    loose = []
    for line in LINES:
        message = phrases.message(line)
        last = message.tokens[-1]
        words = [token.before for token in message.tokens if not token.slot]
        if message.leads and not last.slot and last.before[-1] != ":":
            loose += [words] if sum(map(len, filter(str.isalpha, words))) > 7 else []
    assert [words for words in loose if words[0] not in PROGRAMS] == []
