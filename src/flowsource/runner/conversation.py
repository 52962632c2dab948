"""One process from its start to its end: the order it is given, what it writes, what it answers."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable
from secrets import token_bytes
from signal import SIGKILL
from typing import Any

import anyio

from flowsource.runner.frames import Decoder, encode
from flowsource.runner.processes import ForkServer, RunProcess

_CHUNK_BYTES = 256 * 1024
_LAST_WORDS_SECONDS = 1.0

OnOutput = Callable[[bytes], None]
OnMessage = Callable[[dict[str, Any]], None]


async def converse(
    server: ForkServer,
    order: dict[str, Any],
    *,
    on_output: OnOutput,
    on_message: OnMessage,
    on_start: Callable[[RunProcess], None] | None = None,
) -> int:
    """Start a process, give it `order`, pass on what it writes and answers, and return its exit code.

    When this returns or raises, the process and its group are gone. A negative code is the signal that ended it.
    Cancelled, it kills them. Raises ForkServerFailed when no process can be had.
    """
    mark = b"\0" + token_bytes(16)
    output, their_output = os.pipe2(os.O_CLOEXEC)
    channel, their_channel = socket.socketpair()
    os.set_blocking(output, False)
    channel.setblocking(False)
    try:
        try:
            process = await server.spawn(their_output, their_channel)
        finally:
            os.close(their_output)
            their_channel.close()
        try:
            if on_start is not None:
                on_start(process)
            listener = _Listener(output, channel, mark, on_output, on_message)
            return await _listen(process, {**order, "mark": mark.hex()}, output, channel, listener)
        finally:
            if not process.is_gone:
                process.signal_group(SIGKILL)
                with anyio.CancelScope(shield=True):
                    await process.wait()
    finally:
        os.close(output)
        channel.close()


class _Listener:
    """Hears both ways in which a process speaks, and puts its prints and its log records into one order.

    A record comes on the channel; then its process writes `mark` into the pipe of its output, at the place where the
    record belongs. The methods take what is there, and tell whether there may be more.
    """

    def __init__(
        self, output: int, channel: socket.socket, mark: bytes, on_output: OnOutput, on_message: OnMessage
    ) -> None:
        self._output, self._channel, self._mark = output, channel, mark
        self._on_output, self._on_message = on_output, on_message
        self._decoder = Decoder()
        self._records: deque[dict[str, Any]] = deque()
        self._cut_off = b""

    def hear_output(self) -> bool:
        while True:
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

    def hear_channel(self) -> bool:
        while True:
            try:
                data = self._channel.recv(_CHUNK_BYTES)
            except BlockingIOError:
                return True
            except ConnectionResetError:
                return False
            if not data:
                return False
            for message in self._decoder.feed(data):
                if message["type"] == "log":
                    self._records.append(message)
                else:
                    self._on_message(message)

    def close(self) -> None:
        """Tell what is left when no more can come."""
        self._on_output(self._cut_off)
        while self._records:
            self._on_message(self._records.popleft())

    def _tell_next_record(self) -> None:
        if not self._records:
            self.hear_channel()  # It was sent before its mark was written.
        if self._records:
            self._on_message(self._records.popleft())


def _length_of_start(mark: bytes, *, at_end_of: bytes) -> int:
    """How many bytes at the end may be the start of a mark of which the rest is still to come."""
    longest = min(len(mark) - 1, len(at_end_of))
    return next((length for length in range(longest, 0, -1) if at_end_of.endswith(mark[:length])), 0)


async def _until_end(source: int | socket.socket, hear: Callable[[], bool]) -> None:
    while hear():
        await anyio.wait_readable(source)


async def _listen(
    process: RunProcess, order: dict[str, Any], output: int, channel: socket.socket, listener: _Listener
) -> int:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_until_end, output, listener.hear_output)
        await _send(channel, encode(order))
        tasks.start_soon(_until_end, channel, listener.hear_channel)
        status = await process.wait()
        # The ends of both are near, unless a process that left the group still holds them.
        tasks.cancel_scope.deadline = anyio.current_time() + _LAST_WORDS_SECONDS
    listener.close()
    return status


async def _send(channel: socket.socket, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[channel.send(view) :]
        except BlockingIOError:
            await anyio.wait_writable(channel)
        except (BrokenPipeError, ConnectionResetError):
            return  # It died before it could listen; its exit code tells.
