"""Our pages hold together: links lead somewhere, the map is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings make."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link of a page names a file that is there, and a heading that it has."""
    broken = []
    for path, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        target = (page.parent / path) if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(f"{path}#{anchor}")
    assert not broken


def test_the_map_shows_what_is_there() -> None:
    """ARCHITECTURE.md has each module on its floor, and each file that it points to exists."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = text.partition("| Floor |")[2].partition("\n\n")[0].replace("\\|", ",")
    modules = re.findall(r"`(\w+)`", " ".join(row.split("|")[2] for row in rows.splitlines()[2:]))
    files = re.findall(r"`((?!tests/)(?:\w+/)+(?:\w+\.py)?|\w+\.py)`", text)
    assert len(files) > 50
    package = ROOT / "src" / "m31a_metrics"
    there = {path.stem for path in package.iterdir() if path.suffix in (".py", "")}
    assert sorted(modules) == sorted(there - {"__init__", "__pycache__"})
    assert [name for name in files if not (package / name).exists()] == []
