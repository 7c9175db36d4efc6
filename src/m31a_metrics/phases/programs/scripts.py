"""What a text given to an interpreter does: `python - <<EOF`, `node -e`."""

from __future__ import annotations

import re

_WRITES = re.compile(
    r"open\([^\n)]{0,200}['\"](?:[wax]b?\+?|r\+b?)['\"]|\.write_(?:text|bytes)\(|\.writelines\("
    r"|writeFile(?:Sync)?\(|appendFile(?:Sync)?\(|\bBun\.write\(|Deno\.write|\bFile\.write|IO\.write"
    r"|shutil\.(?:copy|move|rmtree)|os\.(?:remove|rename|unlink|replace|makedirs)\("
    r"|(?:rename|rm|unlink|copyFile|mkdir)Sync\(|\.to_(?:csv|json|excel|parquet)\(|json\.dump\("
    r"|file_put_contents\(|\.save\(|\.unlink\(|\b(?:INSERT INTO|UPDATE \w+ SET|DELETE FROM"
    r"|ALTER TABLE|CREATE TABLE|DROP TABLE)\b"
)
_CHECKS = re.compile(
    r"\bassert\b|\bexpect\(|sys\.exit\(|process\.exit\(|raise \w|throw new|\bunittest\b|\bok\b"
)
_READS = re.compile(
    r"json\.loads?\(|\.read\(|\.read_text\(|readFile(?:Sync)?\(|csv\.|re\.(?:search|findall|finditer|sub)"
    r"|glob\(|os\.(?:walk|listdir|environ)|__version__|inspect\.|help\(|dir\(|require\.resolve|sys\.path"
    r"|importlib|pkgutil|ast\.|xml|zipfile|tomllib|yaml\.safe_load|YAML\.|split\("
    r"|require\(['\"](?!(?:node:)?(?:fs|path|os|child_process|https?|net|util|assert|crypto)['\"/])[a-z@]"
    r"|<>|->decode\b|VERSION\b|package\.json|\.version\b|is_available\(|(?i:\bselect\b[^\n]{1,200}\bfrom\b)"
)
_TESTS = re.compile(
    r"^\s*assert\b|;\s*assert\b|console\.assert\(|\bassert\.(?:equal|ok|deep|strict)|pytest\.main\("
    r"|unittest\.main\(|doctest\.testmod\(|testthat::|\bdevtools::(?:test|check)\(|\brcmdcheck|\blintr::|\bPkg\.test\(",
    re.MULTILINE,
)
_PRINTS = re.compile(
    r"\b(?:print|pprint|puts|printf|echo|inspect|display|write|writelines|info|debug|say|p|pp|cat|message)\b"
    r"|console\.|stdout|var_dump|print_r|help\(|dump"
)
_SHOWS_TABLES = re.compile(
    r"\.(?:schema|tables|databases|indexes|dump)\b|\\d[a-zA-Z+]?\b|\\l\b|(?i:\binformation_schema\b"
    r"|\bsqlite_master\b|\bpragma table_|\bshow (?:tables|databases|columns|create)\b"
    r"|\bdescribe \w)"
)
_STATEMENTS = re.compile(
    r"\b(?:insert\s+into|update\s+\S+\s+set|delete\s+from|alter\s+table|create\s+|drop\s+|truncate\s|"
    r"replace\s+into|grant\s|vacuum)",
    re.IGNORECASE,
)
_THROWN_AWAY = re.compile(r"['\"`](?:/private)?/tmp/|tempfile\.|tmpdir\(")
_PATH_CHARS = 100
_BOUND = 4_000


def writes(code: str) -> bool:
    """Whether it changes files or tables, other than files that are thrown away."""
    for found in _WRITES.finditer(code, 0, _BOUND):
        start = max(code.rfind("\n", 0, found.start()), found.start() - _PATH_CHARS, 0)
        end = code.find("\n", found.end(), found.end() + _PATH_CHARS)
        if _THROWN_AWAY.search(code, start, end if end > 0 else found.end() + _PATH_CHARS) is None:
            return True
    return False


def checks(code: str) -> bool:
    """Whether it holds something to an expectation."""
    return _CHECKS.search(code, 0, _BOUND) is not None


def reads(code: str) -> bool:
    """Whether it looks into files, or at what is installed."""
    return _READS.search(code, 0, _BOUND) is not None


def changes_tables(statement: str) -> bool:
    """Whether an SQL statement changes anything."""
    return _STATEMENTS.search(statement, 0, _BOUND) is not None


def tests(code: str) -> bool:
    """Whether it asserts something, or runs tests."""
    return _TESTS.search(code, 0, _BOUND) is not None


def shows_tables(statement: str) -> bool:
    """Whether it asks which tables there are, and not what is in them."""
    return _SHOWS_TABLES.search(statement, 0, _BOUND) is not None


def prints(code: str) -> bool:
    """Whether it shows anything."""
    return _PRINTS.search(code, 0, _BOUND) is not None
