"""What many tests share: where the reference material lies, and a clean environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from m31a_metrics import kept_lines

pytest_plugins = ["tests.plugin_skips"]

# A busy machine is slow now and then, which is no failure of what is tested.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference formats and golden files beside the checkout, or a skip."""
    if not SHARED.is_dir():
        pytest.skip("needs the reference material in ../shared, which is not here")
    return SHARED


@pytest.fixture(autouse=True)
def clean_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test an empty home, so that no test reads or writes the developer's own."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    # One key for every home, so that the letters behind a failure line are always the same.
    monkeypatch.setattr(kept_lines, "_key", lambda: b"the key of every home in a test.")
    for name in ("M31A_CONFIG", "M31A_METRICS_ENABLED", "M31A_SESSION", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return home
