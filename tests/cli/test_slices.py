"""`--agent`: the names of sources that other packages bring."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.cli.conftest import M31
from tests.sources.plugged import GOOD, install


def test_the_option_learns_the_names(site: Path, clean_home: Path, m31: M31) -> None:
    """`--agent` takes the name of an installed source, lists it, and names it in errors."""
    install(site, "one-source", "one", GOOD)
    assert clean_home.is_dir()
    said = m31("sessions", "--agent", "two")
    assert said.code == 2
    assert "'entire', 'one'." in said.err
    assert "entire, one]" in m31("sessions", "--help").out.replace("\n", " ").replace("  ", "")
    assert m31("sessions", "--agent", "one").code == 0
    assert "one_source" in sys.modules
