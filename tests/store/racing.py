"""What several processes do to one store at the same time; each function is the whole work of one of them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import anyio

from flowsource.errors import InConflict
from flowsource.promotions import Author
from flowsource.schedules import Interval
from flowsource.store import open_store
from flowsource.store.values import NewRun
from tests.store.words import COMPLETED, HOUR, NOW, SECOND, lines, registration, serve
from tests.support.waiting import PATIENCE

# The server process forks before it runs anything, and so has no thread that a child could miss.
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["flowsource.store.sql", "tests.store.racing"])


class Racer:
    """A process that works on the store in a file, or at an address, beginning when it is told to."""

    def __init__(self, work: Callable[..., None], where: Path | str, *arguments: Any) -> None:
        url = f"sqlite:///{where}" if isinstance(where, Path) else where
        self._ours, theirs = _context.Pipe()
        self.process = _context.Process(target=work, args=(theirs, url, *arguments))
        self.process.start()
        theirs.close()
        assert self.told() == "ready"

    def begin(self) -> None:
        """Let it begin."""
        self._ours.send("go")

    def told(self) -> Any:
        """The next thing it tells; raises EOFError when it has ended."""
        assert self._ours.poll(PATIENCE), "a racing process tells nothing"
        return self._ours.recv()

    def is_telling(self) -> bool:
        """Whether it has told something that was not read."""
        return self._ours.poll()

    def end(self) -> int | None:
        """Wait for its end, and return its exit code."""
        self.process.join(PATIENCE)
        self._ours.close()
        return self.process.exitcode


def race(works: Sequence[tuple[Any, ...]], where: Path | str) -> list[Any]:
    """Let each of `works` (a function and its arguments) go at once; what each of them told at its end."""
    racers = [Racer(work, where, *arguments) for work, *arguments in works]
    for racer in racers:
        racer.begin()
    told = [racer.told() for racer in racers]
    assert [racer.end() for racer in racers] == [0] * len(racers)
    return told


def claim_until_none_is_left(pipe: Connection, url: str, most: int) -> None:
    """Serve, claim up to `most` at a time, start and finish; tells the ids of the runs that it was given."""

    async def work() -> list[UUID]:
        given = []
        async with open_store(url) as store:
            server = await serve(store, registration(), lease=HOUR)
            wait_for_the_start(pipe)
            while claimed := await server.claim(limit=most):
                for run in claimed:
                    given.append(run.id)
                    await store.start(run.id, run.epoch, at=NOW, transition_id=uuid4())
                    await store.finish(run.id, run.epoch, COMPLETED, at=NOW, transition_id=uuid4(), lines=lines(1, 2))
        return given

    pipe.send(anyio.run(work))


def schedule_all(pipe: Connection, url: str, deployment_id: UUID, key: str, count: int) -> None:
    """Create the runs of `count` seconds, one instant after the other; tells the instants of those that it created."""

    async def work() -> list[Any]:
        created = []
        async with open_store(url) as store:
            wait_for_the_start(pipe)
            for number in range(count):
                at = NOW + number * SECOND
                created += await store.create_scheduled(deployment_id, key, [at], cursor=at, now=NOW)
        return [run.scheduled_at for run in created]

    pipe.send(anyio.run(work))


def add_schedules(pipe: Connection, url: str, deployment_id: UUID, name: str, count: int) -> None:
    """Add so many schedules as a person of that name; tells the slugs of those that were not there already."""

    async def work() -> list[str]:
        added = []
        async with open_store(url) as store:
            wait_for_the_start(pipe)
            for number in range(count):
                with suppress(InConflict):
                    new = Interval(HOUR, slug=str(number))
                    await store.add_schedule(deployment_id, new, Author(name), now=NOW)
                    added.append(str(number))
        return added

    pipe.send(anyio.run(work))


def write_many(pipe: Connection, url: str, count: int) -> None:
    """Create so many runs, write lines of each and read them back; tells when it is done."""

    async def work() -> None:
        async with open_store(url) as store:
            server = await serve(store, registration(), lease=HOUR)
            wait_for_the_start(pipe)
            for _ in range(count):
                run = await server.ask()
                await store.append_lines(run.id, lines(1, 2, 3))
                assert len(await store.lines(run.id)) == 3

    anyio.run(work)
    pipe.send("done")


def create_for_ever(pipe: Connection, url: str) -> None:
    """Create one run after the other until killed; tells the id of each once the store has answered."""

    async def work() -> None:
        async with open_store(url) as store:
            server = await serve(store, registration(), lease=HOUR)
            wait_for_the_start(pipe)
            while True:
                run = await server.ask()
                await store.append_lines(run.id, lines(*range(1, 50)))
                pipe.send(run.id)

    anyio.run(work)


def create_one(pipe: Connection, url: str, deployment_id: UUID) -> None:
    """Create one run; tells its id."""

    async def work() -> UUID:
        async with open_store(url) as store:
            wait_for_the_start(pipe)
            return (await store.create_run(NewRun(deployment_id=deployment_id, scheduled_at=NOW), now=NOW)).id

    pipe.send(anyio.run(work))


def listen_for_ever(pipe: Connection, url: str, topic: str) -> None:
    """Hold an open ear that hears nothing, until killed."""

    async def work() -> None:
        async with open_store(url) as store, store.changes(topic):
            wait_for_the_start(pipe)
            pipe.send("listening")
            await anyio.sleep_forever()

    anyio.run(work)


def wait_for_the_start(pipe: Connection) -> None:
    """Tell that all is set up, and return when the others are as well."""
    pipe.send("ready")
    assert pipe.poll(PATIENCE)
    pipe.recv()
