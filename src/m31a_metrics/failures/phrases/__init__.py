"""What tools themselves say, as tables of lines: only these words outlive the folding.

A line of a table is one message in its normal form (`folding`), with slots for what changes:

    *     one word, or one thing that is folded already
    #     a number, or a code that `codes` knows
    %     the name of a program, a task or a system call, kept if everybody knows it
    ...   words up to the next colon or the end of the sentence; behind a colon, whatever follows
    ~     anything may follow, as behind `error:`; the line then says little by itself

A message counts where it stands whole between such places as the beginning of a line, a
colon and the end of a sentence. So a word of the tables in anybody's sentence is no match.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module

from msgspec import Struct

ENDS = ".,:;!?"
"""What a message may end with, or a part of one."""
REST = "..."
NUMBER, KNOWN, WORD = "#", "%", "*"

_TABLES = (
    "agent_tools builds code_hosts compilers coreutils everywhere go javascript linters network "
    "packages python python_libraries runners runtimes rust services shells typescript"
)
_FOLLOWS = "~"
PLACES = 5
"""So many words may stand before the first plain word of a message."""


_SHORT = 2
"""Messages of no more words than these are said by people, too."""


class Token(Struct, frozen=True, gc=False):
    """One word of a message. `slot` is "" for a plain word, which `before` holds in lower case.

    Of a slot, `before` and `behind` are what must stand around it. `exact` is a plain word with
    capitals behind its first letter (`ENOENT`), which counts only as it is written.
    """

    slot: str
    before: str
    behind: str = ""
    exact: str = ""


class Message(Struct, frozen=True, gc=False):
    """One line of a table. `leads`: anything may follow. `says`: it tells what failed.

    `needs` is one of its plain words, so that most messages are told from a line by looking
    for it; "" if there is none. `weight` is how many plain words it has. `exact` are words that
    anything may follow without a colon (`FAILED`): only in just these letters, for `failed` may
    begin anybody's sentence. `is_short`: so few words and no slot, that people say them, too.
    """

    tokens: tuple[Token, ...]
    leads: bool
    says: bool
    needs: str
    weight: int
    exact: str = ""
    is_short: bool = False
    has_number: bool = False


Begun = dict[int, dict[str, list[Message]]]
_NONE: Begun = {}


class Index:
    """Finds the messages that may begin at a word, by their first plain word."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines: dict[str, list[str]] = {}
        self._begun: dict[str, Begun] = {}
        odd: list[Message] = []
        for line in lines:
            word = _first_plain(line)
            if word:
                self._lines.setdefault(word, []).append(line)
            else:
                odd.append(message(line))
        self._odd = tuple(odd)
        self._odd_begin = tuple({one.tokens[0].before for one in odd})

    def of(self, word: str) -> Begun:
        """Return the messages whose first plain word this is.

        By how many words stand before it, and by what they need. The word is in lower case and
        without ENDS.
        """
        lines = self._lines.get(word)
        if lines is None:
            return _NONE
        found = self._begun.get(word)
        if found is None:
            # Taken apart when first looked for: most of a process's failures are alike.
            found = self._begun[word] = {}
            for line in lines:
                one = message(line)
                found.setdefault(_place(line), {}).setdefault(one.needs, []).append(one)
        return found

    def odd(self, word: str) -> tuple[Message, ...]:
        """Return the messages without a plain word that may begin with a word in lower case."""
        return self._odd if word.startswith(self._odd_begin) else ()


def lines() -> Iterator[str]:
    """Yield the lines of all tables."""
    for name in _TABLES.split():
        for table in import_module(f"{__name__}.{name}").TABLES:
            yield from filter(None, table.split("\n"))


@cache
def index() -> Index:
    """Return the one index of all messages, made when a line is first folded."""
    return Index(lines())


def message(line: str) -> Message:
    """Take a line of a table apart."""
    words = line.split(" ")
    leads = words[-1] == _FOLLOWS
    says = not leads
    if leads or (words[-1] == REST and words[-2:-1] and words[-2][-1] == ":"):
        words.pop()
        leads = True
    tokens = tuple(map(_token, words))
    plain = [token.before.rstrip(ENDS) for token in tokens if not token.slot]
    needs = max(plain[1:], key=len, default="")
    is_label = words[-1][-1] == ":" or any(token.slot for token in tokens)
    is_word = len(words) == 1 and not tokens[0].slot
    # A code or a name counts as it is written; a label (`error:`) is written in any case.
    is_exact = not is_label and (is_word or not says)
    exact = " ".join(words).rstrip(ENDS if says else "") if is_exact else ""
    is_short = len(plain) == len(tokens) <= (1 if leads else _SHORT)
    has_number = any(token.slot == NUMBER for token in tokens)
    return Message(tokens, leads, says, needs, len(plain), exact, is_short, has_number)


def _place(line: str) -> int:
    """Return how many slots stand before the first plain word; -1 if there is none."""
    words = line.split(" ", PLACES)[:PLACES]
    plain = (place for place, word in enumerate(words) if word != _FOLLOWS and not _slot(word))
    return next(plain, -1)


def _first_plain(line: str) -> str:
    first = line.partition(" ")[0]
    if first.isalpha():  # nearly always
        return first.lower()
    place = _place(line)
    return "" if place < 0 else line.split(" ", PLACES)[place].rstrip(ENDS).lower()


def _slot(word: str) -> str:
    if word.strip(WORD) and word != "[*]":
        for slot in (WORD, NUMBER, KNOWN):
            if slot in word:
                return slot
    elif word == WORD:
        return WORD
    return REST if word.endswith(REST) else ""


def _token(word: str) -> Token:
    slot = _slot(word)
    if slot == REST:
        return Token(REST, word.removesuffix(REST).lower())
    if slot:
        before, _, behind = word.partition(slot)
        return Token(slot, before.lower(), behind.lower())
    bare = word.rstrip(ENDS)
    has_capitals = any(map(str.isupper, bare[1:]))
    return Token("", word.lower(), exact=bare if has_capitals and bare.isalpha() else "")
