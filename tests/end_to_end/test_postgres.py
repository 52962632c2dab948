"""A server whose memory is in PostgreSQL: what goes on survives that it is started anew, and learns no password."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from flowsource.cli import main
from flowsource.errors import StoreUnavailable
from flowsource.runner.requests import request_run
from flowsource.runs import Run, RunState
from tests.support.live import Serving, serving
from tests.support.postgres import PASSWORD, PostgresServer, postgres_server

pytestmark = pytest.mark.anyio

SCRIPT = """
import os, time
from pathlib import Path
from flowsource import flow

@flow
def wait(name: str):
    here = Path(__file__).parent
    print("it goes on", flush=True)
    (here / f"{name}.begun").touch()
    while not (here / f"{name}.end").exists():
        time.sleep(0.01)
    print("it ends", flush=True)
    return sorted(name for name, value in os.environ.items() if "s3cr3t" in value)

if __name__ == "__main__":
    wait.serve("nightly", limit=4)
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def address(postgres: PostgresServer) -> Iterator[str]:
    with postgres.database() as address:
        yield address


async def test_a_run_goes_on_while_its_database_is_started_anew(
    postgres: PostgresServer, address: str, tmp_path: Path
) -> None:
    script = tmp_path / "flows.py"
    script.write_text(SCRIPT)
    async with serving(script, tmp_path / "home", address=address) as server:
        through, across = [await request_run(server.store, "nightly", {"name": name}) for name in ("through", "across")]
        for name in ("through", "across"):
            await server.until((tmp_path / f"{name}.begun").exists, f"{name} to begin")
        await anyio.to_thread.run_sync(postgres.stop)
        # One ends while there is nobody to be told, the other when it is back.
        (tmp_path / "across.end").touch()
        await server.until_said("the store")
        await anyio.to_thread.run_sync(postgres.start)
        ended = await until_final(server, across)
        assert (ended.state, ended.result) == (RunState.COMPLETED, [])
        (tmp_path / "through.end").touch()
        ended = await until_final(server, through)
        assert (ended.state, ended.attempt) == (RunState.COMPLETED, 1)
        told = [line.text for line in await server.store.lines(through.id)]
        assert [text for text in told if text.startswith("it ")] == ["it goes on", "it ends"]
        after = await request_run(server.store, "nightly", {"name": "through"})
        assert (await until_final(server, after)).state is RunState.COMPLETED
        assert await server.stop() == 0
        assert PASSWORD not in server.said


async def until_final(server: Serving, run: Run) -> Run:
    """The run once it has ended, however often the store is away meanwhile."""

    async def has_ended() -> bool:
        with suppress(StoreUnavailable):
            return (await server.store.run(str(run.id))).state.is_final
        return False

    await server.until(has_ended, f"{run.name} to end")
    return await server.store.run(str(run.id))


async def test_a_command_speaks_to_the_same_memory(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "flows.py"
    script.write_text(SCRIPT)
    for name in [one for one in os.environ if one.startswith("FLOWSOURCE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FLOWSOURCE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FLOWSOURCE_STORE", address)
    async with serving(script, tmp_path / "home", address=address):
        assert await anyio.to_thread.run_sync(main, ["deployments", "ls"]) == 0
        assert "wait/nightly" in capsys.readouterr().out
