"""Promotion: a candidate serves only after its entrypoint has loaded in a clean process."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import anyio

from flowsource.deployments import Deployment, FlowFacts, Rejection
from flowsource.errors import FlowsourceError
from flowsource.snapshots.snapshot import Snapshot
from flowsource.store.protocol import Store
from flowsource.watch.backoff import poll_delay

logger = logging.getLogger(__name__)

RETRY = timedelta(seconds=2)
RETRY_CEILING = timedelta(minutes=1)

Inspect = Callable[[Snapshot], Awaitable[FlowFacts | Rejection]]
OnDecision = Callable[[Deployment, Rejection | None], Awaitable[None]]


class Promoter:
    """Decides for one deployment which snapshot serves. A newer candidate always pre-empts an older one.

    `inspect` loads the entrypoint from a snapshot in a clean process and tells what it found. That it could not look
    says nothing about the candidate: it raises then, and is asked again later. `on_decision` is called with the
    deployment as it is after each promotion (None) or rejection.
    """

    def __init__(self, deployment: Deployment, store: Store, *, inspect: Inspect, on_decision: OnDecision) -> None:
        self._deployment, self._store = deployment, store
        self._inspect, self._on_decision = inspect, on_decision
        self._candidate: Snapshot | None = None
        self._offered = anyio.Event()
        self._looking = anyio.CancelScope()
        self._troubles: set[type[Exception]] = set()

    def offer(self, snapshot: Snapshot) -> None:
        """Make `snapshot` the candidate, whatever became of the one before."""
        self._candidate = snapshot
        self._looking.cancel()
        self._offered.set()

    async def run(self) -> None:
        """Decide on candidates, one at a time, until cancelled; nothing that goes wrong on the way ends it."""
        while True:
            await self._offered.wait()
            self._offered = anyio.Event()
            assert self._candidate is not None, "what was offered is the candidate"
            await self._settle(self._candidate)

    async def _settle(self, candidate: Snapshot) -> None:
        """Decide on `candidate`, in as many attempts as that takes, unless another one is offered meanwhile."""
        for failures in itertools.count():
            try:
                if not self._is_decided(candidate):
                    await self._attempt(candidate)
                self._troubles.clear()
                return
            except Exception as error:  # One deployment that cannot be decided on must not end what is served.
                self._warn(candidate, error)
            delay = poll_delay(failures, every=RETRY, ceiling=RETRY_CEILING)
            with anyio.move_on_after(delay.total_seconds()):
                await self._offered.wait()
                return

    def _is_decided(self, candidate: Snapshot) -> bool:
        """A revision that serves, or was rejected, is not tried again; the active one ends a rejection, though."""
        rejected = self._deployment.rejected
        if rejected is not None:
            return rejected.revision == candidate.revision
        return self._deployment.active == candidate.revision

    async def _attempt(self, candidate: Snapshot) -> None:
        found: FlowFacts | Rejection | None = None
        with anyio.CancelScope() as self._looking:
            found = await self._inspect(candidate)
        if found is not None:
            await self._decide(candidate, found)

    async def _decide(self, candidate: Snapshot, found: FlowFacts | Rejection) -> None:
        rejection = found if isinstance(found, Rejection) else None
        if isinstance(found, Rejection):
            self._deployment = await self._store.reject(self._deployment.id, found)
        else:
            self._deployment = await self._store.promote(
                self._deployment.id, candidate.revision, found, now=datetime.now(UTC)
            )
        await self._on_decision(self._deployment, rejection)

    def _warn(self, candidate: Snapshot, error: Exception) -> None:
        """Say once what stands in the way, however often it does."""
        if type(error) in self._troubles:
            return
        self._troubles.add(type(error))
        logger.warning(
            "%s cannot be decided on for %s yet, and is tried again: %s",
            candidate.revision.short,
            self._deployment.full_name,
            str(error) or type(error).__name__,
            exc_info=None if isinstance(error, FlowsourceError | OSError) else error,
            extra={"event": "promotion.delayed", "revision": candidate.revision.id},
        )
