"""What a file is for, as its path tells: the work, a plan, a note, a picture, or a moment."""

from __future__ import annotations

import re
from functools import lru_cache

_SCRATCH = re.compile(
    r"(?:^|[/\\=\"'])(?:(?:private/)?tmp|var/folders|AppData[/\\]Local[/\\]Temp|scratchpad|scratch)(?=[/\\]|$)"
    r"|^\$\{?(?:TMP|TEMP|TMPDIR|tmp|tmpdir|tmp_dir|temp|tempdir|workdir|CLAUDE_SCRATCHPAD_DIR)\b"
    r"|\$\(mktemp|^/dev/(?:null|std|tty|fd|shm)"
)
_MEMORY = re.compile(r"(?:^|[/\\])(?:memory|memories)[/\\][^/\\]+\.mdc?$|(?:^|[/\\])MEMORY\.md$")
_PLAN = re.compile(
    r"(?i:(?:^|[/\\])(?:\.?plans?|planning|proposals?|rfcs?|adrs?|prds?|tasks?-?plans?)[/\\][^\n]*\.mdx?$"
    r"|(?:^|[/\\])[^/\\]*(?:\b|[_-])(?:plan|design|prd|rfc|roadmap|todos?|tasks|proposal|requirements|specs?|specification)"
    r"(?:[_-]?v?\d+)?\.(?:md|txt|mdx)$)"
    r"|[/\\](?:specs?|openspec|\.kiro|\.specify|\.beads|\.taskmaster)[/\\][^\n]*\.md$"
)
_TEST = re.compile(
    r"(?i:(?:^|[/\\])(?:tests?|__tests__|specs?|e2e|testdata|fixtures|testing)[/\\]"
    r"|(?:^|[/\\])test_[^/\\]+$|[._-](?:test|tests|spec|e2e|cy)\.\w+$|(?:Test|Tests|Spec|IT)\.(?:java|kt|cs|swift|scala|groovy)$"
    r"|_test\.(?:go|py|rb|exs|dart|c|cc|cpp)$|conftest\.py$)"
)
_PICTURE = re.compile(r"\.(?:png|jpe?g|gif|webp|bmp)$", re.IGNORECASE)
_OUTPUT = re.compile(r"[/\\]tasks[/\\]([\w-]{4,64})\.output\b")
_INSTRUCTIONS = re.compile(r"(?:^|[/\\])(?:SKILL|AGENTS|CLAUDE|GEMINI)\.md$")

_RELEASE = re.compile(
    r"(?i:(?:^|[/\\])(?:(?:changelog|changes|history|release[-_]?notes|news|version)(?:\.\w{1,5})?"
    r"|package(?:-lock)?\.json|pyproject\.toml|setup\.(?:py|cfg)|cargo\.(?:toml|lock)|uv\.lock"
    r"|_?_?version_?_?\.\w{1,5}|pubspec\.yaml|plugin\.json|manifest\.json|gradle\.properties"
    r"|[^/\\]+\.(?:gemspec|podspec|csproj))$)"
)

_PATH_MAX = 1_000


@lru_cache(maxsize=4096)
def is_scratch(path: str) -> bool:
    """Whether what is written there is thrown away."""
    return _SCRATCH.search(path[:_PATH_MAX]) is not None


@lru_cache(maxsize=4096)
def is_memory(path: str) -> bool:
    """Whether it is a note of an agent to itself."""
    return _MEMORY.search(path[:_PATH_MAX]) is not None


@lru_cache(maxsize=4096)
def is_plan(path: str) -> bool:
    """Whether it is a plan or a design of the work."""
    return _PLAN.search(path[:_PATH_MAX]) is not None


@lru_cache(maxsize=4096)
def is_test(path: str) -> bool:
    """Whether it is a test, or what only tests use."""
    return _TEST.search(path[:_PATH_MAX]) is not None


@lru_cache(maxsize=4096)
def is_release_file(path: str) -> bool:
    """Whether it says what a release is, or which: a changelog, a manifest with the version."""
    return _RELEASE.search(path[:_PATH_MAX]) is not None


def file_name(path: str) -> str:
    """Return the last part of a path, of whatever system."""
    return path.replace("\\", "/").rpartition("/")[2]


def is_picture(path: str) -> bool:
    """Whether it is a picture, as screenshots are."""
    return _PICTURE.search(path[-10:]) is not None


def background_task(text: str) -> str:
    """Return the id of the background task whose output a path or command names; "" if none."""
    found = _OUTPUT.search(text) if ".output" in text else None
    return found[1] if found else ""
