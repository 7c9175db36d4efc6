"""Options that turn a change into a check, a check into a change, or either into a look."""

from __future__ import annotations

import re

from m31a_metrics.phases.programs.known import FILES_RUN, is_path
from m31a_metrics.phases.programs.table import INTERPRETERS, USES
from m31a_metrics.phases.shell import SHELLS
from m31a_metrics.phases.uses import Use, names

# What stands behind these is a text for people: it may begin with a dash or name an option.
_TEXTS = names(
    """
    --message --body --title --notes --description --subject --reason --comment --text --msg
    --prompt --summary --commit-message --append-notes --acceptance --design
    """
)
_SHORT_TEXTS = {
    "git": names("-m -am -sm -asm -qm -Sm"),
    "hg": frozenset(("-m",)),
    "jj": frozenset(("-m",)),
    "svn": frozenset(("-m",)),
    "gh": names("-t -b -n -c -m"),
    "glab": names("-t -d -m -N"),
    "bd": names("-t -d -r"),
}

_HELP = names(
    "--help --version -help -version help version -V /? -? --info --usage --help-all --helpfull"
)
# Where programs of others lie.
_INSTALLED = re.compile(
    r"/(?:usr|opt|bin|sbin|nix|snap)/|(?:~|\$\{?HOME\}?|/home/[^/]+|/Users/[^/]+)/"
    r"(?:\.local|\.cargo|\.bun|\.deno|\.npm|\.nvm|\.volta|\.asdf|\.pyenv|\.rbenv|go|bin)/"
    r"|(?:\./)?node_modules/"
)
_OF_ITSELF = names("--help --version -h -V")
_SHORT_HELP = frozenset(("-h", "-v"))
_LAST_OF_HELP = _HELP | _SHORT_HELP
# A last word of these is what they look for or print.
_NO_HELP = frozenset(("git", "npm", "echo", "printf", "grep", "rg"))

_NONE: frozenset[str] = frozenset()
_OPTIONS_COUNT = frozenset((Use.EXECUTE, Use.VERIFY, Use.SHIP, Use.RUN))
_DRY = names(
    """
    --check --check-only --dry-run --dryrun --list-different --noop --noEmit -check
    --verify-no-changes
    """
)
# A script with one of these looks whether something is as it should be.
_PROVES = names("--check --check-only --validate --verify --self-test --selftest --lint --test")
_DRY_OF_FORMATTERS = names("--diff --test -d -l --lint --validate --set-exit-if-changed")
_FORMATTERS = names(
    """
    black gofmt goimports isort prettier pint swiftformat shfmt ormolu fourmolu elm-format dart
    dprint
    """
)
# Which tests or rules there are, and no run of them.
_ONLY_LISTS = names(
    """
    --collect-only --co --listTests --list-tests --list-files --show-only --showConfig
    --print-config --show-files --show-settings --showInfo
    """
)
_FIXES = names("--fix --write --apply --fix-all --autocorrect --autocorrect-all")


def without_texts(name: str, words: list[str]) -> list[str]:
    """Return what a program is given, without the texts for people: they are no options."""
    short = _SHORT_TEXTS.get(name, _NONE)
    if _TEXTS.isdisjoint(words) and short.isdisjoint(words):
        return words[1:]
    found: list[str] = []
    is_text = False
    for word in words[1:]:
        if is_text:
            is_text = False
        else:
            found.append(word)
            is_text = word[:1] == "-" and (word in _TEXTS or word in short)
    return found


def options_of(name: str, words: list[str]) -> set[str]:
    """Return the options that a program is given, without their values."""
    given = without_texts(name, words)
    return {word.partition("=")[0] for word in given if word.startswith("-")}


def asks_help(words: list[str], name: str) -> bool:
    """Whether a program is only asked how it is used, or which version it is."""
    rest = words[1:]
    if not rest or (rest[0] != "help" and rest[-1] not in _LAST_OF_HELP and "--help" not in rest):
        return False
    rest = without_texts(name, words)
    # Of what was built here, how it presents itself is looked at like all it does.
    own = is_path(words[0]) and name not in USES and name not in INTERPRETERS
    own = own and _INSTALLED.match(words[0]) is None
    if not rest or name in SHELLS or own or FILES_RUN.search(rest[0]):
        return False
    last = rest[-1]
    if "--help" in rest or rest[0] == "help":
        return True
    if last in _HELP and len(rest) <= 3 and name not in _NO_HELP and f"{name} {last}" not in USES:
        return True
    if last not in _SHORT_HELP or name in _NO_HELP:
        return False
    if name in INTERPRETERS:
        return len(rest) == 1
    return len(rest) <= (4 if last == "-h" else 2) and name not in USES


def _is_dry(options: set[str]) -> bool:
    """Whether options let a program change nothing: `--dry-run`, `--check-formatted`."""
    return not options.isdisjoint(_DRY) or any(word.startswith("--check-") for word in options)


def shows_itself(words: list[str]) -> bool:
    """Whether a program of the project is run to see how it is used, or its version."""
    return words[-1] in _OF_ITSELF or "--help" in words


def with_options(use: Use, name: str, words: list[str]) -> Use:
    """Let options turn a change into a check, and a check into a change."""
    if use not in _OPTIONS_COUNT:
        return use
    options = options_of(name, words)
    if use is Use.EXECUTE:
        if "--list" in options:
            return Use.EXPLORE
        formats = name in _FORMATTERS and not options.isdisjoint(_DRY_OF_FORMATTERS)
        formats = formats or (name in _FORMATTERS and "check" in words)
        return Use.VERIFY if formats or _is_dry(options) else use
    if use is Use.VERIFY:
        lists = options & _ONLY_LISTS
        fixes = options & _FIXES or (name == "rubocop" and options & {"-a", "-A"})
        return Use.EXPLORE if lists else Use.EXECUTE if fixes else use
    if use is Use.SHIP:
        return Use.VERIFY if _is_dry(options) or "--syntax-check" in options else use
    if shows_itself(words):
        return Use.HELP
    proves, fixes = options & _PROVES, options & _FIXES
    return Use.VERIFY if proves else Use.EXECUTE if fixes else use
