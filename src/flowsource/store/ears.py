"""What listens for bells, one datagram socket each, and what every bell promises."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from datetime import timedelta
from typing import Protocol

import anyio
import anyio.lowlevel

from flowsource.store.protocol import Changes

_MANY = 100
_EVERYTHING = "*"
# The kernel may keep as few as this unread, and drops what comes then.
_FULL_EAR = 10


class Bell(Protocol):
    """Wakes those who wait for something to be written. Hints: they may be lost."""

    def open(self) -> None:
        """Be ready to ring and to be heard; never raises."""

    def close(self) -> None:
        """Give everything back. May block for a moment, so that what was rung last is heard."""

    def ring(self, *topics: str) -> None:
        """Wake each ear that `topics` concern. Never blocks, never raises."""

    def listen(self, *topics: str) -> AbstractAsyncContextManager[Changes]:
        """An ear for `topics`, open while the context is."""


def message_of(topics: Sequence[str]) -> bytes:
    """What an ear is sent, so that it knows whether `topics` concern it; without any, everything does."""
    return (_EVERYTHING if not topics or len(topics) > _MANY else "\n".join(topics)).encode()


class Ear:
    """Hears what comes on `ear`, a socket that does not block and that somebody else closes."""

    def __init__(self, ear: socket.socket, topics: frozenset[str]) -> None:
        self._socket = ear
        self._topics = topics

    async def wait(self, timeout: timedelta) -> bool:
        await anyio.lowlevel.checkpoint()
        with anyio.move_on_after(timeout.total_seconds()):
            while not self._heard():
                await anyio.wait_readable(self._socket)
            return True
        return False

    def _heard(self) -> bool:
        """Read all that has come; whether any of it concerns us, or may have been lost."""
        heard: set[str] = set()
        count = 0
        with suppress(BlockingIOError):  # That was all.
            while True:
                heard.update(self._socket.recv(65536).decode().split("\n"))
                count += 1
        return count >= _FULL_EAR or _EVERYTHING in heard or not self._topics.isdisjoint(heard)


class Deaf:
    """Hears nothing, so that every wait lasts to its end."""

    async def wait(self, timeout: timedelta) -> bool:
        await anyio.sleep(timeout.total_seconds())
        return False
