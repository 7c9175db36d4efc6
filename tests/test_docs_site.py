"""The documentation as a site: every page is found, and the map of it is whole.

Read off the pages alone. `make docs` builds the site itself, strictly.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import m31a_metrics
from tools import docs_site

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
START = "docs/index.md"
CLICKS = 3

PAGES = {path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *DOCS.glob("**/*.md")]}
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]+)")
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def site() -> dict[str, Any]:
    """The map of the site."""
    read: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    return read


def in_map(entries: list[Any]) -> list[str]:
    """The pages that a part of the map names, in its order."""
    found = []
    for entry in entries:
        for target in entry.values():
            found += [target] if isinstance(target, str) else in_map(target)
    return found


def linked(page: str) -> set[str]:
    """What the text of a page links to, as paths in the repository."""
    text = FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    targets = set()
    for link in LINK.findall(text):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), link))
        targets.add(f"{target}/README.md" if (ROOT / target).is_dir() else target)
    return targets


def leads_to(page: str) -> set[str]:
    """The pages that the text of a page links to."""
    return linked(page) & PAGES


def within(clicks: int, start: str) -> set[str]:
    """The pages that links lead to from `start`."""
    reached = latest = {start}
    for _ in range(clicks):
        latest = {target for page in latest for target in leads_to(page)} - reached
        reached = reached | latest
    return reached


@pytest.mark.parametrize("start", [START, "README.md"])
def test_every_page_is_three_clicks_away(start: str) -> None:
    """Links in the text, without menus and search, lead from the start to every page."""
    assert sorted(PAGES - within(CLICKS, start)) == []


def test_the_map_names_every_page_once() -> None:
    """Each page stands in the menu; decisions stand in the list of decisions instead."""
    named = in_map(site()["nav"])
    assert len(named) == len(set(named))
    ours = {name: page for page, name in docs_site.ROOT_PAGES.items()}
    pages = {ours.get(name, f"docs/{name}") for name in named}
    decisions = {page for page in PAGES if page.startswith("docs/decisions/")}
    assert pages == PAGES - decisions | {"docs/decisions/README.md"}
    assert leads_to("docs/decisions/README.md") >= decisions - {"docs/decisions/README.md"}


def test_the_build_is_strict_and_the_theme_asks_nobody() -> None:
    """A dead link or anchor fails the build; no part of the theme comes from a web server."""
    settings = site()
    assert settings["strict"] is True
    assert settings["theme"]["highlightjs"] is False
    links = settings["validation"]["links"]
    assert {links[kind] for kind in ("not_found", "anchors", "unrecognized_links")} == {"warn"}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    # --quiet would hide the warnings from the count that --strict goes by.
    assert "mkdocs build --strict\n" in makefile
    assert "make docs" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("source", "link", "turned"),
    [
        ("README.md", "docs/screen.md", "../screen.md"),
        ("README.md", "docs/decisions", "../decisions/README.md"),
        ("README.md", "docs/pictures/show.svg", "../pictures/show.svg"),
        ("README.md", "CONTRIBUTING.md", "contributing.md"),
        ("README.md", "examples/workflow_engine.py", "../examples/workflow_engine.py"),
        ("docs/index.md", "../ARCHITECTURE.md", "project/architecture.md"),
        ("docs/index.md", "tutorial.md", "tutorial.md"),
        ("docs/how-to/ci.md", "../compare.md#metrics", "../compare.md#metrics"),
        ("docs/reference/collector.md", "../../CONTRIBUTING.md#a", "../project/contributing.md#a"),
        ("docs/compare.md", "../schema/baseline.schema.json", "schema/baseline.schema.json"),
        ("docs/compare.md", "#metrics", "#metrics"),
        ("docs/compare.md", "https://example.org/a.md", "https://example.org/a.md"),
    ],
)
def test_links_are_turned_to_where_the_site_has_the_page(
    source: str, link: str, turned: str
) -> None:
    """What works where the repository is browsed works in the site, pictures and files too."""
    uri = docs_site.site_place(source)
    text = f"[one]({link}), ![two]({link})"
    assert docs_site.with_site_links(text, source, uri) == text.replace(link, turned)


def test_links_in_code_stay_as_they_are() -> None:
    """A block of code is shown as it stands."""
    page = "[a](docs/screen.md)\n```md\n[a](docs/screen.md)\n```\n[a](docs/screen.md)\n"
    turned = docs_site.with_site_links(page, "README.md", "project/readme.md")
    assert turned.splitlines() == [
        "[a](../screen.md)", "```md", "[a](docs/screen.md)", "```", "[a](../screen.md)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ('<script src="https://example.org/a.js"></script>', 1),
        ("<script async src=//example.org/a.js></script>", 1),
        ('<link rel="stylesheet" href="https://example.org/a.css">', 1),
        ('<img alt="" src="http://example.org/a.png">', 1),
        ("<style>@import 'https://example.org/a.css'</style>", 1),
        ("<style>a { background: url(//example.org/a.png) }</style>", 1),
        ('<a href="https://example.org">a link that a person may follow</a>', 0),
        ('<link rel="canonical" href="https://example.org/">', 0),
        ('<script src="js/base.js"></script><img src="data:image/png;base64,AA">', 0),
    ],
)
def test_what_a_browser_would_fetch_is_found(tmp_path: Path, page: str, found: int) -> None:
    """The check after a build knows what is loaded, and leaves links alone."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "index.html").write_text(page)
    assert len(docs_site.fetched_from_elsewhere(tmp_path)) == found


def test_the_reference_has_every_public_name() -> None:
    """What `import m31a_metrics` gives stands on the page about the API."""
    page = (DOCS / "reference" / "collector.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^::: m31a_metrics\.(\w+)$", page, re.MULTILINE))
    named |= set(re.findall(r"^        - (\w+)$", page, re.MULTILINE))
    assert named >= set(m31a_metrics.__all__)


@pytest.mark.parametrize("page", sorted(PAGES))
def test_whatever_a_page_links_to_is_on_the_site(page: str) -> None:
    """A strict build fails for a link to a file of the repository that the site does not show."""
    shown = {
        path.relative_to(ROOT).as_posix()
        for pattern in (*docs_site.SHOWN_FILES, "docs/**/*")
        for path in ROOT.glob(pattern)
    }
    assert linked(page) <= shown | {*docs_site.ROOT_PAGES}
