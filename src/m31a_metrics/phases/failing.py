"""Whether a check failed: by its result, or by what it printed where that is hidden."""

from __future__ import annotations

import re

from m31a_metrics.failures import caseless
from m31a_metrics.transcript import Call

# What test runners, compilers and linters print when they are not content. Not `0 failed`.
# Each pattern stands behind a text that all it finds holds, for most outputs hold few of
# these, and to look for a text is cheap; an empty one needs no more than the text. A newline
# is put before what was printed, so that each can begin with a character, the rarer the better.
_SHOWS = tuple(
    (holds, re.compile(pattern))
    for holds, pattern in (
        ("FAIL", r"\n\s*(?:FAIL(?:ED)?\b|--- FAIL)"),
        ("FAILED", r"FAILED(?<=\WFAILED)[ (\[:]"),
        ("BUILD FAILED", r"\WBUILD FAILED\b"),
        ("Traceback (most recent call last)", ""),
        (" error", r"[1-9](?<![\w.].)\d{0,5} errors?\b"),
        (": error", r": error(?:\[?\w*\]?|\s[A-Z]+\d+)?: "),
        ("\nerror", r"\nerror(?:\[\w+\])?: "),
        ("\nERROR", r"\nERROR(?:\[\w+\])?: "),
        ("\nError: ", ""),
        ("\nE   ", r"\nE   \w"),
        ("error TS", r"\Werror TS\d"),
        (" problem", r"[1-9](?<![\w.].)\d{0,5} problems?\b"),
        (" issue", r"[1-9](?<![\w.].)\d{0,5} issues?\b"),
        ("command not found", ""),
        ("No such file or directory", ""),
        ("no such file or directory", ""),
        ("\nExit code", r"\nExit code:? [1-9]"),
        ("ed with ", r"(?:exited|failed) with (?:exit )?(?:code|status) [1-9]"),
        ("exit status ", r"exit status [1-9]"),
        ("fatal: ", r"\Wfatal: "),
        ("ERR_", r"\WERR_\w"),
        ("npm ERR!", ""),
        ("npm error", ""),
        ("\npanic: ", ""),
        ("panicked at", ""),
        ("Segmentation fault", ""),
        ("Build failed", r"\WBuild failed\b"),
        ("ERROR task failed", r"ERROR(?<=\WERROR) task failed"),
        ("Test failed", r"Test failed\b"),
        ("Tests failed", r"Tests failed\b"),
        ("not ok ", r"\n\s*not ok \d"),
        ("\u2717", r"\n\s*\u2717"),
        ("\u2718", r"\n\s*\u2718"),
        ("\u2716", r"\n\s*\u2716(?! 0 )"),
        ("\u00d7 ", r"\n\s*\u00d7 "),
        ("\u274c", r"\n\s*\u274c"),
        ("error", r"error ?(?:count|s)?[:=] ?[1-9]"),
        ("failure", r"failure ?(?:count|s)?[:=] ?[1-9]"),
    )
)
# A finding at a place in a file, as compilers and linters print it; warnings do not fail.
_FINDING = re.compile(
    r"^\"?(?:[A-Za-z]:)?[^\s:]{1,200}\.\w{1,5}:\d+:\d+:(?! ?warning)", re.MULTILINE
)
_COUNTED = re.compile(r"[1-9](?<![\w.].)\d{0,5} (?:tests? |specs? )?(?:failed|failures?|failing)\b")
_PLACE = re.compile(r":\d+:\d+:")
# One of these is in whatever `_SHOWS` finds.
_HINTS = (
    "fail",
    "err",
    "problem",
    "issue",
    "not ok",
    "traceback",
    "panic",
    "not found",
    "no such",
    "fault",
    "fatal",
    "exit status",
    "exit code",
    "exited with",
    "\n\u00d7 ",
    "\u2717",
    "\u2718",
    "\u2716",
    "\u274c",
    "\ne  ",
)
# The same of a check that is content, behind what it holds in lower case.
_FINE = tuple(
    (holds, re.compile(pattern, re.IGNORECASE))
    for holds, pattern in (
        (" passed", r"\W[1-9]\d* passed(?!.*\b[1-9]\d* failed)"),
        ("all checks passed", r"\WAll checks passed"),
        ("no issues found", r"\Wno issues found"),
        ("0 error", r"\W0 errors?\b(?!.*[1-9]\d* errors?)"),
    )
)
# What no check prints that is content, whatever others print beside it.
_SURELY = re.compile(
    r"\bFound [1-9]\d{0,5} errors?\b|\berror TS\d|\nerror\[E\d|\nFAILED |\n--- FAIL"
    r"|\n[1-9]\d{0,5} issues?:|\u2716 [1-9]\d{0,5} problems?|\nTraceback \(most recent call last\)"
)
_NUMBER = re.compile(r"[ \t]*[1-9]\d{0,5}[ \t\r]*(?:\n|$)")
_COLOUR = re.compile(r"(?:\x1b|\\?\\u001b)\[[\d;?]{0,12}[a-zA-Z]")
# The tool refused to do it, or it was interrupted: nothing was found out about the work.
_UNRUN = re.compile(
    r"<tool_use_error>|Command timed out|timed out after|Sibling tool call errored|Cancelled:"
    r"|\[?Request interrupted|Tool execution aborted"
)
_ABORTED = "Command aborted"


def failed(call: Call, *, hides: bool, told: tuple[str, ...] = (), several: bool = False) -> bool:
    """Whether a check failed. `hides`: its exit code is not that of the check.

    `told` stands in front of a code or a count in what it printed that is 0 where all is well;
    `several`: it is more than one check, and what one says of itself is not true for others.
    """
    if call.success is False:
        was_run = _UNRUN.match(call.error) is None and not call.error.endswith(_ABORTED)
        return was_run and not call.denied
    if not call.success:
        return False
    if told and any(_tells(call.printed, before) for before in told):
        return True
    return hides and shows_failure(call.printed, several=several)


def _tells(printed: str, before: str) -> bool:
    """Whether a number that is not 0 stands on a line, behind a text that may be empty."""
    start = printed.find(before)
    while start >= 0:
        found = _NUMBER.match(printed, start + len(before))
        if found is not None and (before.strip() or printed[start - 1 : start] in ("", "\n")):
            return True
        start = printed.find(before, start + 1) if before else printed.find("\n", start) + 1 or -1
    return False


def shows_failure(printed: str, *, several: bool = False) -> bool:
    """Whether what a check printed says that it failed."""
    if not printed:
        return False
    lowered = printed.lower()
    if _PLACE.search(printed) is None and not any(map(lowered.__contains__, _HINTS)):
        return False  # nothing that the slow search could find
    said = "\n" + plain(printed)
    if " fail" in said and _COUNTED.search(said) is not None:
        return True
    if _PLACE.search(said) is not None and _FINDING.search(said) is not None:
        return True
    if several and _SURELY.search(said) is not None:
        return True
    return _finds(_SHOWS, said, said) and not _finds(_FINE, said, caseless(said))


def _finds(patterns: tuple[tuple[str, re.Pattern[str]], ...], said: str, holding: str) -> bool:
    return any(pattern.search(said) is not None for holds, pattern in patterns if holds in holding)


def plain(printed: str) -> str:
    """Return a text without colours, which may be written as in JSON."""
    if "[" in printed and ("\x1b" in printed or "u001b" in printed):
        return _COLOUR.sub("", printed)
    return printed
