"""Following the sources of what is served: watched, and promoted where what is new loads."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import anyio
from anyio.abc import TaskGroup

from flowsource.deployments import Deployment, FlowFacts, Rejection
from flowsource.errors import FlowsourceError
from flowsource.promotions import CarriedOut, Passed
from flowsource.promotions import Outcome as Found
from flowsource.revisions import Revision
from flowsource.runner.inspection import inspect_entrypoint
from flowsource.runner.own import as_declared_here
from flowsource.runner.tidying import TIDY_EVERY, collect_garbage
from flowsource.runner.workshop import Served, Workshop
from flowsource.snapshots.snapshot import Snapshot
from flowsource.source_status import SourceState
from flowsource.sources.base import Source
from flowsource.store.values import DEPLOYMENTS
from flowsource.watch.comparing import Comparison, compare
from flowsource.watch.deciding import Candidate
from flowsource.watch.hosts import Hosts
from flowsource.watch.keeping import keep_fresh
from flowsource.watch.latest import on_the_clock
from flowsource.watch.promotion import Means, Promoter
from flowsource.watch.watcher import Watcher

logger = logging.getLogger(__name__)

# What others do rings; this is for a bell that was lost.
_LOOK_EVERY = timedelta(seconds=30)
# How long a run waits for its source to be asked, where that is wanted.
FRESHEN_WITHIN = timedelta(seconds=10)
_PATIENCE_AT_START = timedelta(seconds=10)


class Following:
    """Watches the sources of what is served, and has each deployment serve the newest that loads, or what a person
    wants."""

    def __init__(self, served: Mapping[UUID, Served], shop: Workshop) -> None:
        self._served, self._shop = served, shop
        self._promoters = {entry.deployment.id: self._promoter(entry) for entry in served.values()}
        self._watchers = self._make_watchers()
        self._one_promoted = anyio.Event()

    def look_now(self) -> None:
        """Ask the remotes of all sources now rather than at their next poll."""
        for watcher in self._watchers.values():
            watcher.hint("a signal")

    async def freshen(self, deployment_id: UUID) -> str | None:
        """Have the source of a deployment asked, and what is new decided on; what stands in the way of that, if any.

        Runs that ask at once are answered at once.
        """
        entry = self._served[deployment_id]
        watcher, label = self._watchers[entry.source.key], entry.source.label
        if entry.source.mount is not None:
            return None
        with anyio.move_on_after(FRESHEN_WITHIN.total_seconds()):
            await watcher.look("a run that is to begin")
            status = next(status for status in watcher.statuses if status.label == label)
            if status.state is not SourceState.OK:
                return f"{label} is {status.state.replace('_', ' ')}: {status.reason}"
            await self._promoters[deployment_id].wait_until_settled()
            return None
        return f"{label} did not answer within {FRESHEN_WITHIN.total_seconds():g} s"

    async def carry_out_wishes(self, stopping: anyio.Event) -> None:
        """Serve what people asked for while nobody served, before the first run is taken, if that can be had soon."""
        asked = [promoter for promoter in self._promoters.values() if promoter.deployment.is_wish_open]
        if not asked:
            return
        with anyio.move_on_after(_PATIENCE_AT_START.total_seconds()) as patience:
            async with anyio.create_task_group() as waiting:

                async def until_stopped() -> None:
                    await stopping.wait()
                    patience.cancel()

                waiting.start_soon(until_stopped)
                async with anyio.create_task_group() as tasks:
                    for promoter in asked:
                        tasks.start_soon(promoter.carry_out_wish)
                waiting.cancel_scope.cancel()

    def start(self, chores: TaskGroup) -> None:
        """Follow, in `chores`, until that is cancelled."""
        chores.start_soon(keep_fresh, list(self._watchers.values()), self._shop.store)
        for promoter in self._promoters.values():
            chores.start_soon(promoter.run)
        chores.start_soon(self._follow_others)
        chores.start_soon(self._keep_tidy)

    async def _follow_others(self) -> None:
        """Take over what people, and other servers, make of our deployments, until cancelled."""
        async with self._shop.store.changes(DEPLOYMENTS) as ear:
            while True:
                try:
                    for deployment in await self._shop.store.deployments():
                        if (promoter := self._promoters.get(deployment.id)) is not None:
                            here = self._served[deployment.id].deployment.declared
                            promoter.refresh(as_declared_here(deployment, here))
                except FlowsourceError as error:
                    logger.warning("what others do with deployments waits for the store: %s", error)
                await ear.wait(_LOOK_EVERY)

    async def _keep_tidy(self) -> None:
        """Remove old snapshots after promotions, now and then, until cancelled."""
        while True:
            await self._one_promoted.wait()
            self._one_promoted = anyio.Event()
            offered = [
                (entry.source.key, candidate.snapshot.revision)
                for entry in self._served.values()
                if (candidate := self._promoters[entry.deployment.id].candidate) is not None
            ]
            try:
                await collect_garbage(self._shop.store, self._shop.cache, offered, now=self._shop.store.now())
            except FlowsourceError as error:
                logger.warning("old snapshots are left for the next time: %s", error)
            await anyio.sleep(TIDY_EVERY.total_seconds())

    def _make_watchers(self) -> dict[str, Watcher]:
        """One for each key, over the distinct things that deployments follow there."""
        hosts = Hosts()
        by_key: dict[str, dict[str, Served]] = defaultdict(dict)
        for entry in self._served.values():
            by_key[entry.source.key].setdefault(entry.source.selector, entry)
        return {
            key: Watcher(
                [entry.source for entry in followed.values()],
                [entry.latest for entry in followed.values()],
                self._shop.cache,
                on_snapshot=self._offer,
                on_status=self._shop.terminal.source_changed,
                host=hosts.of(next(iter(followed.values())).source),
            )
            for key, followed in by_key.items()
        }

    async def _offer(self, source: Source, snapshot: Snapshot) -> None:
        candidate = Candidate(snapshot, on_the_clock(self._watchers[source.key].asked_at, now=self._shop.store.now()))
        for entry in self._served.values():
            if (entry.source.key, entry.source.selector) == (source.key, source.selector):
                self._promoters[entry.deployment.id].offer(candidate)

    def _promoter(self, entry: Served) -> Promoter:
        shop, declared = self._shop, entry.deployment.declared

        async def inspect(snapshot: Snapshot) -> FlowFacts | Rejection:
            found = await inspect_entrypoint(shop.server, shop.cache, snapshot, declared)
            if isinstance(found, FlowFacts):
                entry.loaded.add(snapshot.revision)
            return found

        async def compared(known: Revision, snapshot: Snapshot) -> Comparison:
            return await compare(shop.cache, known, snapshot, declared)

        async def bring(revision: Revision) -> Snapshot:
            return await shop.cache.ensure(entry.source, revision)

        def on_change(before: Deployment, after: Deployment, outcome: Found | None) -> None:
            entry.deployment = as_declared_here(after, declared)
            if isinstance(outcome, Passed | CarriedOut):
                entry.loaded.add(outcome.loaded.revision)
            shop.terminal.deployment_changed(before, after, outcome, in_place=entry.source.mount is not None)
            if before.active != after.active:
                self._one_promoted.set()

        means = Means(inspect=inspect, compare=compared, bring=bring)
        promoter = Promoter(entry.deployment, shop.store, means, on_change=on_change)
        if not entry.latest.is_stale:
            promoter.offer(Candidate(entry.latest.snapshot, entry.seen_at))
        return promoter
