"""What a bucket of many small objects costs: the first snapshot, a poll that finds nothing new, one changed object.

python -m benchmarks.bucket_cost [OBJECTS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import anyio

from benchmarks.bucket_serving import SIZE, Bucket, content, key, serving
from benchmarks.measure import print_table, run_python
from flowsource import RemoteStorage
from flowsource.snapshots.cache import SnapshotCache

OBJECTS = 2_000
ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Step:
    """Seconds, seconds of CPU in this process, and requests by what they asked for."""

    wall: float
    cpu: float
    requests: dict[str, int]


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
        bucket.put(key(0), content(number + 1))
        steps["one changed"].append(await take())
    return steps


if __name__ == "__main__":
    main()
