"""Wakes the processes of all hosts that wait for something to be written, by way of the database itself."""

from __future__ import annotations

import logging
import os
import random
import select
import socket
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import anyio.to_thread
import psycopg

from flowsource.addresses import postgres_address
from flowsource.errors import FlowsourceError
from flowsource.store.ears import Deaf, Ear, message_of
from flowsource.store.postgres.connecting import PATIENCE, connect
from flowsource.store.postgres.watchdog import Watchdog, cut
from flowsource.store.protocol import Changes

logger = logging.getLogger(__name__)

_LISTEN = b"LISTEN flowsource"
_NOTIFY = b"SELECT pg_notify('flowsource', %s)"
# Notifying is a change, and all that do wait for each other: none is to wait for a disk as well.
_UNHURRIED = b"SET synchronous_commit = off"
_LARGEST = 7000  # bytes of one notification; PostgreSQL takes 8000
_MOST = 1000  # topics kept while there is no connection
_LONGEST_PAUSE = 5.0  # seconds between two tries to connect
# How long whoever listens waits for the first connection, and whoever leaves for what was rung last.
_READY_WITHIN = timedelta(seconds=5)
_SENT_WITHIN = timedelta(seconds=2)


@dataclass(eq=False, slots=True)
class _Listener:
    topics: frozenset[str]
    bell: socket.socket


class PostgresDoorbell:
    """A connection of its own, held by a thread of its own, on which this process rings and hears others ring.

    It is made when it is first needed, and again when it is lost: then every ear is woken, for what it may have missed.
    Inside of a process ears hear without it.
    """

    def __init__(self, address: str) -> None:
        self._address = postgres_address(address)
        self._watchdog = Watchdog()

    def open(self) -> None:
        """Be ready; nothing is connected before somebody rings or listens."""
        self._lock = threading.Lock()
        self._listeners: set[_Listener] = set()
        self._unsent: list[str] = []
        self._ready, self._sent = threading.Event(), threading.Event()
        self._sent.set()
        self._is_closing = False
        self._thread: threading.Thread | None = None
        self._connection: psycopg.Connection[Any] | None = None

    def close(self) -> None:
        """Ring what is still to be rung, as long as that takes no more than a moment, and end the thread."""
        if self._thread is None:
            return
        if self._ready.is_set():
            self._sent.wait(_SENT_WITHIN.total_seconds())
        self._is_closing = True
        os.eventfd_write(self._waker, 1)
        self._thread.join(_SENT_WITHIN.total_seconds())
        if not self._thread.is_alive():
            os.close(self._waker)
        elif (connection := self._connection) is not None:
            # The server says nothing any more. Where it is being connected to, that ends by itself.
            with suppress(psycopg.Error):  # It is closed already.
                cut(connection.fileno())
        self._watchdog.close()

    def ring(self, *topics: str) -> None:
        """Wake each ear that `topics` concern: those of this process at once, others soon."""
        self._wake(topics)
        with self._lock:
            self._unsent += topics
            self._sent.clear()
            self._begin()
        os.eventfd_write(self._waker, 1)

    @asynccontextmanager
    async def listen(self, *topics: str) -> AsyncIterator[Changes]:
        """An ear for `topics`, open while the context is."""
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        except OSError:  # This process has as many descriptors as it may.
            yield Deaf()
            return
        with ours, theirs:
            ours.setblocking(False)
            theirs.setblocking(False)
            listener = _Listener(frozenset(topics), theirs)
            with self._lock:
                self._listeners.add(listener)
                self._begin()
            try:
                if not self._ready.is_set():
                    await anyio.to_thread.run_sync(self._ready.wait, _READY_WITHIN.total_seconds())
                yield Ear(ours, listener.topics)
            finally:
                with self._lock:
                    self._listeners.remove(listener)

    def _begin(self) -> None:
        if self._thread is None:
            self._waker = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self._thread = threading.Thread(target=self._stay_connected, name="flowsource-doorbell", daemon=True)
            self._thread.start()

    def _wake(self, topics: Sequence[str]) -> None:
        """Wake the ears of this process that `topics` concern; without any, all of them."""
        message = message_of(topics)
        with self._lock:
            for listener in self._listeners:
                if not topics or not listener.topics.isdisjoint(topics):
                    # One that is full is awake already.
                    with suppress(OSError):
                        listener.bell.send(message)

    def _stay_connected(self) -> None:
        failures = 0
        while not self._is_closing:
            try:
                with connect(self._address, self._watchdog) as self._connection:
                    self._prepare(self._connection)
                    if failures or self._ready.is_set():
                        self._wake(())
                    failures = 0
                    self._ready.set()
                    self._ring_and_hear(self._connection)
            except (psycopg.Error, FlowsourceError, OSError) as error:
                # What it says is told by whoever reads or writes, who hears it too.
                logger.debug("the doorbell is connected again: %s", type(error).__name__)
            self._connection = None
            if not self._is_closing:
                self._wait(random.uniform(0.5, 1) * min(0.1 * 2**failures, _LONGEST_PAUSE))
                failures = min(failures + 1, 10)

    def _prepare(self, connection: psycopg.Connection[Any]) -> None:
        connection.add_notify_handler(lambda notice: self._hear(notice.pid, notice.payload))
        with self._watchdog.over(connection.fileno(), PATIENCE):
            connection.execute(_UNHURRIED)
            connection.execute(_LISTEN)

    def _ring_and_hear(self, connection: psycopg.Connection[Any]) -> None:
        while True:
            self._send(connection)
            if self._is_closing:
                return
            self._wait(None, connection.fileno())
            connection.pgconn.consume_input()
            while (notice := connection.pgconn.notifies()) is not None:
                self._hear(notice.be_pid, notice.extra.decode())

    def _send(self, connection: psycopg.Connection[Any]) -> None:
        with self._lock:
            topics, self._unsent = list(dict.fromkeys(self._unsent)), []
        if topics:
            message = message_of(topics)
            if len(message) > _LARGEST:
                message = message_of(())
            try:
                with self._watchdog.over(connection.fileno(), PATIENCE):
                    connection.execute(_NOTIFY, [message.decode()])
            except BaseException:
                with self._lock:
                    self._unsent = (topics + self._unsent)[:_MOST]
                raise
        with self._lock:
            if not self._unsent:
                self._sent.set()

    def _hear(self, pid: int, payload: str) -> None:
        connection = self._connection
        if connection is not None and pid != connection.pgconn.backend_pid:
            self._wake(() if payload.encode() == message_of(()) else payload.split("\n"))

    def _wait(self, timeout: float | None, *descriptors: int) -> None:
        """Wait until one of `descriptors` can be read, or somebody rings or closes."""
        waiting = select.poll()
        for descriptor in (self._waker, *descriptors):
            waiting.register(descriptor, select.POLLIN)
        waiting.poll(None if timeout is None else timeout * 1000)
        with suppress(BlockingIOError):  # Nobody did.
            os.eventfd_read(self._waker)
