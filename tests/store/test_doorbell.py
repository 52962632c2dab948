"""Bells reach those whom they concern, from any directory, and never hold up or break whoever rings."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from flowsource.store.doorbell import Doorbell
from flowsource.store.ears import Bell, Deaf
from tests.store.words import GENEROUS
from tests.support.descriptors import few_descriptors

pytestmark = pytest.mark.anyio

AT_ONCE = timedelta(milliseconds=1)


@contextlib.asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[Doorbell]:
    bell = Doorbell(directory)
    bell.open()
    try:
        yield bell
    finally:
        bell.close()


async def test_a_bell_wakes_those_it_concerns_and_no_others(tmp_path: Path) -> None:
    async with (
        opened(tmp_path / "bells") as bell,
        bell.listen("work") as one,
        bell.listen("work", "run:1") as both,
        bell.listen("run:1") as other,
    ):
        bell.ring("work")
        assert await one.wait(GENEROUS)
        assert await both.wait(GENEROUS)
        assert not await other.wait(AT_ONCE)


async def test_a_directory_whose_path_is_too_long_for_a_socket_does_as_well(tmp_path: Path) -> None:
    directory = tmp_path / ("long" * 30) / "bells"
    directory.parent.mkdir()
    async with opened(directory) as bell, bell.listen("run:01234567-89ab-cdef-0123-456789abcdef") as ear:
        assert len(os.listdir(directory)) == 1
        bell.ring("run:01234567-89ab-cdef-0123-456789abcdef")
        assert await ear.wait(GENEROUS)
    assert os.listdir(directory) == []


async def test_where_nothing_can_be_made_a_wait_times_out_and_a_bell_is_lost(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with opened(tmp_path / "file") as bell, bell.listen("work") as ear:
        bell.ring("work")
        assert not await ear.wait(AT_ONCE)


async def test_an_ear_that_is_full_holds_up_nobody_and_wakes_for_what_it_may_have_missed(tmp_path: Path) -> None:
    async with opened(tmp_path) as bell, bell.listen("work", "run:1") as full, bell.listen("work") as other:
        for _ in range(2000):
            bell.ring("run:2")
        bell.ring("work")
        assert await other.wait(GENEROUS)
        assert await full.wait(GENEROUS)


async def test_more_topics_than_fit_a_message_wake_everybody_concerned(tmp_path: Path) -> None:
    async with opened(tmp_path) as bell, bell.listen("run:9999") as one, bell.listen("run:9999", "work") as several:
        bell.ring(*(f"run:{number}" for number in range(10_000)))
        assert await one.wait(GENEROUS)
        assert await several.wait(GENEROUS)


async def test_dead_ears_are_removed_as_a_bell_is_opened_and_living_ones_are_left(tmp_path: Path) -> None:
    async with opened(tmp_path / "bells") as bell, bell.listen("run:1") as living:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
            dead.bind(str(tmp_path / "bells" / "run:2.dead.sock"))
        (tmp_path / "bells" / "notes.txt").touch()
        assert len(os.listdir(tmp_path / "bells")) == 3
        async with opened(tmp_path / "bells"):
            [_, ear] = sorted(os.listdir(tmp_path / "bells"))
            assert ear.startswith("run:1.")
            assert not await living.wait(AT_ONCE), "to look whether it lives makes no sound"
            bell.ring("run:1")
            assert await living.wait(GENEROUS)


async def test_a_wait_that_is_cancelled_leaves_no_ear_behind(tmp_path: Path) -> None:
    async with opened(tmp_path) as bell:
        with anyio.move_on_after(0.01):
            async with bell.listen("work") as ear:
                await ear.wait(GENEROUS)
        assert os.listdir(tmp_path) == []


async def test_an_ear_for_which_there_is_no_descriptor_hears_nothing_and_harms_nobody(tmp_path: Path) -> None:
    async with opened(tmp_path / "bells") as bell:
        await open_as_many_as_may_be(bell)
        async with bell.listen("work") as ear:
            bell.ring("work")
            assert await ear.wait(GENEROUS)


async def open_as_many_as_may_be(bell: Bell) -> None:
    """Open ears until there is no descriptor for one more, and close them again."""
    async with contextlib.AsyncExitStack() as ears:
        with few_descriptors(20):
            while not isinstance(await ears.enter_async_context(bell.listen("work")), Deaf):
                pass
            bell.ring("work")
