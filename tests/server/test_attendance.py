"""Whether anybody is there."""

from __future__ import annotations

from datetime import timedelta

import anyio
import pytest

from flowsource.server.attendance import Attendance
from flowsource.server.guard import Message, Receive, Scope, Send

pytestmark = pytest.mark.anyio


async def test_who_is_still_being_answered_is_there_and_then_is_not() -> None:
    may_end = anyio.Event()

    async def answer_slowly(scope: Scope, receive: Receive, send: Send) -> None:
        await may_end.wait()

    async def receive() -> Message:
        return {}

    async def send(message: Message) -> None: ...

    attendance = Attendance(answer_slowly)
    alone = anyio.Event()

    async def watch() -> None:
        await attendance.until_alone(timedelta(0))
        alone.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(attendance, {}, receive, send)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(watch)
        await anyio.wait_all_tasks_blocked()
        assert not alone.is_set()
        may_end.set()
        await alone.wait()
