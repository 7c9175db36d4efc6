"""A call with the phase that was found for it."""

from __future__ import annotations

from msgspec import Struct

from m31a_metrics.phases.commands import Purpose
from m31a_metrics.transcript import Call


class ClassifiedCall(Struct, gc=False):
    """A call, its phase, and the rule that decided it.

    `purpose` is what its command was for, `failed` whether it was a check that failed,
    `changed` whether it changed the work.
    """

    call: Call
    phase: str
    rule: str
    purpose: Purpose | None = None
    failed: bool = False
    changed: bool = False
