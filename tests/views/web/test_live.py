from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable

from m31a_metrics.errors import StorageError
from m31a_metrics.views.web.live import Live


class Changing:
    """Something to look at, which counts how often it was looked at."""

    def __init__(self) -> None:
        self.value = 0
        self.looks = 0

    async def look(self) -> Hashable:
        self.looks += 1
        return self.value


def bug(error: Exception) -> None:
    raise AssertionError from error


async def version(stream: AsyncIterator[bytes]) -> int:
    """The next version that a stream tells."""
    async for message in stream:
        if message.startswith(b"event: version"):
            return int(message.split(b"data: ")[1])
    raise AssertionError("the stream ended")


def test_all_pages_learn_of_a_change_by_one_look() -> None:
    """However many streams are open, the sessions are looked at once at a time."""

    async def run() -> None:
        changing = Changing()
        live = Live(changing.look, bug, every_s=0.01)
        streams = [live.stream() for _ in range(50)]
        assert {await version(stream) for stream in streams} == {0}
        await asyncio.sleep(0.05)
        looks = changing.looks
        assert looks < 20
        changing.value = 1
        told = await asyncio.wait_for(asyncio.gather(*map(version, streams)), 5)
        assert set(told) == {1}
        for stream in streams:
            await stream.aclose()
        assert live.stream_count == 0

    asyncio.run(run())


def test_nobody_looks_when_no_page_is_open() -> None:
    """The last page that goes away ends the looking."""

    async def run() -> None:
        changing = Changing()
        live = Live(changing.look, bug, every_s=0.01)
        stream = live.stream()
        await version(stream)
        await stream.aclose()
        looks = changing.looks
        await asyncio.sleep(0.05)
        assert changing.looks == looks

    asyncio.run(run())


def test_a_slow_page_misses_numbers_and_nothing_else() -> None:
    """Changes while nobody reads are not kept; the next message has the newest number."""

    async def run() -> None:
        changing = Changing()
        live = Live(changing.look, bug, every_s=0.005)
        slow, quick = live.stream(), live.stream()
        await version(slow)
        await version(quick)
        await asyncio.sleep(0.02)
        newest = 0
        for changing.value in range(1, 6):
            newest = await asyncio.wait_for(version(quick), 5)
        assert await version(slow) == newest
        await slow.aclose()
        await quick.aclose()

    asyncio.run(run())


def test_a_quiet_stream_shows_that_it_lives() -> None:
    """Without a change a comment goes out now and then, which finds vanished readers."""

    async def run() -> None:
        live = Live(Changing().look, bug, every_s=1, heartbeat_s=0.01)
        stream = live.stream()
        await version(stream)
        assert (await anext(stream)).startswith(b":")
        await stream.aclose()

    asyncio.run(run())


def test_a_look_that_fails_is_not_the_last_one() -> None:
    """What cannot be read for a while, for whatever reason, is followed again afterwards."""

    async def run() -> None:
        changing = Changing()
        failing: list[Exception] = []
        told: list[Exception] = []

        async def look() -> Hashable:
            if failing:
                raise failing[0]
            return await changing.look()

        live = Live(look, told.append, every_s=0.005)
        stream = live.stream()
        await version(stream)
        await asyncio.sleep(0.02)
        for failure in (StorageError("the index is locked"), ValueError("a bug")):
            failing.append(failure)
            await asyncio.sleep(0.03)
            failing.clear()
            changing.value += 1
            assert await asyncio.wait_for(version(stream), 5) == changing.value
        assert {type(one) for one in told} == {ValueError}
        await stream.aclose()

    asyncio.run(run())
