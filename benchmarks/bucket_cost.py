"""What a bucket of many small objects costs: the first snapshot, a poll that finds nothing new, one changed object.

python -m benchmarks.bucket_cost [OBJECTS]
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import anyio

from benchmarks.measure import print_table, run_python
from flowsource import RemoteStorage
from flowsource.snapshots.cache import SnapshotCache
from tests.support.s3_server import s3_server

OBJECTS = 2_000
SIZE = 200
ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Step:
    """Seconds, seconds of CPU in this process, and requests by what they asked for."""

    wall: float
    cpu: float
    requests: dict[str, int]


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


def main() -> None:
    """Fill a bucket, take it, poll it, change it, and print a table."""
    objects = int(sys.argv[1]) if len(sys.argv) > 1 else OBJECTS
    with serving(objects) as bucket, tempfile.TemporaryDirectory() as place:
        steps = anyio.run(measured, bucket, Path(place))
    nothing = median(run_python("pass").wall for _ in range(ROUNDS))
    print_table(
        f"A bucket of {objects:,} objects of {SIZE} bytes; medians of {ROUNDS}, but for the first snapshot",
        ["", "s", "CPU s", "x nothing", "listings", "reads"],
        [
            [
                name,
                f"{median(step.wall for step in taken):.3f}",
                f"{median(step.cpu for step in taken):.3f}",
                f"{median(step.wall for step in taken) / nothing:.1f}",
                f"{taken[-1].requests.get('list', 0)}",
                f"{taken[-1].requests.get('get', 0)}",
            ]
            for name, taken in steps.items()
        ],
    )


async def measured(bucket: Bucket, root: Path) -> dict[str, list[Step]]:
    """What each of the three things cost, each time that it was done."""
    cache, source = SnapshotCache(root), RemoteStorage("s3://bucket/code", **bucket.settings)

    async def take() -> Step:
        began, cpu = time.perf_counter(), time.process_time()
        revision = await source.resolve()
        if cache.find(source.key, revision) is None:
            await cache.ensure(source, revision)
        return Step(time.perf_counter() - began, time.process_time() - cpu, bucket.requests())

    steps = {"first snapshot, libraries and all": [await take()], "poll that finds nothing new": [], "one changed": []}
    for number in range(ROUNDS):
        steps["poll that finds nothing new"].append(await take())
        bucket.put("code/0/0.py", b"%0*d" % (SIZE, number + 1))
        steps["one changed"].append(await take())
    return steps


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
            server.put_raw(f"code/{number % 100}/{number}.py", b"%0*d" % (SIZE, number))
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


if __name__ == "__main__":
    main()
