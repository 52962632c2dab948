"""With a control group nothing at all survives; and whatever holds without one holds with one too."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import anyio
import pytest

from flowsource.runner.processes.control_groups import end, join, made, make, place_for
from flowsource.runner.processes.process import GuardianFailed, RunProcess
from flowsource.runner.processes.starter import Starter, open_starter
from flowsource.settings import START_METHODS
from tests.support.control_groups import control_group
from tests.support.orders import execute
from tests.support.processes import alive, below_us, parent_of, written_pids
from tests.support.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio
Write = Callable[..., Path]

# Nothing tells whose such a process is: neither its session, nor its environment, nor its parent once that is gone.
UNTRACEABLE = """
import os, time
def detach(note):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execve("/bin/sh", ["sh", "-c", f"echo $$ >> {note}; exec sleep 600"], {"PATH": os.environ["PATH"]})
        os._exit(0)
    os.wait()
    while not os.path.exists(note) or not open(note).read().endswith("\\n"):
        time.sleep(0.002)
"""
DETACH_AND_WAIT = """
import time
from untraceable import detach
def main(note):
    detach(note)
    time.sleep(600)
"""


@pytest.fixture
def group() -> Iterator[Path]:
    with control_group() as group:
        yield group


@pytest.fixture
def note(tmp_path: Path) -> Iterator[Path]:
    """Where processes write their pids; those that a failing test leaves are killed after it."""
    yield tmp_path / "note"
    for pid in alive(written_pids(tmp_path / "note")):
        os.kill(pid, signal.SIGKILL)


class StarterContract:
    """What holds of whatever starts runs, in a control group or in none."""

    async def test_what_a_run_leaves_behind_is_killed_and_counted(
        self, starter: Starter, write: Write, note: Path
    ) -> None:
        root = write(untraceable=UNTRACEABLE, flows="from untraceable import detach\ndef main(note): detach(note)\n")
        heard = await execute(starter, root, parameters={"note": str(note)})
        assert (heard.status, heard.exit.left_behind) == (0, 1)
        assert alive(written_pids(note)) == []

    async def test_what_it_does_not_leave_is_not_counted(self, starter: Starter, write: Write) -> None:
        root = write(flows="import subprocess\ndef main(): subprocess.run(['true'], check=True)\n")
        heard = await execute(starter, root)
        assert (heard.status, heard.exit.left_behind, heard.exit.is_out_of_memory) == (0, 0, False)

    async def test_a_guardian_that_is_killed_takes_its_runs_along_and_is_replaced(
        self, starter: Starter, write: Write
    ) -> None:
        root = write(flows="import time\ndef main(): time.sleep(600)\n")
        started: list[RunProcess] = []

        def kill_guardian(process: RunProcess) -> None:
            started.append(process)
            os.kill(parent_of(process.pid), signal.SIGKILL)

        with pytest.raises(GuardianFailed, match="and the run with it"):
            await execute(starter, root, on_start=kill_guardian)
        # Without a group, one that is in the middle of an exec ends a moment later.
        await until(lambda: alive([started[0].pid]) == [])
        assert (await execute(starter, write(flows="def main(): return 5"))).outcome["result"] == 5


class TestWithoutAGroup(StarterContract):
    @pytest.fixture(params=START_METHODS)
    async def starter(self, request: pytest.FixtureRequest) -> AsyncIterator[Starter]:
        async with open_starter(request.param) as starter:
            yield starter


class TestInAGroup(StarterContract):
    @pytest.fixture(params=START_METHODS)
    async def starter(self, request: pytest.FixtureRequest, group: Path) -> AsyncIterator[Starter]:
        before = below_us()
        async with open_starter(request.param, group=group) as starter:
            yield starter
        assert below_us(beside=before) == frozenset()
        assert groups_in(group) == []

    async def test_runs_are_in_the_group_of_their_guardian_from_the_start(
        self, starter: Starter, write: Write, group: Path
    ) -> None:
        heard = await execute(
            starter, write(flows="WHERE = open('/proc/self/cgroup').read()\ndef main(): return WHERE\n")
        )
        [own] = groups_in(group)
        assert f"/{group.name}/{own.name}\n" in heard.outcome["result"]

    async def test_a_guardian_that_is_killed_takes_along_also_what_nothing_else_tells_of(
        self, starter: Starter, write: Write, note: Path, group: Path
    ) -> None:
        root = write(untraceable=UNTRACEABLE, flows=DETACH_AND_WAIT)
        started: list[RunProcess] = []
        async with anyio.create_task_group() as tasks:

            async def kill_guardian() -> None:
                await until(lambda: bool(started) and len(written_pids(note)) == 1)
                os.kill(parent_of(started[0].pid), signal.SIGKILL)

            tasks.start_soon(kill_guardian)
            with pytest.raises(GuardianFailed):
                await execute(starter, root, parameters={"note": str(note)}, on_start=started.append)
        assert alive([started[0].pid, *written_pids(note)]) == []
        assert groups_in(group) == []


async def test_what_modules_start_that_are_not_fit_to_be_imported_before_runs_is_ended(
    group: Path, write: Write, tmp_path: Path, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = write(
        untraceable=UNTRACEABLE,
        unfit=f"from untraceable import detach\ndetach({str(note)!r})\nraise OSError('no driver')\n",
        flows="def main(): ...",
    )
    monkeypatch.setenv("PYTHONPATH", str(library))
    async with open_starter(group=group) as starter:
        assert (await execute(starter, library, preload=["unfit"])).status == 0
        assert len(written_pids(note)) == 1
        await until(lambda: alive(written_pids(note)) == [])


def test_all_that_is_in_a_group_or_in_those_below_is_killed_and_they_are_removed(group: Path) -> None:
    inner = make(group / "inner")
    assert inner is not None
    with sleeper_in(group) as one, sleeper_in(inner) as other:
        try:
            assert end(group)
            assert [one.wait(PATIENCE), other.wait(PATIENCE)] == [-signal.SIGKILL] * 2
        finally:
            one.kill()
            other.kill()
    assert not group.exists()
    assert end(group), "what is gone has nothing in it"


def test_a_group_has_no_controllers_and_changes_nothing_of_the_one_that_it_is_in(group: Path) -> None:
    controlled = group.parent / "cgroup.subtree_control"
    before = controlled.read_text()
    with made(group / "inner") as inner:
        assert inner is not None
        assert (group / "cgroup.subtree_control").read_text() == ""
        assert (inner / "cgroup.controllers").read_text().strip() == ""
    assert controlled.read_text() == before
    assert not inner.exists()


def test_where_no_group_can_be_made_there_is_none(tmp_path: Path) -> None:
    with made(None) as group:
        assert group is None
    assert make(tmp_path / "no control group") is None
    assert make(tmp_path / "missing" / "below") is None
    assert list(tmp_path.iterdir()) == []


def test_who_may_not_join_a_group_stays_where_it_is(tmp_path: Path) -> None:
    before = Path("/proc/self/cgroup").read_text()
    join(tmp_path / "no control group")
    assert Path("/proc/self/cgroup").read_text() == before


def test_a_place_is_below_the_group_that_we_are_in(group: Path) -> None:
    place = place_for("mine")
    assert place is not None
    assert str(os.getpid()) in (place.parent / "cgroup.procs").read_text().split()


def sleeper_in(group: Path) -> subprocess.Popen[bytes]:
    """A process in a session of its own that is in the group, and sleeps."""
    script = f"echo 0 > {group}/cgroup.procs; echo; exec sleep 600"
    sleeper = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    assert sleeper.stdout is not None
    assert sleeper.stdout.readline() == b"\n"
    return sleeper


def groups_in(group: Path) -> list[Path]:
    return [path for path in group.iterdir() if path.is_dir()]
