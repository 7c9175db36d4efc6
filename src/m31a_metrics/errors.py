"""Every error a caller can decide upon: one base, one child per decision.

Each carries one sentence that names the thing, the place and the remedy, because the
command line prints exactly that sentence and nothing else.
"""


class MetricsError(Exception):
    """The base: catching it catches everything this package raises on purpose."""


class InvalidSessionId(MetricsError, ValueError):
    """The id cannot name a directory, so the caller must choose another."""


class DamagedMetrics(MetricsError):
    """A METRICS.json that Go would refuse too; `m31 doctor --fix` sets it aside."""


class ForeignFile(MetricsError):
    """Something stands where a session belongs that is not ours to touch.

    A symbolic link in place of the directory, a plain file, another user's directory.
    """


class TooLarge(ForeignFile):
    """A file of a size that none of ours has; it is not read, so move it away."""


class SessionHasJournals(MetricsError):
    """`save` would lose what the journals hold; record events instead."""


class StorageError(MetricsError):
    """The disk said no (full, read-only, gone); trying again later may work."""


class ConfigError(MetricsError):
    """The configuration says something we do not understand; edit the file."""


class SessionNotFound(MetricsError):
    """No session of that id, prefix or path; list them with `m31 sessions`."""


class SessionElsewhere(SessionNotFound):
    """A session of a fleet, whose file is on another machine; ask there."""


class FinerThanADay(MetricsError):
    """A fleet knows days, and was asked for less; ask by day, or where the sessions are."""


class ExtraNotInstalled(MetricsError):
    """An optional part of this package is not there; install it."""

    def __init__(self, what: str, extra: str) -> None:
        # pip and uv take the version that is installed, from wherever it was, and add to it
        # what the extra needs: the first line is right for a checkout's environment too.
        super().__init__(
            f"{what} needs the extra `{extra}`: pip install 'm31a-metrics[{extra}]'"
            f" (in a checkout: pip install '.[{extra}]')"
        )


class SessionForgotten(SessionNotFound):
    """A transcript of a session that was forgotten, which is not read again: pass it over."""


class SessionIsRunning(MetricsError):
    """What is still written to cannot be forgotten; end it, or leave it out."""


class BudgetExceeded(MetricsError):
    """What a session may use is used up; allow more, or stop.

    A Collector with a budget raises it from record calls. It is also the only exception of an
    `on_event` callback that reaches the host.
    """


class NotDelivered(MetricsError):
    """A receiver did not take what was sent. Nothing is lost: send it again later."""


class NotThisFormat(MetricsError):
    """A file that this source does not read; ask another source, or name the agent."""


class SourceUnusable(MetricsError):
    """Another package's source does not work: update or uninstall it; the rest is read."""


class ConversationAbsent(MetricsError):
    """What was said in a session cannot be shown: its file is gone, holds no text, or it is off."""


class ReadingBug(MetricsError):
    """A defect of ours in reading one file: report it; the other files can be read."""


class IndexUnusable(StorageError):
    """The index cannot be read or written; the sessions themselves can."""


class IndexLocked(IndexUnusable):
    """Another process holds the index for longer than anybody should wait; read it as it is."""


class IndexTooNew(MetricsError):
    """A later version made the index; it is left as it is, so update or name another."""


class FleetUnreachable(StorageError):
    """The fleet's database does not answer; what is to be pushed waits in the index."""


class FleetRefused(StorageError):
    """The fleet's database refuses: its user, a right, its disk, a shard; `code` is its own."""

    def __init__(self, sentence: str, code: str = "") -> None:
        super().__init__(sentence)
        self.code = code
