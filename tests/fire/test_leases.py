"""Garbage is collected all the time beside many runs: nothing is ever missing under a lease."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from flowsource.snapshots.cache import SnapshotCache
from tests.fire import leasing
from tests.fire.length import rounds
from tests.snapshots.written import ONE, WrittenSource

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]


@contextmanager
def leasers(cache: Path, processes: int, count: int) -> Iterator[list[subprocess.Popen[str]]]:
    command = [sys.executable, "-m", leasing.__name__, str(cache), str(count)]
    started = [
        subprocess.Popen([*command, str(seed)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for seed in range(processes)
    ]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


@pytest.mark.parametrize("is_in_use", [True, False], ids=["of a source in use", "of one that is to go as a whole"])
async def test_no_file_is_ever_missing_under_a_lease_while_garbage_is_collected(
    tmp_path: Path, is_in_use: bool
) -> None:
    cache, processes = SnapshotCache(tmp_path / "cache"), 2
    runs = rounds("runs beside the garbage collection", short=40, full=5000)
    collected = set[str]()
    in_use = [(WrittenSource().key, ONE)] if is_in_use else []
    with leasers(cache.root, processes, runs // processes) as started:
        while any(process.poll() is None for process in started):
            gone = await cache.collect(keep=1, keep_for=timedelta(0), in_use=in_use, now=datetime.now(UTC))
            collected.update(revision.id for _, revision in gone)
            await anyio.lowlevel.checkpoint()
        told = []
        for process in started:
            out, error = process.communicate()
            assert process.returncode == 0, error
            told.append(json.loads(out))
    assert [one["wrong"] for one in told] == [[]] * processes
    assert sum(one["runs"] for one in told) == runs // processes * processes
    # Else all this would prove nothing.
    assert len(collected) > 1
    await cache.collect(keep=1, keep_for=timedelta(0), in_use=in_use, now=datetime.now(UTC))
    left = list((cache.root / "sources").glob("*/snapshots/*"))
    assert 1 <= len(left) <= 2 if is_in_use else left == []
