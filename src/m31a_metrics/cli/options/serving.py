"""What the commands that serve have in common: their options, their tokens, their units."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import click

from m31a_metrics.cli import State
from m31a_metrics.cli.options.output import say
from m31a_metrics.config import Config
from m31a_metrics.errors import ConfigError, ExtraNotInstalled, MetricsError
from m31a_metrics.live.otlp.senders import PORT as OTLP_PORT

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from m31a_metrics.credentials import CredentialsFile, ServerLock, TokenFile
    from m31a_metrics.live.otlp.receiver import Receiver

__all__ = ["OTLP_PORT"]

HOST = "127.0.0.1"

_F = TypeVar("_F", bound=Callable[..., Any])


def listening_options(port: int) -> Callable[[_F], _F]:
    """Declare --host, --port and --new-token; the command gets them by these names."""

    def decorate(command: _F) -> _F:
        for option in (
            click.option(
                "--new-token", is_flag=True, help="Make a new token; the old one is refused."
            ),
            click.option(
                "--port",
                type=click.IntRange(0, 65535),
                default=port,
                show_default=True,
                help="The port; 0 takes a free one.",
            ),
            click.option(
                "--host", default=HOST, show_default=True, help="The address to listen on."
            ),
        ):
            command = option(command)
        return command

    return decorate


no_token_option = click.option(
    "--no-token",
    is_flag=True,
    help="Ask for no token: every account on this machine can read it. Only on loopback.",
)


def is_debugging(ctx: click.Context) -> bool:
    """Tell whether `m31 --debug` was typed."""
    return isinstance(ctx.obj, State) and ctx.obj.debug


def check_no_token(host: str, *, no_token: bool) -> None:
    """Refuse to go without a token where the network can reach it."""
    from m31a_metrics.credentials import is_loopback

    if no_token and not is_loopback(host):
        raise click.UsageError("--no-token is only for loopback, which the network cannot reach.")


def tell_tokens(files: Sequence[CredentialsFile], *, new: bool) -> None:
    """Make new tokens where they are asked for, and say where one cannot be kept."""
    for one in files:
        if new:
            one.renew()
        if one.note:
            say(f"{one.note}; the token lasts as long as this server")
    if new:
        say("a new token was made, and the old one is refused from now on")


def listening_words(given: Mapping[str, Any], port: int) -> list[str]:
    """--host and --port as they were given, where they are not what they are anyway."""
    words = ["--host", given["host"]] if given["host"] != HOST else []
    return words + (["--port", str(given["port"])] if given["port"] != port else [])


# Taking OTLP, beside the dashboard or alone.

_AGAIN_S = 60.0


class Collecting:
    """Takes what agents send to `host`, and keeps it as the configuration says.

    `asks_token` refuses what comes without the token, `debug` shows where an error comes from.
    Raises ConfigError where nothing is to be recorded, ExtraNotInstalled.
    """

    def __init__(self, config: Config, host: str, *, asks_token: bool, debug: bool) -> None:
        try:
            import opentelemetry.proto.collector.trace.v1.trace_service_pb2  # noqa: F401 - missing is said now, and not at the first request
            import uvicorn  # noqa: F401 - as above

            from m31a_metrics.live.otlp import install
            from m31a_metrics.live.otlp.receiver import Door
        except ImportError as error:
            raise ExtraNotInstalled("taking OTLP", "otel") from error
        if not config.metrics_enabled:
            raise ConfigError(
                "recording is switched off, so nothing would be kept: set metrics_enabled under "
                "[features] of the configuration, or M31A_METRICS_ENABLED=1"
            )
        self.token: TokenFile = install.token_file(config)
        self._config = config
        self._door = Door(host, lambda: self.token.current().token, asks_token)
        self._debug = debug
        self._told_s: dict[str, float] = {}

    def receiver(self, port: int, rest: ASGIApp | None = None) -> Receiver:
        """Make the application that answers at a port; `rest` answers at the server's others."""
        from m31a_metrics.catalog.received import Received
        from m31a_metrics.live.otlp.receiver import Receiver

        return Receiver(port, self._door, Received(self._config).keep, self._tell, rest)

    def lock(self, port: int) -> ServerLock:
        """The lock that says that this port is ours."""
        from m31a_metrics.live.otlp import install

        return install.server_lock(self._config, self._door.host, port)

    def tell(self, port: int) -> None:
        """Say where it takes what agents send, and who may send."""
        from m31a_metrics.credentials import is_loopback
        from m31a_metrics.views.web.serving import address_of

        host = self._door.host
        at = address_of(host, port).rstrip("/")
        say(f"agents send to {at}, with the token in {self.token.path}")
        if is_loopback(host) and not self._door.asks_token:
            say("what comes without it is kept apart, and counts for no budget")

    def _tell(self, error: Exception) -> None:
        """Say what is wrong, but not at each request."""
        if self._debug:
            import traceback

            traceback.print_exception(error)
        sentence = str(error)
        if not isinstance(error, MetricsError):
            sentence = f"a request could not be taken, which is a bug ({type(error).__name__})"
        if monotonic() - self._told_s.get(sentence, -_AGAIN_S) >= _AGAIN_S:
            self._told_s = {sentence: monotonic()}
            say(sentence)
