"""Connections whose answers are waited for with patience: a timeout of a socket begins anew with every byte."""

from __future__ import annotations

import http.client
import io
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from flowsource.sources.git.wire.patience import Waiting

# Large, for the sake of large answers: each look at a socket takes three calls of the system.
_BUFFER = 1 << 18

_WAITING: ContextVar[Waiting] = ContextVar("waiting")


def make_patient(manager: urllib3.PoolManager) -> None:
    """Have all connections of `manager` wait as `using` says."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


@contextmanager
def using(waiting: Waiting) -> Iterator[None]:
    """Wait so for the answer to what is asked inside, to the end of its body."""
    token = _WAITING.set(waiting)
    try:
        yield
    finally:
        _WAITING.reset(token)


class _WithoutQueries(logging.Filter):
    """Takes from each line of urllib3 what follows a `?`: a signed URL is a secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(one.partition("?")[0] if isinstance(one, str) else one for one in record.args)
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_WithoutQueries())


class _Reader(io.RawIOBase):
    """The bytes of one answer as they arrive at `sock`, which `raw` keeps open."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, waiting: Waiting) -> None:
        self._raw, self._socket, self._waiting = raw, sock, waiting

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        before, begun = self._socket.gettimeout(), time.monotonic()
        try:
            while True:
                self._socket.settimeout(self._waiting.glance(begun))
                try:
                    received = self._socket.recv_into(buffer)
                except TimeoutError:
                    continue
                if received == 0:
                    self._waiting.end()
                self._waiting.count(received)
                return received
        finally:
            self._socket.settimeout(before)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._waiting = _WAITING.get()
        self.fp = io.BufferedReader(_Reader(self.fp.detach(), sock, self._waiting), _BUFFER)

    def begin(self) -> None:
        super().begin()
        # Not reached for the answer of a proxy to CONNECT: that and the real one have the same time together.
        self._waiting.head_is_there()


class _Connection(HTTPConnection):
    response_class = _Response


class _TlsConnection(HTTPSConnection):
    response_class = _Response


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection  # pyright: ignore[reportAssignmentType]  # as in urllib3 itself


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection  # pyright: ignore[reportAssignmentType]  # as in urllib3 itself
