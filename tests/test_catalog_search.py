"""Searching conversations: what is found is what reading all of them finds, and where it stands."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics import config
from m31a_metrics.answers import Found, SessionRow, Slice
from m31a_metrics.catalog import search as searching
from m31a_metrics.catalog.conversations import Conversations
from m31a_metrics.catalog.search import hit_of, search, texts_of
from m31a_metrics.conversation import Part, PartKind, Window
from m31a_metrics.errors import ConversationAbsent
from m31a_metrics.patterns import Pattern
from m31a_metrics.sources import SOURCES
from tests.sources.samples import AGENTS
from tests.sources.test_conversations import conversations as all_parts
from tests.sources.test_conversations import sessions
from tests.transcripts import NOW, ONE, TWO, answer, call, prompt, write


def row_of(path: Path | str, name: str = "a", agent: str = "claude-code") -> SessionRow:
    """A session as the index has it."""
    return SessionRow(agent=agent, session_id=name, native_id=name, path=str(path))


def find(rows: list[SessionRow], words: str, **options: Any) -> Found:
    """Search as the command does."""
    named = {name: options.pop(name) for name in ("is_regex", "ignores_case") if name in options}
    configured = config.read({})
    return search(Conversations(configured), configured, rows, Pattern(words, **named), **options)


def said(text: str, at: timedelta = timedelta(0)) -> dict[str, Any]:
    """A person says something."""
    line = prompt(NOW + at)
    line["message"]["content"] = text
    return line


def used(text: str, output: str, at: timedelta) -> list[dict[str, Any]]:
    """A command and what it printed."""
    use, result = call("k", NOW + at, tool="Bash")
    use["message"]["content"][0]["input"] = {"command": text}
    result["message"]["content"][0]["content"] = output
    return [use, result]


MINUTE = timedelta(minutes=1)


def test_each_place_comes_with_its_turn_its_phase_and_its_line(clean_home: Path) -> None:
    """A prompt, a command and what it printed; what holds it nowhere in its text is none."""
    lines = [
        said("fix the needle"),
        *used("pytest -k needle", "1 failed\nneedle: no thread\nbye", MINUTE),
        said("go on\nwith needle and needle", 2 * MINUTE),
        answer("z", NOW + 3 * MINUTE, content=[{"type": "text", "text": "no such word"}]),
    ]
    path = write(clean_home, ONE, *lines, project="/src/needle")
    found = find([row_of(path)], "needle")
    assert [
        (hit.kind, hit.field, hit.tool, hit.turn, hit.phase, hit.line) for hit in found.hits
    ] == [
        (PartKind.PROMPT, "", "", 1, "", "fix the needle"),
        (PartKind.CALL, "input", "Bash", 1, "verify", "pytest -k needle"),
        (PartKind.CALL, "output", "Bash", 1, "verify", "needle: no thread"),
        (PartKind.PROMPT, "", "", 2, "", "with needle and needle"),
    ]
    assert found.hits[3].spans == [(5, 11), (16, 22)]
    assert (found.is_whole, found.more_records, found.problems) == (True, 0, [])
    shown = Conversations(config.read({})).window(row_of(path), at=found.hits[2].place, limit=1)
    assert "needle: no thread" in shown.parts[0].output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('say "hi"\nthere', '"hi"\nthere'),
        ("C:\\temp\\new", "\\temp\\"),
        ("Größe: 5 µm", "Größe"),
        ("a <b> & c", "<b> &"),
        ("\U0001f600 smile", "\U0001f600"),
        ("x\ty", "x\ty"),
        ("-rf $(rm) [a", "$(rm) [a"),
        ("n" * 500, "n" * 500),
    ],
)
def test_words_are_found_however_they_are_written(clean_home: Path, text: str, words: str) -> None:
    """Quotes, backslashes, lines and letters of all alphabets, raw and escaped."""
    path = write(clean_home, ONE, said(text))
    raw = json.dumps(json.loads(path.read_text()), ensure_ascii=False) + "\n"
    other = write(clean_home, TWO, said("x"))
    other.write_text(raw.replace(ONE, TWO), encoding="utf-8")
    found = find([row_of(path), row_of(other, "b")], words)
    assert [hit.row.session_id for hit in found.hits] == ["a", "b"]
    assert all(hit.spans for hit in found.hits)


def test_keys_and_ids_are_no_places(clean_home: Path) -> None:
    """Once a key held nothing but ids a few times, its texts are passed over; others are not."""
    lines = [line for n in range(60) for line in used(f"ls {n}", "ok", n * MINUTE)]
    path = write(clean_home, ONE, *lines, said("see app", 100 * MINUTE), project="/src/app")
    found = find([row_of(path)], "app")
    assert [hit.line for hit in found.hits] == ["see app"]
    assert find([row_of(path)], ONE).hits == []


def test_enough_is_enough_and_the_rest_is_said(clean_home: Path) -> None:
    """The first sessions come first; of the rest it is known that there is more."""
    rows = []
    for name in (ONE, TWO):
        lines = [said(f"needle {n}", n * MINUTE) for n in range(5)]
        rows.append(row_of(write(clean_home, name, *lines), name))
    found = find(rows, "needle", limit=3)
    assert [hit.line for hit in found.hits] == ["needle 0", "needle 1", "needle 2"]
    assert (found.more_records, found.more_sessions, found.session_count) == (7, 1, 1)
    assert len(find(rows, "needle", limit=None).hits) == 10


def test_a_call_is_one_place_whatever_its_id_is_like(clean_home: Path) -> None:
    """A result names it shortly, and tells its change once more, as a diff."""
    use, result = used("needle", "done", MINUTE)
    use["message"]["content"][0] |= {"id": "k", "name": "Edit", "input": {"new_string": "needle"}}
    result["message"]["content"][0]["tool_use_id"] = "k"
    hunk = {"oldStart": 1, "oldLines": 0, "newStart": 1, "newLines": 1, "lines": ["+needle"]}
    result["toolUseResult"] = {"filePath": "/src/app/a.py", "structuredPatch": [hunk]}
    row = row_of(write(clean_home, ONE, use, result))
    (hit,) = find([row], "needle").hits
    assert (hit.tool, hit.field, hit.line) == ("Edit", "input", "new_string: needle")


def test_only_what_was_said_in_the_period_is_found(clean_home: Path) -> None:
    """Though the session began before it."""
    day = timedelta(days=1)
    lines = [said("needle old"), *used("needle", "needle", day), said("needle new", 2 * day)]
    row = row_of(write(clean_home, ONE, *lines))
    which = Slice(first_day=f"{NOW + day:%Y-%m-%d}", last_day=f"{NOW + day:%Y-%m-%d}")
    assert [hit.field for hit in find([row], "needle", which=which).hits] == ["input", "output"]


def test_what_stands_behind_what_is_read_of_a_text_is_told(clean_home: Path) -> None:
    """A place without a line is better than none."""
    path = write(clean_home, ONE, said("x" * 50_000 + " needle"))
    (hit,) = find([row_of(path)], "needle").hits
    assert (hit.line, hit.spans, hit.kind) == ("", [], PartKind.PROMPT)


def test_hostile_files_cost_nothing_but_themselves(clean_home: Path) -> None:
    """NULs, half surrogates, deep nesting, a torn line, a huge line, no JSON at all."""
    good = write(clean_home, ONE, said("a needle"))
    bad = write(clean_home, TWO, said("one needle"))
    with bad.open("ab") as file:
        file.write(b'{"type":"user","needle\xed\xa0\xbd\n')
        file.write(b'{"type":"user","message":' + b"[" * 100_000 + b'"needle"\n')
        file.write(b"\0" * 1000 + b"needle\n" + b"needle" * 100_000 + b"\n")
        file.write(b'{"type":"user","message":{"content":"needle')
    gone = row_of("/nowhere/needle.jsonl", "c")
    found = find([row_of(bad, "b"), gone, row_of(good)], "needle")
    assert [hit.line for hit in found.hits] == ["one needle", "a needle"]
    assert "is gone" in "".join(found.problems)


def test_a_database_is_read_by_windows(clean_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no records by bytes is searched all the same, in the order of the sessions."""
    database = clean_home / "x.db"
    sqlite3.connect(database).close()
    first = row_of(write(clean_home, ONE, said("a needle")))
    within = row_of(f"{database}::ses_1", "b", "opencode")
    parts = [Part(PartKind.ANSWER, str(n), text="needle" if n % 2 else "hay") for n in range(6)]

    class Two(Conversations):
        def window(self, row: SessionRow, at: str = "", limit: int = 100) -> Any:
            if row.agent != "opencode":
                return super().window(row, at, limit)
            begins = int(at or 0)
            after = str(begins + 2) if begins < 4 else ""
            return Window(parts[begins : begins + 2], after=after)

    configured = config.read({})
    for rows in ([first, within], [within, first]):
        found = search(Two(configured), configured, rows, Pattern("needle"))
        names = [hit.row.session_id for hit in found.hits]
        assert names == (["a", "b", "b", "b"] if rows[0] is first else ["b", "b", "b", "a"])
    assert len(search(Two(configured), configured, [within], Pattern("needle"), limit=2).hits) == 2


def test_it_is_off_where_conversations_are(clean_home: Path) -> None:
    """And says where that is set."""
    settings = clean_home / ".m31a" / "config.toml"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text("[metrics]\nconversations = false\n")
    with pytest.raises(ConversationAbsent, match="config.toml"):
        find([], "needle")


WORDS = ["the ", "README"]
_LOOKED_AT = 2
"""So many samples of each agent are searched."""


@pytest.mark.parametrize(
    "agent", [name for name in AGENTS if name in SOURCES and SOURCES[name].keeps_text]
)
def test_of_the_samples_it_finds_what_reading_all_of_them_finds(
    shared: Path, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For words that are frequent, and rare ones that stand in keys of paths, too."""
    monkeypatch.setattr(searching, "_mark", lambda *_: None)  # whose calls are of all samples
    for path, _ in islice(sessions(shared, agent), _LOOKED_AT):
        parts = all_parts(agent, path)
        for words in WORDS:
            found = Counter(
                hit.line for hit in find([row_of(path, agent=agent)], words).hits if hit.line
            )
            wanted = Counter(lines_with(parts, words))
            assert not wanted - found, (path, words, wanted - found)
            # A second result of a call is found, and is not among those that are shown.
            assert (found - wanted).total() <= len(parts) // 50, (path, words)


def lines_with(parts: list[Part], words: str) -> list[str]:
    """The lines of all texts in which words stand first, each call's and each text's once."""
    found: dict[tuple[str, str], str] = {}
    for part in parts:
        for field, text in texts_of(part):
            hit = hit_of(SessionRow("", ""), part, field, text, Pattern(words))
            if hit is not None:
                key = part.id if part.kind is PartKind.CALL and part.id else part.place
                found.setdefault((key, field), hit.line)
    return list(found.values())
