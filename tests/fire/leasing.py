"""Takes and releases leases on snapshots that others collect, and reads them meanwhile; run as a process of its own.

    python -m tests.fire.leasing CACHE RUNS SEED

Each of the runs wants one of a few revisions, leases it, and reads all of its files more than once. Ten of them go on
at a time. A line of JSON tells what was missing or other than it should be.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import anyio

from flowsource.errors import SnapshotGone
from flowsource.revisions import Revision
from flowsource.snapshots.cache import SnapshotCache
from tests.snapshots.written import WrittenSource

AT_A_TIME = 10
REVISIONS = [Revision(id=digit * 40) for digit in "123456"]
TREE = {f"part-{number % 3}/{number}.txt": f"{number}\n" for number in range(12)}


async def run(cache: SnapshotCache, chance: random.Random, wrong: list[str]) -> None:
    """One run: at the revision that it was given, until it has ended."""
    source, revision = WrittenSource(TREE), chance.choice(REVISIONS)
    while True:
        snapshot = await cache.ensure(source, revision)
        try:
            lease = cache.lease(snapshot)
        except SnapshotGone:
            # It went between the two. That is told, and asking again is all there is to do.
            continue
        break
    with lease:
        for _ in range(3):
            for path, content in TREE.items():
                try:
                    if (snapshot.root / path).read_text() != content:
                        wrong.append(f"{revision.short}: {path} is other")
                except OSError as error:
                    wrong.append(f"{revision.short}: {error}")
            await anyio.sleep(chance.uniform(0, 0.004))


async def main(root: Path, runs: int, seed: int) -> None:
    cache, chance, wrong = SnapshotCache(root), random.Random(seed), list[str]()
    limit = anyio.Semaphore(AT_A_TIME)
    done = 0

    async def one() -> None:
        nonlocal done
        async with limit:
            await run(cache, chance, wrong)
            done += 1

    async with anyio.create_task_group() as tasks:
        for _ in range(runs):
            tasks.start_soon(one)
    print(json.dumps({"runs": done, "wrong": wrong}))


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
