"""`.covered`: what it says is what was written, or nothing."""

from __future__ import annotations

import random

from m31a_metrics import Usage, events
from m31a_metrics.codec import encode as encode_metrics
from m31a_metrics.session import covered
from m31a_metrics.session.covered import About, Run, covered_note, read_note
from m31a_metrics.tally import Batch, fold
from m31a_metrics.tally.state import orders_of

RECORDED: list[events.Event] = [
    events.ToolCall(1, "Bash", True, 5),
    events.LLMInteraction(2, "plan", Usage(1, 1), None, "m"),
    events.PhaseDuration(3, "plan", 9, True),
]
TALLY = fold(None, lambda: [Batch("1-aa.jsonl", 0, RECORDED)])
METRICS = encode_metrics(TALLY.metrics("s"))
LENGTHS = {"1-aa.jsonl": 4376, "hooks.jsonl": 12}
ABOUT = About(has_base=True, shared_us=3, ids=[Run(0, 5, 77)], lost={"hooks.jsonl": 9})


def note() -> bytes:
    """A note with everything."""
    return covered_note(METRICS, LENGTHS, ABOUT, orders_of(TALLY), TALLY.unpriced)


def test_a_note_says_what_it_was_told() -> None:
    """Lengths, sums, and what belongs to them."""
    read = read_note(note())
    assert read is not None
    assert read.fits(METRICS)
    assert not read.fits(METRICS + b" ")
    assert not read.fits(METRICS.replace(b"Bash", b"Bush"))
    assert (read.journals, read.about) == (LENGTHS, ABOUT)
    sums = read.sums()
    assert sums is not None
    assert bytes(sums.metrics) == METRICS
    assert sums.orders == orders_of(TALLY)
    assert sums.waiting_events() == TALLY.unpriced != []


def test_a_note_without_sums() -> None:
    """An import makes one: it tells what METRICS.json holds, and nobody goes on from it."""
    read = read_note(covered_note(METRICS, LENGTHS))
    assert read is not None
    assert read.fits(METRICS)
    assert (read.journals, read.about, read.sums()) == (LENGTHS, None, None)


def test_any_damage_is_noticed() -> None:
    """A flipped bit or a cut anywhere: what is still said is what was written."""
    whole = read_note(note())
    assert whole is not None
    chance = random.Random(1)
    data = note()
    for _ in range(2_000):
        at = chance.randrange(len(data))
        damaged = data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        for one in (damaged, data[:at]):
            read = read_note(one)
            if read is not None and read.fits(METRICS):
                assert read.lengths_in(METRICS) == LENGTHS
            if read is not None and read.about is not None:
                assert read.journals == LENGTHS
            if read is not None and read.about is not None:
                sums, expected = read.sums(), whole.sums()
                assert sums is not None
                assert expected is not None
                assert (bytes(sums.metrics), sums.orders) == (METRICS, expected.orders)


def test_another_version() -> None:
    """Sums of another version are left alone; a key that is not known is passed over."""
    read = read_note(b'{"added":1,' + note()[1:])
    assert read is not None
    assert (read.journals, read.about) == (LENGTHS, ABOUT)
    newer = About(version=covered.VERSION + 1)
    read = read_note(covered_note(METRICS, LENGTHS, newer, orders_of(TALLY)))
    assert read is not None
    assert (read.fits(METRICS), read.journals, read.about) == (True, LENGTHS, None)


def test_lines_that_another_version_may_read() -> None:
    """Where lines could not be read, who knows other events counts everything anew."""
    for kinds, known in ((covered.KINDS, True), (covered.KINDS + 1, False)):
        about = About(has_unread=True, kinds=kinds)
        read = read_note(covered_note(METRICS, LENGTHS, about, orders_of(TALLY)))
        assert read is not None
        assert (read.about is not None) == known
