"""Verdicts as files: what they say, when they are void, and what people allowed."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from msgspec import to_builtins

from m31a_metrics import budgets, verdicts
from m31a_metrics.budgets import DAY, MONTH, SESSION, TOKENS, USD, Limit, Limits, Use
from m31a_metrics.errors import ForeignFile, InvalidSessionId
from m31a_metrics.timestamps import Today
from m31a_metrics.units import DAY_US, NANO_PER_USD
from m31a_metrics.verdicts import MACHINE, Figures

TODAY = Today("2026-06-20", "2026-06", 0, DAY_US, -20 * DAY_US, 10 * DAY_US)
TOMORROW = Today("2026-06-21", "2026-06", DAY_US, 2 * DAY_US, -20 * DAY_US, 10 * DAY_US)
JULY = Today("2026-07-01", "2026-07", 10 * DAY_US, 11 * DAY_US, 10 * DAY_US, 40 * DAY_US)

LIMITS = Limits((Limit(SESSION, USD, 5 * NANO_PER_USD), Limit(DAY, TOKENS, 100)))
USED = {SESSION: Use(cost_nano=5_020_000_000), DAY: Use(total_tokens=80)}


@pytest.fixture
def live(tmp_path: Path) -> str:
    """Where hooks and verdicts are kept; not there yet."""
    return f"{tmp_path}/.m31a/live"


def verdict(name: str, *scopes: str) -> verdicts.Verdict:
    """A session that spent its limit, on a day that nearly did."""
    judged = budgets.judge(LIMITS.of(*scopes), USED)
    return verdicts.of(name, judged, TODAY, 7, Figures(session_usd=5.02, phase="execute"))


def test_what_a_hook_reads(live: str) -> None:
    """The file has what hooks and status lines go by, in words and Unix time, its owner's alone."""
    assert verdicts.write(live, verdict("s1", SESSION, DAY))
    path = Path(verdicts.path(live, "s1"))
    held = json.loads(path.read_bytes())
    assert os.path.samefile(held.pop("writer"), verdicts.__file__)
    assert held == {
        "format": 1,
        "at_us": 7,
        "name": "s1",
        "stops": [{"scope": "session", "until_us": None, "limit": "USD 5.00", "used": "USD 5.02"}],
        "warns": [{"scope": "day", "until_us": DAY_US, "limit": "100 tokens", "used": "80 tokens"}],
        "is_near": True,
        "figures": {
            "session_usd": 5.02,
            "today_usd": None,
            "today_until_us": None,
            "left_usd": None,
            "left_scope": None,
            "usd_per_active_hour": None,
            "phase": "execute",
            "heal_count": 0,
            "unpriced_tokens": 0,
        },
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert verdicts.read(live, "s1", 8) == verdict("s1", SESSION, DAY)


def test_a_day_that_is_over_stops_nobody(live: str) -> None:
    """What holds of a day is void with its end, without anybody writing a verdict anew."""
    verdicts.write(live, verdict(MACHINE, DAY))
    held = [verdicts.read(live, MACHINE, now_us) for now_us in (DAY_US - 1, DAY_US)]
    assert [one is not None and (len(one.warns), one.is_near) for one in held] == [
        (1, True),
        (0, False),
    ]


def test_without_its_writer_a_verdict_is_void(live: str, tmp_path: Path) -> None:
    """A package that was uninstalled renews nothing, so it stops nobody either."""
    verdicts.write(live, verdict("s1", SESSION))
    path = Path(verdicts.path(live, "s1"))
    held = json.loads(path.read_bytes())
    path.write_text(json.dumps(held | {"writer": f"{tmp_path}/gone/verdicts.py"}))
    assert verdicts.read(live, "s1", 0) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b'{"format":1}', b"\xff\xfe", b"[" * 100_000, b"\0" * 500],
    ids=["empty", "torn", "null", "other", "bytes", "deep", "zeros"],
)
def test_a_damaged_file_is_none(live: str, content: bytes) -> None:
    """What cannot be read stops nobody, and allows nothing; allowing goes on over it."""
    verdicts.write(live, verdict("s1", SESSION))
    Path(verdicts.path(live, "s1")).write_bytes(content)
    assert verdicts.read(live, "s1", 0) is None
    Path(verdicts.path(live, "s1.allow")).write_bytes(content)
    assert verdicts.granted(live, "s1", TODAY) == []
    verdicts.allow(live, "s1", Limit(SESSION, USD, 1), TODAY, 0)
    assert verdicts.granted(live, "s1", TODAY) == [Limit(SESSION, USD, 1)]


def test_another_sessions_verdict_is_none(live: str) -> None:
    """A file that was copied, and one of a later format, say nothing of this session."""
    verdicts.write(live, verdict("s1", SESSION))
    held = json.loads(Path(verdicts.path(live, "s1")).read_bytes())
    for name, content in (("s2", held), ("s3", held | {"name": "s3", "format": 2})):
        Path(verdicts.path(live, name)).write_text(json.dumps(content))
        assert verdicts.read(live, name, 0) is None


def test_no_verdict_was_written(live: str) -> None:
    """Where nothing was settled yet nothing is said and nothing allowed."""
    assert verdicts.read(live, "s1", 0) is None
    assert verdicts.granted(live, "s1", TODAY) == []
    assert verdicts.forget(live) == []


@pytest.mark.parametrize("name", [MACHINE, "allow", "s1.allow", "../s1", ".s1", ""])
def test_names_that_mean_another_file(live: str, name: str) -> None:
    """A session whose name is that of another file here has no verdict, and takes none over."""
    assert not verdicts.has_verdicts(name)
    if name != MACHINE:
        assert not verdicts.write(live, verdict(name, SESSION))
        with pytest.raises(InvalidSessionId):
            verdicts.allow(live, name, Limit(SESSION, USD, 1), TODAY, 0)
    assert not os.path.exists(live)


def test_a_link_is_not_followed(live: str, tmp_path: Path) -> None:
    """A planted link is replaced by a verdict, and never read or written through."""
    verdicts.write(live, verdict(MACHINE, DAY))
    victim = tmp_path / "victim"
    victim.write_text("precious")
    Path(verdicts.path(live, "s1")).symlink_to(victim)
    with pytest.raises(ForeignFile):
        verdicts.read(live, "s1", 0)
    verdicts.write(live, verdict("s1", SESSION))
    assert victim.read_text() == "precious"
    assert verdicts.read(live, "s1", 0) is not None


def test_what_people_allowed_adds_up_while_it_holds(live: str) -> None:
    """A session's grants hold for it alone, a day's and a month's until these are over."""
    one, two, day, month = (
        Limit(SESSION, USD, 5),
        Limit(SESSION, TOKENS, 7),
        Limit(DAY, USD, 11),
        Limit(MONTH, USD, 13),
    )
    for name, grant in (("s1", one), ("s1", two), (MACHINE, day), (MACHINE, month)):
        verdicts.allow(live, name, grant, TODAY, 0)
    assert verdicts.granted(live, "s1", TODAY) == [day, month, one, two]
    assert verdicts.granted(live, "s2", TODAY) == [day, month]
    assert verdicts.granted(live, MACHINE, TODAY) == [day, month]
    assert verdicts.granted(live, "s1", TOMORROW) == [month, one, two]
    assert verdicts.granted(live, "s1", JULY) == [one, two]
    verdicts.allow(live, MACHINE, day, JULY, 0)
    kept = json.loads(Path(verdicts.path(live, "allow")).read_bytes())["grants"]
    assert [(grant["scope"], grant["part"]) for grant in kept] == [("day", "2026-07-01")]


def test_a_grant_belongs_to_its_scope(live: str) -> None:
    """A day is not allowed more of by naming a session, nor a session by naming none."""
    with pytest.raises(ValueError, match="day"):
        verdicts.allow(live, "s1", Limit(DAY, USD, 1), TODAY, 0)
    with pytest.raises(ValueError, match="session"):
        verdicts.allow(live, MACHINE, Limit(SESSION, USD, 1), TODAY, 0)


def test_forgetting(live: str) -> None:
    """Of a session its verdict and its grants go; with no name everything does."""
    for name in ("s1", "s2", MACHINE):
        verdicts.write(live, verdict(name, SESSION))
    verdicts.allow(live, "s1", Limit(SESSION, USD, 1), TODAY, 0)
    assert [os.path.basename(path) for path in verdicts.forget(live, ["s1", "s3", MACHINE])] == [
        "s1.json",
        "s1.allow.json",
    ]
    assert len(verdicts.forget(live)) == 2
    assert verdicts.read(live, "s2", 0) is None


def test_a_verdict_is_small() -> None:
    """A hook reads it at every call, so it stays within one block of any disk."""
    assert len(json.dumps(to_builtins(verdict("s" * 128, SESSION, DAY, MONTH)))) < 4096
