"""`m31 completion`: the script that completes commands, options and session ids."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from m31a_metrics.cli.options import examples


@click.command(
    epilog=examples(
        ('eval "$(m31 completion bash)"', "in ~/.bashrc"),
        ('eval "$(m31 completion zsh)"', "in ~/.zshrc, after compinit"),
        ("m31 completion fish | source", "in ~/.config/fish/config.fish"),
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands, options and session ids in a shell."""
    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(completion(ctx.find_root().command, {}, "m31", "_M31_COMPLETE").source())
