"""Ask about this machine's sessions in Python: the commands' questions, names and options.

    from m31a_metrics import query

    with query.open() as machine:
        for row in machine.tools(since="7d"):
            print(row.tool, row.call_count, row.p95_ms)
        machine.session("last").phases().to_dicts()

Times are written as for the commands (`7d`, `2026-06`, `2026-06-20T14:30`), labels as
`label="prompt=b"` (or a list of them), parts as `--by` (`label:prompt`), columns as in
`--json` (docs/commands.md lists them). Needs msgspec alone: without the price library (extra
`cli`), what no agent priced itself and no earlier reader priced is shown as unpriced.

Whatever cannot be read is left out and named in `Machine.problems`.
"""

from __future__ import annotations

import os
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from io import StringIO
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from msgspec.structs import replace

from m31a_metrics import catalog, config, slices
from m31a_metrics.answers import SessionRow, Slice
from m31a_metrics.catalog.agents import agents_meant
from m31a_metrics.errors import ExtraNotInstalled, SessionNotFound
from m31a_metrics.exports import tabular
from m31a_metrics.model import SessionDetail, SessionMetrics
from m31a_metrics.questions.ask import Ask, recorded_agents
from m31a_metrics.table import Panel
from m31a_metrics.table import Table as _Table

if TYPE_CHECKING:
    import pyarrow as pa

    from m31a_metrics.catalog import LoadedSession
    from m31a_metrics.catalog.fleet import Fleet, OpenFleet

__all__ = ["Machine", "Session", "Table", "open"]

Progress = Callable[[int, int], None]
"""Is told how many sessions are read, and of how many."""


class Table:
    """The answer to a question: rows with names.

    Iterating gives named tuples: `row.call_count`. Figures are as in `--json`: None where
    nobody knows, times as aware datetimes. `answer` is the sentence above the table, `notes` those
    below it, `tables` all tables of the answer by their names in `--json`, of which this one is
    the first.
    """

    def __init__(self, tables: Sequence[_Table]) -> None:
        table = tables[0]
        self.title = table.title
        self.columns = [column.name for column in table.columns]
        self.units = {column.name: column.unit.value for column in table.columns}
        self.answer = table.answer
        self.notes = list(table.notes)
        self._table = table
        self._rest = tables
        # The columns are data, so the class is made of them.
        row: Any = namedtuple("Row", self.columns, rename=True)  # type: ignore[misc]  # noqa: PYI024 - names are not known before
        self._row: Callable[[Iterable[Any]], Any] = row._make

    @property
    def tables(self) -> dict[str, Table]:
        """All tables of the answer, by name."""
        return {name: Table([table]) for name, table in tabular.named(self._rest).items()}

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._table.rows)

    def __iter__(self) -> Iterator[Any]:
        """Give the rows as named tuples."""
        return map(self._row, self._table.rows)

    def __getitem__(self, at: int) -> Any:
        """Give one row as a named tuple."""
        return self._row(self._table.rows[at])

    def __repr__(self) -> str:
        """Say what it holds."""
        return f"<Table {self.title!r}: {len(self)} rows of {', '.join(self.columns)}>"

    def to_dicts(self) -> list[dict[str, Any]]:
        """Give the rows as dictionaries."""
        return [dict(zip(self.columns, row, strict=True)) for row in self._table.rows]

    def to_csv(self) -> str:
        """Write the rows as `--csv` does."""
        written = StringIO(newline="")
        tabular.write_csv(self._table, written)
        return written.getvalue()

    def to_json(self) -> str:
        """Write the rows as `--json` does: of an answer of several tables, all of them."""
        written = StringIO()
        tabular.write_json(list(self._rest), written)
        return written.getvalue()

    def to_arrow(self) -> pa.Table:
        """Give the rows as an Arrow table, units in the fields' metadata.

        Needs the extra `parquet`; raises ExtraNotInstalled without it.
        """
        try:
            from m31a_metrics.exports import arrow
        except ImportError as error:
            raise ExtraNotInstalled("an Arrow table", "parquet") from error
        return arrow.table_of(self._table)


class Machine:
    """The sessions of this machine, to be asked about; `open` makes one.

    Not for several threads at once. What the index holds is as of when it was opened;
    `refresh` brings it up to date again.
    """

    def __init__(
        self,
        settings: config.Config,
        environ: Mapping[str, str],
        *,
        only_dir: bool,
        agents: Sequence[str],
        all_folders: bool,
        progress: Progress,
        fleet: Fleet | None = None,
    ) -> None:
        self.settings = settings
        self._fleet = fleet
        self._environ = environ
        self._only_dir = only_dir
        self._agents = tuple(agents) or None
        self._all_folders = all_folders
        self._progress = progress
        self._opened = ExitStack()
        self._asking: catalog.OpenIndex | OpenFleet | None = None

    def __enter__(self) -> Self:
        self.refresh()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the index."""
        self._asking = None
        self._opened.close()

    def refresh(self) -> None:
        """Bring the index up to date; of a fleet, look which of its shards answer.

        Raises IndexTooNew, StorageError; of a fleet FleetUnreachable, FleetRefused, ConfigError.
        """
        self.close()
        if self._fleet is not None:
            from m31a_metrics.catalog.fleet import ask_fleet

            opened = ask_fleet(self.settings, self._environ, self._fleet)
            self._asking = self._opened.enter_context(opened)
            return
        self._asking = self._opened.enter_context(
            catalog.ask(
                self.settings,
                self._environ,
                only_dir=self._only_dir,
                all_folders=self._all_folders,
                progress=self._progress,
            )
        )

    @property
    def problems(self) -> list[str]:
        """What could not be read, a sentence each: of a fleet, the shards left out."""
        asking = self._open()
        if isinstance(asking, catalog.OpenIndex):
            return [*asking.notes, *(one.sentence for one in asking.troubles(self._agents))]
        asking.look_again()
        return asking.notes

    def sessions(
        self, *, by: str = "", sort: str | None = None, limit: int | None = None, **slice_: Any
    ) -> Table:
        """All sessions, latest first, or by part; as `m31 sessions`. Takes `text` too."""
        from m31a_metrics.questions.sessions import sessions

        return self._answer(sessions, slice_, by=by, sort=sort, limit=limit)

    def session(self, name: str = "last") -> Session:
        """One session by id, unique prefix, path, or `last`. Raises SessionNotFound."""
        row = self.row_named(name)
        if not isinstance(row, SessionRow):
            return Session(self, row, None)
        which = Slice(session=row.session_id, agents=(row.agent,))
        ask = Ask(self._open().answers, which, self._now(), row.session_id)
        return Session(self, row.session_id, ask)

    def tools(self, *, by: str = "tool", tool: str = "", **slice_: Any) -> Table:
        """Which tools are slow or fail; as `m31 tools`."""
        from m31a_metrics.questions.tools import tools

        return self._answer(tools, slice_ | {"tool": tool}, by=by)

    def cost(self, *, by: str = "", **slice_: Any) -> Table:
        """Tokens and cost by phase, model and session, or by one part; as `m31 cost`."""
        from m31a_metrics.questions.cost import cost

        return self._answer(cost, slice_, by=by)

    def phases(self, *, by: str = "phase", **slice_: Any) -> Table:
        """Which phases take the time and the money; as `m31 phases`."""
        from m31a_metrics.questions.phases import phases

        return self._answer(phases, slice_, by=by)

    def heals(self, *, by: str = "", limit: int | None = None, **slice_: Any) -> Table:
        """What failed, and what it took to heal it; as `m31 heals`."""
        from m31a_metrics.questions.phases import heals

        return self._answer(heals, slice_, by=by, limit=limit)

    def errors(
        self, *, by: str = "", tool: str = "", limit: int | None = None, **slice_: Any
    ) -> Table:
        """The most frequent ways in which tools fail; as `m31 errors`."""
        from m31a_metrics.questions.tools import errors

        return self._answer(errors, slice_ | {"tool": tool}, by=by, limit=limit)

    def audit(self, **slice_: Any) -> Table:
        """Tokens by day and model, and what each counting rule did; as `m31 audit`."""
        from m31a_metrics.questions.cost import audit

        return self._answer(audit, slice_)

    def glance(self) -> Table:
        """This machine at a glance; as `m31`."""
        from m31a_metrics.questions.overview import glance

        return self._answer(glance, {})

    def overview(self, *, over: str = "", **slice_: Any) -> Table:
        """A period on one page, over time by day, week or month (`over`); as the dashboard."""
        from m31a_metrics.questions.overview import overview

        ask = self._ask(slice_)
        return _table(overview(ask, over=over))

    def budget(self) -> Table:
        """What running sessions, the machine's day and month may still use; as `m31 budget`.

        Raises ConfigError where a limit in the configuration is none.
        """
        from m31a_metrics.catalog.limits import MachineLimits
        from m31a_metrics.questions.budget import budget

        if self._fleet is not None:
            raise ValueError("limits are a machine's own: open it without history")
        ask = Ask(self._open().answers, Slice(), self._now())
        limits = MachineLimits(self.settings, ask.now)
        asked = limits.limits, limits.today, limits.granted, limits.unverified
        return _table(budget(ask, *asked, whole=True))

    def blocks(self, *, since: str = "3d", until: str = "", agents: Sequence[str] = ()) -> Table:
        """Windows of five hours, those that go on first; as `m31 blocks`. `since=""`: all."""
        from m31a_metrics.questions.blocks import blocks

        return self._answer(blocks, {"since": since, "until": until, "agents": agents})

    def compare(self, a: str, b: str = "", **slice_: Any) -> Table:
        """Two slices or sessions, each written as for `m31 compare`; without `b` the period before.

        Raises ValueError for a side that makes no sense.
        """
        from m31a_metrics.questions.compare import compare, side

        mine = self._side(a, slice_)
        against = (self._side(b, slice_), b) if b else mine.before()
        if against is None:
            raise ValueError(f"compare {a} with what? Only whole days have a period before")
        return _table(compare(side(mine, a), side(*against), whole=True))

    def gate(
        self,
        current: str = "all",
        *,
        most: Sequence[str] = (),
        least: Sequence[str] = (),
        baseline: str = "",
        **slice_: Any,
    ) -> Table:
        """Which limits are kept; as `m31 gate --max ... --min ... --baseline SLICE`."""
        from m31a_metrics.questions.compare import gate, side

        against = side(self._side(baseline, slice_), baseline) if baseline else None
        now = side(self._side(current, slice_), current)
        panels, _ = gate(now, against, most, least, named=baseline, whole=True)
        return _table(panels)

    def explain(self, name: str = "last") -> Table:
        """One session call by call, and why each call has its phase; as `m31 explain`."""
        return self.session(name).explain()

    def read(self, name: str) -> LoadedSession:
        """Read one session whole from its file. Raises SessionNotFound and what reading raises.

        Of a fleet SessionElsewhere, which names the machine.
        """
        if self._fleet is not None:
            from m31a_metrics.catalog.fleet import elsewhere, session_named

            raise elsewhere(session_named(self._open().answers, name, self.settings))
        return catalog.load_named(
            self.settings, name, self._environ, only_dir=self._only_dir, progress=self._progress
        )

    def row_named(self, name: str) -> SessionRow | str:
        """The session that a name means, or the path where it may be. Raises SessionNotFound."""
        answers = self._open().answers
        if self._fleet is not None:
            from m31a_metrics.catalog.fleet import session_named

            return session_named(answers, name, self.settings)
        return name if catalog.is_path(name) else catalog.named(answers, name, self.settings)

    def _now(self) -> datetime:
        if self._fleet is None:
            return _now()
        from m31a_metrics.catalog.fleet import now_in

        return now_in(self.settings)

    def _open(self) -> catalog.OpenIndex | OpenFleet:
        if self._asking is None:
            raise ValueError("this machine is closed: use it in `with query.open() as machine`")
        return self._asking

    def _ask(self, slice_: Mapping[str, Any]) -> Ask:
        now = self._now()
        which = slices.narrow(now, **slice_)
        if which.agents is None and self._agents:
            which = slices.both(which, Slice(agents=self._agents), "agents")
        answers = self._open().answers
        return Ask(answers, agents_meant(which, lambda: recorded_agents(answers)), now)

    def _answer(
        self, question: Callable[..., list[Panel]], slice_: Mapping[str, Any], **options: Any
    ) -> Table:
        return _table(question(self._ask(slice_), **options, whole=True))

    def _side(self, text: str, slice_: Mapping[str, Any]) -> Ask:
        ask = self._ask(slice_)
        which = slices.slice_of(text, ask.now)
        if which is None:
            row = self.row_named(text)
            if not isinstance(row, SessionRow):
                raise SessionNotFound(f"no session has the id or prefix {text!r}")
            which = Slice(session=row.session_id, agents=(row.agent,))
        return ask.about(slices.both(which, ask.which, text))


class Session:
    """One session. Tables are those of the commands about one session.

    Sums are asked of the index, where the session was found there; its file is read when
    something is asked that only its events tell.
    """

    def __init__(self, machine: Machine, name: str, ask: Ask | None) -> None:
        self._machine = machine
        self._name = name
        self._ask = ask
        self._one: LoadedSession | None = None

    def __repr__(self) -> str:
        """Say whose session it is."""
        return f"<Session {self._name!r}>"

    @property
    def session_id(self) -> str:
        """The id that it is found by."""
        return self._ask.session_id if self._ask is not None else self._read().record.session_id

    @property
    def metrics(self) -> SessionMetrics:
        """Its sums, as METRICS.json has them."""
        return self._read().metrics

    @property
    def detail(self) -> SessionDetail:
        """Percentiles, models, the latest events: what only events tell."""
        return self._read().detail

    @property
    def problems(self) -> list[str]:
        """What of it could not be read, a sentence each."""
        return self._read().problems

    def show(self) -> Table:
        """What happened in it; as `m31 show`."""
        from m31a_metrics.questions.session import show

        one = self._read()
        told = one.record if one.is_transcript else None
        row = catalog.listed(one)
        panels = show(one.metrics, one.detail, told, row=row, record=one.record, whole=True)
        return _table(panels)

    def explain(self) -> Table:
        """Call by call; as `m31 explain`."""
        from m31a_metrics.catalog.explain import explain as explained
        from m31a_metrics.questions.session import explain

        return _table(explain(explained(self._machine.settings, self._read()), whole=True))

    def tools(self, *, by: str = "tool") -> Table:
        """Which tools are slow or fail; as `m31 tools ID`."""
        from m31a_metrics.questions.tools import tools

        return self._answer(tools, by=by)

    def cost(self, *, by: str = "") -> Table:
        """Tokens and cost; as `m31 cost ID`."""
        from m31a_metrics.questions.cost import cost

        return self._answer(cost, by=by)

    def phases(self, *, by: str = "phase") -> Table:
        """Which phases take the time; as `m31 phases ID`."""
        from m31a_metrics.questions.phases import phases

        return self._answer(phases, by=by)

    def heals(self, *, by: str = "") -> Table:
        """What failed, and what it took to heal it; as `m31 heals ID`."""
        from m31a_metrics.questions.phases import heals

        return self._answer(heals, by=by)

    def errors(self, *, by: str = "") -> Table:
        """How tools failed; as `m31 errors ID`."""
        from m31a_metrics.questions.tools import errors

        return self._answer(errors, by=by)

    def audit(self) -> Table:
        """What each counting rule did; as `m31 audit ID`."""
        from m31a_metrics.questions.cost import audit

        return self._answer(audit)

    def _read(self) -> LoadedSession:
        if self._one is None:
            self._one = self._machine.read(self._name)
        return self._one

    def _answer(self, question: Callable[..., list[Panel]], **options: Any) -> Table:
        if self._ask is not None:
            return _table(question(self._ask, **options, whole=True))
        with catalog.in_memory(self._read()) as answers:
            ask = Ask(answers, Slice(), _now(), self.session_id)
            return _table(question(ask, **options, whole=True))


def open(  # noqa: A001 - `query.open()` reads as what it does
    path: str | os.PathLike[str] | None = None,
    *,
    agents: Sequence[str] = (),
    all_folders: bool = False,
    progress: Progress = catalog.quiet,
    history: str = "",
    partial: bool = False,
) -> Machine:
    """Open this machine's sessions, or a fleet's, for questions, in a `with` statement.

    `path` names a sessions directory, which is then asked alone; `agents` those whose
    sessions count; `all_folders` also asks about sessions of folders that the environment
    (CLAUDE_CONFIG_DIR, CODEX_HOME, ...) does not name now;
    `progress(done, total)` is told how reading goes. `history` is the address of a fleet,
    `clickhouse://HOST[:PORT]/DATABASE`, or "fleet" for the configured one, which is asked in
    place of this machine; `partial`: without its shards that do not answer, which
    `Machine.problems` names. Raises ConfigError,
    StorageError, SessionNotFound where `path` is not there, and ValueError for a fleet with
    `path` or `all_folders`, which are of this machine.
    """
    settings = config.read()
    fleet = None
    if history:
        if path is not None or all_folders:
            raise ValueError("path and all_folders are of this machine: leave out history")
        from m31a_metrics.catalog.fleet import Fleet

        fleet = Fleet(history, partial)
    if path is not None:
        directory = os.path.abspath(os.fspath(path))
        if not os.path.isdir(directory):
            raise SessionNotFound(f"{directory} is no directory of sessions")
        settings = replace(settings, sessions_dir=directory)
    return Machine(
        settings,
        config.environment(),
        only_dir=path is not None,
        agents=agents,
        all_folders=all_folders,
        progress=progress,
        fleet=fleet,
    )


def _table(panels: Sequence[Panel]) -> Table:
    return Table([panel.table for panel in panels])


def _now() -> datetime:
    return datetime.now().astimezone()
