"""`m31 export`: what is known here, for other programs; one module a destination."""

from __future__ import annotations

from importlib import import_module

import click

from m31a_metrics.cli.options import examples

_HERE = "m31a_metrics.cli.export"

FORMATS: dict[str, tuple[str, str, str]] = {
    "csv": (f"{_HERE}.datasets", "to_csv", "A table as CSV."),
    "jsonl": (f"{_HERE}.datasets", "to_jsonl", "A table as JSON Lines, one object a row."),
    "parquet": (f"{_HERE}.datasets", "to_parquet", "A table as Parquet, units in its fields."),
    "prometheus": (f"{_HERE}.prometheus", "command", "Metrics for Prometheus to scrape."),
    "openmetrics": (f"{_HERE}.openmetrics", "command", "The past by day, for promtool to load."),
    "otlp": (f"{_HERE}.otlp", "command", "Sessions as traces, and metrics, to a receiver."),
}
"""Name -> (module, its attribute that is the command, one line of help)."""


class _Formats(click.Group):
    """Imports the module of a format only when that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(FORMATS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in FORMATS:
            return None
        module, attribute, _ = FORMATS[cmd_name]
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        with formatter.section("Formats"):
            formatter.write_dl([(name, line) for name, (*_, line) in FORMATS.items()])


@click.group(
    cls=_Formats,
    epilog=examples(
        ("m31 export csv sessions --since 30d", "a row a session, to standard output"),
        ("m31 export parquet tools -o tools.parquet", "for a notebook or a warehouse"),
    ),
)
def command() -> None:
    """Write what is known here for other programs: figures, names and failure lines, no text."""
