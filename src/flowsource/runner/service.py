"""The runner: what a serving process does from its first claim to its last."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from uuid import UUID

import anyio
from anyio.abc import TaskGroup

from flowsource.runner.claims import Slots, claim_runs, lend_slots
from flowsource.runner.fencing import Pulse, fence
from flowsource.runner.following import Following
from flowsource.runner.hand import Hand
from flowsource.runner.instances import stay_in_use
from flowsource.runner.presence import FENCE_AFTER, LEASE, stay_present
from flowsource.runner.pruning import prune_now_and_then
from flowsource.runner.scheduling import create_scheduled
from flowsource.runner.spool import deliver_when_back
from flowsource.runner.triggering import fire_triggers
from flowsource.runner.workshop import Served, Workshop
from flowsource.runs import Run
from flowsource.store.values import Registration


class Runner:
    """Serves deployments that are registered: watches their sources, creates scheduled runs, claims and executes.

    `limit` is how many runs may go on at once; None means any number.
    """

    def __init__(self, runner_id: UUID, served: Sequence[Served], shop: Workshop, *, limit: int | None) -> None:
        self._id, self._shop = runner_id, shop
        self._served = {entry.deployment.id: entry for entry in served}
        self._slots = Slots(limit)
        self._following = Following(self._served, shop)
        self._hand = Hand(runner_id, self._served, shop, self._slots, self._following)
        self._stopping = anyio.Event()
        self._stopping_now = anyio.Event()

    def stop(self) -> None:
        """Take no more runs and end when those going on have ended, within their grace; a second call ends them now."""
        if self._stopping.is_set():
            self._stopping_now.set()
        self._stopping.set()

    def look_now(self) -> None:
        """Ask the remotes of all sources now rather than at their next poll."""
        self._following.look_now()

    async def run(self) -> None:
        """Serve until stopped. When this returns or raises, no process of a run is left."""
        async with anyio.create_task_group() as presence:
            self._show_presence(presence)
            # A run may be cancelled as long as there is one.
            presence.start_soon(self._hand.cancel_what_is_to_end)
            await self._following.carry_out_wishes(self._stopping)
            async with anyio.create_task_group() as executions:
                async with anyio.create_task_group() as chores:
                    self._start_chores(chores, executions)
                    await self._stopping.wait()
                    chores.cancel_scope.cancel()
                await self._hand.drain(self._stopping_now)
            presence.cancel_scope.cancel()

    def _show_presence(self, tasks: TaskGroup) -> None:
        pulse, hand = Pulse(), self._hand
        stay = partial(stay_present, pulse=pulse, signs=self._shop.signs)
        tasks.start_soon(stay, self._shop.store, self._id, self._register_again)
        if any(entry.deployment.declared.on_lost == "rerun" for entry in self._served.values()):
            tasks.start_soon(fence, pulse, FENCE_AFTER, lambda: hand.has_any_to_fence, hand.fence)

    def _start_chores(self, chores: TaskGroup, executions: TaskGroup) -> None:
        ids, store = list(self._served), self._shop.store

        def take(run: Run) -> None:
            self._hand.take(run, executions)

        chores.start_soon(create_scheduled, store, ids)
        chores.start_soon(prune_now_and_then, store, self._shop.keeping)
        chores.start_soon(fire_triggers, store, ids)
        if self._shop.spool is not None:
            chores.start_soon(deliver_when_back, self._shop.spool, store)
        chores.start_soon(lend_slots, store, self._id, self._slots)
        chores.start_soon(claim_runs, store, self._id, ids, self._slots, take)
        if objects := {Path(file) for entry in self._served.values() if (file := entry.deployment.declared.instance)}:
            chores.start_soon(stay_in_use, objects)
        self._following.start(chores)

    async def _register_again(self) -> None:
        """Come back after we were given up: runs of ours that were only lost go on, and others end.

        What serves is as others left it: while we were away they may have promoted what we have not seen.
        """
        now = self._shop.store.now()
        registrations = [
            Registration(
                declared=entry.deployment.declared,
                facts=entry.deployment.facts,
                active=entry.deployment.active,
                rejected=entry.deployment.rejected,
                is_stale=True,
            )
            for entry in self._served.values()
        ]
        await self._shop.store.register(self._id, registrations, lease_until=now + LEASE, now=now, info=self._shop.info)
        await self._hand.end_what_is_not_ours()
