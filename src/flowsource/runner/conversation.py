"""One process from its start to its end: the order it is given, what it writes, what it answers."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from signal import SIGKILL
from typing import Any

import anyio

from flowsource.runner.desk import Answer, Desk
from flowsource.runner.frames import encode
from flowsource.runner.output.listening import Listener, OnMessage, OnOutput, Room
from flowsource.runner.output.marks import new_mark
from flowsource.runner.processes.process import Exit, GuardianFailed, RunProcess
from flowsource.runner.processes.starter import Starter

_LAST_WORDS_SECONDS = 1.0


async def converse(
    server: Starter,
    order: dict[str, Any],
    *,
    on_output: OnOutput,
    on_message: OnMessage,
    on_start: Callable[[RunProcess], None] | None = None,
    until_room: Room | None = None,
    on_ask: Answer | None = None,
    preload: Sequence[str] = (),
) -> Exit:
    """Start a process, give it `order`, pass on what it writes and answers, and return how it ended.

    Log records are messages of type `log`, in order with what is written; other messages are in their own order.
    `until_room` is awaited before each read: while it does not return nothing is read, and the process waits as anyone
    does who writes into a full pipe. `on_ask` answers what it asks, where it may. When this returns or raises, the
    process and all that it started are gone. Cancelled, it kills them. `preload` names modules to be imported before
    it. Raises GuardianFailed when no process can be had, or it was lost with its guardian; ValueError for an order that
    is no JSON.
    """
    mark = new_mark()
    order_left = memoryview(encode({**order, "mark": mark.hex()}))
    output, their_output = os.pipe2(os.O_CLOEXEC)
    channel, their_channel = socket.socketpair()
    os.set_blocking(output, False)
    channel.setblocking(False)
    desk = Desk(on_ask) if on_ask is not None else None
    try:
        try:
            # Said before there is anybody to hear it, so that the process need not wait for us once it is there.
            handed = [desk.theirs.fileno()] if desk is not None else []
            order_left = order_left[socket.send_fds(channel, [order_left], handed) :]
            if desk is not None:
                desk.theirs.close()
            process = await server.spawn(their_output, their_channel, preload=preload)
        finally:
            os.close(their_output)
            their_channel.close()
        listener = Listener(output, channel, mark, on_output=on_output, on_message=on_message, until_room=until_room)
        try:
            if on_start is not None:
                on_start(process)
            how = await _listen(process, order_left, channel, listener, desk)
        finally:
            if not process.is_gone:
                process.signal_group(SIGKILL)
                with anyio.CancelScope(shield=True):
                    await process.wait()
    finally:
        os.close(output)
        channel.close()
        if desk is not None:
            desk.close()
    if how is None:
        raise GuardianFailed("the process that starts runs ended, and the run with it")
    return how


async def _listen(
    process: RunProcess, order_left: memoryview, channel: socket.socket, listener: Listener, desk: Desk | None
) -> Exit | None:
    async with anyio.create_task_group() as tasks, anyio.create_task_group() as answers:
        if desk is not None:
            answers.start_soon(desk.serve)
        tasks.start_soon(listener.hear_output)
        await _send(channel, order_left)
        tasks.start_soon(listener.hear_channel)
        how = await process.wait()
        answers.cancel_scope.cancel()
        # The ends of both are near, unless a process that left the group still holds them.
        tasks.cancel_scope.deadline = anyio.current_time() + _LAST_WORDS_SECONDS
    listener.close()
    return how


async def _send(channel: socket.socket, view: memoryview) -> None:
    while view:
        try:
            view = view[channel.send(view) :]
        except BlockingIOError:
            await anyio.wait_writable(channel)
        except (BrokenPipeError, ConnectionResetError):
            return  # It died before it could listen; its exit code tells.
