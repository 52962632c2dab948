"""Nothing that a run starts outlives it, however it was detached, and what had to be killed is counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from flowsource.runner.processes.starter import Starter
from tests.support.orders import execute
from tests.support.processes import alive, written_pids
from tests.support.waiting import until

pytestmark = pytest.mark.anyio
Write = Callable[..., Path]

# Each writes its pid to `note`, and sleeps.
WAYS = {
    "a child in the background": """
        import subprocess
        def detached(note):
            subprocess.Popen(["sh", "-c", f"echo $$ >> {note}; exec sleep 600"])
    """,
    "a child in a session of its own": """
        import subprocess
        def detached(note):
            subprocess.Popen(["sh", "-c", f"echo $$ >> {note}; exec sleep 600"], start_new_session=True)
    """,
    "nohup and a shell that is gone": """
        import subprocess
        def detached(note):
            subprocess.run(["sh", "-c", f"nohup setsid sh -c 'echo $$ >> {note}; exec sleep 600' >/dev/null 2>&1 &"])
    """,
    "a daemon, forked twice, with no environment": """
        import os, signal, time
        def detached(note):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                        signal.signal(number, signal.SIG_IGN)
                    script = f"echo $$ >> {note}; exec sleep 600"
                    os.execve("/bin/sh", ["sh", "-c", script], {"PATH": os.environ["PATH"]})
                os._exit(0)
            os.wait()
    """,
    "a daemon that adopts what it starts": """
        import ctypes, os, subprocess, time
        def detached(note):
            if os.fork() == 0:
                os.setsid()
                ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
                subprocess.run(["sh", "-c", f"setsid sh -c 'echo $$ >> {note}; exec sleep 600' >/dev/null 2>&1 &"])
                time.sleep(600)
    """,
}
UNTIL_THERE = """
import os, time
def until_there(note, count=1):
    while not os.path.exists(note) or open(note).read().count("\\n") < count:
        time.sleep(0.002)
"""


@pytest.mark.parametrize("way", WAYS)
async def test_what_a_run_leaves_behind_is_killed_and_counted(
    starter: Starter, write: Write, tmp_path: Path, way: str
) -> None:
    note = tmp_path / "note"
    root = write(
        flows="from ways import detached\nfrom until import until_there\n"
        "def main(note):\n    detached(note)\n    until_there(note)\n    return 'done'\n",
        ways=WAYS[way],
        until=UNTIL_THERE,
    )
    heard = await execute(starter, root, parameters={"note": str(note)})
    assert (heard.status, heard.outcome["result"]) == (0, "done")
    (left,) = written_pids(note)
    assert alive([left]) == []
    assert heard.exit.left_behind == (2 if "adopts" in way else 1)


async def test_a_run_that_is_killed_takes_two_hundred_children_along(
    starter: Starter, write: Write, tmp_path: Path
) -> None:
    note = tmp_path / "note"
    root = write(
        until=UNTIL_THERE,
        flows="""
        import os, signal, time
        from until import until_there
        def main(note):
            for place in range(200):
                if os.fork() == 0:
                    if place % 2:
                        os.setsid()
                    with open(note, "a") as file:
                        file.write(f"{os.getpid()}\\n")
                    time.sleep(600)
                    os._exit(0)
            until_there(note, 200)
            os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    heard = await execute(starter, root, parameters={"note": str(note)})
    pids = written_pids(note)
    assert (heard.status, len(pids), alive(pids)) == (-9, 200, [])
    assert heard.exit.left_behind == 200


async def test_what_forks_faster_than_it_is_killed_ends_too(starter: Starter, write: Write, tmp_path: Path) -> None:
    note = tmp_path / "note"
    root = write(
        until=UNTIL_THERE,
        flows="""
        import os, time
        from until import until_there
        def main(note):
            if os.fork() == 0:
                os.setsid()
                while True:  # The parent ends at once, so that its pid is never the one to be killed.
                    if os.fork() > 0:
                        os._exit(0)
                    with open(note, "a") as file:
                        file.write(f"{os.getpid()}\\n")
            until_there(note, 20)
        """,
    )
    heard = await execute(starter, root, parameters={"note": str(note)})
    assert heard.status == 0
    assert alive(written_pids(note)) == []


async def test_a_plain_run_leaves_nothing(starter: Starter, write: Write) -> None:
    heard = await execute(starter, write(flows="def main(): ..."))
    assert heard.exit.left_behind == 0


async def test_what_ends_by_itself_when_it_sees_the_run_end_is_not_counted(starter: Starter, write: Write) -> None:
    root = write(
        flows="""
        import time
        from multiprocessing import resource_tracker
        from pathlib import Path
        def main():
            resource_tracker.ensure_running()
            pid = resource_tracker._resource_tracker._pid
            # What it does first of all is to ignore Ctrl-C: by then it is there to see the run end.
            while not ignored_by(pid) & 2:
                time.sleep(0.001)
            return pid
        def ignored_by(pid):
            status = Path(f"/proc/{pid}/status").read_text()
            return int(status.partition("SigIgn:")[2].split()[0], 16)
        """
    )
    heard = await execute(starter, root)
    assert heard.exit.left_behind == 0
    assert alive([heard.outcome["result"]]) == []


async def test_the_end_of_a_run_touches_nothing_of_another_that_goes_on(
    starter: Starter, write: Write, tmp_path: Path
) -> None:
    root = write(
        until=UNTIL_THERE,
        flows="""
        import subprocess
        from pathlib import Path
        from until import until_there
        def main(name, place):
            note = f"{place}/{name}"
            detach = f"setsid sh -c 'echo $$ > {note}; exec sleep 600' >/dev/null 2>&1 &"
            subprocess.run(["sh", "-c", detach])
            until_there(note)
            until_there(f"{place}/end-{name}")
            return Path(f"/proc/{Path(note).read_text().strip()}").exists()
        """,
    )
    ended: dict[str, tuple[object, int]] = {}

    async def one(name: str) -> None:
        heard = await execute(starter, root, parameters={"name": name, "place": str(tmp_path)})
        ended[name] = heard.outcome["result"], heard.exit.left_behind
        (tmp_path / "end-long").write_text("\n")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one, "long")
        tasks.start_soon(one, "short")
        await until((tmp_path / "long").exists)
        (tmp_path / "end-short").write_text("\n")
    assert ended == {"short": (True, 1), "long": (True, 1)}
    assert alive(written_pids(tmp_path / "long") + written_pids(tmp_path / "short")) == []


async def test_runs_that_end_together_are_each_told_what_they_left_themselves(
    starter: Starter, write: Write, tmp_path: Path
) -> None:
    root = write(
        until=UNTIL_THERE,
        flows="""
        import subprocess
        from until import until_there
        def main(count, note, gate):
            detach = f"for n in $(seq {count}); do setsid sh -c 'echo $$ >> {note}; exec sleep 600' & done"
            subprocess.run(["sh", "-c", detach])
            until_there(note, count)
            until_there(gate)
        """,
    )
    counted: dict[int, int] = {}
    gate = tmp_path / "gate"

    async def one(count: int) -> None:
        parameters = {"count": count, "note": str(tmp_path / str(count)), "gate": str(gate)}
        counted[count] = (await execute(starter, root, parameters=parameters)).exit.left_behind

    async with anyio.create_task_group() as tasks:
        for count in (1, 2, 3):
            tasks.start_soon(one, count)
        await until(lambda: all(len(written_pids(tmp_path / str(count))) == count for count in (1, 2, 3)))
        gate.write_text("\n")
    # What a shell was about to start may be counted beside them.
    assert all(count <= counted[count] < count + 2 for count in (1, 2, 3)), counted
