"""How runs get their processes, whichever way these are started."""

from __future__ import annotations

import logging
import os
import socket
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self

import anyio
from anyio.abc import TaskGroup

from flowsource.runner.processes.guard import Guard, GuardianGone, GuardianNotReady, UnfitModules
from flowsource.runner.processes.process import GuardianFailed, RunProcess
from flowsource.settings import check_start_method

logger = logging.getLogger(__name__)

_TRIES = 5
_LOOKS_AT_ONCE = 8
_MOST_PRELOADED = 8
_IDLE_SECONDS = 600.0

_FORK_SERVER: Final = "fork-server"
_GUARDIANS: Final = {
    _FORK_SERVER: "flowsource.runner.processes.forkserver",
    "spawn": "flowsource.runner.processes.execserver",
}


def open_starter(
    method: str = _FORK_SERVER,
    *,
    without: Collection[str] = (),
    variables: Mapping[str, str] = MappingProxyType({}),
    held: Collection[int] = (),
    group: Path | None = None,
) -> Starter:
    """What starts runs by `method`; raises InvalidSettings for one that there is not.

    With `"fork-server"` each run is forked from a process that has imported what every run needs, and it begins at
    once. With `"spawn"` each is a Python of its own, which takes longer and shares nothing with others: `preload` does
    nothing there. `without` names environment variables that no run is given, `variables` are given to each.
    `held` are descriptors that stay open until the last run is gone, even when we are killed.
    `group` is a control group for all that is started.
    """
    check_start_method(method)
    environment = {name: value for name, value in os.environ.items() if name not in frozenset(without)} | dict(
        variables
    )
    return Starter(method, environment, held, group)


class Starter:
    """Starts run processes. Open it with `async with`; closing it kills those that are left, and all they started.

    The guardians that it has them from are replaced when they have died. There is one for each set of modules that is
    to be imported before runs, started when it is first needed, and ended when nobody has needed it for a while.
    """

    def __init__(
        self, method: str, environment: Mapping[str, str], held: Collection[int] = (), group: Path | None = None
    ) -> None:
        self._module, self._does_preload = _GUARDIANS[method], method == _FORK_SERVER
        self._environment, self._held, self._group = dict(environment), tuple(held), group
        self._guards: dict[tuple[str, ...], Guard] = {}  # those used last come last
        self._starting: defaultdict[tuple[str, ...], anyio.Lock] = defaultdict(anyio.Lock)
        self._unfit: set[str] = set()
        self._tasks: TaskGroup | None = None
        self._is_closed = False
        # Held by each process that only looks at code, of which a server of many deployments needs many.
        self.looks = anyio.CapacityLimiter(max(_LOOKS_AT_ONCE, os.cpu_count() or 1))
        # Whether runs of root cannot write to their snapshot either; known once it was started.
        self.protects_from_root = False

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._tasks is not None
        self._is_closed = True
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as endings:
                for guard in self._guards.values():
                    endings.start_soon(guard.end)
        await self._tasks.__aexit__(kind, error, trace)

    async def start(self) -> None:
        """Have what it takes ready; what has died is replaced. Raises GuardianFailed."""
        await self._guard(())

    async def spawn(self, output: int, channel: socket.socket, *, preload: Sequence[str] = ()) -> RunProcess:
        """A new run process that writes to the descriptor `output` and talks on `channel`; both may be closed after.

        A guardian may be killed at any moment: as long as the run has not begun, another is asked for it. Modules of
        `preload` that cannot be imported before runs, or leave threads behind, are told once, and left out. Raises
        GuardianFailed when no process can be had.
        """
        for _ in range(_TRIES):
            guard = await self._guard_with(preload)
            try:
                return await guard.spawn(output, channel)
            except GuardianGone as error:
                logger.info("%s; another is started", error)
        raise GuardianFailed(f"the process that starts runs ended {_TRIES} times while it was asked for one")

    async def _guard_with(self, preload: Sequence[str]) -> Guard:
        """The guardian that has imported those of `preload` that can be."""
        while True:
            modules = tuple(sorted(set(preload) - self._unfit)) if self._does_preload else ()
            if not await self._has_room_for(modules):
                modules = ()
            try:
                return await self._guard(modules)
            except UnfitModules as error:
                self._leave_out(error.reasons)
            except GuardianNotReady as error:
                if not modules:
                    raise
                self._leave_out(dict.fromkeys(modules, str(error)))

    async def _guard(self, modules: tuple[str, ...]) -> Guard:
        async with self._starting[modules]:
            guard = self._guards.pop(modules, None)
            if guard is None or not guard.is_open:
                if self._is_closed or self._tasks is None:
                    raise GuardianFailed("what starts runs is closed")
                command = [self._module, *modules]
                idle = _IDLE_SECONDS if modules else None
                guard = await Guard.start(
                    self._tasks, command, self._environment, idle=idle, held=self._held, group=self._group
                )
                self.protects_from_root = guard.protects_from_root
            self._guards[modules] = guard
            return guard

    async def _has_room_for(self, modules: tuple[str, ...]) -> bool:
        """Whether there may be a guardian that has imported `modules`; one that nobody needs makes room for it."""
        if not modules or modules in self._guards:
            return True
        preloaded = {names: guard for names, guard in self._guards.items() if names and guard.is_open}
        if len(preloaded) < _MOST_PRELOADED:
            return True
        idle = next((names for names, guard in preloaded.items() if guard.is_idle), None)
        if idle is not None:
            await self._guards.pop(idle).end()
        return idle is not None

    def _leave_out(self, reasons: Mapping[str, str]) -> None:
        for name, why in reasons.items():
            if name not in self._unfit:
                self._unfit.add(name)
                logger.warning("preload: %s is not imported before runs, and they go on without it: %s", name, why)
