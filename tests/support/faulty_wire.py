"""A wire to a server that breaks, in some way, after any number of bytes."""

from __future__ import annotations

import select
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

Fault = Literal["cut", "half-close", "reset", "stall", "garble"]
_READ = 65_536


class FaultyWire:
    """Hands on what passes to and from a server on this machine.

    After so many bytes of what the server says, over all connections, the connection is closed (`cut`), closed for
    what the server says alone (`half-close`), closed as by a crash (`reset`) or left open in silence (`stall`). With
    `garble` one byte is changed.
    """

    def __init__(self, port: int, upstream: int) -> None:
        self.port, self.upstream = port, upstream
        self.said = 0
        self._lock = threading.Lock()
        self._fault: tuple[Fault, int] | None = None
        self.released = threading.Event()

    def break_after(self, count: int, how: Fault) -> None:
        """From now on hand on `count` bytes of what the server says, and then be broken."""
        self.mend()
        self._fault = how, count

    def mend(self) -> None:
        """From now on hand on everything, beginning to count anew."""
        self.released.set()
        self.released = threading.Event()
        self._fault, self.said = None, 0

    @property
    def broke(self) -> bool:
        """Whether so much was said that it is broken."""
        return self._fault is not None and self.said > self._fault[1]

    def hand_on(self, data: bytes) -> tuple[bytes, Fault | None]:
        """What of `data` is handed on, and what happens after it."""
        with self._lock:
            before, self.said = self.said, self.said + len(data)
            if self._fault is None or self.said <= self._fault[1]:
                return data, None
            how, count = self._fault
            place = max(count - before, 0)
            if how != "garble":
                return data[:place], how
            # Once: what comes after it is as it was.
            self._fault = None
            return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :], None


@contextmanager
def faulty_wire(upstream: int) -> Iterator[FaultyWire]:
    """A wire to the port `upstream` of this machine, from a free port of it."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.wire = FaultyWire(server.server_address[1], upstream)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.wire
    finally:
        server.wire.mend()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    wire: FaultyWire

    def handle_error(self, request: object, client_address: object) -> None:
        """A side that goes away in the middle is what this is for."""


class _Handler(socketserver.BaseRequestHandler):
    server: _Server
    request: socket.socket

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.wire.upstream)) as upstream:
            while True:
                ready, _, _ = select.select([self.request, upstream], [], [])
                if self.request in ready:
                    if not (asked := self.request.recv(_READ)):
                        return
                    upstream.sendall(asked)
                if upstream in ready:
                    if not (said := upstream.recv(_READ)):
                        return
                    data, fault = self.server.wire.hand_on(said)
                    self.request.sendall(data)
                    if fault is not None:
                        self._break(fault)
                        return

    def _break(self, how: Fault) -> None:
        # Who asked may have hung up before the fault came.
        with suppress(OSError):
            if how == "reset":
                self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.request.close()
            elif how == "half-close":
                self.request.shutdown(socket.SHUT_WR)
            if how in ("half-close", "stall"):
                self.server.wire.released.wait(30)
