"""Processes that fetch a source with what a product fetches with: told to by lines, timed by themselves."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peer.products import Product

# Ours has no public function that does nothing but fetch: these are what a server does at a poll, from the question to
# a snapshot that could survive a power cut. The peer's is the public method that its server calls at a poll.
SCRIPTS = {
    "flowsource": """
import json, sys, time
from pathlib import Path

import anyio

from flowsource import GitRepository, RemoteStorage
from flowsource.runner.child import protection
from flowsource.snapshots.cache import SnapshotCache
from flowsource.snapshots.disk import remove_tree

root, kind, url, settings = Path(sys.argv[1]), sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
source = GitRepository(url) if kind == "git" else RemoteStorage(url, **settings)

def opened():
    return SnapshotCache(root, is_protected=protection.is_possible())

async def main():
    cache = opened()
    for asked in sys.stdin:
        if asked.strip() == "forget":
            remove_tree(root)
            cache, took = opened(), 0.0
        else:
            began = time.perf_counter()
            revision = await source.resolve()
            if cache.find(source.key, revision) is None:
                await cache.ensure(source, revision)
                await cache.remember_tip(source, revision)
            took = time.perf_counter() - began
        print(took, flush=True)

anyio.run(main)
""",
    "prefect": """
import asyncio, json, shutil, sys, time
from pathlib import Path

from prefect.runner.storage import GitRepository, RemoteStorage

root, kind, url, settings = Path(sys.argv[1]), sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
source = GitRepository(url) if kind == "git" else RemoteStorage(url, **settings)
source.set_base_path(root)

async def main():
    for asked in sys.stdin:
        if asked.strip() == "forget":
            shutil.rmtree(root)
            root.mkdir()
            took = 0.0
        else:
            began = time.perf_counter()
            await source.pull_code()
            took = time.perf_counter() - began
        print(took, flush=True)

asyncio.run(main())
""",
}


@dataclass(frozen=True, slots=True)
class Fetching:
    """A process that fetches one source into one directory."""

    process: subprocess.Popen[str]

    def fetch(self) -> float:
        """Seconds from asking the source what is new until that is on the disk."""
        return self._tell("fetch")

    def forget(self) -> None:
        """Remove all that was fetched."""
        self._tell("forget")

    def first(self) -> float:
        """Seconds of a fetch with nothing there yet; what it fetched stays."""
        self.forget()
        return self.fetch()

    def _tell(self, word: str) -> float:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the process that fetches ended with {self.process.wait()}")
        return float(answer)


@contextmanager
def fetching(product: Product, root: Path, kind: str, url: str, settings: Mapping[str, Any] = {}) -> Iterator[Fetching]:
    """One that fetches the source at `url`, of the kind "git" or "bucket", into the new directory `root`."""
    root.mkdir(parents=True)
    command = [str(product.python), "-c", SCRIPTS[product.module], str(root), kind, url, json.dumps(settings)]
    variables = {**product.variables, "PREFECT_HOME": str(root.with_suffix(".home"))}
    with (
        root.with_suffix(".log").open("w") as log,
        subprocess.Popen(
            command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        try:
            yield Fetching(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
