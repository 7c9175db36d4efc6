"""`m31 heals`: what failed, what it took to heal it, and how often it works."""

from m31a_metrics.cli.options import question_command
from m31a_metrics.questions.phases import heals
from m31a_metrics.tables.heals import PARTS

command = question_command(
    heals,
    """Where the agent heals itself: what failed, how many tries, passed or not, time and cost.

    A heal is a failed check, a change aimed at it, and the check again; tries at one
    failure are one row. --csv writes the list.
    """,
    (
        ("m31 heals", "the most expensive first, and the rate by phase"),
        ("m31 heals --by week", "is it getting better?"),
        ("m31 heals --by project --sort heal_rate", "where it works"),
        ("m31 heals --since 7d --sort attempt_count", "where it took the most tries"),
        ("m31 heals last", "of the latest session"),
    ),
    parts=PARTS,
)
