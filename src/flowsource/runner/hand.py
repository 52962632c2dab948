"""The runs that a server has in hand: taken when they are claimed, and let go when all is done for them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import anyio
from anyio.abc import TaskGroup

from flowsource.errors import FlowsourceError
from flowsource.runner.claims import Slots
from flowsource.runner.execution import SHORT_GRACE, Execution, Freshen
from flowsource.runner.following import Following
from flowsource.runner.hooking import HOOKS_AT_ONCE
from flowsource.runner.outcomes import FENCED, NOT_OURS, SHUTDOWN
from flowsource.runner.workshop import Served, Workshop
from flowsource.runs import Cancellation, Run
from flowsource.store.protocol import Store
from flowsource.store.values import CANCELS

logger = logging.getLogger(__name__)

# What wakes us is a doorbell; this is for one that was not heard.
LOOK_EVERY = timedelta(seconds=5)
_MOST_REMEMBERED = 1000


class Hand:
    """Executes runs that were claimed, each in a task of its own, and ends those that are to end."""

    def __init__(
        self, runner_id: UUID, served: Mapping[UUID, Served], shop: Workshop, slots: Slots, following: Following
    ) -> None:
        self._runner_id, self._served, self._shop, self._slots = runner_id, served, shop, slots
        self._following = following
        self._freshened: set[UUID] = set()
        self._hooking = anyio.CapacityLimiter(HOOKS_AT_ONCE)
        self._executions: dict[UUID, Execution] = {}
        self._wishes: dict[UUID, Cancellation] = {}

    @property
    def has_any_to_fence(self) -> bool:
        """Whether any of them may be executed by another server once we are lost."""
        return any(execution.may_run_again for execution in self._executions.values())

    def take(self, run: Run, tasks: TaskGroup) -> None:
        """Execute a run that was claimed, in `tasks`; one that is not of what is served here is left alone."""
        if run.deployment_id not in self._served:
            logger.warning("run %s is of %s, which is not served here: it is left alone", run.name, run.deployment)
            self._slots.give_back(run.id)
            return
        if (known := self._executions.get(run.id)) is not None and known.run.epoch == run.epoch:
            logger.warning("run %s was given to this server twice, and is executed once", run.name)
            return
        execution = Execution(
            run,
            self._served[run.deployment_id],
            self._shop,
            hooking=self._hooking,
            freshen=self._freshen_for(run),
            on_process_gone=lambda: self._slots.give_back(run.id),
        )
        self._executions[run.id] = execution
        # It may have been asked to end before anybody knew that it is ours.
        if (wish := run.cancellation or self._wishes.get(run.id)) is not None:
            execution.cancel(wish)
        tasks.start_soon(self._execute, run.id, execution)

    def _freshen_for(self, run: Run) -> Freshen | None:
        """How the source is asked before `run` begins, where that is wanted and was not done when we had it before."""
        is_wanted = self._served[run.deployment_id].deployment.declared.freshness == "every_run"
        if not is_wanted or run.attempt > 1 or run.keeps_revision or run.id in self._freshened:
            self._freshened.discard(run.id)
            return None

        async def freshen() -> str | None:
            trouble = await self._following.freshen(run.deployment_id)
            if self._served[run.deployment_id].deployment.active != run.revision:
                # It goes back, and is likely to come to us again; where it does not, it is forgotten in the end.
                if len(self._freshened) >= _MOST_REMEMBERED:
                    self._freshened.clear()
                self._freshened.add(run.id)
            return trouble

        return freshen

    async def cancel_what_is_to_end(self) -> None:
        """End the runs of ours that somebody wants to end, until cancelled."""
        store = self._shop.store
        async with store.changes(CANCELS) as ear:
            while True:
                try:
                    self._cancel(await store.to_cancel(self._runner_id))
                except FlowsourceError as error:
                    logger.warning("what is to be cancelled waits for the store: %s", error)
                await ear.wait(LOOK_EVERY)

    def fence(self) -> None:
        """End at once what another server may be about to execute again."""
        for execution in self._executions.values():
            if execution.may_run_again:
                execution.kill(FENCED)

    async def end_what_is_not_ours(self) -> None:
        """End at once the runs that were given up, or given to others, while we were out of sight."""
        for execution in list(self._executions.values()):
            if not await _is_ours(self._shop.store, execution.run):
                logger.warning("run %s was given up meanwhile, and is ended", execution.run.name)
                execution.kill(NOT_OURS)

    async def drain(self, told_again: anyio.Event) -> None:
        """Wait for the runs that are going on, each for its own grace; end what is left, or all once told again."""
        for execution in self._executions.values():
            execution.give_back()
        executions = list(self._executions.values())
        if not executions:
            return
        grace = max(execution.grace for execution in executions)
        self._shop.terminal.stopping(len(executions), grace.total_seconds())
        async with anyio.create_task_group() as tasks:
            patience = [anyio.CancelScope() for _ in executions]

            async def end_patience() -> None:
                await told_again.wait()
                for scope in patience:
                    scope.cancel()

            tasks.start_soon(end_patience)
            async with anyio.create_task_group() as draining:
                for execution, scope in zip(executions, patience, strict=True):
                    draining.start_soon(_drain, execution, scope)
            tasks.cancel_scope.cancel()

    async def _execute(self, run_id: UUID, execution: Execution) -> None:
        try:
            await execution.execute()
        finally:
            # Another attempt of it may be ours already.
            if self._executions.get(run_id) is execution:
                del self._executions[run_id]
                self._slots.give_back(run_id)

    def _cancel(self, wanted: list[Run]) -> None:
        self._wishes = {run.id: run.cancellation for run in wanted if run.cancellation is not None}
        for run_id, wish in self._wishes.items():
            if run_id in self._executions:
                self._executions[run_id].cancel(wish)


async def _drain(execution: Execution, patience: anyio.CancelScope) -> None:
    patience.deadline = anyio.current_time() + execution.grace.total_seconds()
    with patience:
        await execution.ended.wait()
    if execution.ended.is_set():
        return
    execution.stop(SHUTDOWN, grace=SHORT_GRACE)
    execution.hurry()
    with anyio.move_on_after(2 * SHORT_GRACE.total_seconds()):
        await execution.ended.wait()
    execution.abandon()
    await execution.ended.wait()


async def _is_ours(store: Store, run: Run) -> bool:
    try:
        now = await store.run(str(run.id))
    except FlowsourceError as error:
        logger.warning("whether run %s is still ours is not known: %s", run.name, error)
        return True
    return now.epoch == run.epoch and not now.state.is_final
