"""What commands share: their common options, the configuration, asking, and writing Tables.

    @click.command(epilog=examples(("m31 tools last", "of the latest session")))
    @slice_options
    @sessions_dir_option
    @format_options
    @click.pass_context
    def command(ctx: click.Context) -> None:
        with asking(ctx, None) as asked:
            table = ...
        emit(ctx, [table])

The options are kept in `ctx.meta`, which a group and its commands share, so that
`m31 --json` and `m31 sessions --json` mean the same.
"""

from m31a_metrics.cli.options.consent import person_agrees, refuse_agents
from m31a_metrics.cli.options.declared import question_command
from m31a_metrics.cli.options.facts import checked, said, said_options
from m31a_metrics.cli.options.fleet import fleet_of, fleet_options
from m31a_metrics.cli.options.output import (
    emit,
    examples,
    format_options,
    none_because,
    say,
    sessions_dir_option,
    settings,
    share_option,
    wants_text,
    write_file,
)
from m31a_metrics.cli.options.question import (
    ask_sides,
    asking,
    baseline_file,
    is_bounded,
    meant,
    only_dir,
    read_session,
    reading_progress,
    slice_named,
    warn,
)
from m31a_metrics.cli.options.rows import (
    arranged,
    by_option,
    enough,
    limit_of,
    row_options,
    sort_of,
)
from m31a_metrics.cli.options.slices import (
    AGENTS,
    agents,
    all_folders,
    all_folders_option,
    asked_for,
    now,
    session_argument,
    slice_option,
    slice_options,
    which,
)
from m31a_metrics.cli.options.titles import titles_of, titles_option
from m31a_metrics.cli.options.units import always_on, hourly, unit_option

__all__ = [
    "AGENTS",
    "agents",
    "all_folders",
    "all_folders_option",
    "always_on",
    "arranged",
    "ask_sides",
    "asked_for",
    "asking",
    "baseline_file",
    "by_option",
    "checked",
    "emit",
    "enough",
    "examples",
    "fleet_of",
    "fleet_options",
    "format_options",
    "hourly",
    "is_bounded",
    "limit_of",
    "meant",
    "none_because",
    "now",
    "only_dir",
    "person_agrees",
    "question_command",
    "read_session",
    "reading_progress",
    "refuse_agents",
    "row_options",
    "said",
    "said_options",
    "say",
    "session_argument",
    "sessions_dir_option",
    "settings",
    "share_option",
    "slice_named",
    "slice_option",
    "slice_options",
    "sort_of",
    "titles_of",
    "titles_option",
    "unit_option",
    "wants_text",
    "warn",
    "which",
    "write_file",
]
