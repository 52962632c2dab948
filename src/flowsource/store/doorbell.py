"""Wakes the processes of this host that wait for something to be written, so that none has to ask again and again."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import uuid4

from flowsource.store.ears import Deaf, Ear, message_of
from flowsource.store.protocol import Changes

_LONGEST_ADDRESS = 107  # bytes, of a unix socket on Linux
_LONGEST_NAME = 90  # bytes, of a socket below the directory: its topic, its id and the suffix
_SUFFIX = ".sock"


class Doorbell:
    """A directory in which each open ear is one datagram socket.

    An ear for one topic has it in the name of its socket, so that a write which does not concern it leaves it alone.
    Bells are hints: they may be lost, and whoever waits looks for himself when his time is over.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._handle: int | None = None

    def open(self) -> None:
        """Make the directory for this user alone. Where that cannot be, nobody hears anything, and waits time out."""
        with suppress(OSError):
            self._directory.mkdir(mode=0o700, exist_ok=True)
            self._handle = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._remove_dead()

    def close(self) -> None:
        """Give the directory back; the ears in it are closed by those who opened them."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def ring(self, *topics: str) -> None:
        """Wake each ear that `topics` concern. Never blocks, never raises."""
        if self._handle is None:
            return
        with suppress(OSError):
            listening = [name for name in os.listdir(self._handle) if _concerns(name, topics)]
            if listening:
                self._send(message_of(topics), listening)

    @asynccontextmanager
    async def listen(self, *topics: str) -> AsyncIterator[Changes]:
        """An ear for `topics`, open while the context is."""
        name = f"{topics[0] if len(topics) == 1 else 'any'}.{uuid4().hex}{_SUFFIX}"
        ear = self._bound(name)
        if ear is None:
            yield Deaf()
            return
        with ear:
            try:
                yield Ear(ear, frozenset(topics))
            finally:
                self._remove(name)

    def _bound(self, name: str) -> socket.socket | None:
        """A socket of that name; None where there can be none, for lack of room or of descriptors."""
        if self._handle is None:
            return None
        try:
            ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        except OSError:
            return None
        try:
            ear.setblocking(False)
            ear.bind(self._address(name))
        except OSError:
            ear.close()
            return None
        return ear

    def _remove_dead(self) -> None:
        """Remove the ears of killed processes: for what they listened to nobody may ever ring again."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            for name in os.listdir(self._handle):
                if not name.endswith(_SUFFIX):
                    continue
                try:
                    probe.connect(self._address(name))
                except ConnectionRefusedError:
                    self._remove(name)
                except OSError:
                    # Closed meanwhile.
                    pass

    def _send(self, message: bytes, names: Iterable[str]) -> None:
        # A new socket each time: what a slow listener has not read yet counts against the socket that sent it.
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
            bell.setblocking(False)
            for name in names:
                try:
                    bell.sendto(message, self._address(name))
                except (ConnectionRefusedError, FileNotFoundError):
                    # Its process was killed. A name is never used twice, so nobody else can be behind it.
                    self._remove(name)
                except OSError:
                    # Its ear is full: it is awake already.
                    pass

    def _address(self, name: str) -> str:
        if len(os.fsencode(self._directory)) + 1 + _LONGEST_NAME <= _LONGEST_ADDRESS:
            return f"{self._directory}/{name}"
        # The same directory by a short name, which Linux has for whatever is open.
        return f"/proc/self/fd/{self._handle}/{name}"

    def _remove(self, name: str) -> None:
        with suppress(OSError):  # Somebody else was first.
            (self._directory / name).unlink()


def _concerns(name: str, topics: Iterable[str]) -> bool:
    return name.partition(".")[0] in ("any", *topics)
