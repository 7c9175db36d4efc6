from __future__ import annotations

from colorsys import rgb_to_hls

import pytest

from m31a_metrics.model import WorkflowPhase
from m31a_metrics.views.palette import phase_color

NAMES = [phase.value for phase in WorkflowPhase]
INVENTED = [f"phase {number}" for number in range(60)]


def test_phases_of_the_workflow_have_colours_of_their_own() -> None:
    """No two of them share one, so that a picture can be read without its legend."""
    assert len({phase_color(name) for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize("name", [*NAMES, *INVENTED, "", "\ud800"])
def test_no_phase_is_red(name: str) -> None:
    """Red is what failed; a phase has another hue, or so little of it that it is no red."""
    color = phase_color(name)
    red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    hue, _, saturation = rgb_to_hls(red, green, blue)
    assert 15 / 360 < hue < 345 / 360 or saturation < 0.2
    assert color == phase_color(name)
