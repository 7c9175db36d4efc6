"""`m31 export otlp`: sessions as traces, and metrics, to a receiver of OpenTelemetry's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic, sleep, time_ns
from typing import TYPE_CHECKING

import click

from m31a_metrics import catalog, config
from m31a_metrics.answers import Answers, SessionRow, Slice
from m31a_metrics.cli import FOUND_PROBLEMS
from m31a_metrics.cli.options import (
    all_folders,
    examples,
    meant,
    only_dir,
    reading_progress,
    say,
    sessions_dir_option,
    settings,
    slice_options,
    warn,
    which,
)
from m31a_metrics.errors import ExtraNotInstalled, MetricsError, NotDelivered

if TYPE_CHECKING:
    from m31a_metrics.catalog.outgoing import Outgoing
    from m31a_metrics.deliveries import Deliveries
    from m31a_metrics.exports.otlp import Places, Receiver

LOOK_EVERY_S = 10.0
"""So often --follow looks for what is new."""
METRICS_EVERY_S = 60.0
"""So often it sends the metrics where nothing is new."""
_DOUBLINGS_MAX = 5
"""A receiver that does not take what is sent is left alone for twice as long each time, at most
so often: for five minutes."""


@click.command(
    epilog=examples(
        ("m31 export otlp --since 7d", "to http://localhost:4318, those of the last week"),
        ("m31 export otlp --endpoint http://collector:4318", "all sessions, to another machine"),
        ("m31 export otlp --follow --since today", "and what happens from now on"),
    )
)
@slice_options
@click.option(
    "--endpoint",
    metavar="URL",
    help="Where the receiver is.  [default: OTEL_EXPORTER_OTLP_ENDPOINT, http://localhost:4318]",
)
@click.option("--follow", is_flag=True, help="Go on: send what happens, until Ctrl-C.")
@click.option("--again", is_flag=True, help="Send all of it again, whatever was sent before.")
@sessions_dir_option
@click.pass_context
def command(ctx: click.Context, endpoint: str | None, *, follow: bool, again: bool) -> int:
    """Send sessions as traces, and metrics, to a receiver of OTLP over HTTP.

    Each session is a trace: itself, its phases, tool calls, answers of models and self-heals,
    with names, figures and failure lines, and nobody's text. The next run goes on where this
    one stopped. OpenTelemetry's own variables hold, as OTEL_EXPORTER_OTLP_HEADERS.
    """
    try:
        from m31a_metrics.exports.otlp import Receiver, places
    except ImportError as error:
        raise ExtraNotInstalled("OTLP", "otel") from error
    from m31a_metrics import __version__

    at = places(endpoint, os.environ)
    only_dir(ctx)  # says now that the directory is not there
    with _opened(ctx, at) as sent, ExitStack() as held:
        receiver = Receiver(at, __version__, sent.head.instance)
        held.callback(receiver.close)
        export = _Export(ctx, receiver, sent, again=again)
        if not follow:
            return export.once()
        try:
            export.follow()
        except KeyboardInterrupt:
            pass  # which is how it ends
    return 0


@contextmanager
def _opened(ctx: click.Context, at: Places) -> Iterator[Deliveries]:
    """What was sent to a place so far, to those that its headers name."""
    from m31a_metrics import deliveries
    from m31a_metrics.exports.otlp import shown

    headers = [
        os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}HEADERS", "") for signal in ("", "TRACES_")
    ]
    path = deliveries.path(
        deliveries.folder(settings(ctx).forgotten),
        shown(at.traces),
        "\0".join([at.traces, *headers]),
    )
    sent = deliveries.Deliveries(path, shown(at.traces), time_ns() // 1000)
    try:
        yield sent
    finally:
        sent.close()


class _Export:
    """One run of the command."""

    def __init__(
        self, ctx: click.Context, receiver: Receiver, sent: Deliveries, *, again: bool
    ) -> None:
        from m31a_metrics.exports.otlp.sending import Sender

        self._ctx = ctx
        self._sent = sent
        self._again = again
        self._sender = Sender(receiver, sent, sleep)
        self._said: set[str] = set()
        self._gone_count = 0

    def once(self) -> int:
        """Send what there is; 1 where the receiver did not want some of it."""
        try:
            self._pass(reading_progress())
            self._send_metrics()
        except NotDelivered as error:
            goes_on = "nothing is lost, and the same command goes on where it stopped"
            raise NotDelivered(f"{error}; {goes_on}") from error
        finally:
            self._tell()
        return FOUND_PROBLEMS if self._sender.tally.rejected else 0

    def follow(self) -> None:
        """Send what there is, and go on."""
        failure_count, metrics_at_s, failure = 0, 0.0, ""
        say(f"sending to {self._sent.head.destination}; Ctrl-C stops it")
        try:
            while True:
                span_count = self._sender.tally.spans
                try:
                    self._pass(catalog.quiet)
                    if self._sender.tally.spans > span_count or monotonic() >= metrics_at_s:
                        self._send_metrics()
                        metrics_at_s = monotonic() + METRICS_EVERY_S
                    self._said.discard(failure)  # the next one is news again
                    failure_count = 0
                except NotDelivered as error:
                    failure_count = min(failure_count + 1, _DOUBLINGS_MAX)
                    failure = f"{error}; trying again"
                    self._say_once(failure)
                sleep(LOOK_EVERY_S * 2**failure_count)
        finally:
            self._tell()

    def _pass(self, progress: catalog.Progress) -> None:
        """Look at all sessions of the slice once, and send what is new of them."""
        from m31a_metrics.catalog.outgoing import Outgoing

        about, settled, environ = which(self._ctx), settings(self._ctx), config.environment()
        with ExitStack() as held:
            index = held.enter_context(
                catalog.ask(
                    settled,
                    environ,
                    only_dir=only_dir(self._ctx),
                    all_folders=all_folders(self._ctx),
                    progress=progress,
                )
            )
            about = _agents_of(about, index.answers)
            outgoing = Outgoing(index, settled, environ)
            held.callback(outgoing.close)
            self._gone_count = 0
            for row in outgoing.rows(about):
                self._send(outgoing, row)
            self._again = False
            troubles = [one.sentence for one in index.troubles(about.agents)]
        new = [one for one in troubles if one not in self._said]
        self._said.update(troubles)
        warn(self._ctx, new)
        for note in index.notes:
            self._say_once(note)

    def _send(self, outgoing: Outgoing, row: SessionRow) -> None:
        """Send what is new of a session, if anything may be."""
        from m31a_metrics.catalog.outgoing import mark_of
        from m31a_metrics.spans import Trace, has_ended, trace_id

        now_us, mark = time_ns() // 1000, mark_of(row)
        key = f"{trace_id(row.ref):032x}"
        if not (self._again or self._sent.of(key).is_due(mark, row.updated_us, now_us)):
            return
        if row.is_gone:
            self._gone_count += 1
            return
        try:
            traced = outgoing.traced(row, has_ended=has_ended(row.updated_us, now_us))
        except MetricsError as error:
            self._say_once(f"{error}; it is not sent")
            return
        self._sender.send(Trace(traced), mark, now_us, again=self._again)

    def _send_metrics(self) -> None:
        if os.environ.get("OTEL_METRICS_EXPORTER", "").strip().lower() == "none":
            return
        why = self._sender.send_metrics(time_ns() // 1000)
        if why:
            self._say_once(f"no metrics were sent, for {why}")

    def _say_once(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            say(sentence)

    def _tell(self) -> None:
        tally, place = self._sender.tally, self._sent.head.destination
        if self._gone_count:
            gone = "1 session" if self._gone_count == 1 else f"{self._gone_count:,} sessions"
            say(f"{gone} left out: the files are gone, and the index knows no events")
        spans = "1 span" if tally.spans == 1 else f"{tally.spans:,} spans"
        sessions = "1 session" if tally.sessions == 1 else f"{tally.sessions:,} sessions"
        say(f"sent {spans} of {sessions} to {place}")
        if tally.rejected:
            said = f": {tally.words}" if tally.words else ""
            say(f"{place} rejected {tally.rejected:,} of them{said}")


def _agents_of(about: Slice, answers: Answers) -> Slice:
    """Give agents their whole names; those that keep other agents' sessions are refused."""
    from m31a_metrics.sources import is_by_name_only

    for agent in about.agents or ():
        if is_by_name_only(agent):
            raise click.UsageError(
                f"--agent {agent} stands for other agents' sessions: name the agents themselves."
            )
    return meant(about, answers)
