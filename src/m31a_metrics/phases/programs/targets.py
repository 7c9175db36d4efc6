"""Words that say what a script, a make target or a subcommand is for.

`npm run lint:fix`, `make test-unit`, `mise run fmt`, `entire status`: the parts of the name
tell, and some outrank others: `lint:fix` changes files, `format:check` does not.
"""

from __future__ import annotations

import re
from functools import lru_cache

from m31a_metrics.phases.uses import Use

_PARTS = re.compile(r"[a-z]+|[A-Z][a-z]*")

# From the strongest to the weakest.
_WORDS: tuple[tuple[Use, frozenset[str]], ...] = tuple(
    (use, frozenset(words.split()))
    for use, words in (
        (Use.EXECUTE, "fix autofix write fixup generate gen codegen regenerate seed migrate"),
        (Use.VERIFY, "test tests verify validate check checks lint dryrun dry smoke preflight"),
        (Use.SHIP, "deploy publish release ship promote"),
        (
            Use.VERIFY,
            """
            testing spec specs lints linter typecheck types tsc validation e2e unit integration
            audit ci coverage cov bench benchmark regression clippy vet dup duplicates assert
            selftest precommit unittest acceptance conformance snapshot examples eunit dialyzer
            analyze analyse qa quality eval evals pytest jest vitest mypy eslint
            """,
        ),
        (
            Use.EXECUTE,
            """
            fmt format formatter scalafmt migration migrations makemigrations collectstatic loaddata
            install setup bootstrap init clean sync update upgrade configure config db
            reset create add remove delete enable disable set edit apply new scaffold bump
            prepare download import export convert rename up down restart patch link unlink
            merge login
            """,
        ),
        (
            Use.VERIFY,
            """
            build compile precompile bundle dist package assemble debug doc docs site all default
            """,
        ),
        (Use.WAIT, "wait poll monitor"),
        (
            Use.RUN,
            "dev start serve server run preview watch demo main exec play shell repl storybook",
        ),
        (
            Use.ASK,
            """
            status list ls show get info doctor describe version help search view logs log
            inspect tree print dump stats diff explain which where path env query find read
            history whoami
            """,
        ),
    )
)

_LEVELS = frozenset(("major", "minor", "patch", "bump", "prerelease", "prepatch"))


@lru_cache(maxsize=2048)
def by_words(name: str) -> Use | None:
    """Return what the words of a name say; None if they say nothing."""
    parts = {part.lower() for part in _PARTS.findall(name)}
    if "version" in parts and not parts.isdisjoint(_LEVELS):
        return Use.SHIP
    for use, words in _WORDS:
        if not words.isdisjoint(parts):
            return use
    return None
