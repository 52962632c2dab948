"""Messages between a runner and a run's process: JSON objects, each after its length, over a stream socket.

A channel of its own, so that nothing a flow prints can be taken for a message.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

_LENGTH_BYTES = 4
MAX_FRAME_BYTES = 64 * 1024 * 1024


def encode(message: dict[str, Any]) -> bytes:
    """`message` as bytes for the channel; raises ValueError when it is too long or has NaN, TypeError when it is not
    JSON."""
    body = json.dumps(message, separators=(",", ":"), allow_nan=False).encode("utf-8", "backslashreplace")
    if len(body) > MAX_FRAME_BYTES:
        raise ValueError(f"a message of {len(body)} bytes is too long for the channel")
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


class ChannelBroken(ValueError):
    """The bytes cannot be cut into messages any more."""


class Decoder:
    """Makes messages of the bytes that arrive, however they are cut."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """The messages that are complete with `data`.

        Raises ValueError for one that is none, after which the next call goes on behind it, or ChannelBroken.
        """
        self._pending += data
        while len(self._pending) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(self._pending[:_LENGTH_BYTES], "big")
            if end - _LENGTH_BYTES > MAX_FRAME_BYTES:
                raise ChannelBroken("a message on the channel is too long")
            if len(self._pending) < end:
                return
            body = bytes(self._pending[_LENGTH_BYTES:end])
            del self._pending[:end]
            yield json.loads(body)


def receive(channel: socket.socket) -> dict[str, Any]:
    """The next message of a blocking socket; raises EOFError when the other side is gone."""
    decoder = Decoder()
    while True:
        # Exactly one message is ever sent to a process, so nothing after it can be lost here.
        data = channel.recv(65536)
        if not data:
            raise EOFError("the runner is gone")
        for message in decoder.feed(data):
            return message
