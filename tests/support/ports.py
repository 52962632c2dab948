"""Ports for servers that are stopped and started again."""

from __future__ import annotations

import random
import socket
from contextlib import suppress
from pathlib import Path

_GIVEN_TO_ANYBODY = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A port of 127.0.0.1 that the system gives to nobody who asks for any, also not while its server is stopped.

    Where it gives all of them, it is one of these.
    """
    first, last = map(int, _GIVEN_TO_ANYBODY.read_text().split())
    ours = [port for port in range(10_000, 65_536) if not first <= port <= last] or [*range(10_000, 65_536)]
    # Not as a test may have seeded it: all that go on at once would be given the same.
    random.SystemRandom().shuffle(ours)
    for port in ours:
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("all of them are taken")
