"""Run processes: the same by whichever method they are started, and ended for certain."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from flowsource.errors import InvalidSettings
from flowsource.runner.processes.descent import is_alive
from flowsource.runner.processes.process import RunProcess
from flowsource.runner.processes.starter import Starter, open_starter
from flowsource.settings import START_METHODS
from tests.support.orders import execute
from tests.support.waiting import until

pytestmark = pytest.mark.anyio
Write = Callable[..., Path]

FAMILY = """
import subprocess, time
def main(note):
    child = subprocess.Popen(["sleep", "600"])
    open(note, "w").write(f"{child.pid}\\n")
    time.sleep(600)
"""


async def test_the_whole_group_ends_with_the_run(starter: Starter, write: Write, tmp_path: Path) -> None:
    root = write(
        flows="""
        import subprocess, sys
        def main(): return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid
        """
    )
    grandchild = (await execute(starter, root)).outcome["result"]
    assert not is_alive(grandchild)


async def test_a_signal_reaches_the_group(starter: Starter, write: Write, tmp_path: Path) -> None:
    started: list[RunProcess] = []
    note = tmp_path / "note"
    async with anyio.create_task_group() as tasks:

        async def stop_when_up() -> None:
            await until(lambda: bool(started) and note.exists() and note.read_text().endswith("\n"))
            started[0].signal_group(signal.SIGTERM)
            tasks.start_soon(started[0].remind)

        tasks.start_soon(stop_when_up)
        parameters = {"note": str(note)}
        heard = await execute(starter, write(flows=FAMILY), parameters=parameters, on_start=started.append)
    assert heard.outcome["state"] == "cancelled"
    assert not is_alive(int(note.read_text()))
    started[0].signal_group(signal.SIGKILL)  # Of a run that is gone there is nobody to signal, and nobody else is.


async def test_cancelling_the_one_who_waits_ends_the_run(starter: Starter, write: Write, tmp_path: Path) -> None:
    started: list[RunProcess] = []
    note = tmp_path / "note"
    async with anyio.create_task_group() as tasks:

        async def cancel_when_up() -> None:
            await until(lambda: bool(started) and note.exists() and note.read_text().endswith("\n"))
            tasks.cancel_scope.cancel()

        tasks.start_soon(cancel_when_up)
        await execute(starter, write(flows=FAMILY), parameters={"note": str(note)}, on_start=started.append)
    assert started[0].is_gone
    assert not is_alive(int(note.read_text()))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_what_a_service_manager_sends_to_all_does_not_end_the_guardian(
    starter: Starter, write: Write, number: signal.Signals
) -> None:
    root = write(flows="import os, signal\ndef main(n): os.kill(os.getppid(), n); return n")
    for _ in range(2):
        assert (await execute(starter, root, parameters={"n": int(number)})).outcome["result"] == number


async def test_a_signal_right_after_the_start_is_not_lost(starter: Starter, write: Write) -> None:
    root = write(flows="import time\ndef main(): time.sleep(600)")
    for _ in range(20):
        heard = await execute(starter, root, on_start=lambda process: process.signal_group(signal.SIGKILL))
        assert heard.status == -signal.SIGKILL


@pytest.mark.parametrize("method", START_METHODS)
async def test_cancelling_all_of_it_at_once_ends_everything(write: Write, tmp_path: Path, method: str) -> None:
    note, root = tmp_path / "note", write(flows=FAMILY)
    started: list[RunProcess] = []
    async with anyio.create_task_group() as tasks:

        async def cancel_when_up() -> None:
            await until(lambda: note.exists() and note.read_text().endswith("\n"))
            tasks.cancel_scope.cancel()

        tasks.start_soon(cancel_when_up)
        async with open_starter(method) as starter:
            await execute(starter, root, parameters={"note": str(note)}, on_start=started.append)
    assert started[0].is_gone
    assert not is_alive(int(note.read_text()))


async def test_many_runs_at_once_each_have_their_own_process(starter: Starter, write: Write) -> None:
    root = write(flows="import os, time\ndef main(n):\n    time.sleep(0.05)\n    return [n, os.getpid()]")
    results: list[list[int]] = []

    async def one(number: int) -> None:
        results.append((await execute(starter, root, parameters={"n": number})).outcome["result"])

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(one, number)
    assert sorted(number for number, _ in results) == list(range(20))
    assert len({pid for _, pid in results}) == 20


@pytest.mark.parametrize("method", START_METHODS)
async def test_variables_with_credentials_are_given_to_no_run(
    write: Write, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setenv("REPO_TOKEN", "s3cret")
    root = write(
        flows="""
        import os
        def main(): return [os.environ.get("REPO_TOKEN"), open(f"/proc/{os.getppid()}/environ").read()]
        """
    )
    async with open_starter(method, without=["REPO_TOKEN"]) as starter:
        token, of_parent = (await execute(starter, root)).outcome["result"]
    assert token is None
    assert "s3cret" not in of_parent


@pytest.mark.parametrize("method", START_METHODS)
async def test_nothing_outlives_a_runner_that_is_killed(write: Write, tmp_path: Path, method: str) -> None:
    root, note = write(flows=FAMILY), tmp_path / "note"
    (tmp_path / "runner.py").write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "import anyio\n"
        "from flowsource.runner.processes.starter import open_starter\n"
        "from tests.support.orders import execute\n"
        "async def main():\n"
        f"    async with open_starter({method!r}) as starter:\n"
        f"        await execute(starter, Path({str(root)!r}), parameters={{'note': {str(note)!r}}},\n"
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


async def test_no_memory_of_a_run_is_left_in_a_file(starter: Starter, write: Write) -> None:
    root = write(flows="import resource\ndef main(): return list(resource.getrlimit(resource.RLIMIT_CORE))")
    assert (await execute(starter, root)).outcome["result"] == [0, 0]


async def test_a_run_meets_the_same_by_either_method(starter: Starter, write: Write) -> None:
    root = write(
        flows="""
        import os, sys
        def main():
            print("printed")
            os.write(2, b"written\\n")
            fds = sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:-1]
            utf8 = sys.flags.utf8_mode == 1 and sys.stdout.encoding == "utf-8"
            return [fds, os.readlink("/proc/self/fd/0"), os.getsid(0) == os.getpid(), utf8, sys.path[0] == os.getcwd()]
        """
    )
    heard = await execute(starter, root)
    assert heard.outcome["result"] == [[0, 1, 2, 3, 4], "/dev/null", True, True, True]
    assert heard.said == ["printed", "written"]


def test_a_method_that_there_is_not_is_refused() -> None:
    with pytest.raises(InvalidSettings, match=r"'threads' is no way to start runs. Give 'fork-server' or 'spawn'."):
        open_starter("threads")
