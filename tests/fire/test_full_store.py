"""The disk of a store is full, or that of a runner: runs go on, that is told, and with room again all is exact."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from flowsource.errors import StoreUnavailable
from flowsource.runner.requests import request_run
from flowsource.runs import Run, RunState
from flowsource.server_access import TOKEN
from flowsource.store import open_store
from flowsource.store.protocol import Store
from flowsource.store.values import BEFORE_ALL
from tests.fire.checking import ALL, SIGN, untrue
from tests.fire.mixture import token_file, token_of
from tests.support.disks import SmallDisk, small_disk
from tests.support.live import Serving, processes_below, serving
from tests.support.servers import server_process

pytestmark = pytest.mark.anyio

SCRIPT = f"""
import time
from pathlib import Path
from flowsource import flow
{SIGN}
@flow
def talk(gate: str):
    sign()
    number = 0
    while not Path(gate).exists():
        print("line", number, "." * 2000, flush=True)
        number += 1
        time.sleep(0.02)
    Path(gate + ".ended").open("a").write("x")
    return number

if __name__ == "__main__":
    talk.serve(name="x", limit=4)
"""
COUNT = 3
MIB = 1 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", size=64 * MIB) as disk:
        yield disk


async def test_a_store_whose_disk_is_full_is_told_and_waited_for(tmp_path: Path, disk: SmallDisk) -> None:
    home, address = tmp_path / "home", f"sqlite:///{disk.path / 'flowsource.db'}"
    environ = {"LEDGER": str(tmp_path / "ledger")}
    async with talking(tmp_path, home, address, environ) as (server, asked):
        disk.fill(leave=0)
        await goes_on_and_tells(
            server, asked, tmp_path, said=f"{disk.path / 'flowsource.db'}: the database cannot be used"
        )
        disk.free()
        await ends_well(server, asked)
        assert await server.stop() == 0
    async with open_store(address) as store:
        await is_exact(store, asked, home, tmp_path)


async def test_a_server_whose_disk_is_full_is_told_and_waited_for(
    tmp_path: Path, disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    with server_process(disk.path / "server") as server:
        environ = {**await token_file(server, tmp_path), "LEDGER": str(tmp_path / "ledger")}
        monkeypatch.setenv(TOKEN, await token_of(server, "anna", "operator"))
        async with talking(tmp_path, home, server.url, environ) as (runner, asked):
            disk.fill(leave=0)
            file = server.home / "flowsource.db"
            await goes_on_and_tells(runner, asked, tmp_path, said=f"{file}: the database cannot be used")
            disk.free()
            await ends_well(runner, asked)
            assert await runner.stop() == 0
        assert "Traceback" not in server.said
        async with open_store(server.store) as store:
            await is_exact(store, asked, home, tmp_path)


async def test_a_runner_whose_own_disk_is_full_tells_all_that_it_still_knows_to_a_server_that_was_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    with small_disk(home, size=64 * MIB) as disk, server_process(tmp_path / "server") as server:
        environ = {**await token_file(server, tmp_path), "LEDGER": str(tmp_path / "ledger")}
        monkeypatch.setenv(TOKEN, await token_of(server, "anna", "operator"))
        async with talking(tmp_path, home, server.url, environ) as (runner, asked):
            disk.fill(leave=0)
            server.end()
            await goes_on_and_tells(runner, asked, tmp_path, said="does not answer", asks=False)
            await runner.until_said(".spool takes nothing (No space left on device)")
            server.start()
            await ends_well(runner, asked)
            disk.free()
            assert await runner.stop() == 0
        async with open_store(server.store) as store:
            await is_exact(store, asked, home, tmp_path)


@asynccontextmanager
async def talking(
    at: Path, home: Path, address: str, environ: dict[str, str]
) -> AsyncIterator[tuple[Serving, list[Run]]]:
    """A script that serves, with runs that talk until there is a file `gate`."""
    script = at / "flows.py"
    script.write_text(SCRIPT)
    async with serving(script, home, address=address, environ=environ) as server:
        asked = [await request_run(server.store, "talk/x", {"gate": str(at / "gate")}) for _ in range(COUNT)]

        async def talk() -> bool:
            return all([await server.store.lines(run.id, limit=1) for run in asked])

        await server.until(talk, "all to talk")
        yield server, asked


async def goes_on_and_tells(server: Serving, asked: list[Run], at: Path, *, said: str, asks: bool = True) -> None:
    """The trouble is `said`, to who asks as well; runs go on meanwhile, and end."""
    await server.until_said(said)
    if asks:
        with pytest.raises(StoreUnavailable, match="Look whether the disk is full"):
            await request_run(server.store, "talk/x", {"gate": "none"}, idempotency_key="once")
    (at / "gate").touch()
    ended = at / "gate.ended"
    await server.until(lambda: ended.exists() and ended.stat().st_size == COUNT, "all to end")
    await server.until_said("waits for the store")
    assert "Traceback" not in server.said


async def ends_well(server: Serving, asked: list[Run]) -> None:
    for run in asked:
        ended = await server.until_final(run)
        assert (ended.state, ended.attempt) == (RunState.COMPLETED, 1), ended.failure


async def is_exact(store: Store, asked: list[Run], home: Path, at: Path) -> None:
    """Nothing is missing, and nothing was done twice."""
    assert await untrue(store, home, acknowledged=[run.id for run in asked], ledger=at / "ledger") == []
    assert len(await store.runs(limit=ALL)) == COUNT
    for run in asked:
        kept = await store.run(str(run.id))
        lines = [line.text for line in await store.lines(run.id, after=BEFORE_ALL, limit=ALL)]
        told = [int(text.split()[1]) for text in lines if text.startswith("line ")]
        assert told == list(range(kept.result))
    assert processes_below(home) == []
