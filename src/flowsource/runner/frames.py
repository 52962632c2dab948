"""Messages between a runner and a run's process: JSON objects, each after its length, over a stream socket.

A channel of its own, so that nothing a flow prints can be taken for a message.
"""

from __future__ import annotations

import json
import os
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
    """Makes messages of the bytes that arrive, however they are cut; none may have more than `most` bytes."""

    def __init__(self, *, most: int = MAX_FRAME_BYTES) -> None:
        self._pending, self._most = bytearray(), most

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """The messages that are complete with `data`.

        Raises ValueError for one that is none, after which the next call goes on behind it, or ChannelBroken.
        """
        self._pending += data
        while len(self._pending) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(self._pending[:_LENGTH_BYTES], "big")
            if end - _LENGTH_BYTES > self._most:
                raise ChannelBroken("a message on the channel is too long")
            if len(self._pending) < end:
                return
            body = bytes(self._pending[_LENGTH_BYTES:end])
            del self._pending[:end]
            yield json.loads(body)


def receive(channel: socket.socket) -> dict[str, Any]:
    """The one message that a blocking socket is to bring; raises EOFError when the other side is gone."""
    message, descriptors = receive_with_descriptors(channel)
    for descriptor in descriptors:
        os.close(descriptor)
    return message


def receive_with_descriptors(channel: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """As `receive`, with the descriptors that came along, which no process inherits that is started."""
    decoder, descriptors = Decoder(), list[int]()
    while True:
        # There is no other message behind it that could be lost here.
        data, given, *_ = socket.recv_fds(channel, 65536, 8, socket.MSG_CMSG_CLOEXEC)
        descriptors += given
        if not data:
            raise EOFError("the runner is gone")
        for message in decoder.feed(data):
            return message, descriptors
