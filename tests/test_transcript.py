"""What reading a transcript gives: why records are damaged, without what stands in them."""

from __future__ import annotations

import pytest

from m31a_metrics.transcript import Damage, without_values


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("Invalid value 'my secret' - at `$.type`", "Invalid value <text> - at `$.type`"),
        ("Invalid enum value 'it isn't yours'", "Invalid enum value <text>"),
        (ValueError("invalid literal for int() with base 10: '84736251'"),) * 2,
        ("'utf-8' codec can't decode byte 0xff", "<text> codec can't decode byte 0xff"),
        ("longer than 32 MiB", "longer than 32 MiB"),
    ],
)
def test_reasons_hold_nothing_of_a_record(reason: object, told: str) -> None:
    """What a decoder quotes is replaced by a placeholder, in what Damage keeps too."""
    damage = Damage()
    damage.add("a.jsonl, line 3", reason)
    assert without_values(reason) == str(told).replace("'84736251'", "<text>")
    assert damage.reasons == [f"a.jsonl, line 3: {without_values(reason)}"]
