"""`m31 phases`: where the time goes and where the agent heals itself."""

from m31a_metrics.cli.options import question_command
from m31a_metrics.questions.phases import phases
from m31a_metrics.tables.phases import PARTS

command = question_command(
    phases,
    """Which phases take the time and the money, and where the agent heals itself or bisects.

    --csv writes the table of phases.
    """,
    (
        ("m31 phases", "of all sessions"),
        ("m31 phases --since 30d", "of the last 30 days"),
        ("m31 phases --by week", "all phases together, week by week"),
        ("m31 phases last", "of the latest session, with its outcomes"),
    ),
    parts=PARTS,
)
