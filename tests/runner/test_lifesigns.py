"""Signs of life: who is dead on this host is known at once, and nobody is taken for dead who is not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from flowsource.errors import RunNotFound
from flowsource.runner.lifesigns import alive, bury_the_dead, while_burying
from flowsource.runs import Run, RunState
from flowsource.store.protocol import Store
from flowsource.store.values import NewRun
from tests.store.words import registration, runner_ids

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)


@pytest.fixture
def signs(tmp_path: Path) -> Path:
    return tmp_path / "signs"


@contextmanager
def another_process(signs: Path, runner_id: UUID) -> Iterator[subprocess.Popen[str]]:
    """A process that shows life for that runner; killed with the block at the latest."""
    code = (
        "import sys, uuid, pathlib\n"
        "from flowsource.runner.lifesigns import alive\n"
        "with alive(pathlib.Path(sys.argv[1]), uuid.UUID(sys.argv[2])):\n"
        "    print('alive', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(signs), str(runner_id)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "alive\n"
        yield process
        process.kill()


async def a_run_of(store: Store, runner_id: UUID) -> Run:
    [deployment] = await store.register(runner_id, [registration()], lease_until=NOW + timedelta(hours=1), now=NOW)
    await store.create_run(NewRun(deployment_id=deployment.id, scheduled_at=NOW), now=NOW)
    [run] = (await store.claim(runner_id, [deployment.id], limit=1, now=NOW)).runs
    return await store.start(run.id, run.epoch, at=NOW, transition_id=uuid4())


async def test_the_runs_of_a_killed_server_have_crashed_at_the_next_look(store: Store, signs: Path) -> None:
    with another_process(signs, server := uuid4()) as process:
        run = await a_run_of(store, server)
        assert await bury_the_dead(store, signs) == []
        process.kill()
        process.wait()
        [buried] = await bury_the_dead(store, signs)
    assert (buried.id, buried.state) == (run.id, RunState.CRASHED)
    assert buried.failure is not None
    assert "its server ended while it ran" in buried.failure.message
    assert await runner_ids(store) == []
    assert list(signs.iterdir()) == []


async def test_a_server_without_a_sign_here_is_left_alone(store: Store, signs: Path) -> None:
    run = await a_run_of(store, elsewhere := uuid4())
    assert await bury_the_dead(store, signs) == []
    assert await runner_ids(store) == [elsewhere]
    assert (await store.run(str(run.id))).state is RunState.RUNNING


async def test_who_takes_leave_leaves_no_sign(signs: Path) -> None:
    with alive(signs, uuid4()):
        assert len(list(signs.iterdir())) == 1
        assert signs.stat().st_mode & 0o077 == 0
    assert list(signs.iterdir()) == []


async def test_signs_of_those_that_were_never_registered_are_removed(store: Store, signs: Path) -> None:
    signs.mkdir()
    (signs / str(uuid4())).touch()
    (signs / "a note of somebody else").touch()
    with alive(signs, server := uuid4()):
        assert await bury_the_dead(store, signs) == []
        assert sorted(path.name for path in signs.iterdir()) == sorted([str(server), "a note of somebody else"])


async def test_what_is_shown_or_waited_for_is_seen_after_the_dead_are_buried(store: Store, signs: Path) -> None:
    run = await a_run_of(store, server := uuid4())
    signs.mkdir()
    (signs / str(server)).touch()

    async def look() -> RunState:
        return (await store.run(str(run.id))).state

    assert await while_burying(store, signs, look) is RunState.CRASHED


async def test_an_error_of_the_work_is_raised_as_it_is(store: Store, signs: Path) -> None:
    with pytest.raises(RunNotFound):
        await while_burying(store, signs, lambda: store.run("nowhere"))
