"""From a remote to a published snapshot, against what Git takes for the same over the same server.

    python -m benchmarks.source_speed [DIRECTORY] [SHAPE ...]

Works below DIRECTORY, by default in memory (/dev/shm); shapes are small, medium and large. Needs the `git` program.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

import anyio

from benchmarks.git_clones import BareClone, clone
from benchmarks.git_repositories import SHAPES, Shape, change, make
from benchmarks.git_serving import serving
from benchmarks.measure import paired_ratio, print_table, take_turns
from flowsource.runner.child import protection
from flowsource.snapshots.cache import SnapshotCache
from flowsource.snapshots.disk import remove_tree
from flowsource.snapshots.snapshot import Snapshot
from flowsource.sources.git.repository import GitRepository

ROUNDS = {"small": 15, "medium": 7, "large": 5}
_SUBDIRECTORY = "part00"  # 1,000 of the files


class Bench:
    """A served repository, and a place to work in."""

    def __init__(self, url: str, repository: Path, place: Path) -> None:
        self.url, self.repository, self.place = url, repository, place

    def clone(self) -> float:
        """Seconds that `git clone --depth 1` takes."""
        return clone(self.url, self.place / "clone")

    def snapshot(self, *directories: str) -> float:
        """Seconds from asking the remote to a snapshot in an empty cache."""
        cache = self.place / "cache"
        source = GitRepository(self.url, directories=directories or None)
        took, _ = anyio.run(_take, source, SnapshotCache(cache))
        remove_tree(cache)
        return took

    def updates(self, rounds: int, *, may_link: bool) -> tuple[list[float], list[float]]:
        """Seconds of a fetch with a new work tree, and of a poll with a new snapshot, after one file was changed."""
        bare, cache = self.place / "bare.git", self.place / "kept"
        kept_by_git = BareClone.create(self.url, bare)
        source, kept = GitRepository(self.url), SnapshotCache(cache, is_protected=may_link)
        anyio.run(_take, source, kept)
        numbers = iter(range(1, 10_000))

        def by_git() -> float:
            return kept_by_git.update(change(self.repository, next(numbers)))

        def by_us() -> float:
            took, snapshot = anyio.run(_take, source, kept)
            assert snapshot.revision.id == _tip(self.repository), "the newest commit is published"
            return took

        # Git's turn makes the commit that both take over.
        git, ours = take_turns(by_git, by_us, rounds=rounds)
        remove_tree(cache)
        remove_tree(bare)
        return ours, git


async def _take(source: GitRepository, cache: SnapshotCache) -> tuple[float, Snapshot]:
    began = time.perf_counter()
    revision = await source.resolve()
    snapshot = await cache.ensure(source, revision)
    await cache.remember_tip(source, snapshot.revision)
    return time.perf_counter() - began, snapshot


def _tip(repository: Path) -> str:
    command = ["git", "-C", str(repository), "rev-parse", "main"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def _benches(root: Path, shapes: list[Shape]) -> Iterator[list[tuple[Shape, Bench]]]:
    originals = root / "flowsource-repositories"
    originals.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root) as place:
        served = Path(place) / "served"
        for shape in shapes:
            # A copy, since it is committed to.
            shutil.copytree(make(shape, originals), served / f"{shape.name}.git")
        with serving(served) as url:
            yield [
                (shape, Bench(f"{url}/{shape.name}.git", served / f"{shape.name}.git", Path(place))) for shape in shapes
            ]


def _row(name: str, ours: list[float], git: list[float], hold: str) -> list[str]:
    return [name, f"{median(git) * 1e3:.0f}", f"{median(ours) * 1e3:.0f}", f"{paired_ratio(ours, git):.2f}", hold]


def main(arguments: list[str]) -> None:
    """Measure and print."""
    root = Path(arguments[0]) if arguments else Path("/dev/shm")
    shapes = [shape for shape in SHAPES if not arguments[1:] or shape.name in arguments[1:]]
    holds = {"small": "0.4", "medium": "0.8", "large": "0.9"}
    rows = []
    with _benches(root, shapes) as benches:
        for shape, bench in benches:
            rounds = ROUNDS[shape.name]
            ours, git = take_turns(bench.snapshot, bench.clone, rounds=rounds)
            rows.append(_row(f"{shape.name}: {shape.files:,} files, all of it", ours, git, holds[shape.name]))
            if shape.name != "large":
                continue
            part, git = take_turns(partial(bench.snapshot, _SUBDIRECTORY), bench.clone, rounds=rounds)
            rows.append(_row("large: 1,000 of its files by directories=", part, git, "0.2"))
            ways = {"links": True} if os.geteuid() else {"links": True, "copies": False}
            for way, may_link in ways.items():
                if may_link and os.geteuid() == 0 and not protection.is_possible():
                    continue
                ours, git = bench.updates(rounds, may_link=may_link)
                rows.append(_row(f"large: one file changed, the others as {way}", ours, git, "0.5"))
    header = ("from a remote to a snapshot", "git ms", "ours ms", "x git", "to hold")
    print_table(f"remote to snapshot below {root}", header, rows)


if __name__ == "__main__":
    main(sys.argv[1:])
