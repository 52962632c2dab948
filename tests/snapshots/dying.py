"""Ends or fails a fetch at each thing it does to the disk, one after the other; run as a process of its own.

    python -m tests.snapshots.dying kill|fail DIRECTORY

Each round takes a new cache and stops at the next operation, until there are no more. For each that was stopped a line
of JSON tells the operation, what was there afterwards, and what the next process made of it.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from flowsource.errors import SourceUnavailable
from flowsource.snapshots.cache import SnapshotCache
from tests.snapshots.written import ONE, WrittenSource, below
from tests.support.forking import forked

TREE = {"flows.py": "ANSWER = 42\n", "data/rows.csv": "1,2\n", "latest -> data": ""}


def arrange_to_stop(number: int, root: Path, how: str) -> None:
    """Arrange for this process to be killed, or refused by the disk, at its operation `number` below `root`."""
    seen = itertools.count(1)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        subject = arguments[0] if arguments else None
        if not isinstance(subject, str | bytes | os.PathLike):
            return
        path = os.fsdecode(subject)
        if not path.startswith(str(root)) or next(seen) != number:
            return
        (root.parent / "operation").write_text(f"{event} {os.path.relpath(path, root)}")
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    sys.addaudithook(watch)


def ensure(root: Path, *, stop_at: int, how: str) -> None:
    arrange_to_stop(stop_at, root, how)
    anyio.run(SnapshotCache(root).ensure, WrittenSource(TREE), ONE)


def look(root: Path) -> dict[str, Any]:
    """What can be seen of the cache."""
    workspace = root / "sources" / "written"
    found = SnapshotCache(root).find("written", ONE)
    return {
        "staging": below(workspace / "staging"),
        "visible": found is not None,
        "holds": below(found.root) if found else [],
    }


def recover(root: Path, report: Path) -> None:
    async def restart() -> None:
        cache = SnapshotCache(root)
        await cache.sweep()
        swept = look(root)
        snapshot = await cache.ensure(WrittenSource(TREE), ONE)
        damage = await cache.verify(snapshot)
        report.write_text(json.dumps({"swept": swept, "ensured": look(root), "damage": damage}))

    anyio.run(restart)


def main(how: str, directory: Path) -> None:
    # Imports what each round would import again.
    anyio.run(anyio.sleep, 0)
    for number in itertools.count(1):
        place = directory / str(number)
        root, report = place / "cache", place / "report"
        place.mkdir()
        SnapshotCache(root)
        forked(partial(ensure, root, stop_at=number, how=how), may_raise=(SourceUnavailable,))
        if not (place / "operation").exists():
            return
        left = look(root)
        assert forked(partial(recover, root, report))
        operation = (place / "operation").read_text()
        print(json.dumps({"operation": operation, "left": left, **json.loads(report.read_text())}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
