"""One of those who serve removes what was kept long enough."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from flowsource.errors import StoreUnavailable
from flowsource.retention import Keeping, Limits, Pruned
from flowsource.runner import pruning
from flowsource.runner.pruning import prune_now_and_then
from flowsource.store import open_store
from flowsource.store.protocol import Store
from tests.store.pruning_contract import DAY, before, ended, names
from tests.store.words import MINUTE, NOW, SECOND, registration, serve
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

SCRIPT = """
from flowsource import flow


@flow
def hello():
    pass


if __name__ == "__main__":
    hello.serve(name="daily")
"""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path}/home/flowsource.db") as store:
        yield store


async def keep_a_history(store: Store) -> None:
    """Runs that ended 100 and 50 days ago, and the newest."""
    now = datetime.now(UTC)
    server = await serve(store, registration(), now=now, lease=DAY)
    for days in (100, 50, 1):
        await ended(server, now - days * DAY, f"{days}", count=3)


async def test_whoever_serves_removes_what_was_kept_long_enough(store: Store, tmp_path: Path) -> None:
    await keep_a_history(store)
    script = tmp_path / "flows.py"
    script.write_text(SCRIPT)

    with serving(script, tmp_path / "home"):
        await until_left(store, ["1", "50"])
        logs = {run.name: len(await store.lines(run.id)) for run in await store.runs()}

    assert logs == {"1": 3, "50": 0}


async def until_left(store: Store, expected: list[str]) -> None:
    """Return once the runs of these names are left, of which the older have no log."""
    while sorted(await names(store)) != expected:  # noqa: ASYNC110 - nobody rings for what is removed
        await anyio.sleep(0.01)


async def test_while_one_does_it_others_do_not(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await store.take_turn(pruning.CHORE, now=datetime.now(UTC), length=pruning.PRUNE_EVERY)
    take_turn, looked, pruned = store.take_turn, anyio.Event(), []

    async def watched(chore: str, *, now: datetime, length: timedelta) -> bool:
        is_ours = await take_turn(chore, now=now, length=length)
        looked.set()
        return is_ours

    async def prune(what: Limits) -> Pruned:
        pruned.append(what)
        return Pruned()

    monkeypatch.setattr(store, "take_turn", watched)
    monkeypatch.setattr(store, "prune", prune)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(prune_now_and_then, store, Keeping())
        await looked.wait()
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()

    assert pruned == []


async def test_a_store_that_is_away_ends_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await keep_a_history(store)
    monkeypatch.setattr(pruning, "PRUNE_EVERY", timedelta(milliseconds=1))
    prune, calls = store.prune, list[Limits]()

    async def sometimes(what: Limits) -> Pruned:
        calls.append(what)
        if len(calls) == 1:
            raise StoreUnavailable("away")
        return await prune(what)

    monkeypatch.setattr(store, "prune", sometimes)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(prune_now_and_then, store, Keeping())
        await until_left(store, ["1", "50"])
        tasks.cancel_scope.cancel()


async def test_the_file_does_not_grow_while_as_much_goes_as_comes(store: Store, tmp_path: Path) -> None:
    server = await serve(store, registration(), lease=1000 * DAY)
    file = tmp_path / "home" / "flowsource.db"
    sizes = []
    for day in range(12):
        for minute in range(10):
            await ended(server, NOW + day * DAY + minute * MINUTE, count=300)
        await pruning.prune(store, before(NOW + day * DAY - SECOND))
        sizes.append(file.stat().st_size)

    assert len(await names(store)) == 10
    assert sizes[-1] <= 1.1 * sizes[5]
