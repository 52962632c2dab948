"""Follows a repository, and is killed again and again while it does; run as a process of its own.

    python -m tests.fire.killing steps|moments|shared ROUNDS SEED CACHE URL REPOSITORY

Each round adds a commit and has a process take it into the cache, which is killed: at one of the things that it does
to the disk, spread over all of them, or at a random moment. Another process then starts anew. A line of JSON tells
what that found wrong. With `shared` somebody else is at work on the same cache, and is allowed to be.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from dulwich.repo import Repo

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import SourceUnavailable
from flowsource.snapshots.cache import SnapshotCache
from flowsource.sources.git.repository import GitRepository
from tests.fire.serving import debris, is_unlocked, unsound
from tests.support.forking import forked

_FILES = 40


async def follow(cache: Path, url: str) -> None:
    """What a server does with a new commit: once from start to end."""
    kept, source = SnapshotCache(cache), GitRepository(url, branch="main")
    await kept.sweep()
    revision = await source.resolve()
    try:
        await kept.ensure(source, revision)
    except SourceUnavailable:
        # Somebody else has pushed meanwhile. The next poll takes that.
        return
    await kept.remember_tip(source, revision)
    await kept.collect(keep=3, keep_for=timedelta(0), in_use=[(source.key, revision)], now=datetime.now(UTC))


async def restart(cache: Path, url: str, expected: str | None, report: Path) -> None:
    """Start anew as a server does, and tell in `report` what is wrong."""
    kept, source = SnapshotCache(cache), GitRepository(url, branch="main")
    workspace = cache / "sources" / source.key
    before = await unsound(kept)
    await kept.sweep()
    wrong = [f"before: {one}" for one in before]
    if expected is not None:
        left = [one for one in debris(workspace) if one.startswith("staging")]
        wrong += [f"not swept: {one}" for one in left]
        snapshot = await kept.ensure(source, await source.resolve())
        wrong += [f"debris: {one}" for one in debris(workspace)]
        wrong += [] if is_unlocked(workspace) else ["a lock is held"]
        wrong += [] if snapshot.revision.id == expected else ["another commit was served"]
        with Repo(str(workspace / "objects")) as store:
            wrong += [] if len(store.object_store.packs) < 60 else ["the store grows"]
    wrong += [f"after: {one}" for one in await unsound(kept)]
    report.write_text(json.dumps(wrong))


def arrange_to_end(number: int, cache: Path, reached: Path) -> None:
    """Have this process killed at the thing `number` that it does to the disk below `cache`, and count them."""
    seen = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        subject = arguments[0] if arguments else None
        if not isinstance(subject, str | bytes | os.PathLike):
            return
        if not os.fsdecode(subject).startswith(str(cache)):
            return
        seen += 1
        if seen == number:
            reached.write_text(event)
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def steps_of(cache: Path, url: str) -> int:
    """How many things are done to the disk for the newest commit."""
    low, high = 1, 2
    reached = cache.with_name("reached")

    def reaches(number: int) -> bool:
        trial = cache.with_name("trial")
        if cache.exists():
            shutil.copytree(cache, trial, symlinks=True)
        else:
            trial.mkdir()

        def act() -> None:
            arrange_to_end(number, trial, reached)
            anyio.run(follow, trial, url)

        ended = forked(act)
        SnapshotCache(trial)
        shutil.rmtree(trial)
        return not ended

    while reaches(high):
        low, high = high, high * 2
    while high - low > low // 8 + 8:
        middle = (low + high) // 2
        low, high = (middle, high) if reaches(middle) else (low, middle)
    return low


def change(repository: FixtureRepository, chance: random.Random) -> str:
    """A commit that changes something, and sometimes much."""
    files: dict[str, str | bytes] = {"flows.py": f"ANSWER = {chance.random()}\n"}
    often = chance.random() < 0.3
    for number in range(_FILES):
        seed = chance.random() if often else number
        files[f"data/{number % 5}/{number}.bin"] = random.Random(seed).randbytes(3000)
    return repository.commit_files(files)


def ends(how: str, rounds: int, chance: random.Random, cache: Path, url: str) -> Iterator[Callable[[], bool]]:
    """One way after the other to have a process begin with the newest commit, and end early."""
    if how != "steps":
        for _ in range(rounds):
            yield partial(forked, partial(anyio.run, follow, cache, url), kill_after=chance.uniform(0.0, 0.15))
        return

    def act(number: int) -> None:
        arrange_to_end(number, cache, cache.with_name("reached"))
        anyio.run(follow, cache, url)

    most = steps_of(cache, url)
    for place in range(rounds):
        yield partial(forked, partial(act, 1 + place * most // rounds))


def main(how: str, rounds: str, seed: str, cache: str, url: str, repository: str) -> None:
    # Imports what each round would import again.
    anyio.run(anyio.sleep, 0)
    chance, kept, remote = random.Random(int(seed)), Path(cache), FixtureRepository(Path(repository))
    report = kept.with_name(f"report-{seed}")
    for end in ends(how, int(rounds), chance, kept, url):
        tip = change(remote, chance) if how != "shared" or int(seed) % 2 else None
        ended = end()
        assert forked(partial(anyio.run, restart, kept, url, None if how == "shared" else tip, report))
        print(json.dumps({"ended": ended, "wrong": json.loads(report.read_text())}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
