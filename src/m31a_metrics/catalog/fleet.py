"""Open a fleet's database for questions: the counterpart of `open_index`.

A fleet has sums by day and no files, so that what asks for less than a day, or for a session's
own file, is answered where the session lies.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, tzinfo

from msgspec import Struct

from m31a_metrics.answers import Answers, SessionRow, Slice
from m31a_metrics.catalog.find_session import LAST, is_path, last, no_such, rows_named
from m31a_metrics.catalog.guard import Trouble
from m31a_metrics.catalog.hours import Exact
from m31a_metrics.catalog.records import PartOf
from m31a_metrics.config import Config
from m31a_metrics.errors import (
    ConfigError,
    FinerThanADay,
    FleetUnreachable,
    MetricsError,
    SessionElsewhere,
    SessionNotFound,
)
from m31a_metrics.fleet.address import address_of
from m31a_metrics.fleet.client import Address, Client
from m31a_metrics.fleet.reading import FleetReading
from m31a_metrics.fleet.status import missing_shards
from m31a_metrics.record import SessionRecord
from m31a_metrics.timestamps import is_zone, micros

FLEET_ZONE = "UTC"
"""Whose days a fleet's are, where the configuration names no other zone."""

CONFIGURED = "fleet"
"""In place of an address: the one that the configuration names, where this machine pushes to."""

LOOK_TIMEOUT_S = 5.0
"""So long it may take to say which shards answer. One that is away is known at once; one that
hangs keeps the server that is asked waiting for minutes.
"""


class Fleet(Struct, frozen=True):
    """Which fleet is asked, and how: as people give it. `is_partial`: without missing shards.

    `address` may be CONFIGURED.
    """

    address: str
    is_partial: bool = False


class OpenFleet(Struct):
    """Who answers for a fleet; `notes` name the shards that are in no answer, a sentence each.

    Read as an `OpenIndex` is: no file of a fleet's can be damaged here.
    """

    answers: Answers
    notes: list[str]
    address: Address
    is_partial: bool
    is_in_memory: bool = False

    @property
    def file(self) -> str:
        """Tells one fleet from another."""
        return str(self.address)

    @property
    def is_whole(self) -> bool:
        """Tell whether all shards answer."""
        return not self.notes

    @property
    def problems(self) -> list[str]:
        """The same as the notes."""
        return self.notes

    def troubles(self, agents: Collection[str] | None = None) -> list[Trouble]:
        """Files that cannot be read: none, whichever agents are asked about."""
        del agents
        return []

    def news(self, agents: Collection[str] | None = None) -> list[Trouble]:
        """The same."""
        return self.troubles(agents)

    def look_again(self) -> list[str]:
        """Name the shards that went away since it was opened, which notes do then, too."""
        if not self.is_partial:
            return []  # then their going away was an error
        gone = [one for one in _left_out(_missing(self.address)) if one not in self.notes]
        self.notes += gone
        return gone


def zone_name(config: Config) -> str:
    """Name the time zone whose days a fleet's are. Raises ConfigError for one that is none."""
    name: str = config.fleet.get("zone") or FLEET_ZONE
    if name != FLEET_ZONE and not is_zone(name):  # that one is there without a list of zones
        raise ConfigError(
            f"{config.path}: metrics.fleet.zone must be a time zone as Europe/Berlin, not {name!r}"
        )
    return name


def now_in(config: Config) -> datetime:
    """Read the clock, in a fleet's time zone, which decides what a day is there."""
    return datetime.now(_zone(config))


def _meant(fleet: Fleet, config: Config) -> str:
    if fleet.address != CONFIGURED:
        return fleet.address
    to: str = config.fleet.get("to", "")
    if not to:
        raise ConfigError(
            f"{CONFIGURED!r} is where this machine pushes to, and that is not known here: set `to` "
            "in [metrics.fleet], or give clickhouse://HOST/DATABASE"
        )
    return to


def _zone(config: Config) -> tzinfo:
    name = zone_name(config)
    if name == FLEET_ZONE:
        return UTC
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


@contextmanager
def ask_fleet(config: Config, environ: Mapping[str, str], fleet: Fleet) -> Iterator[OpenFleet]:
    """Open a fleet's database for questions.

    Raises ConfigError, FleetUnreachable, also where a shard is missing and the answer is not to
    be partial, and FleetRefused.
    """
    address = address_of(_meant(fleet, config), config.fleet, environ)
    zone = _zone(config)
    missing = _missing(address)
    if missing and not fleet.is_partial:
        raise FleetUnreachable(f"{'; '.join(missing)}; --partial asks the others")
    with closing(Client(address)) as client:
        reading = FleetReading(client, is_partial=fleet.is_partial)

        def refuse(which: Slice, within: PartOf) -> Iterable[SessionRecord]:
            del which, within
            raise FinerThanADay(
                f"a fleet knows whole days ({zone_name(config)}), and nothing "
                "finer: ask by day, or on the machine where the sessions are"
            )

        now = datetime.now(zone)

        def day_of(t_us: int) -> str:
            return datetime.fromtimestamp(t_us // 1_000_000, zone).date().isoformat()

        with closing(Exact(reading, refuse, micros(now), day_of=day_of)) as exact:
            notes = _left_out(missing)
            yield OpenFleet(exact, notes, address, fleet.is_partial)


def _missing(address: Address) -> list[str]:
    with closing(Client(address, LOOK_TIMEOUT_S)) as client:
        return missing_shards(client)


def _left_out(missing: Iterable[str]) -> list[str]:
    return [f"{one}; its sessions are left out" for one in missing]


def session_named(answers: Answers, name: str, config: Config) -> SessionRow:
    """Find the session of a fleet that an id, a beginning of one or `last` names.

    Raises SessionNotFound.
    """
    if is_path(name):
        raise SessionNotFound(f"{name} is a file here: leave out --history")
    if name == LAST:
        try:
            return last(answers, config)
        except SessionNotFound:
            raise SessionNotFound("no session was pushed to this fleet yet: m31 push") from None
    rows = rows_named(answers, name)
    if not rows:
        raise no_such(name)
    return rows[0]


def elsewhere(row: SessionRow) -> MetricsError:
    """Make what is raised where a session's file is needed: it says where that is."""
    return SessionElsewhere(
        f"session {row.session_id} lies on machine {row.machine or 'unknown'}; ask there"
    )
