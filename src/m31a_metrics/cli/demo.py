"""`m31 demo`: run the example workflow, then show the review of what it recorded.

The example is `examples/workflow_engine.py`, one file that is also documentation. A wheel
carries a copy of it; in a checkout it is read from where it stands.
"""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from importlib.util import module_from_spec, spec_from_file_location
from tempfile import TemporaryDirectory
from typing import Any

import click

import m31a_metrics
from m31a_metrics import config, load
from m31a_metrics.cli.options import examples, sessions_dir_option, settings
from m31a_metrics.errors import ConfigError, MetricsError, StorageError
from m31a_metrics.views.names import clean

_EXAMPLE = "workflow_engine.py"
_WHAT_IS_REAL = """\
A small workflow engine gives a shop a discount, and records itself.
Real:      a temporary git repository, every git and Python process, a test that fails
           and is healed by an edit, a `git bisect run` that finds a breaking commit.
Scripted:  the language model. Its answers, tokens, costs and names come from a script.
"""


@click.command(
    epilog=examples(
        ("m31 demo", "record one session where yours are, and show it"),
        ("m31 demo --temporary", "the same, and leave nothing behind"),
    )
)
@sessions_dir_option
@click.option("--temporary", is_flag=True, help="Keep nothing: the session is removed at the end.")
@click.pass_context
def command(ctx: click.Context, temporary: bool) -> None:
    """Record a small workflow and look at the review of it.

    It takes a few seconds and needs git; no network, no model, no key. What it does is
    told on stderr, the review goes to stdout.
    """
    configured = settings(ctx)
    if not configured.metrics_enabled:
        raise ConfigError(
            "recording is switched off (M31A_METRICS_ENABLED or metrics_enabled in the "
            "configuration), so the demo would have nothing to show; switch it on first"
        )
    if shutil.which("git") is None:
        raise MetricsError("the demo needs git, which is not installed here; install it first")
    engine = _engine()
    with ExitStack() as stack:
        sessions_dir = configured.sessions_dir
        if temporary:
            sessions_dir = stack.enter_context(TemporaryDirectory(prefix="m31-demo-"))
        _talk(_WHAT_IS_REAL)
        try:
            session_id = engine.run(sessions_dir, _talk)
        except engine.WorkflowError as error:
            raise MetricsError(f"the demo failed: {error}") from error
        if not _is_recorded(sessions_dir, session_id):
            raise StorageError(
                f"nothing could be recorded in {sessions_dir}: make it writable, "
                "name another with --sessions-dir, or use --temporary"
            )
        _talk("")
        _show(ctx, sessions_dir, session_id)
    _talk(_farewell(sessions_dir, session_id, temporary))


def _engine() -> Any:
    """Load the example: from beside the package in a wheel, else from the checkout."""
    package = os.path.dirname(os.path.abspath(m31a_metrics.__file__))
    checkout = os.path.dirname(os.path.dirname(package))
    for path in (f"{package}/_examples/{_EXAMPLE}", f"{checkout}/examples/{_EXAMPLE}"):
        spec = spec_from_file_location("workflow_engine", path)
        if spec is not None and spec.loader is not None and os.path.isfile(path):
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    raise MetricsError(f"{_EXAMPLE} is not part of this installation; install m31a-metrics again")


def _is_recorded(sessions_dir: str, session_id: str) -> bool:
    # The Collector told why not, and went on, as it does for every host.
    try:
        return load(sessions_dir, session_id) is not None
    except StorageError:
        return False


def _show(ctx: click.Context, sessions_dir: str, session_id: str) -> None:
    """Do what `m31 show ID` does, through the list of commands that we are on."""
    commands = ctx.find_root().command
    show = commands.get_command(ctx, "show") if isinstance(commands, click.Group) else None
    if show is None:
        raise click.UsageError("run this as `m31 demo`")
    arguments = [session_id, "--sessions-dir", sessions_dir]
    with show.make_context("show", arguments, parent=ctx) as shown:
        show.invoke(shown)


def _farewell(sessions_dir: str, session_id: str, temporary: bool) -> str:
    if temporary:
        return "\nNothing was kept. Without --temporary the session stays, for the other commands."
    where = "" if sessions_dir == config.read().sessions_dir else f" --sessions-dir {sessions_dir}"
    return (
        "\nTry next:\n"
        f"  m31 show last{where}   this session again\n"
        f"  m31 tools{where}       which tools are slow or fail\n"
        f"  m31 cost{where}        tokens and cost, by phase and by model\n"
        f"  m31 phases{where}      which phases take the time, where the agent heals\n"
        "The demo's session is one directory. Remove it with:\n"
        f"  rm -r {sessions_dir}/{session_id}"
    )


def _talk(text: str) -> None:
    click.echo("\n".join(map(clean, text.splitlines())), err=True)
