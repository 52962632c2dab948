"""Signs of life: a file for each serving process of this host, locked for as long as it lives."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import anyio
import anyio.to_thread

from flowsource.errors import NotAllowed, StoreUnavailable
from flowsource.runner.processes import control_groups
from flowsource.runs import Run
from flowsource.store.protocol import Store

T = TypeVar("T")

LOOK_EVERY = timedelta(seconds=2)
# The end of the name of what a runner keeps for a store that is away.
SPOOLED = ".spool"


@contextmanager
def alive(directory: Path, runner_id: UUID, *, group: Path | None = None) -> Iterator[int]:
    """Show, during the block, that the process of `runner_id` lives; the kernel ends that with the process.

    Gives the descriptor that is locked: whoever else holds it open shows life as well. A block that raises leaves its
    file, by which others know that the runner is dead if it could not take leave. They then end what is in the control
    group `group`, which need not exist yet. Raises StoreUnavailable where there can be no file.
    """
    path = directory / str(runner_id)
    try:
        make_private(directory)
        descriptor = locked(path)
        os.write(descriptor, os.fsencode(group or ""))
    except OSError as error:
        raise StoreUnavailable(
            f"{directory} cannot be written to ({error.strerror}). Make it writable, or keep the store elsewhere "
            "(FLOWSOURCE_STORE)."
        ) from None
    try:
        yield descriptor
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


async def bury_the_dead(store: Store, directory: Path) -> list[Run]:
    """Have the runs end that dead runners of this host left behind; those that were moved by this.

    Costs no query where nobody has died. Raises StoreUnavailable.
    """
    with ExitStack() as held:
        found = dict(_dead_in(directory, held))
        # What runs of theirs left goes first. Should it not be gone yet, it is for the next look.
        dead = {one: path for one, path in found.items() if await anyio.to_thread.run_sync(_end_leftovers, path)}
        if not dead:
            return []
        # Nobody has died most times, and then a command does without the codecs of all calls.
        from flowsource.runner.spool import deliver_left

        for one in list(dead):
            # First what they knew of the ends of their runs: whoever is buried without that, has crashed.
            try:
                await deliver_left(store, spool_of(directory, one))
            except NotAllowed:
                del dead[one]  # Its next of kin are those who serve here with its token.
        registered = dead.keys() & {known.id for known in await store.runners()}
        moved = await store.reap(now=store.now(), dead=registered) if registered else []
        for path in dead.values():
            path.unlink(missing_ok=True)
        return moved


def spool_of(directory: Path, runner_id: UUID) -> Path:
    """Where a runner keeps what it could not tell the store yet."""
    return directory / f"{runner_id}{SPOOLED}"


async def while_burying(store: Store, directory: Path, work: Callable[[], Awaitable[T]]) -> T:
    """What `work` returns or raises; the dead are buried before it, and now and then while it goes on."""
    await _bury(store, directory)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_keep_burying, store, directory)
        outcome: Future[T] = Future()
        try:
            outcome.set_result(await work())
        except Exception as error:  # Raised below, out of the group, as what it is.
            outcome.set_exception(error)
        tasks.cancel_scope.cancel()
    return outcome.result()


async def _keep_burying(store: Store, directory: Path) -> None:
    while True:
        await anyio.sleep(LOOK_EVERY.total_seconds())
        await _bury(store, directory)


async def _bury(store: Store, directory: Path) -> None:
    # Whoever waits for a run looks again soon, and hears of a store that stays away by what it asks itself.
    # Who may only look at a server cannot bury anybody, and sees what those who can have done.
    with suppress(StoreUnavailable, NotAllowed):
        await bury_the_dead(store, directory)


def make_private(directory: Path) -> None:
    """Have `directory` be there, for our user alone; raises OSError."""
    if not directory.parent.exists():
        make_private(directory.parent)
    directory.mkdir(mode=0o700, exist_ok=True)


def locked(path: Path) -> int:
    """A descriptor of the file at `path`, which is made if need be, that holds its lock; raises OSError."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        # Somebody took it for one of the dead before it was locked: this lock would show nothing.
        os.close(descriptor)


def _end_leftovers(sign: Path) -> bool:
    """End what is left of a dead runner's processes; whether nothing is."""
    try:
        group = os.fsdecode(sign.read_bytes())
    except FileNotFoundError:
        return True  # Somebody else has buried it.
    return not group or control_groups.end(Path(group))


def _dead_in(directory: Path, held: ExitStack) -> Iterator[tuple[UUID, Path]]:
    """The runners that have a sign of life there and give it no more; `held` keeps anybody from coming back to it.

    Of one without a sign nothing is known: it may be on another host.
    """
    for name in os.listdir(directory) if directory.is_dir() else ():
        # A name that is no id is no sign; one that is gone, or locked, is not of a dead runner.
        with suppress(ValueError, OSError):
            runner_id, path = UUID(name), directory / name
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            held.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            yield runner_id, path
