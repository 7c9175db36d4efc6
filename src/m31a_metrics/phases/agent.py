"""What one agent of a session has done so far, as far as the next phase depends on it."""

from __future__ import annotations

from collections.abc import Sequence
from sys import maxsize

from msgspec import Struct

from m31a_metrics.phases.commands import Check, Purpose
from m31a_metrics.phases.files import file_name
from m31a_metrics.phases.programs import WORKERS
from m31a_metrics.phases.uses import Use, phrases
from m31a_metrics.transcript import Call


class ClassifiedCall(Struct, gc=False):
    """A call, its phase, and the rule that decided it.

    `purpose` is what its command was for, `failed` whether it was a check that failed,
    `changed` whether it changed the work. `turn` is the turn in which it ran what was changed
    in that turn, -1 for any other call.
    """

    call: Call
    phase: str
    rule: str
    purpose: Purpose | None = None
    failed: bool = False
    changed: bool = False
    turn: int = -1


_LATELY = 30
"""Calls after which a failed check that nobody ran again is no longer worked on."""

_NEVER_US = maxsize
_BOOKKEEPING = frozenset(("plan", "other"))
_STAGES = frozenset(("git add", "git stage", "git apply"))

_LATELY_CHANGED = 6
_SOON = 3
"""Within so many calls after a change, asking how things are is a check of it."""


# What the work needs to be run; packages given by name change the work's own list of them.
_PREPARES = phrases(
    """
    npm ci, npm install, npm i, pnpm install, pnpm i, yarn, yarn install, bun install, bun i,
    pip install, pip3 install, uv sync, uv venv, uv pip install, uv pip sync, poetry install,
    pipenv install, bundle install, composer install, go mod, mix deps.get, dotnet restore,
    flutter pub, pod, apt-get, apt install, brew install, rustup target, rustup toolchain,
    docker pull, docker run, docker compose up, docker compose pull, docker compose start,
    docker compose restart, docker compose down, docker-compose up, playwright install
    """
)
_NAME_PACKAGES = ("npm", "pnpm", "bun")


def _only_prepares(purpose: Purpose | None) -> bool:
    """Whether a change makes the work ready to be run, and leaves it as it is."""
    if purpose is None or purpose.name not in _PREPARES or purpose.use is not Use.EXECUTE:
        return False
    given = [word for word in purpose.words if not word.startswith("-")]
    return len(given) < 2 or not purpose.name.startswith(_NAME_PACKAGES)


def _waits_for_others(purpose: Purpose, phase: str) -> bool:
    """Whether a call hands work to other agents, or asks whether they are done."""
    if phase == "other":
        return purpose.use is Use.WAIT or purpose.use is Use.POLL
    return purpose.hands_over and purpose.name in WORKERS


class Agent:
    """Follows the calls of one agent.

    `count` numbers its calls; `looked` says when it looked at what, `changed_files` which
    files it has changed since it last shipped, by name. `has_changed`: it changed the work,
    and nobody has moved on since; `changed_in_turn`: since a person spoke. `unchecked`: no
    check has passed since then. `polls`: it has just given work to others, or waits for them.
    """

    def __init__(self, turns_us: Sequence[int] = ()) -> None:
        self.count = 0
        self._turns_us = turns_us
        self.turn = 0
        self.next_turn_us = turns_us[0] if turns_us else _NEVER_US
        self.looked: dict[str, int] = {}
        self.changed_files: set[str] = set()
        self.open: dict[Check, int] = {}
        self.has_changed = self.changed_in_turn = False
        self.ever_changed = False
        self.unchecked = False
        self.after_handing = False
        self.shipped = False
        self.shipped_in_turn = False
        self.polls = False
        self.effect_at = -1
        self._changed_at = -1
        self._checked_at = -_SOON
        self._tried_shipping_at = -1
        self._committed = False

    @property
    def check_failed(self) -> bool:
        """Whether a check failed lately and has not passed since."""
        # The latest of them decides.
        return bool(self.open) and self.count - max(self.open.values()) <= _LATELY

    @property
    def changed_since_shipping(self) -> bool:
        """Whether the work was changed since it was last tried to ship it."""
        return self.has_changed and self._changed_at > self._tried_shipping_at

    @property
    def just_changed(self) -> bool:
        """Whether the work was changed a moment ago, and not checked yet."""
        soon = self.count - self._changed_at < _SOON
        return self.has_changed and self.unchecked and soon

    @property
    def lately_changed(self) -> bool:
        """Whether the work was changed a few calls ago."""
        return self.has_changed and self.count - self._changed_at < _LATELY_CHANGED

    @property
    def just_checked(self) -> bool:
        """Whether what was changed was checked a moment ago."""
        return self.has_changed and self.count - self._checked_at < _SOON

    def begin_turns(self, now_us: int) -> None:
        """A person has spoken, once or more often: what was committed is classified."""
        while self.turn < len(self._turns_us) and self._turns_us[self.turn] <= now_us:
            self.turn += 1
        more = self.turn < len(self._turns_us)
        self.next_turn_us = self._turns_us[self.turn] if more else _NEVER_US
        self.shipped_in_turn = self.polls = self.changed_in_turn = False
        if self._committed:
            self.has_changed = self.unchecked = self._committed = False

    def take(self, classified: ClassifiedCall, *, handed_over: bool = False) -> None:
        """Remember a call that is decided. `handed_over`: a subagent changed the work."""
        self.count += 1
        purpose, phase = classified.purpose, classified.phase
        if handed_over:
            self.after_handing = True
        elif self.after_handing:
            self.after_handing = phase in _BOOKKEEPING
        self.polls = False
        if purpose is not None:
            if purpose.hands_over or phase == "other":
                self.polls = _waits_for_others(purpose, phase)
            if purpose.looks:
                self.looked[purpose.looks] = self.count
        if classified.changed and not _only_prepares(purpose):
            self.changed_files.update(map(file_name, classified.call.paths))
            self._changed_at = self.effect_at = self.count
            self.unchecked = not handed_over
            self.has_changed = self.ever_changed = self.changed_in_turn = True
            self._committed = False
        if phase == "verify":
            self._checked_at = self.count
            self._checked(classified)
        elif phase == "ship":
            self._tried_shipping_at = self.count
            if classified.call.success is not False:
                self._shipped(classified)

    def _checked(self, classified: ClassifiedCall) -> None:
        """Note how checks went; those that pass settle others of their name and kind."""
        checks = classified.purpose.checks if classified.purpose is not None else ()
        if not checks:
            return
        self.unchecked = self.unchecked and classified.failed
        if classified.call.polls:
            return
        if classified.failed:
            self.open.update(dict.fromkeys(checks, self.count))
            return
        if not self.open:
            return
        passed = {check.name for check in checks}
        kinds = {check.kind for check in checks} - {"", "run"}
        self.open = {
            check: at
            for check, at in self.open.items()
            if check.name not in passed and check.kind not in kinds
        }

    def _shipped(self, classified: ClassifiedCall) -> None:
        name = classified.purpose.name if classified.purpose is not None else ""
        self.effect_at = self.count
        if name in _STAGES:
            return
        self._committed = True
        self.open.clear()
        if name != "git commit":
            self.shipped = self.shipped_in_turn = True
            self.changed_files.clear()
