"""What the clockwork of a server does at one look, at a time that a test chooses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from flowsource.runner import scheduling
from flowsource.store.protocol import Store


async def create_due(
    store: Store, deployment_ids: Sequence[UUID], *, now: datetime, broken: set[tuple[UUID, str]]
) -> timedelta:
    """Create what is due of these deployments; returns the time until more may be due."""
    return await scheduling.create_due(store, await store.schedules(deployment_ids), now=now, broken=broken)
