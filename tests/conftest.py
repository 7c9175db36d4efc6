"""What many tests share: the plugins, and where the reference material lies."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["tests.plugin_environment", "tests.plugin_skips"]

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"

# A busy machine is slow now and then, which is no failure of what is tested; nor is a checkout
# that belongs to somebody else, where examples that failed cannot be kept for the next run.
settings.register_profile("patient", deadline=None)
if not os.access(ROOT, os.W_OK):
    settings.register_profile("patient", deadline=None, database=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference formats and golden files beside the checkout, or a skip."""
    if not SHARED.is_dir():
        pytest.skip("needs the reference material in ../shared, which is not here")
    return SHARED


Sample = Callable[[str, str], Path]


@pytest.fixture(scope="session")
def sample(shared: Path) -> Sample:
    """Ask for a real transcript by the folder of its agent and its name, or skip.

    Figures are pinned by name. Samples are added now and then, and what a new one comes to
    is a question for whoever adds it, not a failure of the suite.
    """

    def path(agent: str, name: str) -> Path:
        found = shared / "samples" / agent / name
        if not found.is_file():
            pytest.skip(f"needs {agent}/{name} in ../shared/samples, which is not there")
        return found

    return path
