"""Promotion: a candidate serves only after its entrypoint has loaded in a clean process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import anyio

from flowsource.deployments import Deployment, FlowFacts, Rejection
from flowsource.snapshots.snapshot import Snapshot
from flowsource.store.protocol import Store

Inspect = Callable[[Snapshot], Awaitable[FlowFacts | Rejection]]
OnDecision = Callable[[Deployment, Rejection | None], Awaitable[None]]


class Promoter:
    """Decides for one deployment which snapshot serves. A newer candidate always pre-empts an older one.

    `inspect` loads the entrypoint from a snapshot in a clean process and tells what it found. `on_decision` is called
    with the deployment as it is after each promotion (None) or rejection.
    """

    def __init__(self, deployment: Deployment, store: Store, *, inspect: Inspect, on_decision: OnDecision) -> None:
        self._deployment, self._store = deployment, store
        self._inspect, self._on_decision = inspect, on_decision
        self._candidate: Snapshot | None = None
        self._offered = anyio.Event()
        self._looking = anyio.CancelScope()

    def offer(self, snapshot: Snapshot) -> None:
        """Make `snapshot` the candidate, whatever became of the one before."""
        self._candidate = snapshot
        self._looking.cancel()
        self._offered.set()

    async def run(self) -> None:
        """Decide on candidates, one at a time, until cancelled."""
        while True:
            await self._offered.wait()
            self._offered = anyio.Event()
            candidate, self._candidate = self._candidate, None
            if candidate is None or self._is_decided(candidate):
                continue
            found: FlowFacts | Rejection | None = None
            with anyio.CancelScope() as self._looking:
                found = await self._inspect(candidate)
            if found is not None:
                await self._decide(candidate, found)

    def _is_decided(self, candidate: Snapshot) -> bool:
        """A revision that serves, or was rejected, is not tried again; the active one ends a rejection, though."""
        rejected = self._deployment.rejected
        if rejected is not None:
            return rejected.revision == candidate.revision
        return self._deployment.active == candidate.revision

    async def _decide(self, candidate: Snapshot, found: FlowFacts | Rejection) -> None:
        rejection = found if isinstance(found, Rejection) else None
        if isinstance(found, Rejection):
            self._deployment = await self._store.reject(self._deployment.id, found)
        else:
            self._deployment = await self._store.promote(
                self._deployment.id, candidate.revision, found, now=datetime.now(UTC)
            )
        await self._on_decision(self._deployment, rejection)
