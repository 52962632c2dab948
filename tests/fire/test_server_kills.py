"""A server is killed again and again while several write to it: what it acknowledged is there, and nothing is twice."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ParamSpec, TypeVar
from uuid import UUID, uuid4

import anyio
import anyio.to_thread
import pytest

from flowsource.runs import Run, RunState
from flowsource.server_access import TOKEN
from flowsource.store import open_store
from flowsource.store.protocol import Store
from flowsource.store.values import BEFORE_ALL, NewRun, Outcome
from tests.fire.checking import ALL, untrue
from tests.fire.length import FULL, rounds
from tests.fire.mixture import SCRIPT, ask_for_all, insist, is_exact, token_file, token_of, until_all_have_ended
from tests.store.words import lines, registration
from tests.support.live import Serving, processes_below, serving
from tests.support.servers import ServerProcess, server_process
from tests.support.waiting import PATIENCE

T = TypeVar("T")
P = ParamSpec("P")

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(14400 if FULL else 300)]

# A server is killed so long at most after it acknowledged a write, of those that it acknowledges so many at most.
LONGEST = 0.05
MOST_WRITES = 12
# And between the times at which one run of each flow is asked for.
BETWEEN = 20.0
LINES = 5
WITHIN = 600 if FULL else PATIENCE


@dataclass
class Writer:
    """Somebody who writes one thing after the other, each until it is acknowledged, and remembers what was."""

    store: Store
    name: str
    id: UUID = field(default_factory=uuid4)
    ended: list[UUID] = field(default_factory=list)
    acknowledged: int = 0

    async def write(self, until: anyio.Event) -> None:
        """Ask for runs, and report them as a runner does."""
        store, now, lease = self.store, datetime.now(UTC), timedelta(hours=1)
        [deployment] = await self._tell(
            store.register, self.id, [registration(self.name)], lease_until=now + lease, now=now
        )
        last: UUID | None = None
        while not until.is_set():
            new = NewRun(deployment_id=deployment.id, scheduled_at=now, idempotency_key=f"run {len(self.ended)}")
            asked = await self._tell(store.create_run, new, now=now)
            claimed = await self._tell(
                store.claim, self.id, [deployment.id], limit=1, now=now, transition_id=uuid4(), after=last
            )
            [run], last = claimed.runs, claimed.last
            assert (run.id, run.epoch) == (asked.id, 1)
            await self._report(run)
            self.ended.append(run.id)
            await self._tell(store.renew, self.id, lease_until=datetime.now(UTC) + lease)
        await self._tell(store.retire, self.id, now=datetime.now(UTC))

    async def _report(self, run: Run) -> None:
        store, now = self.store, run.changed_at
        await self._tell(store.start, run.id, run.epoch, at=now, transition_id=uuid4())
        for number in range(1, LINES + 1):
            await self._tell(store.append_lines, run.id, lines(number))
        outcome = Outcome(state=RunState.COMPLETED, has_result=True, result=str(run.id))
        await self._tell(store.finish, run.id, run.epoch, outcome, at=now, transition_id=uuid4())

    async def _tell(self, call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        told = await insist(lambda: call(*args, **kwargs))
        self.acknowledged += 1
        return told


async def test_whatever_a_server_acknowledged_before_it_was_killed_is_there_and_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills = rounds("kills of a server", short=5, full=1000)
    script, home, ledger = tmp_path / "flows.py", tmp_path / "runner", tmp_path / "ledger"
    script.write_text(SCRIPT)
    with server_process(tmp_path / "server") as server:
        environ = {**await token_file(server, tmp_path), "LEDGER": str(ledger)}
        monkeypatch.setenv(TOKEN, await token_of(server, "anna", "admin"))
        async with AsyncExitStack() as held:
            runner = await held.enter_async_context(serving(script, home, address=server.url, environ=environ))
            writers = [
                Writer(await held.enter_async_context(open_store(server.url)), f"writer {number}")
                for number in range(2)
            ]
            asked = await write_while_it_is_killed(server, kills, runner, writers)
            assert await runner.stop() == 0, runner.said[-4000:]
        print(f"{kills} kills, {sum(len(one.ended) for one in writers)} runs of writers, {len(asked)} of flows")
        async with open_store(server.store) as store:
            known = [run.id for run in asked] + [run_id for one in writers for run_id in one.ended]
            assert await untrue(store, home, acknowledged=known, ledger=ledger) == []
            for one in writers:
                assert one.ended, "else nothing of this would prove anything"
                await is_kept(store, one)
            await is_exact(store, asked, len(asked) // 6, ledger)
    assert processes_below(home) == []


async def write_while_it_is_killed(
    server: ServerProcess, kills: int, runner: Serving, writers: list[Writer]
) -> list[Run]:
    """Have all write until the server was killed so often; the runs that were asked for."""
    chance, is_over = random.Random(13), anyio.Event()
    asked: list[Run] = []
    async with anyio.create_task_group() as tasks:
        for one in writers:
            tasks.start_soon(one.write, is_over)

        async def ask() -> None:
            while not is_over.is_set():
                asked.extend(await ask_for_all(runner, 1, key=str(len(asked))))
                with anyio.move_on_after(BETWEEN):
                    await is_over.wait()

        tasks.start_soon(ask)
        for _ in range(kills):
            enough = chance.randint(1, MOST_WRITES) + sum(one.acknowledged for one in writers)
            await runner.until(lambda enough=enough: sum(one.acknowledged for one in writers) >= enough, "writes")
            await anyio.sleep(chance.uniform(0, LONGEST))
            await anyio.to_thread.run_sync(server.end, signal.SIGKILL)
            await anyio.to_thread.run_sync(server.start)
        is_over.set()
    await until_all_have_ended(runner, len(asked), within=WITHIN)
    return asked


async def is_kept(store: Store, writer: Writer) -> None:
    """All that the writer was told is written, and once."""
    deployment = await store.deployment(writer.name)
    runs = {run.id: run for run in await store.runs(deployment_id=deployment.id, limit=ALL)}
    assert runs.keys() == set(writer.ended)
    for run in runs.values():
        assert (run.state, run.result, run.attempt, run.epoch) == (RunState.COMPLETED, str(run.id), 1, 1)
        kept = [line.seq for line in await store.lines(run.id, after=BEFORE_ALL, limit=ALL)]
        assert kept == list(range(1, LINES + 1))
        steps = Counter(step.state for step in await store.transitions(run.id))
        assert set(steps.values()) == {1}, steps
