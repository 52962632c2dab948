"""The check that ends each test under fire finds what it is to find."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE
from uuid import uuid4

import pytest

from flowsource.schedules import content_key
from flowsource.store import open_store
from tests.fire.checking import untrue
from tests.store.words import HOUR, HOURLY, MINUTE, NOW, lines, registration, serve

pytestmark = pytest.mark.anyio


async def test_each_thing_that_does_not_hold_is_told(tmp_path: Path) -> None:
    home, ledger = tmp_path / "home", tmp_path / "ledger"
    home.mkdir()
    (home / "note").write_bytes(b"it is hunter2.")
    ledger.write_text("a 1\na 2\nb 1\na 1\n")
    missing = uuid4()
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as store:
        server = await serve(store, registration(schedules=(HOURLY,)))
        await server.ask()
        run = await server.start_one()
        await store.append_lines(run.id, lines(1, 3))
        await store.retire(server.id, now=NOW)
        await store.create_scheduled(
            server.deployment.id, content_key(HOURLY), [NOW, NOW + MINUTE], cursor=NOW, now=NOW
        )
        with left_below(home) as left:
            told = await untrue(
                store,
                home,
                acknowledged=[run.id, missing],
                ledger=ledger,
                instants={server.deployment.id: [NOW, NOW + HOUR]},
                secrets=[b"hunter2"],
            )
    assert told == [
        f"{run.name} is running, and its runner is gone",
        "run and attempt a 1 began 2 times",
        f"run {missing} was acknowledged, and is not there",
        f"process {left} is left",
        f"a secret is in {home / 'note'}",
        f"{NOW + HOUR:%H:%M:%S.%f} has no run",
        f"{NOW + MINUTE:%H:%M:%S.%f} is no instant",
        f"{run.name}, attempt 1: the lines are not counted without a gap",
    ]


@contextmanager
def left_below(home: Path) -> Iterator[int]:
    """A process of the memory in `home`."""
    with subprocess.Popen([sys.executable, "-c", "input()"], env={"FLOWSOURCE_HOME": str(home)}, stdin=PIPE) as left:
        yield left.pid
        left.kill()
