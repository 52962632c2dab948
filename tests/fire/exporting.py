"""Takes commits into a cache one after the other, as root and then as somebody else; run as a process of its own.

    python -m tests.fire.exporting URL CACHE USER COMMIT...

For each commit a line of JSON has what its snapshot holds. Whoever is no root is so with the number USER, and has his
own cache in a directory beside CACHE; the first lines are root's, who so has imported all that is needed.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import anyio

from flowsource.snapshots.cache import SnapshotCache
from flowsource.sources.git.repository import GitRepository
from tests.fire.histories import as_json, listing


async def export(url: str, root: Path, commits: list[str]) -> None:
    cache = SnapshotCache(root)
    for commit in commits:
        source = GitRepository(url, commit_sha=commit)
        snapshot = await cache.ensure(source, await source.resolve())
        damage = await cache.verify(snapshot)
        files = [path for path in snapshot.root.rglob("*") if path.is_file() and not path.is_symlink()]
        shared = sum(path.stat().st_nlink > 1 for path in files)
        told = {"holds": as_json(listing(snapshot.root)), "damage": damage, "shared": shared, "files": len(files)}
        print(json.dumps(told), flush=True)


def main(url: str, cache: str, user: str, *commits: str) -> None:
    anyio.run(export, url, Path(cache) / "of-root", list(commits))
    os.setgroups([])
    os.setgid(int(user))
    os.setuid(int(user))
    anyio.run(export, url, Path(cache) / "of-somebody", list(commits))


if __name__ == "__main__":
    main(*sys.argv[1:])
