from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from m31a_metrics import config, genai
from m31a_metrics.answers import SessionRow, Slice
from m31a_metrics.catalog import ask
from m31a_metrics.catalog.outgoing import Outgoing, mark_of
from m31a_metrics.errors import SessionNotFound
from m31a_metrics.spans import Span
from tests import transcripts
from tests.cli import machine
from tests.traced import spans_of
from tests.transcripts import NOW, ONE, TOTAL, TWO, answer, call, prompt

DAY = timedelta(days=1)
ALL = Slice()


def outgoing(home: Path, which: Slice = ALL) -> dict[str, tuple[SessionRow, list[Span]]]:
    """The sessions of a slice with their spans, by id."""
    settings, environ = config.defaults(), {"HOME": str(home)}
    with ask(settings, environ) as index:
        out = Outgoing(index, settings, environ)
        found = {
            row.session_id: (row, spans_of(out.traced(row, has_ended=True)))
            for row in out.rows(which)
        }
        out.close()
    return found


def tokens(spans: list[Span]) -> int:
    names = (genai.INPUT_TOKENS, genai.OUTPUT_TOKENS)
    return sum(
        int(span.attributes.get(name, 0)) for span in spans if span.is_client for name in names
    )


def test_each_answer_counts_once_though_a_fork_holds_it_too(clean_home: Path) -> None:
    """What a fork replays of another session is sent in that one alone, as the index has it."""
    first = [prompt(NOW), answer("a", NOW), *call("b", NOW + timedelta(minutes=1))]
    transcripts.write(clean_home, ONE, *first)
    later = [prompt(NOW + DAY), answer("c", NOW + DAY)]
    transcripts.write(clean_home, TWO, *first, *later)
    found = outgoing(clean_home)
    assert {name: tokens(spans) for name, (_, spans) in found.items()} == {
        ONE: 2 * TOTAL,
        TWO: TOTAL,
    }
    assert all(row.total_tokens == tokens(spans) for row, spans in found.values())
    ids = [span.id for _, spans in found.values() for span in spans]
    assert len(ids) == len(set(ids))


def test_a_slice_chooses_whole_sessions_the_oldest_first(clean_home: Path) -> None:
    """One that has anything on a day is sent with all its days, whatever else it holds."""
    transcripts.write(clean_home, ONE, answer("a", NOW), answer("b", NOW + DAY))
    transcripts.write(clean_home, TWO, answer("c", NOW - DAY))
    day = (NOW + DAY).date().isoformat()
    found = outgoing(clean_home, Slice(first_day=day))
    assert [(name, tokens(spans)) for name, (_, spans) in found.items()] == [(ONE, 2 * TOTAL)]
    assert list(outgoing(clean_home)) == [TWO, ONE]


@pytest.mark.parametrize("few", [0, 50])
def test_sessions_are_asked_for_some_at_a_time(
    clean_home: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """However many there are, each comes once, with all of its days."""
    monkeypatch.setattr("m31a_metrics.catalog.outgoing._PAGE", 3)
    monkeypatch.setattr("m31a_metrics.catalog.outgoing._FEW", few)
    names = [f"0000000{number}-1111-4111-8111-000000000001" for number in range(8)]
    for number, name in enumerate(names):
        at = NOW + number * DAY
        transcripts.write(
            clean_home, name, answer(f"a{number}", at), answer(f"b{number}", at + DAY)
        )
    assert list(outgoing(clean_home)) == names
    bounded = outgoing(clean_home, Slice(first_day=(NOW + 3 * DAY).date().isoformat()))
    assert list(bounded) == names[2:]
    assert {tokens(spans) for _, spans in bounded.values()} == {2 * TOTAL}
    assert {row.total_tokens for row, _ in bounded.values()} == {2 * TOTAL}


def test_recorded_sessions_are_sent_with_their_own_phases_and_heals(clean_home: Path) -> None:
    """A Collector's events give spans like any; a METRICS.json of M31A's gives the session."""
    machine.record(clean_home / ".m31a" / "sessions")
    found = outgoing(clean_home)
    names = [span.name for span in found[machine.FULL][1]]
    assert names.count("execute_tool Read") == 100
    assert {"phase plan", "phase execute", "heal", "chat large-1"} <= set(names)
    (alone,) = found[machine.M31A][1]
    assert (alone.name, alone.attributes[genai.CALLS]) == ("invoke_agent m31a", 20)


def test_a_session_whose_files_are_gone_cannot_be_sent(clean_home: Path) -> None:
    """The index has its sums and no events."""
    path = transcripts.write(clean_home, ONE, answer("a"))
    outgoing(clean_home)
    path.unlink()
    with pytest.raises(SessionNotFound, match="no longer there"):
        outgoing(clean_home)


def test_a_session_that_grew_has_another_mark(clean_home: Path) -> None:
    """And one that did not has the same, in another index too."""
    transcripts.write(clean_home, ONE, answer("a", NOW))
    ((row, _),) = outgoing(clean_home).values()
    ((same, _),) = outgoing(clean_home).values()
    transcripts.write(clean_home, ONE, answer("a", NOW), *call("b", NOW + DAY))
    ((grown, _),) = outgoing(clean_home).values()
    assert mark_of(row) == mark_of(same) != mark_of(grown)
