"""A process that follows a real remote is killed at any step and at any moment; the next one finds nothing amiss."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.fire import killing
from tests.fire.length import rounds
from tests.fire.serving import Stage, debris, is_unlocked, stage, unsound
from tests.sources.contract import files_in

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Stage]:
    with stage(tmp_path) as made:
        yield made


def killer(here: Stage, how: str, count: int, *, seed: int) -> subprocess.Popen[str]:
    arguments = [how, str(count), str(seed), str(here.home / "cache"), here.url, str(here.repository.path)]
    command = [sys.executable, "-m", killing.__name__, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def told_by(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    out, error = process.communicate(timeout=1500)
    assert process.returncode == 0, error
    return [json.loads(line) for line in out.splitlines()]


async def is_sound(here: Stage) -> None:
    """The next one who starts serves the newest commit, and leaves the cache in order."""
    await here.cache.sweep()
    snapshot = await here.ensure()
    assert snapshot.revision.id == here.repository.tip()
    assert "flows.py" in files_in(snapshot.root)
    assert await unsound(here.cache) == []
    workspace = snapshot.root.parents[2]
    assert (debris(workspace), is_unlocked(workspace)) == ([], True)


async def test_killed_at_any_step_a_snapshot_is_whole_or_absent_and_the_next_poll_succeeds(here: Stage) -> None:
    count = rounds("kills at a step", short=5, full=400)
    told = await anyio.to_thread.run_sync(told_by, killer(here, "steps", count, seed=1))
    assert [one["wrong"] for one in told] == [[]] * count
    assert sum(not one["ended"] for one in told) > count / 3
    await is_sound(here)


async def test_killed_at_any_moment_a_snapshot_is_whole_or_absent_and_the_next_poll_succeeds(here: Stage) -> None:
    count = rounds("kills at a moment", short=5, full=400)
    told = await anyio.to_thread.run_sync(told_by, killer(here, "moments", count, seed=2))
    assert [one["wrong"] for one in told] == [[]] * count
    assert any(not one["ended"] for one in told)
    await is_sound(here)


async def test_two_processes_that_are_killed_on_one_cache_do_not_harm_each_other(here: Stage) -> None:
    count = rounds("kills of two on one cache", short=2, full=200)
    both = [killer(here, "shared", count, seed=seed) for seed in (3, 4)]
    for process in both:
        told = await anyio.to_thread.run_sync(told_by, process)
        assert [one["wrong"] for one in told] == [[]] * count
    await is_sound(here)
