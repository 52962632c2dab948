"""Run processes: started by the fork server, ended for certain."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from flowsource.runner.processes import GuardianFailed, RunProcess
from flowsource.runner.starter import Starter, open_starter
from tests.support.orders import execute
from tests.support.waiting import until

pytestmark = pytest.mark.anyio
Write = Callable[..., Path]

FAMILY = """
import subprocess, sys, time
def main(note):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    open(note, "w").write(f"{child.pid}\\n")
    time.sleep(600)
"""


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def test_the_whole_group_ends_with_the_run(server: Starter, write: Write, tmp_path: Path) -> None:
    root = write(
        flows="""
        import subprocess, sys
        def main(): return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid
        """
    )
    grandchild = (await execute(server, root)).outcome["result"]
    assert not is_alive(grandchild)


async def test_a_signal_reaches_the_group(server: Starter, write: Write, tmp_path: Path) -> None:
    started: list[RunProcess] = []
    note = tmp_path / "note"
    async with anyio.create_task_group() as tasks:

        async def stop_when_up() -> None:
            await until(lambda: note.exists() and note.read_text().endswith("\n"))
            started[0].signal_group(signal.SIGTERM)

        tasks.start_soon(stop_when_up)
        parameters = {"note": str(note)}
        heard = await execute(server, write(flows=FAMILY), parameters=parameters, on_start=started.append)
    assert heard.outcome["state"] == "cancelled"
    assert not is_alive(int(note.read_text()))
    started[0].signal_group(signal.SIGKILL)  # Of a run that is gone there is nobody to signal, and nobody else is.


async def test_cancelling_the_one_who_waits_ends_the_run(server: Starter, write: Write, tmp_path: Path) -> None:
    started: list[RunProcess] = []
    note = tmp_path / "note"
    async with anyio.create_task_group() as tasks:

        async def cancel_when_up() -> None:
            await until(lambda: note.exists() and note.read_text().endswith("\n"))
            tasks.cancel_scope.cancel()

        tasks.start_soon(cancel_when_up)
        await execute(server, write(flows=FAMILY), parameters={"note": str(note)}, on_start=started.append)
    assert started[0].is_gone
    assert not is_alive(int(note.read_text()))


async def test_a_fork_server_that_dies_takes_its_runs_along_and_is_replaced(
    server: Starter, write: Write, tmp_path: Path
) -> None:
    note = tmp_path / "note"
    started: list[RunProcess] = []
    async with anyio.create_task_group() as tasks:

        async def kill_when_up() -> None:
            await until(lambda: note.exists() and note.read_text().endswith("\n"))
            os.kill(parent_of(started[0].pid), signal.SIGKILL)

        tasks.start_soon(kill_when_up)
        with pytest.raises(GuardianFailed, match="and the run with it"):
            await execute(server, write(flows=FAMILY), parameters={"note": str(note)}, on_start=started.append)
    await until(lambda: not is_alive(started[0].pid) and not is_alive(int(note.read_text())))
    assert (await execute(server, write(flows="def main(): return 5"))).outcome["result"] == 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_what_a_service_manager_sends_to_all_does_not_end_the_fork_server(
    server: Starter, write: Write, number: signal.Signals
) -> None:
    root = write(flows="import os, signal\ndef main(n): os.kill(os.getppid(), n); return n")
    for _ in range(2):
        assert (await execute(server, root, parameters={"n": int(number)})).outcome["result"] == number


async def test_a_signal_right_after_the_start_is_not_lost(server: Starter, write: Write) -> None:
    root = write(flows="import time\ndef main(): time.sleep(600)")
    for _ in range(20):
        heard = await execute(server, root, on_start=lambda process: process.signal_group(signal.SIGKILL))
        assert heard.status == -signal.SIGKILL


async def test_cancelling_all_of_it_at_once_ends_everything(write: Write, tmp_path: Path) -> None:
    note, root = tmp_path / "note", write(flows=FAMILY)
    started: list[RunProcess] = []
    async with anyio.create_task_group() as tasks:

        async def cancel_when_up() -> None:
            await until(lambda: note.exists() and note.read_text().endswith("\n"))
            tasks.cancel_scope.cancel()

        tasks.start_soon(cancel_when_up)
        async with open_starter() as server:
            await execute(server, root, parameters={"note": str(note)}, on_start=started.append)
    assert started[0].is_gone
    assert not is_alive(int(note.read_text()))


async def test_many_runs_at_once_each_have_their_own_process(server: Starter, write: Write) -> None:
    root = write(flows="import os, time\ndef main(n):\n    time.sleep(0.05)\n    return [n, os.getpid()]")
    results: list[list[int]] = []

    async def one(number: int) -> None:
        results.append((await execute(server, root, parameters={"n": number})).outcome["result"])

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(one, number)
    assert sorted(number for number, _ in results) == list(range(20))
    assert len({pid for _, pid in results}) == 20


async def test_variables_with_credentials_are_given_to_no_run(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPO_TOKEN", "s3cret")
    root = write(
        flows="""
        import os
        def main(): return [os.environ.get("REPO_TOKEN"), open(f"/proc/{os.getppid()}/environ").read()]
        """
    )
    async with open_starter(without=["REPO_TOKEN"]) as server:
        token, of_parent = (await execute(server, root)).outcome["result"]
    assert token is None
    assert "s3cret" not in of_parent


async def test_nothing_outlives_a_runner_that_is_killed(write: Write, tmp_path: Path) -> None:
    root, note = write(flows=FAMILY), tmp_path / "note"
    (tmp_path / "runner.py").write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "import anyio\n"
        "from flowsource.runner.starter import open_starter\n"
        "from tests.support.orders import execute\n"
        "async def main():\n"
        "    async with open_starter() as server:\n"
        f"        await execute(server, Path({str(root)!r}), parameters={{'note': {str(note)!r}}},\n"
        "                      on_start=lambda process: print(process.pid, flush=True))\n"
        "anyio.run(main)\n"
    )
    here = Path(__file__).parents[2]
    runner = subprocess.Popen(
        [sys.executable, str(tmp_path / "runner.py")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(here)},
    )
    with runner:
        assert runner.stdout is not None
        run_pid = int(await anyio.to_thread.run_sync(runner.stdout.readline))
        await until(lambda: note.exists() and note.read_text().endswith("\n"))
        runner.kill()
    await until(lambda: not is_alive(run_pid) and not is_alive(int(note.read_text())))
