"""A shell command -> the simple commands in it.

Not a shell: nothing is expanded, and what is not understood is passed over. It knows what
decides which programs run: quotes, here-documents, redirections, pipes, lists, loops, and
commands inside of `$(...)`. Each character is looked at once, the length is bounded (what is
quoted or stands in a here-document is passed over, and counts for nothing), and nesting too,
so that no command is expensive.
"""

from __future__ import annotations

import re

from msgspec import Struct

BOUND = 6_000
"""Characters of a command that are looked at, texts in it apart."""

_BOUND_IN_ALL = 200_000

_DEPTH_MAX = 6
_ESCAPED = frozenset(("$", "`", '"', "\\", "\n", ""))
# Whole words, and what may be the beginning of one more, up to what is more than a word.
_PLAIN = re.compile(r"((?:[^\s'\"\\$`;&|<>()#]+[ \t]+)*)([^\s'\"\\$`;&|<>()#]*)")
_QUOTED = re.compile(r"[^\"\\$`]+")
_HEREDOC = re.compile(r"-?[ \t]*(?:(['\"])([\w.-]+(?: [\w.-]+)*)\1|\\?([\w.-]+))")
_ESCAPES = re.compile(r"(?:[^'\\]+|\\.)*", re.DOTALL)
_DUPLICATE = re.compile(r"&?[ \t]*(?:\d+|-)(?=[\s;|&)]|$)")

_SKIPPED = frozenset(("if", "then", "else", "elif", "do", "!", "{", "}", "time", "fi", "esac"))
_LOOPS = frozenset(("while", "until"))
_WHOLE = frozenset(("for", "select", "case", "function"))


class Command(Struct, gc=False):
    """A simple command: a program and its arguments, without quotes.

    `operator` joins it to the one before (`|`, `&&`, `||`, `;`, `&`), `writes` are the
    files that its output goes to, `body` is its here-document. `nested`: inside of
    `$(...)`. `loop`: inside of a loop. `variables` are those given in front of the program.
    """

    words: list[str]
    operator: str = ""
    writes: tuple[str, ...] = ()
    body: str = ""
    nested: bool = False
    loop: bool = False
    variables: tuple[str, ...] = ()


def parse(text: str) -> list[Command]:
    """Take a command apart."""
    scanner = _Scanner(text[:_BOUND_IN_ALL])
    scanner.scan()
    return scanner.commands


class _Scanner:
    def __init__(self, text: str) -> None:
        self.commands: list[Command] = []
        self._text = text
        self._end = min(len(text), BOUND)
        self._at = 0
        self._depth = 0
        self._loops = 0
        self._heredocs: list[tuple[str, Command]] = []
        self._begin("")

    def _begin(self, operator: str) -> None:
        self._command = Command([], operator, nested=self._depth > 0, loop=self._loops > 0)
        self._word: list[str] = []
        self._target = ""

    def scan(self, closing: str = "") -> None:
        """Read commands, up to an unpaired `closing`."""
        text = self._text
        plain = _PLAIN.match
        open_parens = 0
        while self._at < self._end:
            found = plain(text, self._at, self._end)
            if found is not None and found.end() > self._at:
                self._at = found.end()
                self._plain(found[1], found[2])
                if self._at == self._end:
                    break
            char = text[self._at]
            if char == ")":
                if closing and not open_parens:
                    break
                open_parens -= open_parens > 0
            elif char == "(":
                open_parens += 1
            elif char == "`" and closing == "`":
                break
            self._special(char)
        self._end_command(";")

    def _plain(self, words: str, begun: str) -> None:
        """Take words, the first of which may go on with what was read, and the begun last one."""
        if words:
            whole = words.split()
            if self._word or self._target:
                self._word.append(whole[0])
                self._end_word()
                del whole[0]
            self._command.words += whole
        if begun:
            self._word.append(begun)

    def _special(self, char: str) -> None:
        """Take one character, or what it begins, that is more than a part of a word."""
        self._at += 1
        if char == '"':
            self._double_quoted()
        elif char == "\n":
            self._end_command(";")
            if self._heredocs:
                self._bodies()
        elif char.isspace():
            self._end_word()
        elif char in "'\\$`":
            self._piece(char)
        elif char in "<>":
            self._redirect(char)
        elif char == "#":
            self._comment()
        else:
            self._operator(char)

    def _piece(self, char: str) -> None:
        """Take a part of a word that is quoted, escaped, or a substitution."""
        if char == "$":
            self._dollar()
        elif char == "`":
            self._nested("`")
        elif char == "\\":
            if self._text[self._at : self._at + 1] != "\n":
                self._word.append(self._text[self._at : self._at + 1])
            self._at += 1
        else:
            self._quoted()

    def _quoted(self) -> None:
        if self._word and self._is_here_string():
            self._here_string("'@")
            return
        at = self._at
        closing = self._text.find("'", at)
        if closing < 0:
            closing = len(self._text)
        self._word.append(self._text[at:closing])
        self._at = closing + 1
        if self._end < len(self._text):
            self._end = min(len(self._text), self._end + closing - at)

    def _pass_over(self, closing: int) -> None:
        """Take a text up to its closing quote as a part of a word."""
        text = self._text[self._at : closing]
        self._word.append(text)
        self._at = closing + 1
        self._end = min(len(self._text), self._end + len(text))

    def _is_here_string(self) -> bool:
        """Whether a quote begins a here-string of PowerShell: `@'` at the end of a line."""
        return self._word[-1:] == ["@"] and self._text.startswith(("\n", "\r\n"), self._at)

    def _here_string(self, closes: str) -> None:
        closing = self._text.find("\n" + closes, self._at)
        self._word = []
        self._pass_over(len(self._text) if closing < 0 else closing)
        self._at += len(closes)

    def _double_quoted(self) -> None:
        if self._word and self._is_here_string():
            self._here_string('"@')
            return
        text = self._text
        self._word.append("")
        while self._at < self._end:
            piece = _QUOTED.match(text, self._at)
            if piece is not None:
                self._word.append(piece[0])
                self._at = piece.end()
                if self._end < len(text):
                    self._end = min(len(text), self._end + len(piece[0]))
                elif self._at == self._end:
                    return
                continue
            char = text[self._at]
            self._at += 1
            if char == '"':
                return
            if char == "\\":
                escaped = text[self._at : self._at + 1]
                # Between double quotes a backslash is kept before anything else.
                self._word.append(escaped if escaped in _ESCAPED else char + escaped)
                self._at += 1
            elif char == "$":
                self._dollar()
            else:
                self._nested("`")

    def _dollar(self) -> None:
        if self._text.startswith("((", self._at):
            closing = self._text.find("))", self._at)
            self._at = self._end if closing < 0 else closing + 2
        elif self._text.startswith("(", self._at):
            self._at += 1
            self._nested(")")
        elif self._text.startswith("'", self._at):
            self._at += 1
            escapes = _ESCAPES.match(self._text, self._at)
            self._pass_over(len(self._text) if escapes is None else escapes.end())
        else:
            self._word.append("$")

    def _nested(self, closing: str) -> None:
        """Read the commands of a substitution; what they print is a word of this one."""
        if self._depth >= _DEPTH_MAX:
            self._word.append("$")
            return
        outer = self._command, self._word, self._target, self._heredocs
        self._depth += 1
        self._heredocs = []
        self._begin("")
        self.scan(closing)
        self._at += 1
        self._depth -= 1
        self._command, self._word, self._target, self._heredocs = outer
        self._word.append("$()")

    def _redirect(self, char: str) -> None:
        text = self._text
        if char == "<" and text.startswith("<<", self._at):
            self._at += 2  # a here-string
            return
        if char == "<" and text.startswith("<", self._at):
            self._heredoc()
            return
        if text.startswith("(", self._at):
            self._at += 1
            self._nested(")")
            return
        errors_only = False
        if self._word and "".join(self._word).isdigit():
            errors_only = self._word != ["1"]
            self._word = []
        self._end_word()
        while self._at < self._end and text[self._at] in ">|":
            self._at += 1
        copy = _DUPLICATE.match(text, self._at)
        if copy is not None:
            self._at = copy.end()
            return
        if text.startswith("&", self._at):
            self._at += 1
        self._target = "errors" if errors_only or char == "<" else "output"

    def _heredoc(self) -> None:
        found = _HEREDOC.match(self._text, self._at + 1)
        self._at += 1
        if found is not None:
            self._at = found.end()
            self._heredocs.append((found[2] or found[3], self._command))

    def _bodies(self) -> None:
        """Take the here-documents that begin on this line."""
        text = self._text
        for delimiter, command in self._heredocs:
            start = self._at
            found = text.find(delimiter, start)
            while found >= 0:
                begin = max(text.rfind("\n", start, found) + 1, start)
                newline = text.find("\n", found)
                newline = len(text) if newline < 0 else newline
                if text[begin:newline].strip() == delimiter:
                    command.body = text[start:begin]
                    self._at = newline + 1
                    self._end = min(len(text), self._end + newline - start)
                    break
                found = text.find(delimiter, newline)
            else:
                command.body = text[start:]
                self._at = self._end = len(text)
        self._heredocs = []

    def _comment(self) -> None:
        if self._word:
            self._word.append("#")
            return
        newline = self._text.find("\n", self._at)
        self._at = self._end if newline < 0 else newline

    def _operator(self, char: str) -> None:
        if char == "&" and self._text.startswith(">", self._at):
            self._end_word()
            self._at += 1
            self._redirect(">")
            return
        operator = char
        if char in "&|;" and self._text.startswith(char, self._at):
            self._at += 1
            operator = char + char
        if operator == "|" and self._text.startswith("&", self._at):
            self._at += 1
        self._end_command(";" if operator in ("(", ")", ";;") else operator)

    def _end_word(self) -> None:
        if not self._word:
            return
        word = "".join(self._word)
        self._word = []
        if self._target == "output":
            self._command.writes += (word,)
        elif not self._target:
            self._command.words.append(word)
        self._target = ""

    def _end_command(self, operator: str) -> None:
        self._end_word()
        command = self._command
        words = command.words
        while words and words[0] in _SKIPPED:
            del words[0]
        if words and words[0] in _LOOPS:
            self._loops += 1
            command.loop = True
            del words[0]
            if words and words[0] == "!":
                del words[0]
        elif words and words[0] in _WHOLE:
            self._loops += words[0] == "for"
            words.clear()
        elif words and words[0] == "done":
            self._loops -= self._loops > 0
            words.clear()
        if words or command.writes or command.body:
            self.commands.append(command)
            self._begin(operator)
        elif self._heredocs and self._heredocs[-1][1] is command:
            self.commands.append(command)  # its body is still to come
            self._begin(operator)
        else:
            self._begin(operator if operator != ";" else command.operator or ";")
