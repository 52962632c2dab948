"""Guardians die, and are replaced with nothing lost; some have imported modules before their runs."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from flowsource.runner.processes import guard as guarding
from flowsource.runner.processes import starter as starting
from flowsource.runner.processes.descent import is_alive
from flowsource.runner.processes.guard import Guard
from flowsource.runner.processes.process import GuardianFailed, RunProcess
from flowsource.runner.processes.starter import Starter, open_starter
from flowsource.settings import START_METHODS
from tests.fire import length
from tests.support.orders import execute
from tests.support.processes import alive, below_us, descriptors_of, parent_of, written_pids
from tests.support.waiting import until

pytestmark = pytest.mark.anyio
Write = Callable[..., Path]

ROUNDS = length.rounds("deaths of guardians", short=6, full=300)


async def test_a_guardian_that_is_killed_takes_its_runs_along_and_is_replaced(
    starter: Starter, write: Write, tmp_path: Path
) -> None:
    note = tmp_path / "note"
    root = write(
        flows="""
        import subprocess, time
        def main(note):
            subprocess.run(["sh", "-c", f"setsid sh -c 'echo $$ >> {note}; exec sleep 600' &"])
            time.sleep(600)
        """
    )
    started: list[RunProcess] = []
    async with anyio.create_task_group() as tasks:

        async def kill_when_up() -> None:
            await until(lambda: bool(started) and len(written_pids(note)) == 1)
            os.kill(parent_of(started[0].pid), signal.SIGKILL)

        tasks.start_soon(kill_when_up)
        with pytest.raises(GuardianFailed, match="and the run with it"):
            await execute(starter, root, parameters={"note": str(note)}, on_start=started.append)
    assert alive([started[0].pid, *written_pids(note)]) == []
    assert (await execute(starter, write(flows="def main(): return 5"))).outcome["result"] == 5


async def test_a_run_that_was_asked_of_a_guardian_that_dies_before_it_begins_is_asked_of_the_next(
    starter: Starter, write: Write, tmp_path: Path
) -> None:
    guardian = (await execute(starter, write(flows="import os\ndef main(): return os.getppid()"))).outcome["result"]
    os.kill(guardian, signal.SIGSTOP)
    ledger = tmp_path / "ledger"
    root = write(
        flows="import os\ndef main(n, ledger):\n    open(ledger, 'a').write(f'{n}\\n')\n    return os.getppid()\n"
    )
    parents: list[int] = []

    async def one(number: int) -> None:
        heard = await execute(starter, root, parameters={"n": number, "ledger": str(ledger)})
        parents.append(heard.outcome["result"])

    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(one, number)
        await until(lambda: sum(not guard.is_idle for guard in starter._guards.values()) == 1)
        os.kill(guardian, signal.SIGKILL)
    assert len(parents) == 5
    assert guardian not in parents
    assert sorted(ledger.read_text().split()) == ["0", "1", "2", "3", "4"]


async def test_runs_that_are_asked_for_while_a_guardian_hears_nothing_wait_for_their_turn(
    starter: Starter, write: Write
) -> None:
    root = write(flows="import os\ndef main(n): return [n, os.getppid()]\n")
    guardian = (await execute(starter, root, parameters={"n": 0})).outcome["result"][1]
    [guard] = [guard for guard in starter._guards.values() if guard.is_open]
    guard._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    os.kill(guardian, signal.SIGSTOP)
    told: list[int] = []

    async def one(number: int) -> None:
        told.append((await execute(starter, root, parameters={"n": number})).outcome["result"][0])

    async with anyio.create_task_group() as tasks:
        for number in range(12):
            tasks.start_soon(one, number)
        await anyio.wait_all_tasks_blocked()
        os.kill(guardian, signal.SIGCONT)
    assert sorted(told) == list(range(12))


async def test_a_machine_that_stands_still_for_a_while_costs_no_guardian(
    starter: Starter, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(flows="import os\ndef main(): return os.getppid()\n")
    guardian = (await execute(starter, root)).outcome["result"]
    monkeypatch.setattr(guarding, "_ANSWER_SECONDS", 10)
    send = Guard._send

    def stand_still() -> None:
        time.sleep(guarding._ANSWER_SECONDS)
        os.kill(guardian, signal.SIGCONT)

    async def send_and_stand_still(guard: Guard, message: bytes, descriptors: list[int]) -> None:
        await send(guard, message, descriptors)
        # As soon as the answer is waited for.
        asyncio.get_running_loop().call_soon(stand_still)

    monkeypatch.setattr(Guard, "_send", send_and_stand_still)
    os.kill(guardian, signal.SIGSTOP)
    assert (await execute(starter, root)).outcome["result"] == guardian


@pytest.mark.parametrize("method", START_METHODS)
async def test_a_machine_that_stands_still_while_a_guardian_starts_is_waited_for(
    write: Write, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarding, "_READY_SECONDS", 10)
    launched = guarding._launched

    async def launch_and_stand_still(*arguments: Any) -> subprocess.Popen[bytes]:
        server = await launched(*arguments)
        server.send_signal(signal.SIGSTOP)

        def stand_still() -> None:
            time.sleep(guarding._READY_SECONDS)
            server.send_signal(signal.SIGCONT)

        # As soon as it is waited for.
        asyncio.get_running_loop().call_soon(stand_still)
        return server

    monkeypatch.setattr(guarding, "_launched", launch_and_stand_still)
    async with open_starter(method) as starter:
        assert (await execute(starter, write(flows="def main(): return 5"))).outcome["result"] == 5


@pytest.mark.timeout(3600 if length.FULL else 300)
@pytest.mark.parametrize("method", START_METHODS)
async def test_guardians_are_killed_at_random_moments_and_no_run_is_lost_or_begun_twice(
    write: Write, tmp_path: Path, method: str
) -> None:
    ledger, chance = tmp_path / "ledger", random.Random(7)
    root = write(
        flows="def main(n, ledger):\n    with open(ledger, 'a') as file: file.write(f'{n}\\n')\n    return n\n"
    )
    ended: list[int] = []
    lost: list[int] = []
    before = below_us()
    async with open_starter(method) as starter:
        await starter.start()
        descriptors = descriptors_of(os.getpid())

        async def one(number: int) -> None:
            try:
                heard = await execute(starter, root, parameters={"n": number, "ledger": str(ledger)})
                ended.append(heard.outcome["result"])
            except GuardianFailed:
                lost.append(number)

        rounds = ROUNDS if method == "fork-server" else max(2, ROUNDS // 5)
        for number in range(rounds):
            await starter.start()
            async with anyio.create_task_group() as tasks:
                for place in range(3):
                    tasks.start_soon(one, number * 3 + place)
                await anyio.sleep(chance.uniform(0, 0.02))
                for guardian in below_us(beside=before):
                    # What is below us may be gone by now.
                    with suppress(FileNotFoundError, ProcessLookupError):
                        is_guardian = b"server" in Path(f"/proc/{guardian}/cmdline").read_bytes()
                        if is_guardian and parent_of(guardian) == os.getpid():
                            os.kill(guardian, signal.SIGKILL)
        await one(rounds * 3)
        assert descriptors_of(os.getpid()) <= descriptors
    begun = [int(line) for line in ledger.read_text().split()]
    assert len(begun) == len(set(begun)), "one was begun twice"
    assert sorted(ended + lost) == list(range(rounds * 3 + 1))
    assert set(ended) <= set(begun)
    assert rounds * 3 in ended, "the next run after all of that ends as any other"
    assert below_us(beside=before) == frozenset()


LIBRARY = "NUMBER = 0\nPARENT = __import__('os').getpid()\n"


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of modules that are as good as installed."""
    place = tmp_path / "library"
    place.mkdir()
    (place / "heavy.py").write_text(LIBRARY)
    (place / "light.py").write_text(LIBRARY)
    (place / "broken.py").write_text("raise OSError('no driver')\n")
    (place / "threaded.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(place))
    return place


async def test_modules_are_imported_before_runs_once_for_all_and_each_run_has_its_own(
    write: Write, library: Path
) -> None:
    root = write(
        flows="""
        import heavy, os
        def main():
            heavy.NUMBER += 1
            return [heavy.NUMBER, heavy.PARENT, os.getpid()]
        """
    )
    async with open_starter() as starter:
        heard = [(await execute(starter, root, preload=["heavy"])).outcome["result"] for _ in range(3)]
        plain = (await execute(starter, root)).outcome["result"]
    assert [number for number, _, _ in heard] == [1, 1, 1]
    assert len({parent for _, parent, _ in heard}) == 1
    assert all(parent != own for _, parent, own in heard)
    assert plain[1] == plain[2]


async def test_what_cannot_be_imported_before_runs_is_told_once_and_they_go_on_without_it(
    write: Write, library: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = write(
        flows="import sys\ndef main(): return [name in sys.modules for name in ('heavy', 'broken', 'threaded')]"
    )
    names = ["threaded", "heavy", "broken", "missing"]
    async with open_starter() as starter:
        for _ in range(2):
            assert (await execute(starter, root, preload=names)).outcome["result"] == [True, False, False]
    told = sorted(record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)
    assert told == [
        "preload: broken is not imported before runs, and they go on without it: OSError: no driver",
        "preload: missing is not imported before runs, and they go on without it: "
        "ModuleNotFoundError: No module named 'missing'",
        "preload: threaded is not imported before runs, and they go on without it: "
        "it leaves 1 thread running, which no fork has",
    ]


async def test_there_are_only_so_many_guardians_and_idle_ones_end(
    write: Write, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "_MOST_PRELOADED", 1)
    root = write(flows="import os\ndef main(): return os.getppid()")
    async with open_starter() as starter:
        first, second = [(await execute(starter, root, preload=[one])).outcome["result"] for one in ("heavy", "light")]
        assert not is_alive(first)
        assert is_alive(second)
    monkeypatch.setattr(starting, "_IDLE_SECONDS", 0.01)
    async with open_starter() as starter:
        plain = (await execute(starter, root)).outcome["result"]
        first = (await execute(starter, root, preload=["heavy"])).outcome["result"]
        await until(lambda: not is_alive(first))
        assert (await execute(starter, root, preload=["heavy"])).outcome["result"] not in (first, plain)
        assert is_alive(plain)


async def test_a_python_of_its_own_can_have_nothing_imported_before_it(write: Write, library: Path) -> None:
    root = write(flows="import sys\ndef main(): return 'heavy' in sys.modules")
    async with open_starter("spawn") as starter:
        assert (await execute(starter, root, preload=["heavy"])).outcome["result"] is False
