from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from m31a_metrics.config import Config
from m31a_metrics.live import files, install_files


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A machine whose package brings one program."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "hook.py").write_text('"""Nothing."""\n')
    monkeypatch.setattr(files, "__file__", str(package / "files.py"))
    home = tmp_path / "home"
    return Config(str(home / "sessions"), str(home / "metrics.db"), live_dir=str(home / "live"))


def test_what_is_installed_is_the_packages_file_and_says_whose(config: Config) -> None:
    """A program is its package's file behind a line with the version; nobody else may read it."""
    written = install_files(config)
    assert [os.path.basename(path) for path in written] == ["hook.py", "live.json"]
    first, _, rest = Path(written[0]).read_text().partition("\n")
    assert first.startswith("# m31a-metrics ")
    assert rest == '"""Nothing."""\n'
    assert [os.stat(path).st_mode & 0o777 for path in (config.live_dir, *written)] == [
        *(0o700, 0o600, 0o600)
    ]


def test_only_what_differs_is_renewed(config: Config) -> None:
    """A second time writes nothing; a changed program and a damaged setting are written anew."""
    install_files(config)
    assert install_files(config) == []
    live = Path(config.live_dir)
    (live / "hook.py").write_text("# m31a-metrics 0.0 0\n\n")
    (live / "live.json").write_bytes(b"{")
    assert len(install_files(config)) == 2
    assert install_files(config) == []
    # What may be read by way of a link is not ours, and is replaced.
    (live / "hook.py").unlink()
    (live / "hook.py").symlink_to(live / "live.json")
    assert len(install_files(config)) == 1
    assert not (live / "hook.py").is_symlink()


def test_the_configuration_says_what_a_status_line_shows(config: Config) -> None:
    """Segments and colours are those of the configuration; where metrics are off, no place is."""
    wanted = {"segments": ["phase", "left"], "colors": {"phase": "red", "left": "none"}}
    install_files(replace(config, statusline=wanted, metrics_enabled=False))
    told = json.loads(Path(config.live_dir, "live.json").read_bytes())
    assert told["sessions_dir"] == ""
    assert told["statusline"]["segments"] == ["phase", "left"]
    assert told["statusline"]["colors"]["phase"] == "31"
    assert told["statusline"]["colors"]["left"] == ""
    install_files(replace(config, statusline={"colors": False}))
    told = json.loads(Path(config.live_dir, "live.json").read_bytes())
    assert told["statusline"]["colors"] == {}


def test_the_interpreter_that_was_installed_settles(config: Config, tmp_path: Path) -> None:
    """It stays whoever renews the files, until it is gone."""
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    install_files(config, python=str(python))
    install_files(config)
    settings = Path(config.live_dir, "live.json")
    told = json.loads(settings.read_bytes())
    assert told.pop("statusline")["segments"][:2] == ["session", "today"]
    assert told == {
        "format": 1,
        "sessions_dir": config.sessions_dir,
        "python": str(python),
        "settle_every_s": 3,
        "budget": False,
    }
    python.unlink()
    install_files(config)
    assert json.loads(settings.read_bytes())["python"] == sys.executable
