"""Windows of five hours: where they begin and end, what is used in them, and at which rate."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.blocks import BLOCK_US, Block, Used, blocks
from m31a_metrics.units import HOUR_US, MINUTE_US

HOUR_0 = 500_000 * HOUR_US

times_us = st.integers(0, 60 * HOUR_US).map(lambda t_us: HOUR_0 + t_us)
answers = st.lists(
    st.builds(Used, times_us, st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 10)),
    max_size=30,
)


def at(hours: float, tokens: int = 10, cost_nano: int = 0) -> Used:
    """An answer so many hours after a full hour."""
    return Used(HOUR_0 + round(hours * HOUR_US), tokens, cost_nano)


def shown(found: list[Block]) -> list[tuple[float, float, int]]:
    """From and to in hours, and the tokens; -1 for a gap."""
    return [
        (
            (one.began_us - HOUR_0) / HOUR_US,
            (one.ends_us - HOUR_0) / HOUR_US,
            -1 if one.is_gap else one.total_tokens,
        )
        for one in found
    ]


def test_a_block_begins_at_the_hour_and_lasts_five() -> None:
    """Whenever its first answer was; later answers fall in it until it ends."""
    assert shown(blocks([at(0.5), at(4.99), at(5.5), at(5)])) == [(0, 5, 30), (5, 10, 10)]
    assert blocks([]) == []


def test_an_answer_at_the_very_end_is_in_the_block() -> None:
    """The moment in which a block ends is its own, as for ccusage; one later is the next one's."""
    assert shown(blocks([at(0.5), at(5)])) == [(0, 5, 20)]
    assert shown(blocks([at(0.5), Used(HOUR_0 + BLOCK_US + 1, 1)])) == [(0, 5, 10), (5, 10, 1)]


def test_a_gap_is_what_no_block_could_reach() -> None:
    """Five hours after the last answer a gap begins, and it ends with the next answer."""
    assert shown(blocks([at(0.5), at(8.25)])) == [(0, 5, 10), (5.5, 8.25, -1), (8, 13, 10)]
    # A pause that is no longer than a block leaves none, though the block was over.
    assert shown(blocks([at(4.5), at(9.5)])) == [(4, 9, 10), (9, 14, 10)]


def test_what_goes_on() -> None:
    """A block is active while an answer would be its own; rates are from its first to its last."""
    first, gap, last = blocks([at(0), at(10, 60, 100), at(10.5, 60, 200)])
    now_us = HOUR_0 + 12 * HOUR_US
    assert [one.is_active(now_us) for one in (first, gap, last)] == [False, False, True]
    assert (last.left_us(now_us), first.left_us(now_us)) == (3 * HOUR_US, 0)
    assert last.per_hour(last.total_tokens) == 240
    assert last.projected(last.total_tokens, now_us) == 120 + 3 * 240
    assert last.projected(last.cost_nano, now_us) == 300 + 3 * 600
    assert first.projected(first.total_tokens, now_us) is None
    assert gap.per_hour(0) is None
    assert not last.is_active(HOUR_0 + 15 * HOUR_US)


def test_one_answer_has_no_rate() -> None:
    """Nobody knows how quickly it goes on from there."""
    (one,) = blocks([at(0)])
    assert one.per_hour(one.total_tokens) is None
    assert one.projected(one.total_tokens, HOUR_0 + MINUTE_US) is None


@given(answers)
def test_blocks_are_a_partition(used: list[Used]) -> None:
    """Each answer is in one block, within its five hours; blocks and gaps come in order."""
    found = blocks(used)
    whole = [one for one in found if not one.is_gap]
    assert sum(one.interaction_count for one in whole) == len(used)
    assert sum(one.total_tokens for one in whole) == sum(one.total_tokens for one in used)
    assert sum(one.cost_nano for one in whole) == sum(one.cost_nano for one in used)
    assert sum(one.unpriced_tokens for one in whole) == sum(one.unpriced_tokens for one in used)
    for one in whole:
        assert one.began_us % HOUR_US == 0
        assert one.began_us <= one.first_us < one.began_us + HOUR_US
        assert one.first_us <= one.last_us <= one.ends_us == one.began_us + BLOCK_US
    for before, after in pairwise(whole):
        assert before.last_us < after.first_us
        assert after.first_us > before.ends_us or after.first_us - before.last_us > BLOCK_US
    for gap in (one for one in found if one.is_gap):
        assert gap.began_us < gap.ends_us
        assert not any(gap.began_us < one.t_us < gap.ends_us for one in used)
    assert [one.began_us for one in whole] == sorted(one.began_us for one in whole)


@given(answers, st.integers(0, 70 * HOUR_US))
def test_at_most_one_is_active(used: list[Used], after_us: int) -> None:
    """At any time no two blocks go on, unless answers are later than that time."""
    now_us = HOUR_0 + after_us
    past = [one for one in used if one.t_us <= now_us]
    assert sum(one.is_active(now_us) for one in blocks(past)) <= 1
