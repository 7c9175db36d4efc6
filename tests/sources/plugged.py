"""Packages that are installed by hand: their modules, and what an installer writes of them."""

from __future__ import annotations

from pathlib import Path

GOOD = """
from m31a_metrics.transcript import Facts, Transcript
NAME = "{name}"
def find(environ, folders=None):
    yield from ()
def read(path, skip=frozenset()):
    return Transcript(Facts(NAME))
"""


def install(
    site: Path, package: str, name: str, module: str, *, value: str = "", version: str = "1.0"
) -> None:
    """Put a package with one source into a folder that is, or will be, on the path."""
    site.mkdir(exist_ok=True)
    root = package.replace("-", "_")
    (site / f"{root}.py").write_text(module.replace("{name}", name))
    metadata = site / f"{root}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Name: {package}\nVersion: {version}\n")
    (metadata / "entry_points.txt").write_text(
        f"[console_scripts]\nx = {root}:main\n\n"
        f"[m31a_metrics.sources]\n# ours\n{name} = {value or root}\n\n[others]\ny = z\n"
    )
