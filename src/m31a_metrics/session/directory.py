"""What stands in the directory of one session, to be looked at; nothing here writes.

    <sessions_dir>/<session-id>/METRICS.json      the session, for every reader
                                events/base.json  what it held before it had journals
                                events/*.jsonl    one journal per writer
                                events/.covered   how far METRICS.json has read them
                                events/.ids       which ids it has counted
                                events/.lock      held while any of these is rewritten

The journals (with their base) are the truth; METRICS.json is a copy that is cheap to
read. `.covered` says which bytes it covers, because a journal's modification time does
not tell (docs/journal.md).
"""

from __future__ import annotations

import os

from m31a_metrics import codec, journal, store
from m31a_metrics.errors import DamagedMetrics, TooLarge
from m31a_metrics.events import LLMInteraction
from m31a_metrics.model import SessionMetrics
from m31a_metrics.session.covered import BASE, COVERED, Covered, read_note
from m31a_metrics.tally import Price


class SessionDirectory:
    """The directory of one session. Raises InvalidSessionId for an id that cannot be one.

    A relative `sessions_dir` is that of the moment: agents change their working directory.

    `price` is asked, when journals are folded, for the cost of what came without one;
    None stands for the prices of this machine.
    """

    def __init__(self, sessions_dir: str, session_id: str, price: Price | None = None) -> None:
        if not isinstance(sessions_dir, str):
            raise TypeError(f"sessions_dir must be a str, not {type(sessions_dir).__name__}")
        self.price = price or _price
        self.session_id = store.check_session_id(session_id)
        self.directory = f"{_absolute(sessions_dir)}/{session_id}"
        self.metrics_path = f"{self.directory}/{store.METRICS}"
        self.events = f"{self.directory}/{store.EVENTS}"

    def __repr__(self) -> str:
        """Say where it is."""
        return f"{type(self).__name__}({self.directory!r})"

    def journal_names(self) -> list[str]:
        """The journals by writer name. Raises ForeignFile, StorageError."""
        # The session's own directory first, for the better words about what stands there.
        for path in (self.directory, self.events):
            if not store.check_directory(path, ours=False):
                return []
        return journal.names(self.events)

    def has_journals(self) -> bool:
        """Tell whether events were journalled, so that METRICS.json is only a copy."""
        return bool(self.journal_names())

    def journal_bytes(self, name: str) -> int:
        """How long one journal is; -1 where it is not there any more."""
        try:
            return os.lstat(f"{self.events}/{name}").st_size
        except OSError:
            return -1

    def lines_end(self, name: str) -> int:
        """How long one journal is up to the newline of its last line."""
        end = journal.content_length(self.events, name)
        return end + 1 if end else 0

    def has_base(self) -> bool:
        """Tell whether there is anything that the session held before it had journals."""
        return os.path.lexists(f"{self.events}/{BASE}")

    def base(self) -> SessionMetrics | None:
        """What the session held before it had journals. Raises DamagedMetrics."""
        path = f"{self.events}/{BASE}"
        data = self._read(path)
        return None if data is None else codec.decode(data, path)

    def is_base(self, data: bytes) -> bool:
        """Tell whether the base holds just these bytes."""
        try:
            return store.read(f"{self.events}/{BASE}") == data
        except TooLarge:
            return False

    def readable_base(self) -> SessionMetrics | None:
        """The base; None where it is damaged, too."""
        try:
            return self.base()
        except DamagedMetrics:
            return None

    def note(self) -> Covered | None:
        """How much of each journal METRICS.json counts; None where nobody has noted it."""
        try:
            data = store.read(f"{self.events}/{COVERED}")
        except TooLarge:
            return None
        return None if data is None else read_note(data)

    def read_metrics(self) -> bytes | None:
        """The bytes of METRICS.json. Raises DamagedMetrics for more than it can have."""
        return self._read(self.metrics_path)

    def name(self) -> str:
        """The id that METRICS.json says: what M31A wrote, or else the directory's name."""
        return self._name(self.readable_base())

    def _name(self, base: SessionMetrics | None) -> str:
        # The id inside the base is data, and stays what it is.
        return base.session_id if base is not None and base.session_id else self.session_id

    def _read(self, path: str) -> bytes | None:
        try:
            return store.read(path)
        except TooLarge as error:
            what = str(error).removeprefix(f"{path} ").partition(";")[0]
            raise DamagedMetrics(
                f"{path} is damaged: it {what}; `m31 doctor --fix` sets it aside"
            ) from error

    def readable_metrics(self) -> bytes | None:
        """The bytes of METRICS.json; None where they are too many, too."""
        try:
            return self.read_metrics()
        except DamagedMetrics:
            return None


def _absolute(path: str) -> str:
    if not path or path[0] == "/":
        return path
    try:
        # Not normalised: behind a link, `..` leads where only the kernel knows.
        return f"{os.getcwd()}/{path}"
    except OSError:
        return path  # the working directory was removed; whoever writes there is told


def _price(event: LLMInteraction) -> float | None:
    from m31a_metrics.rates import price  # most sessions are told their costs

    return price(event)
