"""The ids that were counted: what a dictionary would say, in a tenth of its room."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.tally import Ids, hashed
from m31a_metrics.tally import ids as module

keys = st.integers(0, 2**64 - 1) | st.integers(0, 5) | st.integers(2**64 - 5, 2**64 - 1)


@pytest.fixture(params=[4, 1 << 16], ids=["packed", "few"], autouse=True)
def pack_at(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of keeping them."""
    monkeypatch.setattr(module, "PACK_AT", request.param)


@given(st.lists(st.tuples(keys, st.integers(0, 2**60)), max_size=40), st.lists(keys))
def test_ids_are_a_dictionary(noted: list[tuple[int, int]], others: list[int]) -> None:
    """The first time of each key is kept, in the order of the keys."""
    expected: dict[int, int] = {}
    ids = Ids()
    for key, t_us in noted:
        assert ids.take(key, t_us) == (key not in expected)
        expected.setdefault(key, t_us)
        assert len(ids) == len(expected)
    assert [ids.get(key) for key in (*expected, *others)] == [
        expected.get(key) for key in (*expected, *others)
    ]
    assert list(ids.items()) == sorted(expected.items())
    rest = ids.without(set(others))
    assert dict(rest.items()) == {key: t for key, t in expected.items() if key not in others}


def test_hashes_stand_for_ids() -> None:
    """The same in every process and version, 64 bits, for any text a journal can hold."""
    assert hashed("call-17") == 0x7DF36C446C79902C
    assert len({hashed(f"toolu_{number}") for number in range(10_000)}) == 10_000
    assert 0 <= hashed("\ud800") < 2**64
    assert hashed("") != hashed("\0")
