"""Telling open pages that something changed: one look for all of them, no queue for any.

A page that is open holds one stream of server-sent events. While there are such pages,
one task looks every few seconds whether the sessions changed. What a stream carries is a
number that grows, so a slow reader misses nothing but numbers, and costs no memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable

from m31a_metrics.errors import MetricsError

STREAMS_MAX = 256
"""More open pages than these are refused."""
EVERY_S = 2.0
HEARTBEAT_S = 15.0


class Live:
    """`look` gives something that is different as soon as there is anything new to show.

    A look that fails changes nothing; `on_bug` is told of one that should not have.
    """

    def __init__(
        self,
        look: Callable[[], Awaitable[Hashable]],
        on_bug: Callable[[Exception], None],
        *,
        every_s: float = EVERY_S,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._look = look
        self._on_bug = on_bug
        self._every_s = every_s
        self._heartbeat_s = heartbeat_s
        self._version = 0
        self._seen: Hashable = None
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.stream_count = 0

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield server-sent events for one page until it goes away."""
        self.stream_count += 1
        try:
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._watch())
            shown = -1
            while True:
                # Looked at after taking the event: what changes from here on sets this one.
                changed = self._changed
                if self._version != shown:
                    shown = self._version
                    yield _message(shown)
                    continue
                try:
                    await asyncio.wait_for(changed.wait(), self._heartbeat_s)
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self.stream_count -= 1
            if not self.stream_count and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _watch(self) -> None:
        while True:
            try:
                self._tell(await self._look())
            except MetricsError:
                pass  # the pages themselves say what cannot be read
            except Exception as error:  # noqa: BLE001 - open pages are to follow what comes after it
                self._on_bug(error)
            await asyncio.sleep(self._every_s)

    def _tell(self, seen: Hashable) -> None:
        if seen == self._seen:
            return
        if self._seen is not None:
            self._version += 1
            # A new event for the next change: whoever waits holds the old one.
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()
        self._seen = seen


def _message(version: int) -> bytes:
    return b"event: version\ndata: %d\n\n" % version
