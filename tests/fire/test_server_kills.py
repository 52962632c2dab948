"""A server is killed again and again while several write to it: what it acknowledged is there, and nothing is twice."""

from __future__ import annotations

import random
import signal
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import anyio
import anyio.to_thread
import pytest

from flowsource.runner.presence import LEASE
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

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(14400 if FULL else 115)]

# How long a server lives at most once it answers.
LONGEST = 1.0
# And between the times at which one run of each flow is asked for.
BETWEEN = 5.0
LINES = 5
PATIENCE = 600 if FULL else 60


@dataclass
class Writer:
    """Somebody who writes one thing after the other, each until it is acknowledged, and remembers what was."""

    store: Store
    name: str
    id: UUID = field(default_factory=uuid4)
    ended: list[UUID] = field(default_factory=list)

    async def write(self, until: anyio.Event) -> None:
        """Ask for runs, and report them as a runner does."""
        now = datetime.now(UTC)
        served = [registration(self.name)]
        [deployment] = await insist(
            lambda: self.store.register(self.id, served, lease_until=now + LEASE, now=now, owner=None)
        )
        last: UUID | None = None
        while not until.is_set():
            new = NewRun(deployment_id=deployment.id, scheduled_at=now, idempotency_key=f"run {len(self.ended)}")
            asked = await insist(lambda new=new: self.store.create_run(new, now=now))  # type: ignore[misc]
            claim = partial(self.store.claim, self.id, [deployment.id], limit=1, transition_id=uuid4(), after=last)
            claimed = await insist(lambda claim=claim: claim(now=datetime.now(UTC)))  # type: ignore[misc]
            [run], last = claimed.runs, claimed.last
            assert (run.id, run.epoch) == (asked.id, 1)
            await self._report(run)
            self.ended.append(run.id)
            await insist(lambda: self.store.renew(self.id, lease_until=datetime.now(UTC) + LEASE))
        await insist(lambda: self.store.retire(self.id, now=datetime.now(UTC)))

    async def _report(self, run: Run) -> None:
        began, ends = uuid4(), uuid4()
        await insist(lambda: self.store.start(run.id, run.epoch, at=run.changed_at, transition_id=began))
        for number in range(1, LINES + 1):
            await insist(lambda number=number: self.store.append_lines(run.id, lines(number)))  # type: ignore[misc]
        outcome = Outcome(state=RunState.COMPLETED, has_result=True, result=str(run.id))
        await insist(lambda: self.store.finish(run.id, run.epoch, outcome, at=run.changed_at, transition_id=ends))


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
            await anyio.sleep(chance.uniform(0, LONGEST))
            await anyio.to_thread.run_sync(server.end, signal.SIGKILL)
            await anyio.to_thread.run_sync(server.start)
        is_over.set()
    await until_all_have_ended(runner, len(asked), within=PATIENCE)
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
