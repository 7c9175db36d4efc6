"""`m31 audit`: tokens and cost to the last token, and why another tool shows others."""

from m31a_metrics.cli.options import question_command
from m31a_metrics.questions.cost import audit

command = question_command(
    audit,
    """Tokens and cost by day and model, and what each counting rule did to them.

    A difference from another tool's total is the sum of the rules that it does not
    follow. Days are those of the local time zone. --csv writes the table by day.
    """,
    (
        ("m31 audit", "of all sessions"),
        ("m31 audit --agent claude-code", "of one agent's, to compare with another tool"),
        ("m31 audit --since 7d --json", "of the last 7 days, for a program"),
        ("m31 audit last", "of the latest session"),
    ),
)
