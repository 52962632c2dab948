"""When deployments want their next runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from flowsource.deployments import Deployment
from flowsource.errors import InvalidSchedule
from flowsource.store.protocol import Store


async def next_instants(store: Store, deployments: Sequence[Deployment], now: datetime) -> dict[UUID, datetime]:
    """When each deployment wants its next run; those whose schedules are held, have ended or cannot fire, or that have
    none, are left out."""
    instants: dict[UUID, datetime] = {}
    for state in await store.schedules([deployment.id for deployment in deployments]):
        if state.is_held:
            continue
        # One that cannot fire is left out, and the others count.
        with suppress(InvalidSchedule):
            if (at := state.schedule.next_after(now)) is not None:
                instants[state.deployment_id] = min(at, instants.get(state.deployment_id, at))
    return instants
