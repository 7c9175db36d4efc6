"""Noise: the rank test against published values and all ways to deal, its false alarms."""

from __future__ import annotations

from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.comparison.noise import (
    EXACT_MAX,
    GROUP_COUNT_MAX,
    Part,
    interval,
    rank_test,
)

# Hollander and Wolfe, Nonparametric Statistical Methods, table 4.1: permeability of
# the human chorioamnion at term, and at 12 to 26 weeks. R's wilcox.test shows it too.
TERM = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
EARLY = [1.15, 0.88, 0.90, 0.74, 1.21]

# R's data set airquality: ozone in May and in August, days without a reading left out.
MAY = [
    41, 36, 12, 18, 28, 23, 19, 8, 7, 16, 11, 14, 18, 14, 34, 6, 30, 11, 1, 11, 4, 32, 23, 45,
    115, 37,
]  # fmt: skip
AUGUST = [
    39, 9, 16, 78, 35, 66, 122, 89, 110, 44, 28, 65, 22, 59, 23, 31, 44, 21, 9, 45, 168, 73, 76,
    118, 84, 85,
]  # fmt: skip

small = st.lists(st.integers(0, 6).map(float), min_size=1, max_size=6)


def test_the_exact_p_is_the_published_one() -> None:
    """The book's example: U is 35, and p 0.1272 on one side, where nothing is tied."""
    found = rank_test(TERM, EARLY)
    assert found.p_value == pytest.approx(2 * 0.1272, abs=5e-5)
    assert found.tendency == pytest.approx((35 - 15) / 50)


def test_the_approximate_p_is_the_published_one() -> None:
    """R's own example, with ties and the correction for continuity: p-value = 0.0001208."""
    assert len(MAY) + len(AUGUST) > EXACT_MAX
    found = rank_test(MAY, AUGUST)
    assert found.p_value == pytest.approx(0.0001208, abs=5e-8)
    assert found.tendency < 0


@given(small, small)
def test_small_lots_are_dealt_out_in_all_ways(first: list[float], second: list[float]) -> None:
    """The exact p, ties included, is that of a count over all ways to deal the values out."""

    def away(chosen: set[int]) -> int:
        mine = [values[at] for at in chosen]
        others = [value for at, value in enumerate(values) if at not in chosen]
        return abs(sum((a > b) - (a < b) for a in mine for b in others))

    values = first + second
    seen = away(set(range(len(first))))
    ways = [set(way) for way in combinations(range(len(values)), len(first))]
    expected = sum(away(way) >= seen for way in ways) / len(ways)
    assert rank_test(first, second).p_value == pytest.approx(expected)


def test_exact_and_approximate_meet() -> None:
    """Where one gives way to the other, p hardly jumps."""
    chance = Random(3)
    first = [chance.gauss(0, 1) for _ in range(EXACT_MAX // 2)]
    second = [chance.gauss(0.6, 1) for _ in range(EXACT_MAX // 2)]
    exact = rank_test(first, second).p_value
    assert rank_test([*first, 0.0], [*second, 0.3]).p_value == pytest.approx(exact, rel=0.25)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.lists(st.floats(0, 1e6), min_size=1))
def test_swapped_lots_mirror(first: list[float], second: list[float]) -> None:
    """The other way around p is the same and the tendency the opposite."""
    there, back = rank_test(first, second), rank_test(second, first)
    assert there.p_value == pytest.approx(back.p_value)
    assert there.tendency == pytest.approx(-back.tendency)
    assert 0 <= there.p_value <= 1


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60))
def test_a_lot_does_not_differ_from_itself(values: list[float]) -> None:
    """The same values on both sides have p = 1 and no tendency."""
    found = rank_test(values, values)
    assert found.p_value == pytest.approx(1)
    assert found.tendency == 0


def test_an_empty_lot_has_no_rank() -> None:
    """There is no test without values, and the error says so."""
    with pytest.raises(ValueError, match="on both sides"):
        rank_test([], [1.0])


def false_alarms(rounds: int, sizes: tuple[int, int], seed: int) -> float:
    """How often lots of one skewed distribution, with ties, have a p below 0.05."""
    chance = Random(seed)

    def lot(size: int) -> list[float]:
        return [round(chance.lognormvariate(0, 1.5), 1) for _ in range(size)]

    return sum(rank_test(lot(sizes[0]), lot(sizes[1])).p_value < 0.05 for _ in range(rounds)) / (
        rounds
    )


def test_false_alarms_are_as_rare_as_promised() -> None:
    """Of 1,000 comparisons of like with like, near 5 % have a p below 0.05."""
    assert 0.03 <= false_alarms(1_000, (40, 50), 1) <= 0.07


@pytest.mark.soak
@pytest.mark.parametrize("sizes", [(5, 5), (8, 30), (20, 20), (25, 25), (60, 300), (500, 500)])
def test_false_alarms_over_many_rounds(sizes: tuple[int, int]) -> None:
    """Whatever the sizes, at most 5 % (and a little) of 20,000 comparisons are false alarms."""
    rounds = 20_000 if sum(sizes) < 500 else 2_000
    rate = false_alarms(rounds, sizes, 2)
    print(  # noqa: T201 - soak figures go into docs/decisions/noise.md
        f"rank test, {sizes[0]} against {sizes[1]}: {rate:.2%} false alarms at 5 %"
    )
    assert rate <= 0.055 if rounds == 20_000 else rate <= 0.065


def parts(size: int, chance: Random, shift: float = 0.0) -> list[Part]:
    """Values of sessions, of a skewed distribution."""
    return [(chance.expovariate(1) + shift, 1.0) for _ in range(size)]


@pytest.mark.parametrize("rounds", [60, pytest.param(200, marks=pytest.mark.soak)])
@pytest.mark.parametrize("size", [12, GROUP_COUNT_MAX, 400])
def test_the_interval_holds_what_is_true(size: int, rounds: int) -> None:
    """Of many intervals of 95 % some 95 % hold the true difference."""
    chance = Random(size)
    held = 0
    for _ in range(rounds):
        found = interval(parts(size, chance, 0.5), parts(size, chance))
        assert found is not None
        held += found[0] <= 0.5 <= found[1]
    assert held >= 0.89 * rounds


def test_an_interval_is_of_the_ratio_of_sums() -> None:
    """It surrounds the difference of the figures shown, not that of means of ratios."""
    first = [(1.0, 2.0), (0.0, 50.0), (2.0, 4.0), (0.0, 60.0)] * 30
    second = [(0.0, 2.0), (1.0, 50.0)] * 60
    found = interval(first, second)
    assert found is not None
    assert found[0] < 3 / 116 - 1 / 52 < found[1]
    assert found[1] - found[0] < 0.05


@given(st.lists(st.floats(0, 1e3), min_size=2, max_size=99), st.integers(0, 99))
def test_intervals_mind_no_order_and_mirror(values: list[float], seed: int) -> None:
    """Sessions in another order, or sides swapped, give the same interval, or its mirror."""
    first = [(value, 1.0) for value in values]
    second = [(value / 2 + 1, 1.0) for value in values]
    there, back = interval(first, second), interval(second, first)
    assert there is not None
    assert back == (-there[1], -there[0])
    shuffled = Random(seed).sample(first, len(first))
    assert interval(shuffled, second) == there


def test_nothing_to_draw_from_gives_no_interval() -> None:
    """One session does not scatter, and sums of nothing cannot be divided by."""
    assert interval([(1.0, 1.0)], [(1.0, 1.0), (2.0, 1.0)]) is None
    assert interval([(0.0, 0.0), (0.0, 0.0)], [(1.0, 1.0), (2.0, 1.0)]) is None
