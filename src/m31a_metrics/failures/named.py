"""Which words of a line are names of exceptions, tests and rules, which people need.

Only in the places where runners and interpreters put them, and only names that look like
ones: a few words of letters, none of them drawn by chance.
"""

from __future__ import annotations

import re
from functools import cache

from m31a_metrics.failures.codes import DIGIT, SLASH
from m31a_metrics.failures.phrases.wordlists import CLASSES, PACKAGES, PLUGINS, RULES

_WORD = r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+"
_WORD_LENGTH_MAX, _CAPITALS_MAX = 20, 5
_MEAN_LENGTH_MIN = 2.5
_CLASS_WORDS_MAX, _TEST_WORDS_MAX = 7, 16
_VOWELS = frozenset("aeiouyAEIOUY")

ENDINGS = ("Error", "Exception", "Warning", "Interrupt", "ExceptionGroup")
"""What the names of exceptions end with, and few other words."""
_SURE = "|".join(ENDINGS)
_LIKELY = (
    *("Exit", "Failure", "Failed", "Fault", "NotFound", "NotExist", "Exists", "Exceeded", "Denied"),
    *("Refused", "Timeout", "Expired", "Unavailable", "Abort", "Aborted", "Cancelled", "Forbidden"),
    *("Unauthorized", "Conflict", "Mismatch", "Unsupported"),
)
_CLASS = (
    r"(?P<within>(?:[A-Za-z_](?:\w|<n>){0,30}(?:\.|::)){0,6})"
    rf"(?P<name>(?P<sure>(?:[A-Z][A-Za-z]{{0,48}})?(?:{_SURE}))"
    r"|[A-Z][A-Za-z]{2,48})(?P<end>:?)"
)
_PART = r"(?:[A-Za-z_]|<n>)+"
_PYTEST = rf"<path>::(?P<id>{_PART}(?:::{_PART}){{0,3}})(?P<param>\[.*)?"
_TEST = r"test(?:_|(?=[A-Z])|$)(?:[A-Za-z_]|<n>)*"
_RUST_TEST = r"(?:[a-z_]|<n>)+"
_GO_TEST = (
    r"(?P<id>(?:Test|Benchmark|Fuzz|Example)(?:[A-Z_]|<n>)?(?:[A-Za-z_]|<n>)*)"
    rf"(?P<sub>{SLASH}\S*)?"
)
_CODE = (
    rf"[\[(]?[A-Z]{{1,8}}{DIGIT}{{1,5}}(?:{SLASH}[a-z-]{{3,40}})?[\])]?[:,]?"
    rf"|(?:error|warning)\[[A-Z](?:{DIGIT}{{1,5}}|<n>)\]:?|[A-Z]{{1,4}}<n>[:,]?"
    r"|[\[(]?ERR_[A-Z]{2,20}(?:_[A-Z]{2,20}){0,6}[\])]?[:,]?"
)
_RULE = (
    r"(?P<open>[\[(]|(?:error|warning)\[)?"
    rf"(?P<name>@?[a-z][a-z-]{{0,40}}(?:{SLASH}[a-zA-Z-]{{3,40}}){{0,2}})"
    r"(?P<close>[\])]:?)?"
)
_COP = rf"[A-Z][A-Za-z]{{2,20}}{SLASH}[A-Z][A-Za-z]{{2,40}}:"
_VALE = r"(?P<place><path>:<n>:)(?P<rule>[A-Za-z][A-Za-z-]{1,24}\.[A-Z][A-Za-z]{2,40}):(?P<rest>.*)"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # Compiled on first use, and most lines need one or two of these: each takes a millisecond.
    return re.compile(pattern)


def exception(word: str, *, stands_alone: bool) -> str:
    """Return a word that is the name of an exception, with its colon; "" if it is none.

    Its package is left out, but for those that everybody has. `stands_alone`: nothing but a
    bracket follows, so that a name of the usual ending needs no colon.
    """
    named = _compiled(_CLASS).fullmatch(word)
    if named is None:
        return ""
    name = named["name"]
    if not (named["end"] or (stands_alone and (named["sure"] or name in CLASSES))):
        return ""
    if name not in CLASSES and not (
        (named["sure"] or name.endswith(_LIKELY)) and is_plausible(name, _CLASS_WORDS_MAX)
    ):
        return ""
    within = named["within"]
    package = re.split(r"\.|::", within, maxsplit=1)[0].replace("<n>", "")
    known = package in PACKAGES and is_plausible(within, _CLASS_WORDS_MAX)
    return f"{within if known else ''}{name}{named['end']}"


def pytest_id(word: str) -> str:
    """Return what is kept of `<path>::test_name[parameters]`; "" if it is none."""
    found = _compiled(_PYTEST).fullmatch(word)
    if found is None:
        return ""
    parts = [part if _is_test(part) else "<text>" for part in found["id"].split("::")]
    return "::".join(("<path>", *parts)) + ("[<text>]" if found["param"] else "")


def go_test(word: str) -> str:
    """Return what is kept of `TestName/subtest`; "" if it is none."""
    found = _compiled(_GO_TEST).fullmatch(word)
    if found is None or not is_plausible(found["id"], _TEST_WORDS_MAX):
        return ""
    return found["id"] + (f"{SLASH}<text>" if found["sub"] else "")


def test(word: str) -> str:
    """Return a word that is the name of a test, as unittest has them; "" if it is none."""
    return word if _compiled(_TEST).fullmatch(word) and _is_test(word) else ""


def rust_test(word: str) -> str:
    """Return what is kept of `module::tests::name`: the name."""
    name = word.rpartition("::")[2]
    is_name = _compiled(_RUST_TEST).fullmatch(name) and is_plausible(name, _TEST_WORDS_MAX)
    return name if is_name else "<text>"


def code(word: str) -> str:
    """Return a word that is a code (`TS2345:`, `error[E0425]:`, `[ERR_X]:`); "" if it is none."""
    return word if _compiled(_CODE).fullmatch(word) else ""


def cop(word: str) -> str:
    """Return a word that is the name of one of RuboCop's checks; "" if it is none."""
    return word if _compiled(_COP).fullmatch(word) and is_plausible(word, 9) else ""


def rule(word: str, *, after_place: bool) -> str:
    """Return a word that is the name of a rule; "" if it is none.

    In brackets it may be any that is known; without, only behind a place in a file, and only
    one that no sentence holds.
    """
    found = _compiled(_RULE).fullmatch(word)
    if found is None or bool(found["open"]) != bool(found["close"]):
        return ""
    name = found["name"]
    plugin, slash, of_plugin = name.rpartition(SLASH)
    if slash:
        known = after_place and (plugin in PLUGINS or plugin.startswith(f"lint{SLASH}"))
        return word if known and is_plausible(of_plugin, 8) else ""
    return word if name in RULES and (found["open"] or (after_place and "-" in name)) else ""


def vale(word: str) -> tuple[str, str] | None:
    """Divide Vale's `<path>:<n>:Style.Rule:The message` behind the rule; None if it is none."""
    found = _compiled(_VALE).fullmatch(word) if word.startswith("<path>:<n>:") else None
    if found is None or not is_plausible(found["rule"], 8):
        return None
    return f"{found['place']}{found['rule']}:", found["rest"]


def is_plausible(name: str, words_max: int) -> bool:
    """Tell whether a name is made of words; letters drawn by chance change their case too often."""
    words = _compiled(_WORD).findall(name.replace("<n>", "_"))
    if not 0 < len(words) <= words_max:
        return False
    lengths = list(map(len, words))
    return (
        max(lengths) <= _WORD_LENGTH_MAX
        and not any(len(word) > _CAPITALS_MAX and word.isupper() for word in words)
        and sum(lengths) >= _MEAN_LENGTH_MIN * len(words)
        and not any(len(word) > 4 and _VOWELS.isdisjoint(word) for word in words)
    )


def _is_test(name: str) -> bool:
    lowered = name.lower()
    of_tests = lowered.startswith("test") or lowered.endswith(("test", "tests", "testcase"))
    return of_tests and is_plausible(name, _TEST_WORDS_MAX)
