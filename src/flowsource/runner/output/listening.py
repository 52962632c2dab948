"""The two ways in which a run's process speaks: what it prints, with its log records in it, and its messages."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from flowsource.runner.frames import ChannelBroken, Decoder
from flowsource.runner.output.marks import MarkedOutput

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 64 * 1024
_LAST_READS = 64

OnOutput = Callable[[bytes], None]
OnMessage = Callable[[dict[str, Any]], None]
Room = Callable[[], Awaitable[None]]


class Listener:
    """Hears both, and passes on what is printed, and records and messages, each in its order."""

    def __init__(
        self,
        output: int,
        channel: socket.socket,
        mark: bytes,
        *,
        on_output: OnOutput,
        on_message: OnMessage,
        until_room: Room | None,
    ) -> None:
        self._output, self._channel = output, channel
        self._on_output, self._on_message, self._until_room = on_output, on_message, until_room
        self._decoder, self._marked = Decoder(), MarkedOutput(mark)
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
        """Pass on what comes on the channel, until its end."""
        while True:
            await anyio.wait_readable(self._channel)
            if not self._read_channel():
                return

    def close(self) -> None:
        """Pass on what is left when no more can come, or no more is waited for."""
        for _ in range(_LAST_READS):
            if not self._read_output():
                break
        if rest := self._marked.close():
            self._on_output(rest)
        for _ in range(_LAST_READS):
            if not self._read_channel():
                break

    def _read_output(self) -> bool:
        """One read; whether there may ever be more."""
        try:
            data = os.read(self._output, _CHUNK_BYTES)
        except BlockingIOError:
            return True
        for heard in self._marked.feed(data):
            if isinstance(heard, bytes):
                self._on_output(heard)
            else:
                self._on_message({**heard, "type": "log"})
        return bool(data)

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
                self._on_message(message)
        except ChannelBroken as error:
            # A flow can do what it likes with its descriptors: it costs this run its messages, and nobody else.
            logger.warning("a run broke its channel, which is not heard any more: %s", error)
            self._is_broken = True
        except (ValueError, KeyError, TypeError) as error:
            logger.warning("a run wrote to its channel what is no message: %s", error)
        return bool(data)
