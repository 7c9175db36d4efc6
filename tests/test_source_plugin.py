"""The example of a source in another package, installed as an installer does it, and used."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
import tomllib
from pathlib import Path

import pytest

from m31a_metrics.sources import installed, source
from tests.commands import SRC, m31_anew

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "source_plugin"
PAGE = ROOT / "docs" / "how-to" / "source-plugin.md"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with what `pip install --target` puts there: the module, and its metadata."""
    folder = tmp_path / "site"
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())
    name, version = project["project"]["name"], project["project"]["version"]
    metadata = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.3\nName: {name}\nVersion: {version}\n")
    (metadata / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items())
            for group, entries in project["project"]["entry-points"].items()
        )
    )
    for module in project["tool"]["hatch"]["build"]["targets"]["wheel"]["include"]:
        shutil.copy(EXAMPLE / module, folder)
    return folder


def test_the_example_is_found_and_asked(site: Path, tmp_path: Path) -> None:
    """Installed, it is asked with all others: its session is there, with tools and failures."""
    home = tmp_path / "home"
    shutil.copytree(EXAMPLE / "sample", home)
    where = {"HOME": str(home), "PYTHONPATH": f"{SRC}:{site}"}
    for agent in ([], ["--agent", "parrot"]):
        told = m31_anew("sessions", *agent, "--json", **where)
        assert told.returncode == 0, told.stderr
        assert told.stderr == ""
        assert '"parrot"' in told.stdout
        assert "p-1" in told.stdout
    tools = json.loads(m31_anew("tools", "p-1", "--json", **where).stdout)
    assert "bash" in json.dumps(tools)
    assert "ModuleNotFoundError" in m31_anew("errors", "--agent", "parrot", **where).stdout
    assert "parrot]" in m31_anew("sessions", "--help", **where).stdout
    without = m31_anew("sessions", "--agent", "parrot", HOME=str(home))
    assert without.returncode == 2
    assert "'parrot' is not one of" in without.stderr


def test_its_own_test_passes(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the example shows as its test is one that passes where it is installed."""
    monkeypatch.syspath_prepend(site)
    assert isinstance(source("parrot"), installed.PlugIn)
    runpy.run_path(str(EXAMPLE / "test_parrot.py"))["test_the_source_keeps_its_promises"]()
    del sys.modules["m31a_parrot"]


def test_the_page_shows_the_example() -> None:
    """The page has the files of the example, to the letter."""
    page = PAGE.read_text(encoding="utf-8")
    sample = EXAMPLE / "sample" / ".parrot" / "sessions" / "p-1.jsonl"
    for path in (EXAMPLE / "m31a_parrot.py", EXAMPLE / "pyproject.toml", sample):
        assert path.read_text(encoding="utf-8") in page
