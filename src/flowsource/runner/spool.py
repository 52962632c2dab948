"""What a runner keeps on its disk while the store is away: how runs ended, and what they wrote. Bounded, in order."""

from __future__ import annotations

import json
import logging
import os
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import anyio
import anyio.to_thread

from flowsource.errors import FlowsourceError, NotAllowed, StoreUnavailable
from flowsource.store.protocol import Store
from flowsource.store.values import LogLine

if TYPE_CHECKING:
    from flowsource.store.http.calls import Call

logger = logging.getLogger(__name__)

MOST_BYTES = 256 * 1024 * 1024
# Of that, what only ends of runs may fill: lines are left out before any of these is.
LOOK_EVERY = timedelta(seconds=2)
_FOR_ENDS = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Place:
    offset: int
    length: int


class Spool:
    """A file of calls to the store that are still to be made, each a line.

    Calls may be made twice: all that are kept here are of those that change nothing the second time. Should this
    process die, whoever starts here next makes them (`deliver_left`).
    """

    def __init__(self, path: Path, *, most: int = MOST_BYTES, for_ends: int = _FOR_ENDS) -> None:
        self._path, self._most, self._for_ends = path, most, for_ends
        self._lock = anyio.Lock()
        self._size, self._is_refusing = 0, False
        self._lines: deque[_Place] = deque()
        self._ends: set[UUID] = set()

    async def keep_end(self, key: UUID, call: str, arguments: Mapping[str, Any]) -> bool:
        """Keep a call by which a run ends, on the disk when this returns; whether there was room for it."""
        said = {"key": str(key), "call": call, "arguments": _calls()[call].encode_arguments(**arguments)}
        if await self._add(said, room=self._most, is_durable=True) is None:
            return False
        self._ends.add(key)
        return True

    async def end_told(self, key: UUID) -> None:
        """The store has taken that call."""
        self._ends.discard(key)
        if self._ends or self._lines:
            await self._add({"told": str(key)}, room=self._most, is_durable=False)
        else:
            await self._forget_all()

    async def keep_lines(self, run_id: UUID, lines: Sequence[LogLine]) -> bool:
        """Keep lines of a log; whether there was room for them."""
        arguments = _calls()["append_lines"].encode_arguments(run_id=run_id, lines=lines)
        place = await self._add(
            {"call": "append_lines", "arguments": arguments}, room=self._most - self._for_ends, is_durable=False
        )
        if place is not None:
            self._lines.append(place)
        return place is not None

    async def deliver_lines(self, store: Store) -> None:
        """Give the store the lines that are kept, in order; raises StoreUnavailable, and those left stay."""
        while self._lines:
            place = self._lines[0]
            await _make(store, await anyio.to_thread.run_sync(self._read, place))
            self._lines.popleft()
        if self._size and not self._ends:
            await self._forget_all()

    async def close(self) -> None:
        """Remove the file, unless something is still to be told."""
        if not self._ends and not self._lines:
            await anyio.to_thread.run_sync(partial(self._path.unlink, missing_ok=True))

    async def _add(self, said: Mapping[str, Any], *, room: int, is_durable: bool) -> _Place | None:
        data = json.dumps(said).encode() + b"\n"
        async with self._lock:
            if self._size + len(data) > room:
                return None
            place = _Place(self._size, len(data))
            try:
                await anyio.to_thread.run_sync(partial(self._write, data, is_durable=is_durable))
            except OSError as error:
                # What is refused is tried again, and need be told once only.
                logger.log(
                    logging.DEBUG if self._is_refusing else logging.WARNING,
                    "%s takes nothing (%s): what waits for the store stays in memory. Make room there.",
                    self._path,
                    error.strerror,
                )
                self._is_refusing = True
                return None
            self._is_refusing = False
            self._size += len(data)
            return place

    def _write(self, data: bytes, *, is_durable: bool) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Over what a write that failed half way has left.
            os.ftruncate(descriptor, self._size)
            written = 0
            while written < len(data):
                written += os.pwrite(descriptor, data[written:], self._size + written)
            if is_durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _read(self, place: _Place) -> bytes:
        with self._path.open("rb") as file:
            file.seek(place.offset)
            return file.read(place.length)

    async def _forget_all(self) -> None:
        async with self._lock:
            # Somebody may have come in between.
            if not self._ends and not self._lines:
                await anyio.to_thread.run_sync(partial(self._path.unlink, missing_ok=True))
                self._size = 0


async def deliver_when_back(spool: Spool, store: Store) -> None:
    """Give the store the lines that were kept as soon as it takes them, until cancelled."""
    while True:
        try:
            await spool.deliver_lines(store)
        except StoreUnavailable as error:
            logger.debug("lines are kept: %s", error)
        await anyio.sleep(LOOK_EVERY.total_seconds())


async def deliver_left(store: Store, path: Path) -> None:
    """Make the calls that a process which died has left in `path`, and remove it.

    Raises StoreUnavailable, or NotAllowed where they are for another token to make, and then it stays. What the store
    refuses is of runs that have been given up meanwhile.
    """
    try:
        # Line by line: as much as a runner may keep is more than the next one should hold in memory.
        async with await anyio.open_file(path, "rb") as file:
            told = {_parsed(entry).get("told") async for entry in file} - {None}
            await file.seek(0)
            async for entry in file:
                # The last line may be half written.
                if entry.endswith(b"\n") and _parsed(entry).get("key") not in told:
                    await _make(store, entry)
    except FileNotFoundError:
        return
    await anyio.to_thread.run_sync(partial(path.unlink, missing_ok=True))


async def _make(store: Store, entry: bytes) -> None:
    """Make one call; one that the store refuses is over."""
    said = _parsed(entry)
    if (call := _calls().get(said.get("call", ""))) is None:
        return
    try:
        await getattr(store, call.name)(**call.decode_arguments(said.get("arguments")))
    except (StoreUnavailable, NotAllowed):
        raise
    except (FlowsourceError, ValueError) as error:
        logger.warning("what was kept for the store is not taken any more: %s", error)


def _calls() -> Mapping[str, Call]:
    # Derived from the whole protocol of the store, which takes a while, and needed only while a store is away.
    from flowsource.store.http.calls import CALLS

    return CALLS


def _parsed(entry: bytes) -> dict[str, Any]:
    try:
        said = json.loads(entry)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
