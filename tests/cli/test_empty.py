"""What a machine without any session says: where was looked, what is here, how to go on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from m31a_metrics import cli
from m31a_metrics.cli.options.empty import where_looked
from m31a_metrics.sources import SOURCES, is_by_name_only
from m31a_metrics.sources.unread import UNREAD, known, seen
from tests.cli.conftest import M31


def test_the_places_the_agents_and_how_to_add_one(clean_home: Path) -> None:
    """Every source's folders, what is here of those that are read and of those that are not."""
    for folder in (".codex", ".cursor", ".local/share/goose"):
        (clean_home / folder).mkdir(parents=True)
    environ = {"HOME": str(clean_home)}
    places, here, unread, how = where_looked(f"{clean_home}/.m31a/sessions", environ)
    assert places.startswith("Looked in ~/.m31a/sessions, and for claude-code (~/.claude/projects")
    assert [name for name in SOURCES if not is_by_name_only(name) and name not in places] == []
    assert here == "Here, without a session: codex."
    assert unread == "Here, and not read by m31: Cursor (~/.cursor), Goose (~/.local/share/goose)."
    assert how.endswith("docs/how-to/source-plugin.md.")
    set_ = where_looked("/srv/sessions", {"CODEX_HOME": "/srv/codex", "WSL_DISTRO_NAME": "Debian"})
    assert "codex (~/.codex, CODEX_HOME)" in set_[0]
    assert "/mnt/c/Users/NAME" in set_[-1]


@pytest.mark.parametrize("arguments", [[], ["today"], ["cost"], ["sessions", "--since", "7d"]])
def test_every_question_says_so(arguments: list[str], m31: M31, clean_home: Path) -> None:
    """Whatever is asked, and however narrow; for programs there are rows, and none."""
    (clean_home / ".factory").mkdir()
    said = m31(*arguments)
    assert (said.code, said.err) == (0, "")
    assert "Nothing is recorded here yet." in said.out
    assert "Droid (~/.factory)" in said.out
    assert "Droid" not in m31(*arguments, "--json").out


def test_where_there_is_a_session_nobody_is_told(m31: M31, sessions_dir: Path) -> None:
    """A slice without a session says what narrows it, and not where was looked."""
    assert sessions_dir.is_dir()
    assert "Looked in" not in m31("sessions", "--project", "none-of-that").out
    assert "Looked in" not in m31().out


def test_an_agent_that_is_not_read_is_named(m31: M31) -> None:
    """As what it is, in whatever way it is written; others are no agents at all."""
    said = m31("tools", "--agent", "cursor")
    assert said.code == cli.WRONG_USAGE
    assert "m31 does not read Cursor yet" in said.err
    assert "docs/how-to/source-plugin.md" in said.err
    assert "does not read" not in m31("tools", "--agent", "cursed").err
    assert [known(name) for name in ("roo-code", "Kilo Code", "goose-cli", "", "shop")] == [
        *("Roo Code", "Kilo Code", "Goose", "", "")
    ]


def test_only_folders_count(tmp_path: Path) -> None:
    """One of an agent's folders is enough; a file of that name is none."""
    for name, folders in UNREAD.items():
        home = tmp_path / name
        (home / folders[-1]).mkdir(parents=True)
        assert seen({"HOME": str(home)}).get(name) == f"~/{folders[-1]}"
    (tmp_path / ".cursor").write_text("")
    assert seen({"HOME": str(tmp_path)}) == seen({}) == {}


def test_windows_is_told_what_works() -> None:
    """One sentence, before anything is imported that Windows does not have."""
    code = "import sys; sys.platform = 'win32'; import m31a_metrics"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "on Windows inside WSL" in done.stderr.splitlines()[-1]
    assert Path(__file__).parents[2].joinpath("docs/how-to/windows.md").is_file()
