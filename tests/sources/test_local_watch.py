"""An edit is noticed soon, once, and however it was made."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import anyio
import pytest
from anyio import to_thread
from anyio.streams.memory import MemoryObjectReceiveStream

from flowsource.sources import local_watch
from flowsource.sources.local_scan import scan
from flowsource.sources.local_watch import watch_directory
from tests.support.parts import requires
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def wake_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that beginning and ending take little of the tests' time."""
    monkeypatch.setattr(local_watch, "_WAKE", 50)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "flows.py").write_text("ANSWER = 42\n")
    return directory


@pytest.fixture
def looks_in_vain(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Grows by the seconds of each pause that is made because there is nothing to watch."""
    pauses: list[float] = []
    pause = local_watch._pause

    async def counted(stop: anyio.Event, seconds: float) -> None:
        pauses.append(seconds)
        await pause(stop, min(seconds, 0.05))

    monkeypatch.setattr(local_watch, "_pause", counted)
    return pauses


@asynccontextmanager
async def watching(directory: Path, *, modules_only: bool = False) -> AsyncIterator[MemoryObjectReceiveStream[str]]:
    """What the watch of `directory` tells, from the moment that it is heard."""
    stop = anyio.Event()
    telling, told = anyio.create_memory_object_stream[str](100)

    async def tell() -> None:
        async with telling, aclosing(watch_directory(directory, stop=stop, modules_only=modules_only)) as digests:
            async for digest in digests:
                telling.send_nowait(digest)

    async with told, anyio.create_task_group() as tasks:
        tasks.start_soon(tell)
        if directory.exists():
            await told_of(told, directory, modules_only=modules_only)
        yield told
        stop.set()


async def told_of(told: MemoryObjectReceiveStream[str], directory: Path, *, modules_only: bool = False) -> int:
    """Wait until the state that `directory` is in was told; how many were told on the way, this one included."""
    count = 1
    while await told.receive() != scan(directory, modules_only=modules_only).digest:
        count += 1
    return count


async def test_a_write_is_told(project: Path) -> None:
    async with watching(project) as told:
        (project / "flows.py").write_text("ANSWER = 43\n")
        assert await told_of(told, project) == 1


async def test_an_atomic_save_is_told(project: Path) -> None:
    async with watching(project) as told:
        (project / "flows.py~").write_text("ANSWER = 43\n")
        (project / "flows.py~").rename(project / "flows.py")
        assert await told_of(told, project) == 1


async def test_a_save_that_moves_the_old_file_away_is_told(project: Path) -> None:
    async with watching(project) as told:
        (project / "flows.py").rename(project / "flows.py~")
        (project / "flows.py").write_text("ANSWER = 43\n")
        (project / "flows.py~").unlink()
        assert await told_of(told, project) == 1


async def test_a_new_directory_with_a_file_in_it_at_once_is_told(project: Path) -> None:
    async with watching(project) as told:
        (project / "a" / "b").mkdir(parents=True)
        (project / "a" / "b" / "new.py").write_text("x")
        await told_of(told, project)
        (project / "a" / "b" / "new.py").write_text("y")
        await told_of(told, project)


async def test_a_burst_of_writes_is_told_a_few_times_at_most(project: Path) -> None:
    async with watching(project) as told:
        for number in range(200):
            (project / f"file{number}.py").touch()
            await anyio.sleep(0.001)
        assert await told_of(told, project) <= 3


@pytest.mark.parametrize("modules_only", [False, True])
async def test_a_directory_that_is_deleted_and_made_again_is_told(project: Path, modules_only: bool) -> None:
    async with watching(project, modules_only=modules_only) as told:
        shutil.rmtree(project)
        project.mkdir()
        (project / "flows.py").write_text("made again\n")
        await told_of(told, project, modules_only=modules_only)
        (project / "flows.py").write_text("and edited\n")
        await told_of(told, project, modules_only=modules_only)


@pytest.mark.parametrize("modules_only", [False, True])
async def test_a_directory_that_is_away_for_a_while_is_told_once_it_is_back(
    project: Path, modules_only: bool, looks_in_vain: list[float]
) -> None:
    async with watching(project, modules_only=modules_only) as told:
        shutil.rmtree(project)
        await until(lambda: len(looks_in_vain) > 2)
        project.mkdir()
        (project / "flows.py").write_text("made again\n")
        await told_of(told, project, modules_only=modules_only)
        (project / "flows.py").write_text("and edited\n")
        await told_of(told, project, modules_only=modules_only)


async def test_a_directory_in_whose_place_a_file_stood_is_told_once_it_is_back(
    project: Path, looks_in_vain: list[float]
) -> None:
    async with watching(project, modules_only=True) as told:
        shutil.rmtree(project)
        project.write_text("in the way")
        await until(lambda: len(looks_in_vain) > 2)
        project.unlink()
        project.mkdir()
        (project / "flows.py").write_text("made again\n")
        await told_of(told, project, modules_only=True)


async def test_a_directory_that_was_not_there_is_told_once_it_is(tmp_path: Path) -> None:
    async with watching(tmp_path / "later") as told:
        (tmp_path / "later").mkdir()
        (tmp_path / "later" / "flows.py").touch()
        await told_of(told, tmp_path / "later")


async def test_what_changes_no_file_is_not_told(project: Path) -> None:
    async with watching(project) as told:
        (project / ".git").mkdir()
        (project / ".git" / "index").touch()
        (project / "__pycache__").mkdir()
        (project / "__pycache__" / "flows.pyc").touch()
        (project / "flows.py").read_text()
        (project / "flows.py").write_text("the one edit\n")
        assert await told_of(told, project) == 1
        assert told.statistics().current_buffer_used == 0


async def test_without_notices_it_looks_by_itself(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object, **__: object) -> None:
        raise OSError("OS file watch limit reached.")

    monkeypatch.setattr(local_watch, "awatch", none_left)
    monkeypatch.setattr(local_watch, "_POLL", 0.05)
    async with watching(project) as told:
        (project / "flows.py").write_text("ANSWER = 43\n")
        await told_of(told, project)


async def test_it_ends_when_it_is_told_to_stop(project: Path) -> None:
    async with watching(project):
        pass


async def test_it_can_be_cancelled(project: Path) -> None:
    async with anyio.create_task_group() as tasks:

        async def watch() -> None:
            async with aclosing(watch_directory(project, stop=anyio.Event())) as digests:
                async for _ in digests:
                    tasks.cancel_scope.cancel()

        tasks.start_soon(watch)


async def test_a_checkout_of_five_thousand_files_is_told_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requires("git")
    # Longer than a busy machine makes Git wait between two files, and at most for them all.
    monkeypatch.setattr(local_watch, "_QUIET", 0.5)
    monkeypatch.setattr(local_watch, "_PATIENCE", 30)
    files = "".join(f"M 100644 :1 package{number % 50}/{number}.py\n" for number in range(5000))
    commit = f"commit refs/heads/many\ncommitter Ada <ada@example.org> 0 +0000\ndata 1\nm\n{files}\n"
    git(project, "init", "-q")
    git(project, "fast-import", "--quiet", stdin=f"blob\nmark :1\ndata 6\nx = 1\n\n{commit}")
    async with watching(project) as told:
        await to_thread.run_sync(git, project, "checkout", "-q", "many")
        assert await told_of(told, project) == 1
        assert len(scan(project).paths) == 5001
        assert told.statistics().current_buffer_used == 0


def git(directory: Path, *arguments: str, stdin: str = "") -> None:
    subprocess.run(["git", *arguments], cwd=directory, check=True, input=stdin, text=True, capture_output=True)
