"""Claims: a runner takes runs that are due while it has slots free, and waits to be woken when there is nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence, Set
from datetime import timedelta
from uuid import UUID, uuid4

import anyio
import anyio.lowlevel

from flowsource.errors import FlowsourceError
from flowsource.runs import Run
from flowsource.store.protocol import Store
from flowsource.store.values import WAITS, WORK

logger = logging.getLogger(__name__)

# What wakes a runner is a doorbell; this only covers one that was not heard.
LOOK_EVERY = timedelta(seconds=5)
_MOST_AT_ONCE = 64


class Slots:
    """How many runs may go on at once; a `limit` of None means any number."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._taken: set[UUID] = set()
        self._lent: Set[UUID] = frozenset()
        self._freed = anyio.Event()

    @property
    def most(self) -> int:
        """How many runs may be claimed at once."""
        return _MOST_AT_ONCE if self._limit is None else min(self._limit, _MOST_AT_ONCE)

    @property
    def free(self) -> int:
        """How many runs may be claimed now."""
        if self._limit is None:
            return _MOST_AT_ONCE
        return min(self._limit - len(self._taken - self._lent), _MOST_AT_ONCE)

    def take(self, run_id: UUID) -> None:
        """Give a slot to a run."""
        self._taken.add(run_id)

    def give_back(self, run_id: UUID) -> None:
        """The run needs its slot no more; a second call does nothing."""
        if run_id in self._taken:
            self._taken.remove(run_id)
            self._freed.set()

    def lend(self, waiting: Set[UUID]) -> None:
        """From now on the slots of runs that are `waiting` are for others; all others are back with their runs.

        So there may be less than none free, until as many have ended.
        """
        self._lent = waiting
        self._freed.set()

    async def wait_until_freed(self) -> None:
        """Wait for the next slot that is given back or lent."""
        self._freed = anyio.Event()
        await self._freed.wait()


async def lend_slots(store: Store, runner_id: UUID, slots: Slots) -> None:
    """Lend the slots of runs that wait for others, which may need one, until cancelled."""
    async with store.changes(WAITS) as ear:
        while True:
            try:
                slots.lend(await store.waiting(runner_id))
            except FlowsourceError as error:
                logger.warning("which runs wait for others is looked for again: %s", error)
            await ear.wait(LOOK_EVERY)


async def claim_runs(
    store: Store, runner_id: UUID, deployment_ids: Sequence[UUID], slots: Slots, on_claim: Callable[[Run], None]
) -> None:
    """Claim runs of these deployments, and hand each to `on_claim` with a slot of its own, until cancelled."""
    claim_id, last = uuid4(), None
    async with store.changes(WORK) as ear:
        while True:
            wanted = slots.free
            if wanted <= 0:
                await slots.wait_until_freed()
                continue
            now = store.now()
            try:
                # A claim that was made is always acted on, even if we are told to stop meanwhile.
                with anyio.CancelScope(shield=True):
                    claimed = await store.claim(
                        runner_id, deployment_ids, limit=wanted, now=now, transition_id=claim_id, after=last
                    )
                    # Until then it is the same claim, of which the answer may have been lost.
                    claim_id, last = uuid4(), claimed.last
                    # Never more than may go on at once, whoever says what is ours.
                    for run in claimed.runs[: slots.most]:
                        slots.take(run.id)
                        on_claim(run)
                if len(claimed.runs) < wanted:
                    due = claimed.next_due
                    await ear.wait(LOOK_EVERY if due is None else min(due - now, LOOK_EVERY))
            except FlowsourceError as error:
                logger.warning("claims wait for the store: %s", error)
                await ear.wait(LOOK_EVERY)
            await anyio.lowlevel.checkpoint()
