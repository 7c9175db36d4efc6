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
    r"|importlib|pkgutil|ast\.|xml|zipfile|tomllib|yaml\.safe_load|split\("
)
_STATEMENTS = re.compile(
    r"\b(?:insert\s+into|update\s+\S+\s+set|delete\s+from|alter\s+table|create\s+|drop\s+|truncate\s|"
    r"replace\s+into|grant\s|vacuum)",
    re.IGNORECASE,
)
_BOUND = 4_000


def writes(code: str) -> bool:
    """Whether it changes files or tables."""
    return _WRITES.search(code, 0, _BOUND) is not None


def checks(code: str) -> bool:
    """Whether it holds something to an expectation."""
    return _CHECKS.search(code, 0, _BOUND) is not None


def reads(code: str) -> bool:
    """Whether it looks into files, or at what is installed."""
    return _READS.search(code, 0, _BOUND) is not None


def changes_tables(statement: str) -> bool:
    """Whether an SQL statement changes anything."""
    return _STATEMENTS.search(statement, 0, _BOUND) is not None
