"""Takes one commit into a cache within a bound of memory, and tells how much it took; run as a process of its own.

    python -m tests.fire.measured URL CACHE COMMIT BOUND

BOUND is in MiB, and for the address space beyond what the process has once it has imported everything. A line of JSON
has the most that was in memory, in MiB, before and after, and the error if there was one.
"""

from __future__ import annotations

import json
import re
import resource
import sys
from pathlib import Path

import anyio

from flowsource.errors import SourceError
from flowsource.snapshots.cache import SnapshotCache
from flowsource.sources.git.repository import GitRepository


def peak() -> int:
    """The most that was in memory so far, in MiB; what was before `exec` does not count."""
    return status("VmHWM") >> 10


def status(name: str) -> int:
    """A figure of this process, in KiB."""
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


async def main(*arguments: str) -> None:
    url, root, commit, bound = arguments
    cache = SnapshotCache(Path(root))
    before, error = peak(), ""
    most = (status("VmSize") << 10) + (int(bound) << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    source = GitRepository(url, commit_sha=commit)
    try:
        await cache.ensure(source, await source.resolve())
    except SourceError as refused:
        error = str(refused)
    print(json.dumps({"before": before, "after": peak(), "error": error}))


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
