"""PostgreSQL behind a server: stopped and started, and killed for good with another that takes its place."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from flowsource.runs import Run
from flowsource.server_access import TOKEN
from flowsource.store import open_store
from tests.fire.checking import untrue
from tests.fire.length import FULL, rounds
from tests.fire.mixture import SCRIPT, ask_for_all, is_exact, token_file, token_of, until_all_have_ended
from tests.fire.test_postgres_stopped import interrupt
from tests.support.live import processes_below, serving
from tests.support.postgres import PASSWORD, USER, postgres_server, standby_of
from tests.support.servers import server_process
from tests.support.waiting import PATIENCE

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(7200 if FULL else 300)]

WITHIN = 3600 if FULL else PATIENCE


async def test_a_runner_behind_a_server_comes_through_every_stop_of_its_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(17)
    stops = rounds("stops of PostgreSQL behind a server", short=3, full=100)
    with postgres_server() as postgres, postgres.database() as address:

        async def interrupt_it() -> None:
            for number in range(stops):
                await anyio.sleep(chance.uniform(0.3, 3))
                await interrupt(postgres, number, chance)

        await through(interrupt_it, address, stops, tmp_path, monkeypatch)


async def test_a_database_that_is_killed_for_good_is_replaced_by_its_standby_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as held:
        one = held.enter_context(postgres_server())
        one.ask("CREATE DATABASE flows TEMPLATE template0 ENCODING 'UTF8'")
        other = held.enter_context(standby_of(one))
        hosts = f"127.0.0.1:{one.port},127.0.0.1:{other.port}"
        address = f"postgresql://{USER}:{PASSWORD}@{hosts}/flows?target_session_attrs=read-write"

        async def fail_over() -> None:
            await anyio.sleep(2)
            await anyio.to_thread.run_sync(one.stop, signal.SIGKILL)
            assert await anyio.to_thread.run_sync(other.ask, "SELECT pg_promote()") == [(True,)]

        count = rounds("runs of each kind in a failover", short=3, full=100)
        await through(fail_over, address, count, tmp_path, monkeypatch)


async def through(
    trouble: Callable[[], Coroutine[Any, Any, None]], address: str, count: int, at: Path, patch: pytest.MonkeyPatch
) -> None:
    """Have runs go on through some trouble of the database at `address`, by a server, and look whether all is exact."""
    script, home, ledger = at / "flows.py", at / "runner", at / "ledger"
    script.write_text(SCRIPT)
    with server_process(at / "server", address) as server:
        environ = {**await token_file(server, at), "LEDGER": str(ledger)}
        patch.setenv(TOKEN, await token_of(server, "anna", "operator"))
        async with serving(script, home, address=server.url, environ=environ) as runner:
            asked: list[Run] = []

            async def ask() -> None:
                asked.extend(await ask_for_all(runner, count))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
                tasks.start_soon(trouble)
            await until_all_have_ended(runner, len(asked), within=WITHIN)
            assert await runner.stop() == 0, runner.said[-4000:]
        async with open_store(address) as store:
            wrong = await untrue(store, home, acknowledged=[run.id for run in asked], ledger=ledger)
            assert wrong == [], runner.said[-4000:]
            await is_exact(store, asked, count, ledger)
    assert processes_below(home) == []
