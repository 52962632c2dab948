"""Promotion: a candidate serves only after its entrypoint has loaded in a clean process."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import anyio

from flowsource.deployments import Deployment, FlowFacts, Loaded, Rejection, Wish
from flowsource.errors import FlowsourceError, Outdated, RefNotFound, RevisionGone, UnsafeTree, UnverifiedRevision
from flowsource.promotions import CarriedOut, Decision, Failed, HeldBack, Outcome, Passed, Refused
from flowsource.revisions import Revision
from flowsource.snapshots.snapshot import Snapshot
from flowsource.store.protocol import Store
from flowsource.watch.backoff import poll_delay
from flowsource.watch.comparing import Comparison
from flowsource.watch.deciding import Candidate, Task, next_task

logger = logging.getLogger(__name__)

RETRY = timedelta(seconds=2)
RETRY_CEILING = timedelta(minutes=1)
# What another try cannot mend. Credentials, or a server that is away, it can. (Whoever adds a signer can ask again: as
# long as a wish is open nothing that is pushed is decided on.)
_FOR_GOOD = (RevisionGone, RefNotFound, UnsafeTree, UnverifiedRevision)

OnChange = Callable[[Deployment, Deployment, Outcome | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """How a promoter finds out what it decides by. What is raised says nothing about a revision: it is asked again.

    `inspect` loads the entrypoint from a snapshot in a clean process and tells what it found. `compare` holds a
    snapshot against the one of a revision that is known. `bring` has the snapshot of a revision, fetched if need be.
    """

    inspect: Callable[[Snapshot], Awaitable[FlowFacts | Rejection]]
    compare: Callable[[Revision, Snapshot], Awaitable[Comparison]]
    bring: Callable[[Revision], Awaitable[Snapshot]]


class Promoter:
    """Decides for one deployment which snapshot serves. What a person wants comes first, and then what is newest.

    A newer candidate always pre-empts an older one. `on_change` is called with the deployment as it was and as it is,
    whoever changed it; with what was found, where that was decided here.
    """

    def __init__(self, deployment: Deployment, store: Store, means: Means, *, on_change: OnChange) -> None:
        self._deployment, self._store = deployment, store
        self._means, self._on_change = means, on_change
        self._candidate: Candidate | None = None
        self._woken, self._settled = anyio.Event(), anyio.Event()
        self._looking = anyio.CancelScope()
        self._troubles: set[type[Exception]] = set()
        self._is_deciding = False
        self._heard: Deployment | None = None

    @property
    def deployment(self) -> Deployment:
        """The deployment as it was seen last."""
        return self._deployment

    @property
    def candidate(self) -> Candidate | None:
        """The newest that was offered, whatever became of it."""
        return self._candidate

    def offer(self, candidate: Candidate) -> None:
        """Decide on `candidate` next, whatever became of the one before."""
        self._candidate = candidate
        self._wake()

    def refresh(self, deployment: Deployment) -> None:
        """Take over what others, a person or another server, made of the deployment."""
        if self._is_deciding:
            # What we decide ourselves comes back this way too, and is not to be told twice.
            if self._heard is None or self._heard.epoch <= deployment.epoch:
                self._heard = deployment
            return
        before, after = self._deployment, self._as_declared_here(deployment)
        if after.epoch < before.epoch or replace(after, updated_at=before.updated_at) == before:
            return
        self._deployment = after
        if after.epoch != before.epoch:
            self._wake()
        self._on_change(before, after, None)

    async def run(self) -> None:
        """Decide, one thing at a time, until cancelled; nothing that goes wrong on the way ends it."""
        self._wake()
        while True:
            await self._woken.wait()
            self._woken = anyio.Event()
            await self._settle()
            if not self._woken.is_set():
                self._settled.set()

    async def wait_until_settled(self) -> None:
        """Return once there is nothing to decide; to be used while `run` goes on."""
        await self._settled.wait()

    async def carry_out_wish(self) -> None:
        """Try once to serve what a person asked for and is not served yet; what that fails at is left to `run`."""
        try:
            await self._do(Task.CARRY_OUT_WISH)
        except Exception as error:
            self._warn(error)

    def _wake(self) -> None:
        if self._settled.is_set():
            self._settled = anyio.Event()
        self._looking.cancel()
        self._woken.set()

    async def _settle(self) -> None:
        """Do what there is to do, in as many attempts as that takes, unless something new comes up meanwhile."""
        for failures in itertools.count():
            try:
                while (task := self._next()) is not None and not self._woken.is_set():
                    await self._do(task)
                self._troubles.clear()
                return
            except Exception as error:  # One deployment that cannot be decided on must not end what is served.
                self._warn(error)
            delay = poll_delay(failures, every=RETRY, ceiling=RETRY_CEILING)
            with anyio.move_on_after(delay.total_seconds()):
                await self._woken.wait()
                return

    def _next(self) -> Task | None:
        return next_task(self._deployment, self._candidate, now=self._store.now())

    async def _do(self, task: Task) -> None:
        deployment, outcome, seen_at = self._deployment, None, None
        with anyio.CancelScope() as self._looking:
            if task is Task.CARRY_OUT_WISH:
                assert deployment.wish is not None, "there is a wish to carry out"
                outcome = await self._look_at_wish(deployment.wish)
            else:
                assert self._candidate is not None, "there is a candidate to decide on"
                seen_at = self._candidate.seen_at
                outcome = await self._look_at(self._candidate.snapshot, deployment)
        if outcome is not None:
            await self._decide(Decision(outcome=outcome, epoch=deployment.epoch, seen_at=seen_at))

    async def _look_at(self, snapshot: Snapshot, deployment: Deployment) -> Outcome:
        followed, facts = deployment.followed, deployment.followed.facts
        compared = Comparison(is_same=True)
        if snapshot.revision != followed.revision:
            compared = await self._means.compare(followed.revision, snapshot)
        if not compared.is_same:
            found = await self._means.inspect(snapshot)
            if isinstance(found, Rejection):
                return Failed(found)
            facts = found
        loaded = Loaded(snapshot.revision, facts)
        if compared.changes and deployment.declared.on_dependency_change == "hold":
            return HeldBack(loaded, compared.changes)
        return Passed(
            loaded=loaded,
            changes=compared.changes,
            was_loaded=not compared.is_same,
            in_place=snapshot.is_mounted,
        )

    async def _look_at_wish(self, wish: Wish) -> Outcome:
        try:
            snapshot = await self._means.bring(wish.revision)
        except _FOR_GOOD as error:
            return Refused(str(error))
        if snapshot.is_mounted:
            return Refused("the directory is used in place, so that there is no other state of it.")
        found = await self._means.inspect(snapshot)
        if isinstance(found, Rejection):
            return Refused(f"{found.message}\n{found.details}".rstrip())
        return CarriedOut(Loaded(snapshot.revision, found))

    async def _decide(self, decision: Decision) -> None:
        before, self._is_deciding = self._deployment, True
        try:
            decided = await self._store.decide(before.id, decision, now=self._store.now())
            self._deployment = self._as_declared_here(decided)
            self._on_change(before, self._deployment, decision.outcome)
        except Outdated:
            self.refresh(await self._store.deployment(before.full_name))
        finally:
            self._is_deciding = False
            heard, self._heard = self._heard, None
            if heard is not None:
                self.refresh(heard)

    def _as_declared_here(self, deployment: Deployment) -> Deployment:
        # Another server may serve it as another version of the script declares it.
        return replace(deployment, declared=self._deployment.declared)

    def _warn(self, error: Exception) -> None:
        """Say once what stands in the way, however often it does."""
        if type(error) in self._troubles:
            return
        self._troubles.add(type(error))
        wish, candidate = self._deployment.wish, self._candidate
        revision = wish.revision if wish is not None and self._deployment.is_wish_open else None
        if revision is None and candidate is not None:
            revision = candidate.snapshot.revision
        logger.warning(
            "%s cannot be decided on for %s yet, and is tried again: %s",
            revision.short if revision else "what is new",
            self._deployment.full_name,
            str(error) or type(error).__name__,
            exc_info=None if isinstance(error, FlowsourceError | OSError) else error,
            extra={"event": "promotion.delayed", "revision": revision.id if revision else None},
        )
