"""Scheduling: runs are created when they come due, however many runners watch the same clock."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from flowsource.catching_up import JUST_NOW, Plan, plan
from flowsource.errors import FlowsourceError, StoreUnavailable
from flowsource.runs import Failure
from flowsource.store.protocol import Store
from flowsource.store.values import DEPLOYMENTS, ScheduleState

logger = logging.getLogger(__name__)

# Schedules may change without a sound that reaches us, and a clock may be set.
LOOK_EVERY = JUST_NOW / 2


async def create_scheduled(store: Store, deployment_ids: Sequence[UUID]) -> None:
    """Create the runs of these deployments as they come due, until cancelled."""
    broken: set[tuple[UUID, str]] = set()
    async with store.changes(DEPLOYMENTS) as ear:
        while True:
            delay = LOOK_EVERY
            try:
                states = await store.schedules(deployment_ids)
                # Read after the states, or a clock that was set in between would be behind what others made of them.
                delay = await create_due(store, states, now=store.now(), broken=broken)
            except FlowsourceError as error:
                logger.warning("schedules wait for the store: %s", error)
            await ear.wait(delay)


async def create_due(
    store: Store, states: Iterable[ScheduleState], *, now: datetime, broken: set[tuple[UUID, str]]
) -> timedelta:
    """Create what is due at `now` of these schedules; returns the time until more may be due.

    A schedule that cannot be used holds up no other. It is told once, which `broken` remembers between calls.
    """
    delay = LOOK_EVERY
    for state in states:
        if state.is_held:
            continue
        this = (state.deployment_id, state.key)
        try:
            delay = min(delay, await _create_due(store, state, now))
            broken.discard(this)
        except StoreUnavailable:
            raise
        except Exception as error:
            if this not in broken:
                logger.warning("%s is left out: %s", state.schedule.describe(), error)
            broken.add(this)
    return delay


async def _create_due(store: Store, state: ScheduleState, now: datetime) -> timedelta:
    # A cursor ahead of us was set by a clock that was ahead. What lies before it may have no run yet; where it has
    # one, the store keeps it from getting a second.
    after = state.cursor if state.cursor <= now else now - JUST_NOW
    to_do = plan(state.schedule, after=after, now=now, catchup=state.catchup, max_lateness=state.max_lateness)
    skipped = _skipped(state, to_do)
    if to_do.wanted or skipped:
        await store.create_scheduled(
            state.deployment_id, state.key, to_do.wanted, skipped=skipped, cursor=to_do.cursor, now=now
        )
    coming = state.schedule.next_after(to_do.cursor)
    return LOOK_EVERY if coming is None else max(coming - now, timedelta(0))


def _skipped(state: ScheduleState, to_do: Plan) -> dict[datetime, Failure]:
    missed = Failure(kind="missed", message=f"nobody looked when it came due, and catchup is {state.catchup!r}")
    too_late = Failure(kind="too late", message=f"it could not begin within {state.max_lateness} of its time")
    return {**dict.fromkeys(to_do.missed, missed), **dict.fromkeys(to_do.too_late, too_late)}
