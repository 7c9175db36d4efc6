"""git and gh: what a subcommand is for depends on its options."""

from __future__ import annotations

import re

from m31a_metrics.phases.naming import names
from m31a_metrics.phases.shell import Command
from m31a_metrics.phases.uses import Use

_LISTS = {
    "branch": names(
        """
    -a -v -vv -r --list -l --show-current --merged --no-merged --contains --all
    """
    ),
    "tag": names("-l --list -n --points-at --contains --merged --sort -v"),
    "remote": frozenset(["-v", "show", "get-url", "--verbose"]),
    "config": names("--get --get-all --list -l --show-origin --get-regexp get list"),
    "stash": frozenset(("list", "show")),
    "worktree": frozenset(("list",)),
    "submodule": frozenset(("status", "summary")),
    "notes": frozenset(("show", "list")),
    "reflog": frozenset(("show",)),
}


_BARE_LISTS = frozenset(("branch", "tag", "remote", "submodule", "notes"))


_SUMMARIES = frozenset(
    ["--stat", "--name-only", "--name-status", "--shortstat", "--numstat", "--dirstat", "--quiet"]
)


_OLDER = re.compile(r"HEAD[~^@]|[0-9a-f]{7,40}[~^]?\d?$|(?:origin|upstream)/|v\d+\.")


_JOINS = frozenset(("merge", "rebase", "am", "cherry-pick", "revert"))
_UPSTREAMS = ("main", "master", "develop", "trunk", "origin/", "upstream/", "FETCH_HEAD")
_ABORTS = frozenset(("--abort", "--quit", "--skip"))


_GH_WRITES = frozenset(["-X", "--method", "-f", "-F", "--field", "--raw-field", "--input"])


def git(words: list[str], arguments: list[str], _command: Command) -> Use | None:
    """Say what a git command is for; None: what the table says of its subcommand."""
    if not arguments:
        return Use.EXPLORE
    verb, options = arguments[0], {word.partition("=")[0] for word in words[1:]}
    rest = words[words.index(verb) + 1 :]
    if verb == "diff":
        return _diff(options, rest)
    if verb == "push":
        return _push(options, rest)
    if verb in _JOINS and options & _ABORTS:
        return Use.EXECUTE
    if verb == "merge" and any(word.startswith(_UPSTREAMS) for word in rest):
        return Use.EXECUTE  # brings the work up to date
    if verb in _LISTS:
        return _listing(verb, options, rest)
    return None


def _diff(options: set[str], rest: list[str]) -> Use:
    if options & {"--check", "--exit-code"}:
        return Use.VERIFY
    if options & _SUMMARIES or any(".." in word for word in rest):
        return Use.EXPLORE
    # Against an older commit: what was done before is looked at too.
    return Use.EXPLORE if any(_OLDER.match(word) for word in rest[:2]) else Use.DIFF


def _push(options: set[str], rest: list[str]) -> Use:
    if options & {"--dry-run", "-n"}:
        return Use.VERIFY
    deletes = options & {"--delete", "-d"} or any(word.startswith(":") for word in rest)
    return Use.EXECUTE if deletes else Use.SHIP


def _listing(verb: str, options: set[str], rest: list[str]) -> Use | None:
    if options & _LISTS[verb] or (verb in _BARE_LISTS and not rest):
        return Use.EXPLORE
    plain = [word for word in rest if not word.startswith("-")]
    if verb == "config" and len(plain) == 1 and "--unset" not in options:
        return Use.EXPLORE
    return Use.EXECUTE if verb == "tag" and options & {"-d", "--delete"} else None


def gh(words: list[str], arguments: list[str], _command: Command) -> Use | None:
    """Say what a command of GitHub's client is for; None: what the table says of it."""
    if arguments[:1] == ["api"]:
        return _gh_api(words, arguments)
    if arguments[:2] == ["run", "view"] and {"--log", "--log-failed", "--job", "-j"} & set(words):
        return Use.LOG
    return None


def _gh_api(words: list[str], arguments: list[str]) -> Use:
    text = " ".join(words[2:])
    if arguments[1:2] == ["graphql"]:
        return Use.SHIP if "mutation" in text else Use.EXPLORE
    methods = [
        words[at + 1].upper() for at, word in enumerate(words[:-1]) if word in ("-X", "--method")
    ]
    if methods:
        return Use.EXPLORE if methods[0] == "GET" else Use.SHIP
    if _GH_WRITES & set(words):
        return Use.SHIP
    if "/logs" in text or "/jobs/" in text:
        return Use.LOG
    return (
        Use.STATE
        if "check-runs" in text or "/status" in text or "/actions/runs" in text
        else Use.EXPLORE
    )
