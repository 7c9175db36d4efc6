"""What the site of the documentation needs beyond docs/; mkdocs calls it (mkdocs.yml).

Pages at the root of the repository are shown from where they are, without a copy, and so
are examples and schemas that pages link to. Links are written so that they work on the
files themselves, in a checkout and where the repository is browsed; here they are turned
to where the site has the same thing. After the build every page is searched for anything
that a browser would fetch from elsewhere.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
DOCS = "docs"

ROOT_PAGES = {
    name: f"project/{name.lower()}"
    for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
}
SHOWN_FILES = ("examples/*.py", "examples/source_plugin/pyproject.toml", "schema/*.json")

_FENCE = re.compile(r"^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]+)")

# What a browser loads by itself. A link that a person may follow is none of these.
_LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc=["']?(?:https?:)?//[^"'\s>]+"""
    r"""|<link\b(?![^>]*rel=["']?(?:canonical|next|prev))[^>]*\bhref=["']?(?:https?:)?//[^"'\s>]+"""
    r"""|@import\s+(?:url\()?["']?(?:https?:)?//[^"')]+"""
    r"""|url\(["']?(?:https?:)?//[^"')]+"""
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what lies outside docs/."""
    from mkdocs.structure.files import File

    for name, uri in ROOT_PAGES.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / name)))
    for pattern in SHOWN_FILES:
        for path in sorted(ROOT.glob(pattern)):
            uri = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, uri, abs_src_path=str(path)))
    files.append(File.generated(config, "code.css", content=_colours_of_code()))
    return files


def _colours_of_code() -> str:
    from pygments.formatters import HtmlFormatter

    light = HtmlFormatter(style="default").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs("[data-bs-theme=dark] .highlight")
    return f"{light}\n{dark}\n"


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - mkdocs passes them by name
    """Turn the links of a page to where the site has what they lead to."""
    source = Path(page.file.abs_src_path or "").relative_to(ROOT).as_posix()
    return with_site_links(markdown, source, page.file.src_uri)


def on_post_build(config: MkDocsConfig) -> None:
    """Fail where a page would fetch something from elsewhere."""
    from mkdocs.exceptions import PluginError

    fetched = fetched_from_elsewhere(Path(config.site_dir))
    if fetched:
        raise PluginError("the site must work offline, but fetches:\n" + "\n".join(fetched))


def with_site_links(markdown: str, source: str, uri: str) -> str:
    """Rewrite the relative links of `source`, a path in the repository, for its page at `uri`."""
    folder = posixpath.dirname(source)
    pieces, end = [], 0
    for fence in _FENCE.finditer(markdown):
        pieces.append(_turned(markdown[end : fence.start()], folder, uri))
        pieces.append(fence[0])
        end = fence.end()
    return "".join([*pieces, _turned(markdown[end:], folder, uri)])


def _turned(text: str, folder: str, uri: str) -> str:
    def turn(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[1]))
        return "](" + posixpath.relpath(site_place(target), posixpath.dirname(uri) or ".")

    return _LINK.sub(turn, text)


def site_place(target: str) -> str:
    """Where the site has a file or folder of the repository."""
    if (ROOT / target).is_dir():
        target = f"{target}/README.md"
    return ROOT_PAGES.get(target, target.removeprefix(f"{DOCS}/"))


def fetched_from_elsewhere(site: Path) -> list[str]:
    """What browsers would load over the network, by file, from a built site."""
    return [
        f"{path.relative_to(site)}: {found[0]}"
        for path in sorted([*site.rglob("*.html"), *site.rglob("*.css")])
        for found in _LOADED.finditer(path.read_text(encoding="utf-8"))
    ]
