"""What many tests share: the plugins, and where the reference material lies."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test, settings
from hypothesis.configuration import set_hypothesis_home_dir

pytest_plugins = ["tests.plugin_environment", "tests.plugin_skips"]

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"

# A busy machine is slow now and then, which is no failure of what is tested. Where a change is
# judged, the examples are the same each time: it must not fail by what another one brought in.
# By hand and in the soak they are new ones, which is how the rare ones are found.
IS_JUDGED = bool(os.environ.get("M31_REQUIRE_ALL"))
settings.register_profile("suite", deadline=None, max_examples=40, derandomize=IS_JUDGED)
settings.register_profile("soak", deadline=None, max_examples=200)
if not os.access(ROOT, os.W_OK):
    # Hypothesis warns where it cannot keep the examples that failed, and a warning is an error.
    set_hypothesis_home_dir(Path(tempfile.gettempdir(), f"m31-hypothesis-{os.getuid()}"))


def _is_soak(config: pytest.Config) -> bool:
    return bool(config.option.markexpr == "soak")


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many examples a property is tried with."""
    settings.load_profile("soak" if _is_soak(config) else "suite")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the browser's tests: they take longest, and no worker should be left with them.

    The soak tries every property again, with more examples.
    """
    items.sort(key=lambda item: not item.path.name.startswith("test_browser"))
    for item in items if _is_soak(config) else ():
        if is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker("soak")


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


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path, where packages may be put before anybody looks."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]  # or a later test finds a package that is not there


@pytest.fixture
def open_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the test an empty home that another user can come to, as pytest's folders do not let."""
    with tempfile.TemporaryDirectory(prefix="home-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # noqa: S103 - for other users
        monkeypatch.setenv("HOME", folder)
        yield Path(folder)


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Move this process to another time zone."""

    def move(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield move
    monkeypatch.undo()
    time.tzset()
