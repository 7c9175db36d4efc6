"""Sources of other packages: found, refused with a reason, and never in anybody's way."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from m31a_metrics import config, sources
from m31a_metrics.answers import Slice
from m31a_metrics.catalog import ask
from m31a_metrics.errors import NotThisFormat, SourceUnusable
from m31a_metrics.events import ToolCall
from m31a_metrics.sources.installed import GROUP
from tests import transcripts
from tests.sources.plugged import GOOD, install
from tests.transcripts import NOW, ONE, prompt

BROKEN = {
    "unimportable": ("import nothing_of_that_name", "being imported (ModuleNotFoundError"),
    "leaving": ("raise SystemExit(3)", "being imported (SystemExit"),
    "empty": ("", "has no find and no read"),
    "misnamed": (GOOD.replace("{name}", "other"), "has another NAME ('other')"),
    "raising": (
        GOOD.replace("yield from ()", "raise KeyError('a secret')"),
        "finding sessions (KeyError at broken_raising.py:5)",
    ),
    "numbers": (GOOD.replace("yield from ()", "yield 7"), "finds int where paths should be"),
    "nothing": (GOOD.replace("yield from ()", "return None"), "finding sessions (TypeError"),
    "ending": (GOOD.replace("yield from ()", "raise SystemExit"), "finding sessions (SystemExit"),
}


def test_what_is_installed_is_found_as_python_finds_it(site: Path) -> None:
    """A source of an installed package is one that importlib.metadata finds, too."""
    install(site, "one-source", "one", GOOD)
    found = [(one.name, one.value) for one in entry_points(group=GROUP)]
    assert found == [("one", "one_source")]
    assert sources.plugins() == {"one": "one_source 1.0"}
    assert sources.refused() == ()
    assert sources.names() == [*sources.SOURCES, "one"]
    assert "one_source" not in sys.modules, "it is imported when it is asked"
    assert sources.source("one").read("x").facts.agent == "one"
    assert sources.present({}) == ["one"]
    assert not sources.is_by_name_only("one")


def test_a_source_may_be_an_object_in_a_module(site: Path) -> None:
    """`module:name` is taken as Python takes it, with spaces and extras around it."""
    held = "  NAME, find, read = NAME, staticmethod(find), staticmethod(read)"
    module = f"{GOOD}\nclass Kept:\n{held}\n"
    install(site, "held", "held", module, value="held : Kept [extra]")
    assert sources.source("held").read("x").facts.agent == "held"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("codex", "a built-in one has that name"),
        ("m31a", "a built-in one has that name"),
        ("Loud", "a name is up to 64 of"),
        ("../up", "a name is up to 64 of"),
        ("x" * 65, "a name is up to 64 of"),
    ],
)
def test_a_name_that_cannot_be_is_refused(site: Path, name: str, reason: str) -> None:
    """A source with the name of a built-in one, or with no name at all, is told and not used."""
    install(site, "daring", name, "raise SystemExit")
    assert sources.plugins() == {}
    ((refused, sentence),) = sources.refused()
    assert refused == name
    assert "daring 1.0 is not used" in sentence
    assert reason in sentence


def test_two_of_one_name_are_told(site: Path) -> None:
    """Of two packages with a source of one name the first is used; one installed twice is one."""
    install(site, "a", "one", GOOD)
    install(site, "b", "one", GOOD)
    install(site.parent / "later", "a", "one", "", version="0.9")
    sys.path.append(str(site.parent / "later"))
    try:
        assert sources.plugins() == {"one": "a 1.0"}
        ((_, sentence),) = sources.refused()
    finally:
        sys.path.remove(str(site.parent / "later"))
    assert "of the package b 1.0 is not used: a 1.0 offers one of that name, too" in sentence


@pytest.mark.parametrize("kind", BROKEN)
def test_a_source_that_fails_is_one_trouble_and_hides_nothing(
    site: Path, clean_home: Path, kind: str
) -> None:
    """Whatever another package's source does, all others' sessions are there, and it is named."""
    module, reason = BROKEN[kind]
    install(site, f"broken-{kind}", kind, module)
    transcripts.write(clean_home, ONE, prompt(NOW))
    with ask(config.defaults(), {"HOME": str(clean_home)}) as asking:
        assert [row.session_id for row in asking.answers.sessions(Slice())] == [ONE]
        (trouble,) = asking.troubles()
    assert (trouble.kind, trouble.path) == (kind, "")
    assert f"the source {kind!r} of the package broken_{kind} 1.0 " in trouble.sentence
    assert reason in trouble.sentence
    assert "secret" not in trouble.sentence


def test_a_file_that_a_source_fails_at_costs_that_file(site: Path, clean_home: Path) -> None:
    """A source that raises, or gives no transcript, for a file is told; its others are read."""
    module = GOOD.replace("yield from ()", f"yield from ({str(site)!r} + n for n in ('/a', '/b'))")
    module = module.replace(
        "    return T",
        "    if path.endswith('a'):\n        raise KeyError('secret')\n    return 1 and T",
    )
    for name in "ab":
        (site / name).write_text("x")
    install(site, "half", "half", module)
    with ask(config.defaults(), {"HOME": str(clean_home)}) as asking:
        (trouble,) = asking.troubles()
    assert f"fails in reading {site}/a (KeyError at half.py:" in trouble.sentence
    assert trouble.path == f"{site}/a"
    with pytest.raises(SourceUnusable, match="half"):
        sources.detect(f"{site}/a")


def test_a_source_that_is_gone_loses_no_session(
    site: Path, clean_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sessions of a package that was uninstalled stay in the index; a file that grew is told."""
    log = site / "log"
    module = GOOD.replace("yield from ()", f"yield {str(log)!r}").replace(
        "Transcript(Facts(NAME))",
        "Transcript(Facts(NAME, 'native'), [UserTurn(t_us=1_781_000_000_000_000)])",
    )
    module = "from m31a_metrics.events import UserTurn\n" + module
    install(site, "passing", "passing", module)
    for grown, troubles in (("x", 0), ("", 0), ("x", 1)):
        with log.open("a") as file:
            file.write(grown)
        with ask(config.defaults(), {"HOME": str(clean_home)}) as asking:
            assert [row.agent for row in asking.answers.sessions(Slice())] == ["passing"]
            assert len(asking.troubles()) == troubles
        monkeypatch.setattr(sys, "path", [one for one in sys.path if one != str(site)])


def test_another_version_reads_all_again(site: Path, clean_home: Path) -> None:
    """A package that is updated reads its files anew, though they look as they did."""
    log = site / "log"
    log.write_text("x")
    module = GOOD.replace("yield from ()", f"yield {str(log)!r}")
    module = "from m31a_metrics.events import UserTurn\n" + module
    for version in ("1", "2"):
        place = site.parent / f"site{version}"
        changed = module.replace(
            "Transcript(Facts(NAME))",
            f"Transcript(Facts(NAME, 'n', {version!r}), [UserTurn(t_us=1_781_000_000_000_000)])",
        )
        install(place, "versioned", "versioned", changed, version=version)
        sys.path.insert(0, str(place))
        sys.modules.pop("versioned", None)
        try:
            with ask(config.defaults(), {"HOME": str(clean_home)}) as asking:
                ((_, row),) = enumerate(asking.answers.sessions(Slice()))
                assert row.version == version
        finally:
            sys.path.remove(str(place))
    sys.modules.pop("versioned", None)


def test_a_bare_file_may_be_a_plugins(site: Path) -> None:
    """A bare file is tried by every source; one that does not know it is passed over."""
    install(site, "bare", "bare", GOOD)
    (site / "x").write_text("something else")
    assert sources.detect(f"{site}/x") == ("bare", sources.source("bare").read("x"))
    install(site.parent / "none", "none", "none", "")
    refusing = "from m31a_metrics.errors import NotThisFormat\n" + GOOD.replace(
        "return Transcript(Facts(NAME))", "raise NotThisFormat(path)"
    )
    install(site.parent / "refusing", "refusing", "refusing", refusing)
    sys.path[0] = str(site.parent / "refusing")
    with pytest.raises(NotThisFormat, match="entire, refusing"):
        sources.detect(f"{site}/x")


def test_nothing_that_reads_is_a_transcript(site: Path) -> None:
    """What is no Transcript is refused by name."""
    install(site, "wordy", "wordy", GOOD.replace("Transcript(Facts(NAME))", "'text'"))
    with pytest.raises(SourceUnusable, match="gives str and no Transcript for x"):
        sources.source("wordy").read("x")


def test_no_words_of_people_come_in_by_a_source_that_leaves_them(site: Path) -> None:
    """An error that a source did not fold is folded when the session was read."""
    read = (
        "Transcript(Facts(NAME), [ToolCall(1, 'Bash', False, 1.0, error='login of ada: sesame')])"
    )
    module = (
        "from m31a_metrics.events import ToolCall\n"
        "from m31a_metrics.transcript import Facts, Transcript\n"
        f"NAME = 'open'\n\n\ndef find(environ, folders=None):\n    yield 'x'\n\n\n"
        f"def read(path, skip=frozenset()):\n    return {read}\n"
    )
    install(site, "open-source", "open", module)
    (event,) = sources.source("open").read("x").events
    assert isinstance(event, ToolCall)
    assert str(event.error).startswith("<text>")
    assert "sesame" not in str(event.error)
