"""Fencing: what another server may run again does not outlive our word that we are there."""

from __future__ import annotations

from datetime import timedelta

import anyio
import pytest

from flowsource.runner import fencing
from flowsource.runner.fencing import Pulse, fence
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


class Clock:
    """A clock that goes as the test says."""

    def __init__(self) -> None:
        self.time, self.asked = timedelta(0), 0

    def __call__(self) -> timedelta:
        self.asked += 1
        return self.time


async def test_runs_are_ended_once_the_store_was_not_reached_for_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fencing, "_LOOK_EVERY", timedelta(milliseconds=1))
    clock, ended, is_needed = Clock(), 0, False

    def end() -> None:
        nonlocal ended
        ended += 1

    async def until_looked_twice() -> None:
        seen = clock.asked
        await until(lambda: clock.asked > seen + 2)

    pulse = Pulse(clock)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fence, pulse, timedelta(seconds=40), lambda: is_needed, end)
        clock.time = timedelta(seconds=39)
        await until_looked_twice()
        is_needed = True
        await until_looked_twice()
        assert ended == 0
        clock.time = timedelta(seconds=40)
        await until(lambda: ended > 0)
        pulse.beat(clock.time)
        await until_looked_twice()
        before = ended
        await until_looked_twice()
        assert ended == before
        tasks.cancel_scope.cancel()


def test_the_clock_goes_on() -> None:
    pulse = Pulse()
    assert timedelta(0) <= pulse.age < timedelta(minutes=1)
