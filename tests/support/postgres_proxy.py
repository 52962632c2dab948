"""A way to PostgreSQL on which what is said is lost, when a test says so."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

_PIECE = 65536
Lost = Literal["request", "answer"]


@dataclass(eq=False)
class LossyWay:
    """A proxy on 127.0.0.1. The next request that has `marker` in it is `lost`, or its answer is, and its connection.

    Whoever is connected is told by a closed connection, as where a server or a network ends.
    """

    server_port: int
    lost: Lost | None = None
    marker: bytes = b"Q\x00\x00\x00\x0bCOMMIT\x00"
    happened: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close it, with every connection through it."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()
        with self._lock:
            for one in self._open:
                _shut(one)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.server_port))
            with self._lock:
                self._open |= {client, server}
            lose_answer = threading.Event()
            threading.Thread(target=self._ask, args=(client, server, lose_answer), daemon=True).start()
            threading.Thread(target=self._answer, args=(client, server, lose_answer), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, lose_answer: threading.Event) -> None:
        with suppress(OSError):
            while piece := client.recv(_PIECE):
                lost = self._takes(piece)
                if lost == "request":
                    break
                if lost == "answer":
                    lose_answer.set()
                server.sendall(piece)
        _shut(server)
        if not lose_answer.is_set():
            _shut(client)

    def _answer(self, client: socket.socket, server: socket.socket, lose_answer: threading.Event) -> None:
        with suppress(OSError):
            while piece := server.recv(_PIECE):
                if lose_answer.is_set():
                    break
                client.sendall(piece)
        _shut(client)
        _shut(server)

    def _takes(self, piece: bytes) -> Lost | None:
        with self._lock:
            if self.lost is None or self.marker not in piece:
                return None
            lost, self.lost = self.lost, None
            self.happened += 1
            return lost


@contextmanager
def lossy_way(address: str) -> Iterator[tuple[LossyWay, str]]:
    """A proxy to the server of `address`, and the address by way of it, until the block ends."""
    before, _, rest = address.rpartition("@127.0.0.1:")
    port, _, path = rest.partition("/")
    way = LossyWay(int(port))
    try:
        yield way, f"{before}@127.0.0.1:{way.port}/{path}"
    finally:
        way.close()


def _shut(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
        one.close()
