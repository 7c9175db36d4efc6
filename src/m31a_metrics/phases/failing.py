"""Whether a check failed: by its result, or by what it printed where that is hidden."""

from __future__ import annotations

import re

from m31a_metrics.transcript import Call

# What test runners, compilers and linters print when they are not content. Not `0 failed`.
_SHOWS = re.compile(
    r"(?<![\w.])[1-9]\d{0,5} (?:errors?|problems?|issues?)\b"
    r"|^\s*(?:FAIL(?:ED)?\b|--- FAIL|not ok \d|✗|✘|✖(?! 0 )|\u00d7 |❌)"
    r"|\bFAILED\b[ (\[:]|\bBUILD FAILED\b|\bBuild failed\b|\bERROR task failed|Tests? failed\b"
    r"|^(?:error|ERROR)(?:\[\w+\])?: |: error(?:\[?\w*\]?|\s[A-Z]+\d+)?: |\berror TS\d+|^Error: "
    r"|^E   \w"
    r"|Traceback \(most recent call last\)|^panic: |panicked at|npm (?:ERR!|error)|\bERR_\w+"
    r"|(?:exited|failed) with (?:exit )?(?:code|status) [1-9]|^Exit code:? [1-9]|exit status [1-9]"
    r"|command not found|[Nn]o such file or directory|Segmentation fault|\bfatal: "
    r"|(?:error|failure) ?(?:count|s)?[:=] ?[1-9]",
    re.MULTILINE,
)
# A finding at a place in a file, as compilers and linters print it; warnings do not fail.
_FINDING = re.compile(
    r"^\"?(?:[A-Za-z]:)?[^\s:]{1,200}\.\w{1,5}:\d+:\d+:(?! ?warning)", re.MULTILINE
)
_COUNTED = re.compile(r"(?<![\w.])[1-9]\d{0,5} (?:tests? |specs? )?(?:failed|failures?|failing)\b")
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
_FINE = re.compile(
    r"\b(?:All checks passed|no issues found|[1-9]\d* passed(?!.*\b[1-9]\d* failed)"
    r"|0 errors?\b(?!.*[1-9]\d* errors?))",
    re.IGNORECASE,
)
_COLOUR = re.compile(r"(?:\x1b|\\?\\u001b)\[[\d;?]{0,12}[a-zA-Z]")
_DENIED = re.compile(
    r"The user doesn't want|User rejected|Permission (?:for|to|denied)|"
    r"Claude requested permissions|[^\n]{0,80}\brejected by user|The user (?:rejected|dismissed)|"
    r"User did not allow|"
    r"Request interrupted|Tool execution aborted|\[Request interrupted",
)
# The tool refused to do it: nothing was found out about the work.
_UNRUN = re.compile(
    r"<tool_use_error>|Command timed out|timed out after|Sibling tool call errored|Cancelled:"
)


def denied(call: Call) -> bool:
    """Whether a person or a rule did not let the call run."""
    return call.success is False and _DENIED.match(call.error) is not None


def failed(call: Call, *, hides: bool) -> bool:
    """Whether a check failed. `hides`: its exit code is not that of the check."""
    if call.success is False:
        return not denied(call) and _UNRUN.match(call.error) is None
    return bool(call.success and hides and shows_failure(call.printed))


def shows_failure(printed: str) -> bool:
    """Whether what a check printed says that it failed."""
    if not printed:
        return False
    lowered = printed.lower()
    if _PLACE.search(printed) is None and not any(hint in lowered for hint in _HINTS):
        return False  # nothing that the slow search could find
    said = plain(printed)
    if _FINDING.search(said) is not None or _COUNTED.search(said) is not None:
        return True
    return _SHOWS.search(said) is not None and _FINE.search(said) is None


def plain(printed: str) -> str:
    """Return a text without colours, which may be written as in JSON."""
    if "[" in printed and ("\x1b" in printed or "u001b" in printed):
        return _COLOUR.sub("", printed)
    return printed
