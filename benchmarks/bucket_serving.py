"""A process that serves a bucket of many small objects to S3 clients, and counts what it is asked."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from tests.support.s3_server import s3_server

URL = "s3://bucket/code"
SIZE = 200


def key(number: int) -> str:
    """The key of the object of that number, in one of a hundred directories."""
    return f"code/{number % 100}/{number}.py"


def content(number: int) -> bytes:
    """What is in an object, SIZE bytes, of which each number has others."""
    return b"%0*d" % (SIZE, number)


class Bucket:
    """The server in a process of its own, told what to store and asked what it was asked."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.settings: dict[str, Any] = connection.recv()

    def put(self, key: str, content: bytes) -> None:
        """Store an object."""
        self._connection.send((key, content))
        self._connection.recv()

    def requests(self) -> dict[str, int]:
        """How often each was asked for since this was called before."""
        self._connection.send(None)
        counted: dict[str, int] = self._connection.recv()
        return counted


@contextmanager
def serving(objects: int) -> Iterator[Bucket]:
    """A server with that many objects in its bucket, until the block ends."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, objects), daemon=True)
    process.start()
    try:
        yield Bucket(ours)
    finally:
        ours.close()
        process.join(10)
        process.terminate()


def _serve(connection: Connection, objects: int) -> None:
    with s3_server() as server:
        for number in range(objects):
            server.put_raw(key(number), content(number))
        server.log.clear()
        connection.send({name: value for name, value in server.settings().items() if name != "session"})
        while True:
            try:
                asked = connection.recv()
            except EOFError:
                return
            if asked is None:
                actions = [request.action for request in server.log]
                server.log.clear()
                connection.send({action: actions.count(action) for action in actions})
            else:
                server.put_raw(*asked)
                connection.send(None)
