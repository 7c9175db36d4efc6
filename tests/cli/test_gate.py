"""`m31 gate` and `m31 baseline`: exit codes for CI, files that are kept and read back."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from m31a_metrics.cli import UNUSABLE, WRONG_USAGE
from tests.cli import two_months
from tests.cli.conftest import M31

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def months(clean_home: Path, in_utc: None) -> Path:
    """The default place of sessions, with those of two months in it."""
    directory = clean_home / ".m31a" / "sessions"
    two_months.record(directory)
    return directory


@pytest.fixture
def may(m31: M31, tmp_path: Path) -> str:
    """A baseline of May, in a file."""
    said = m31("baseline", "2026-05")
    assert (said.code, said.err) == (0, "")
    path = tmp_path / "may.json"
    path.write_text(said.out)
    return str(path)


def test_a_baseline_is_figures_and_names(may: str) -> None:
    """The file has the version, the slice and every metric, and nothing of any session."""
    data = json.loads(Path(may).read_text())
    assert data["m31_baseline"] == 1
    assert data["label"] == "2026-05"
    assert data["session_count"] == two_months.COUNT
    assert data["metrics"]["tool.Bash.fail_rate"] == {
        "value": 0.0,
        "unit": "share",
        "session_count": two_months.COUNT,
    }
    assert "may-0" not in Path(may).read_text()


def test_a_baseline_in_a_file_of_its_own(m31: M31, tmp_path: Path, may: str) -> None:
    """With -o it is yours alone; --share lets others read it, and is about a file only."""
    path = tmp_path / "baseline.json"
    for more, mode in (([], 0o600), (["--share"], 0o644), ([], 0o600)):
        said = m31("baseline", "2026-05", "-o", str(path), *more)
        assert (said.code, said.out) == (0, "")
        assert f"wrote {path}" in said.err
        assert stat.S_IMODE(path.stat().st_mode) == mode
    assert json.loads(path.read_text())["metrics"] == json.loads(Path(may).read_text())["metrics"]
    assert m31("gate", "--baseline", str(path), "--max", "cost=+1000%").code in (0, 1)
    assert m31("baseline", "--share").code == WRONG_USAGE
    assert m31("baseline", "-o", str(tmp_path / "no" / "where")).code == UNUSABLE


def test_the_schema_describes_a_baseline(may: str) -> None:
    """schema/baseline.schema.json takes what is written, and refuses what `read` refuses."""
    check = Draft202012Validator(json.loads((ROOT / "schema/baseline.schema.json").read_text()))
    data = json.loads(Path(may).read_text())
    assert check.is_valid(data)
    assert not check.is_valid({**data, "m31_baseline": 2})
    assert not check.is_valid({**data, "labels": ""})
    assert not check.is_valid({**data, "metrics": {"cost": {"value": 1.0, "unit": "usd"}}})
    assert not check.is_valid({**data, "metrics": {"cost": {**data["metrics"]["cost"], "n": 1}}})


def test_the_page_shows_what_is_printed(m31: M31, may: str) -> None:
    """docs/compare.md has the lines of these two months as they are, and how their file begins."""
    page = (ROOT / "docs" / "compare.md").read_text()
    limits = ["--max", "cost=+10%", "--max", "tool.Bash.fail_rate=5%", "--max", "session_time=2m"]
    gated = m31("gate", "--baseline", may, "--current", "2026-06", *limits).out
    compared = m31("compare", "2026-06", "2026-05").out
    shown = [*gated.split("\n\n")[0].splitlines(), *compared.split("\n\n")[0].splitlines()]
    lines = page.splitlines()
    assert [line for line in map(str.rstrip, shown) if line not in lines] == []
    begins = Path(may).read_text().splitlines()[3:16]
    assert "\n".join(begins) in page


def test_limits_that_hold(may: str, m31: M31) -> None:
    """May keeps to its own baseline, and the table shows each limit held."""
    limits = ["--max", "cost=+0%", "--min", "cost=-0%", "--max", "phase.verify.p95=61s"]
    said = m31("gate", "--baseline", may, "--current", "2026-05", *limits, "--json")
    assert said.code == 0, said.err
    assert [row["success"] for row in json.loads(said.out)] == [True] * 3


def test_limits_that_break(may: str, m31: M31) -> None:
    """June costs more and fails more than May allowed: exit code 1, what broke first."""
    limits = ["--max", "session_time=2m", "--max", "cost=+10%", "--max", "tool.Bash.fail_rate=0.05"]
    said = m31("gate", "--baseline", may, "--current", "2026-06", *limits, "--json")
    assert said.code == 1
    rows = json.loads(said.out)
    assert [row["metric"] for row in rows] == ["cost", "tool.Bash.fail_rate", "session_time"]
    assert [row["success"] for row in rows] == [False, False, True]
    assert rows[0]["bound"] == pytest.approx(0.535 * 1.1)
    assert rows[1]["current"] == 0.5
    words = m31("gate", "--baseline", may, "--current", "2026-06", *limits).out
    assert words.startswith("2 of 3 limits broke\n")


def test_a_slice_is_a_baseline_too(m31: M31) -> None:
    """Months are held against each other without a file; a session is held to plain limits."""
    said = m31("gate", "--baseline", "2026-05", "--current", "2026-06", "--max", "cost=+300%")
    assert said.code == 0, said.err
    said = m31("gate", "--baseline", "2026-05", "--current", "2026-06", "--max", "cost=+200%")
    assert said.code == 1
    assert m31("gate", "--current", "june-0", "--max", "cost=2.00").code == 0
    assert m31("gate", "--current", "june-0", "--max", "cost=1.99").code == 1


def test_without_current_all_sessions_are_held(m31: M31) -> None:
    """All sessions that the slice options leave are held to the limits."""
    assert m31("gate", "--max", "sessions=16", "--min", "sessions=16").code == 0
    assert m31("gate", "--since", "2026-06-01", "--max", "sessions=8").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "Give --max or --min"),
        (("--max", "csot=1"), 2, "Did you mean cost?"),
        (("--max", "tool.Bsh.p95=1s"), 2, "Did you mean tool.Bash.p95?"),
        (("--max", "cost"), 2, "is no limit"),
        (("--max", "cost=1s"), 2, "US dollars"),
        (("--max", "cost=+10%"), 2, "give one"),
        (("--max", "heal_success=1"), 3, "nothing is known of heal_success"),
        (("--max", "cost=1", "--current", "2025-01"), 3, "no session is in '2025-01'"),
        (("--max", "cost=+1%", "--baseline", "2025-01"), 3, "no session is in '2025-01'"),
        (("--max", "cost=+1%", "--baseline", "gone.json"), 3, "gone.json is not there"),
        (("--max", "cost=1", "--current", "nobody"), 3, "nobody"),
    ],
)
def test_exit_codes(arguments: tuple[str, ...], code: int, words: str, m31: M31) -> None:
    """2 for what makes no sense, 3 for what is not there, and a sentence that names it."""
    said = m31("gate", *arguments)
    assert said.code == code, said
    assert words in said.err


def test_missing_metrics_may_pass(m31: M31) -> None:
    """With --allow-missing a tool that nobody called breaks no build."""
    limits = ["--max", "tool.Own.p95=1s", "--max", "heal_success=1", "--max", "cost=9"]
    assert m31("gate", *limits, "--allow-missing").code == 0
    assert m31("gate", *limits, "--max", "cost=0.1", "--allow-missing").code == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no whole baseline"),
        (b'{"m31_baseline": 1, "made_at"', "is no whole baseline"),
        (b'{"m31_baseline": 7}', "is a baseline of version 7"),
    ],
)
def test_baselines_that_cannot_be_read(
    content: bytes, words: str, m31: M31, tmp_path: Path
) -> None:
    """A file that is empty, torn or of a later version is named, with exit code 4."""
    path = tmp_path / "baseline.json"
    path.write_bytes(content)
    said = m31("gate", "--baseline", str(path), "--max", "cost=+1%")
    assert said.code == 4
    assert words in said.err


def test_a_sessions_file_is_a_baseline_too(months: Path, m31: M31) -> None:
    """A METRICS.json in the place of a baseline is that session."""
    path = str(months / "may-0" / "METRICS.json")
    said = m31("gate", "--baseline", path, "--current", "may-0", "--max", "cost=+0%")
    assert said.code == 0, said.err


def test_metrics_are_listed(m31: M31) -> None:
    """The list shows how metrics are named, and for a slice those that it has."""
    names = {row["metric"] for row in json.loads(m31("gate", "--list", "--json").out)}
    assert {"cost", "cost.p95", "tool.NAME.fail_rate", "phase.NAME.p95"} <= names
    own = m31("gate", "--list", "--current", "2026-05", "--json")
    assert "tool.Bash.fail_rate" in {row["metric"] for row in json.loads(own.out)}


def test_an_empty_slice_makes_no_baseline(m31: M31) -> None:
    """Nothing is written for sessions that are not there."""
    said = m31("baseline", "2025-01")
    assert (said.code, said.out) == (3, "")


def test_the_file_that_was_asked_for_is_named(
    m31: M31, may: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it was written: with the folder that is not there, and where a link leads to."""
    assert may
    monkeypatch.chdir(tmp_path)
    said = m31("baseline", "-o", "nowhere/x.json")
    assert (said.code, said.err) == (
        UNUSABLE,
        "m31: cannot write nowhere/x.json: there is no folder nowhere\n",
    )
    Path("link").symlink_to("/nowhere/at/all")
    said = m31("baseline", "-o", "link")
    assert said.err.startswith("m31: cannot write link: it leads to /nowhere/at/all, ")
    Path("file").write_text("")
    assert m31("baseline", "-o", "file/x").err == "m31: cannot write file/x: Not a directory\n"
