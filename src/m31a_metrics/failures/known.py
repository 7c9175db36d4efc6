"""A normal form -> the parts of it that tools say themselves; all else is `<text>`.

Read from left to right, part by part. At each place where a part may begin (the beginning of
the line, behind a colon or the end of a sentence, at a bracket) a whole message of the
tables is looked for (`phrases`), or a name (`named`). What neither is goes, up to the next
such place. So nobody's words are left, be each of them a word of the tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache

from msgspec import Struct

from m31a_metrics.failures import named
from m31a_metrics.failures.codes import DIGIT
from m31a_metrics.failures.phrases import (
    ENDS,
    KNOWN,
    NUMBER,
    PLACES,
    REST,
    WORD,
    Message,
    Token,
    index,
)
from m31a_metrics.failures.phrases.wordlists import PROGRAMS, WORDS

TEXT = "<text>"
CUT = "…"
STOPS = ENDS.replace(",", "")
"""Words that nobody knows go on behind a comma."""

_HOLDER = "<(?:path|url|id|n|text)>"
_FOLDED = (
    rf"[\[(]{{0,2}}{_HOLDER}(?:(?:[:,(/=*-]{{1,2}}|\.){_HOLDER}){{0,4}}(?:ms|s|m|h)?[\])]{{0,2}}"
    r"[:.,;]?"
)
_NUMBER = rf"-?(?:<n>|{DIGIT}{{1,3}})"
_MARK = r"#[a-p]{3}"
_PROCESS = re.compile(r"\[<n>\](?=:$)|:<n>(?=:$)")
_THROWN = ("Uncaught", "Unhandled")
_COUNT = "<n>"
_PLACES_BEGIN = ("<path>", _COUNT)
_BEFORE_CODE = re.compile(r"\S*(?::<n>:?|\(<n>\):)|(?:error|warning|note):?|")
_CLOSING = {"(": ")", "[": "]"}
_DASHES = frozenset(("-", "--", "\u2013", "—", "|", "->", "=>", "»", ">", ":"))
_REACH = 24
"""A slot for words in the middle of a message holds no more of them."""
_WEIGHTY = 5
"""A message of so many plain words may begin with a slot wherever it stands."""
_ROUNDS_MAX = 9
_FEW = 2
"""Messages of no more plain words count in fewer places."""
_LABEL, _LABEL_MAX = "error:", len("fatal:")
"""The one label of a word that may stand behind words that nobody knows; behind others, short ones.
"""
_CUT_MIN = 3
"""So many words of a message must be there if the line was cut within it."""


class Kept(Struct, frozen=True):
    """What is left of a line. `is_known`: it says what failed; `has_more`: words were left out.

    `is_marked`: they were left out before, and letters stand for them.
    """

    line: str
    is_known: bool
    has_more: bool
    is_marked: bool


class _Part(Struct, frozen=True):
    """What begins at one word of a line: up to which word, and what is kept of it.

    `says`: it tells what failed. `leads`: the next part begins behind it, whatever it ends with.
    `is_short`: a message that people say, too (`Timeout`), so that a row of them says nothing.
    """

    end: int
    kept: list[str]
    says: bool = True
    leads: bool = False
    is_short: bool = False


@cache
def _folded() -> Callable[[str], re.Match[str] | None]:
    return re.compile(_FOLDED).fullmatch


@cache
def _number() -> Callable[[str], re.Match[str] | None]:
    return re.compile(_NUMBER).fullmatch


@cache
def _mark() -> Callable[[str], re.Match[str] | None]:
    return re.compile(_MARK).fullmatch


@lru_cache(maxsize=256)  # lines that differ in numbers and paths have one normal form
def known(line: str) -> Kept:
    """Return what tools themselves say in a normal form; a second time nothing changes."""
    kept = _once(line)
    if not kept.has_more:
        return kept
    for _ in range(_ROUNDS_MAX):
        # Words that were left out may stand where a message has a slot for one.
        again = _once(kept.line)
        is_settled = again.line == kept.line
        kept = Kept(again.line, again.is_known, has_more=True, is_marked=kept.is_marked)
        if is_settled:
            return kept
    return Kept(TEXT, is_known=False, has_more=True, is_marked=False)


def _once(line: str) -> Kept:
    words = line.split()
    if words and (divided := named.vale(words[0])) is not None:
        words[:1] = [word for word in divided if word]
    mark = words.pop() if words and _mark()(words[-1]) else ""
    reading = _Reading(words)
    reading.read()
    is_marked = bool(mark) and reading.leaves_open()
    if mark and not is_marked:
        reading = _Reading([*words, mark])
        reading.read()
    kept = [*reading.kept, mark] if is_marked else reading.kept
    return Kept(" ".join(kept), reading.is_known, reading.has_more, is_marked)


class _Reading:
    """One line while it is read."""

    def __init__(self, words: list[str]) -> None:
        self.words = words
        self.lowered = [word.lower() for word in words]
        bare = [word.rstrip(ENDS) or word for word in self.lowered]
        self.present = frozenset((*bare, ""))
        self._index = index()
        self.begun = list(map(self._index.of, bare))
        self.is_cut = bool(words) and words[-1] == CUT
        self.kept: list[str] = []
        self.is_known = False
        self.has_more = False
        self._led = False  # by something that is known, so that a message may begin with a slot
        self._placed = False  # by a place in a file
        self._left_out = False  # what was kept last stands for words that are left out
        # Of what stands before the dashes that were kept last.
        self._behind_text = False
        self._behind_short = False

    def read(self) -> None:
        """Read all parts."""
        at = 0
        while at < len(self.words):
            part = self._part(at)
            if part is None:
                at = self._leave_out(at)
                continue
            self.kept += part.kept
            self.is_known = self.is_known or part.says
            self._led = True
            self._left_out = part.kept[0].rstrip(ENDS) == TEXT and len(part.kept) == 1
            if part.kept[0] not in _DASHES:
                self._behind_text = self._left_out
                # Neither do words that nobody knows end a row of short messages.
                self._behind_short = part.is_short or (self._left_out and self._behind_short)
            self._placed = self._placed or part.kept[0].startswith(_PLACES_BEGIN)
            at = part.end

    def _part(self, at: int) -> _Part | None:
        word = self.words[at]
        if word == CUT and at == len(self.words) - 1:
            return _Part(at + 1, [word], says=False)
        if word in _DASHES and self.kept and self._led:
            return _Part(at + 1, [word], says=False, leads=True)
        return self._message(at) or self._name(at) or self._place(at)

    def leaves_open(self) -> bool:
        """Whether nobody can tell from what is left what failed, so that letters tell it apart."""
        return not self.is_known and any(TEXT in word for word in self.kept)

    def _leave_out(self, at: int) -> int:
        """Leave words out up to where a part may begin."""
        end = at + 1
        while not self._ends(end, STOPS):
            end += 1
        self.has_more = True
        last = self.words[end - 1]
        stop = last[-1] if last[-1] in STOPS and end < len(self.words) else ""
        # A bracket that a message ends at has to stay, or it would not end there again.
        opening = self.kept.pop()[0] if self._left_out else self.words[at][0]
        closing = _CLOSING.get(opening, "")
        self.kept.append(f"{opening if closing else ''}{TEXT}{closing}{stop}")
        self._left_out = self._behind_text = True
        self._led = stop == ":" or (end < len(self.words) and self.words[end] in _DASHES)
        return end

    def _ends(self, end: int, stops: str, *, brackets: str = "([") -> bool:
        """Whether a part may end before this word."""
        if end == len(self.words):
            return True
        word = self.words[end]
        return (
            self.words[end - 1][-1] in stops
            or word[0] in brackets
            or word in _DASHES
            or (
                end == len(self.words) - 1
                and (word == CUT or bool(named.rule(word, after_place=self._placed)))
            )
        )

    # What is found

    def _message(self, at: int) -> _Part | None:
        best: _Part | None = None
        best_rank = (0, False, 0)
        for message in self._messages(at):
            part = self._match(message, at) if self._may_begin(message) else None
            if part is not None:
                rank = part.end, part.says, message.weight
                if rank > best_rank:
                    best, best_rank = part, rank
        return best

    def _messages(self, at: int) -> list[Message]:
        """Return the messages that may begin at a word."""
        found = list(self._index.odd(self.lowered[at]))
        for place, begun in enumerate(self.begun[at : at + PLACES]):
            by_need = begun.get(place) if begun else None
            if by_need:
                # A line that was cut may have lost the word that a message needs.
                for word in by_need if self.is_cut else self.present:
                    found += by_need.get(word, ())
        return found

    def _match(self, message: Message, start: int) -> _Part | None:
        tokens = message.tokens
        kept: list[str] = []
        at, last = start, len(tokens) - 1
        for place, token in enumerate(tokens):
            if at == len(self.words):
                return None
            word = self.words[at]
            if word == CUT and at == len(self.words) - 1:
                return _Part(at, kept) if place >= _CUT_MIN else None
            if token.slot == REST:
                end = self._rest_end(at, tokens[place + 1] if place < last else None)
                if end < 0 or not self.lowered[at].startswith(token.before):
                    return None
                kept.append(self._rest(token, at, end, place == last))
                at = end
                continue
            fitted = _fitted(token, word, self.lowered[at], is_last=place == last)
            if not fitted:
                return None
            kept.append(fitted)
            at += 1
        if not self._counts(message, start, at):
            return None
        return _Part(at, kept, message.says, message.leads, message.is_short and message.says)

    def _may_begin(self, message: Message) -> bool:
        """Whether so few words may be a tool's here, and not out of anybody's sentence."""
        if message.weight > _FEW:
            return message.tokens[0].slot != WORD or message.weight >= _WEIGHTY or self._led
        before = self.kept[-1] if self.kept else ""
        if self._behind_text and not message.has_number and before[-1] != ":":
            return False
        return message.tokens[0].slot != WORD or self._led

    def _counts(self, message: Message, start: int, end: int) -> bool:
        """Whether these words of a message end where it may, and are a tool's at this place."""
        if not message.leads and not self._ends(end, ENDS):
            return False
        if message.exact and not self._is_exact(message, start, end):
            return False
        if not message.is_short:
            return True
        return self._introduces(message) if message.leads else self._stands_alone(message, end)

    def _introduces(self, message: Message) -> bool:
        """Whether one word that anything may follow is a tool's, and no word of a list."""
        label = message.tokens[0].before
        before = self.kept[-1] if self.kept else ""
        if self._behind_text:
            return label == _LABEL
        if label[-1] != ":" and before in _DASHES:
            return False
        is_placed = before[:1] == "<" and _BEFORE_CODE.fullmatch(before) is not None
        return message.says or not before or len(label) <= _LABEL_MAX or is_placed

    def _stands_alone(self, message: Message, end: int) -> bool:
        """Whether a word or two are what a tool says, and none of a row that somebody wrote."""
        before = self.kept[-1] if self.kept else ""
        is_code = message.exact.isupper()
        is_last = end == len(self.words) or self.words[end] == CUT
        if self._behind_short:
            return False
        if self._behind_text:
            return is_last and before[-1] == ":" and (is_code or message.weight > 1)
        if is_last or message.weight > 1:
            return message.weight > 1 or not self._stands_behind_path()
        last = self.words[end - 1][-1]
        return is_code or not (before in _DASHES or last in ENDS or self.words[end] in _DASHES)

    def _stands_behind_path(self) -> bool:
        before = self.kept[-1] if self.kept else _COUNT
        return before != _COUNT and before[-1] not in ENDS and _folded()(before) is not None

    def _is_exact(self, message: Message, start: int, end: int) -> bool:
        """Whether words that anything may follow stand as they do, and not behind other such."""
        said = " ".join(self.words[start:end])
        if message.says:
            return said.rstrip(ENDS) == message.exact
        before = self.kept[-1] if self.kept else ""
        return said == message.exact and not (said[0].isalpha() and before.isalpha())

    def _rest_end(self, at: int, following: Token | None) -> int:
        """Where words for a slot end; -1 if what must follow does not."""
        if following is None:
            end = at + 1
            while not self._ends(end, STOPS, brackets=""):
                end += 1
            return end
        for end in range(at + 1, min(at + 1 + _REACH, len(self.words))):
            if _fitted(following, self.words[end], self.lowered[end], is_last=False):
                return end
        return -1

    def _rest(self, token: Token, at: int, end: int, is_last: bool) -> str:
        last = self.words[end - 1]
        if end == at + 1 and not token.before and _folded()(last):
            return last
        before = self.words[at][: len(token.before)]
        bracket = ")" if before[-1:] == "(" and last.rstrip(STOPS)[-1:] == ")" else ""
        stop = last[-1] if is_last and last[-1] in STOPS and end < len(self.words) else ""
        return before + TEXT + bracket + stop

    def _name(self, at: int) -> _Part | None:
        word = self.words[at]
        behind = self.words[at + 1] if at + 1 < len(self.words) else "["
        stands_alone = not self._behind_text and (behind[0] in "([" or behind == CUT)
        found = named.exception(word, stands_alone=stands_alone)
        if found and (not self._behind_text or found.rstrip(":").endswith(named.ENDINGS)):
            return _Part(at + 1, [found], says=False)
        if word in _THROWN and named.exception(behind, stands_alone=False):
            return _Part(at + 1, [word], says=False, leads=True)
        if (
            word[0] == "("
            and not self._behind_text
            and (found := named.exception(word[1:-1], stands_alone=True))
        ):
            return _Part(at + 1, [f"({found})"], says=False, leads=True)
        if (
            word[-1] == ":"
            and not self._behind_text
            and _PROCESS.sub("", word).rstrip(":") in PROGRAMS
        ):
            return _Part(at + 1, [word], says=False)
        found = self._code(word) or self._rule(at)
        if found or (self._placed and (found := named.cop(word))):
            return _Part(at + 1, [found], leads=True)
        return self._test(at)

    def _rule(self, at: int) -> str:
        """Return the name of a rule: in brackets only those at the end of a finding."""
        word = self.words[at]
        if word[-1] in "])" and not (
            self._placed
            and all(one == CUT or named.rule(one, after_place=True) for one in self.words[at:])
        ):
            return ""
        return named.rule(word, after_place=self._placed)

    def _code(self, word: str) -> str:
        """Return a code if what it stands behind was kept: a place or the word `error`."""
        code = named.code(word)
        before = self.kept[-1] if self.kept else ""
        is_behind = _BEFORE_CODE.fullmatch(before)
        return code if is_behind or code.strip("[]():,").isidentifier() else ""

    def _test(self, at: int) -> _Part | None:
        word = self.words[at]
        before = self.words[at - 1] if at else ""
        if (found := named.vale(word)) and not found[1]:
            return _Part(at + 1, [word], leads=True)
        if at == 0 and word == "test" and self.words[2:4] == ["...", "FAILED"]:
            return _Part(4, [word, named.rust_test(self.words[1]), "...", "FAILED"])
        if "::" in word and (name := named.pytest_id(word)):
            end = at + 1
            while "[" in word and self.words[end - 1][-1] != "]" and not self._ends(end, STOPS):
                end += 1  # parameters with spaces
            return _Part(end, [name], leads=True)
        if before == "FAIL:" and (name := named.go_test(word) or named.test(word)):
            return _Part(at + 1, [name], leads=True)
        if before == "ERROR:" and (name := named.test(word)):
            return _Part(at + 1, [name], leads=True)
        return None

    def _place(self, at: int) -> _Part | None:
        word = self.words[at]
        if not _folded()(word):
            return None
        return _Part(at + 1, [word], says=False, leads=True)


def _fitted(token: Token, word: str, lowered: str, *, is_last: bool) -> str:
    """Return what is kept of a word that fits into a message; "" if it does not."""
    end = ""
    before, behind = token.before, token.behind
    if is_last:
        label = (behind or before).endswith(":")
        if label and (word[-1] != ":" or not word.strip(ENDS)):
            return ""
        bare = word.rstrip(ENDS) or word
        end = word[len(bare) :][:3]
        word, lowered = bare, lowered[: len(bare)]
        if token.slot:
            behind = behind.rstrip(ENDS)
        else:
            before = before.rstrip(ENDS)
    if not token.slot:
        is_same = lowered == before and (not token.exact or word.startswith(token.exact))
        return word + end if is_same else ""
    inner_end = len(word) - len(behind)
    if inner_end <= len(before) or not (lowered.startswith(before) and lowered.endswith(behind)):
        return ""
    inner = word[len(before) : inner_end]
    if token.slot == NUMBER and not _number()(inner):
        return ""
    if token.slot == WORD and not (is_last or behind) and inner[-1] in ENDS:
        return ""  # the end of a sentence
    is_kept = (
        token.slot == NUMBER
        or _folded()(inner)
        or (token.slot == KNOWN and end in ("", ":") and inner.lower() in WORDS)
    )
    return f"{word[: len(before)]}{inner if is_kept else TEXT}{word[inner_end:]}{end}"
