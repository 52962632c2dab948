"""Ends what waits for a server that does not answer any more, not even to say that it is too late."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

_LOOK_EVERY = 0.5


class Watchdog:
    """Cuts connections on which somebody has waited for too long, from a thread of its own.

    Who waits in the library of PostgreSQL cannot be interrupted; one whose connection is cut gets an error.
    """

    def __init__(self) -> None:
        self._deadlines: dict[int, float] = {}
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def over(self, descriptor: int, patience: timedelta) -> Iterator[None]:
        """Cut the connection with that `descriptor` if the block takes longer."""
        with self._change:
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="flowsource-watchdog", daemon=True)
                self._thread.start()
            self._deadlines[descriptor] = time.monotonic() + patience.total_seconds()
            if len(self._deadlines) == 1:
                self._change.notify()
        try:
            yield
        finally:
            with self._change:
                self._deadlines.pop(descriptor, None)

    def close(self) -> None:
        """End the thread; it begins anew when there is something to watch again."""
        with self._change:
            thread, self._thread = self._thread, None
            self._change.notify()
        if thread is not None:
            thread.join()

    def _watch(self) -> None:
        with self._change:
            while self._thread is threading.current_thread():
                self._change.wait(_LOOK_EVERY if self._deadlines else None)
                now = time.monotonic()
                for descriptor in [one for one, deadline in self._deadlines.items() if deadline < now]:
                    del self._deadlines[descriptor]
                    cut(descriptor)


def cut(descriptor: int) -> None:
    """Cut the connection with that descriptor, which stays with its owner."""
    # It may be cut already.
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as connection:
        connection.shutdown(socket.SHUT_RDWR)
