"""One process from its start to its end: the order it is given, what it writes, what it answers."""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from secrets import token_bytes
from signal import SIGKILL
from typing import Any

import anyio

from flowsource.runner.frames import ChannelBroken, Decoder, encode
from flowsource.runner.processes import Exit, GuardianFailed, RunProcess
from flowsource.runner.starter import Starter

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 64 * 1024
_LAST_WORDS_SECONDS = 1.0
_LAST_READS = 64
_MOST_RECORDS = 1000

OnOutput = Callable[[bytes], None]
OnMessage = Callable[[dict[str, Any]], None]
Room = Callable[[], Awaitable[None]]


async def converse(
    server: Starter,
    order: dict[str, Any],
    *,
    on_output: OnOutput,
    on_message: OnMessage,
    on_start: Callable[[RunProcess], None] | None = None,
    until_room: Room | None = None,
    preload: Sequence[str] = (),
) -> Exit:
    """Start a process, give it `order`, pass on what it writes and answers, and return how it ended.

    `until_room` is awaited before each read: while it does not return nothing is read, and the process waits as anyone
    does who writes into a full pipe. When this returns or raises, the process and all that it started are gone.
    Cancelled, it kills them. `preload` names modules to be imported before it. Raises GuardianFailed when no process
    can be had, or it was lost with its guardian; ValueError for an order that is no JSON.
    """
    mark = b"\0" + token_bytes(16)
    order_left = memoryview(encode({**order, "mark": mark.hex()}))
    output, their_output = os.pipe2(os.O_CLOEXEC)
    channel, their_channel = socket.socketpair()
    os.set_blocking(output, False)
    channel.setblocking(False)
    try:
        try:
            # Said before there is anybody to hear it, so that the process need not wait for us once it is there.
            order_left = order_left[channel.send(order_left) :]
            process = await server.spawn(their_output, their_channel, preload=preload)
        finally:
            os.close(their_output)
            their_channel.close()
        listener = _Listener(output, channel, mark, on_output, on_message, until_room)
        try:
            if on_start is not None:
                on_start(process)
            how = await _listen(process, order_left, channel, listener)
        finally:
            if not process.is_gone:
                process.signal_group(SIGKILL)
                with anyio.CancelScope(shield=True):
                    await process.wait()
    finally:
        os.close(output)
        channel.close()
    if how is None:
        raise GuardianFailed("the process that starts runs ended, and the run with it")
    return how


class _Listener:
    """Hears both ways in which a process speaks, and puts its prints and its log records into one order.

    A record comes on the channel; then its process writes `mark` into the pipe of its output, at the place where the
    record belongs.
    """

    def __init__(
        self,
        output: int,
        channel: socket.socket,
        mark: bytes,
        on_output: OnOutput,
        on_message: OnMessage,
        until_room: Room | None,
    ) -> None:
        self._output, self._channel, self._mark = output, channel, mark
        self._on_output, self._on_message, self._until_room = on_output, on_message, until_room
        self._decoder = Decoder()
        self._records: deque[dict[str, Any]] = deque()
        self._record_told = anyio.Event()
        self._cut_off = b""
        self._is_broken = False

    async def hear_output(self) -> None:
        """Pass on what the process writes, until nobody can write any more; others have their turn in between."""
        while True:
            if self._until_room is not None:
                await self._until_room()
            await anyio.wait_readable(self._output)
            if not self._read_output():
                return

    async def hear_channel(self) -> None:
        """Take what comes on the channel, until its end."""
        while True:
            while len(self._records) >= _MOST_RECORDS:
                self._record_told = anyio.Event()
                await self._record_told.wait()
            await anyio.wait_readable(self._channel)
            if not self._read_channel():
                return

    def close(self) -> None:
        """Pass on what is left when no more can come, or no more is waited for."""
        for _ in range(_LAST_READS):
            if not self._read_channel():
                break
        for _ in range(_LAST_READS):
            if not self._read_output():
                break
        self._on_output(self._cut_off)
        while self._records:
            self._on_message(self._records.popleft())

    def _read_output(self) -> bool:
        """One read; whether there may ever be more."""
        try:
            data = os.read(self._output, _CHUNK_BYTES)
        except BlockingIOError:
            return True
        if not data:
            return False
        *before_marks, rest = (self._cut_off + data).split(self._mark)
        for piece in before_marks:
            self._on_output(piece)
            self._tell_next_record()
        end = len(rest) - _length_of_start(self._mark, at_end_of=rest)
        self._on_output(rest[:end])
        self._cut_off = rest[end:]
        return True

    def _read_channel(self) -> bool:
        if self._is_broken:
            return False
        try:
            data = self._channel.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False
        try:
            for message in self._decoder.feed(data):
                if message["type"] == "log":
                    self._records.append(message)
                else:
                    self._on_message(message)
        except ChannelBroken as error:
            # A flow can do what it likes with its descriptors: it costs this run its messages, and nobody else.
            logger.warning("a run broke its channel, which is not heard any more: %s", error)
            self._is_broken = True
        except (ValueError, KeyError, TypeError) as error:
            logger.warning("a run wrote to its channel what is no message: %s", error)
        return bool(data)

    def _tell_next_record(self) -> None:
        # A record was sent before its mark was written, so it is here or can be read now.
        for _ in range(_LAST_READS):
            if self._records or not self._read_channel():
                break
        if self._records:
            self._on_message(self._records.popleft())
            self._record_told.set()


def _length_of_start(mark: bytes, *, at_end_of: bytes) -> int:
    """How many bytes at the end may be the start of a mark of which the rest is still to come."""
    longest = min(len(mark) - 1, len(at_end_of))
    return next((length for length in range(longest, 0, -1) if at_end_of.endswith(mark[:length])), 0)


async def _listen(
    process: RunProcess, order_left: memoryview, channel: socket.socket, listener: _Listener
) -> Exit | None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.hear_output)
        await _send(channel, order_left)
        tasks.start_soon(listener.hear_channel)
        how = await process.wait()
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
