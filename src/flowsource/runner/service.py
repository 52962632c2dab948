"""The runner: what a serving process does from its first claim to its last."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from signal import SIGKILL, SIGTERM
from uuid import UUID, uuid4

import anyio
from anyio.abc import TaskGroup

from flowsource.deployments import Deployment, FlowFacts, Rejection
from flowsource.errors import FlowsourceError, StoreUnavailable
from flowsource.promotions import Outcome as Found
from flowsource.revisions import Revision
from flowsource.runner.claims import Slots, claim_runs
from flowsource.runner.execution import Assignment, Execution
from flowsource.runner.inspection import inspect_entrypoint
from flowsource.runner.presence import LEASE, stay_present
from flowsource.runner.scheduling import create_scheduled
from flowsource.runner.starter import Starter
from flowsource.runner.terminal import Terminal
from flowsource.runner.tidying import TIDY_EVERY, collect_garbage
from flowsource.runs import Failure, Run, RunState
from flowsource.snapshots.cache import SnapshotCache
from flowsource.snapshots.snapshot import Snapshot
from flowsource.sources.base import Source
from flowsource.store.protocol import DEPLOYMENTS, Outcome, Registration, Store
from flowsource.watch.comparing import Comparison, compare
from flowsource.watch.deciding import Candidate
from flowsource.watch.hosts import Hosts
from flowsource.watch.keeping import keep_fresh
from flowsource.watch.latest import Latest, on_the_clock
from flowsource.watch.promotion import Means, Promoter
from flowsource.watch.watcher import Watcher

logger = logging.getLogger(__name__)

KILL_AFTER = timedelta(seconds=5)
# What others do rings; this is for a bell that was lost.
_LOOK_EVERY = timedelta(seconds=30)
_PATIENCE_AT_START = timedelta(seconds=10)


@dataclass(slots=True, kw_only=True)
class Served:
    """A deployment as its runner carries it. Runs start in `directory`, by default at the top of their snapshot.

    `seen_at` is when its source was asked for `latest`.
    """

    deployment: Deployment
    source: Source
    latest: Latest
    seen_at: datetime
    directory: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What a runner works with. `scratch` holds a directory for each run."""

    store: Store
    cache: SnapshotCache
    server: Starter
    terminal: Terminal
    scratch: Path


class Runner:
    """Serves deployments that are registered: watches their sources, creates scheduled runs, claims and executes.

    `limit` is how many runs may go on at once; None means any number. `grace` is how long runs that are going on may
    take to end once it is stopped.
    """

    def __init__(
        self, runner_id: UUID, served: Sequence[Served], shop: Workshop, *, limit: int | None, grace: timedelta
    ) -> None:
        self._id, self._shop, self._grace = runner_id, shop, grace
        self._served = {entry.deployment.id: entry for entry in served}
        self._slots = Slots(limit)
        self._preparing: dict[UUID, anyio.CancelScope] = {}
        self._executions: dict[UUID, Execution] = {}
        self._one_ended = anyio.Event()
        self._stopping = anyio.Event()
        self._stopping_now = anyio.Event()
        self._promoters = {entry.deployment.id: self._promoter(entry) for entry in served}
        self._watchers = self._make_watchers()
        self._one_promoted = anyio.Event()

    def stop(self) -> None:
        """Take no more runs and end when those going on have ended, within the grace; a second call ends them now."""
        if self._stopping.is_set():
            self._stopping_now.set()
        self._stopping.set()

    def look_now(self) -> None:
        """Ask the remotes of all sources now rather than at their next poll."""
        for watcher in self._watchers.values():
            watcher.hint("a signal")

    async def run(self) -> None:
        """Serve until stopped. When this returns or raises, no process of a run is left."""
        async with anyio.create_task_group() as presence:
            presence.start_soon(stay_present, self._shop.store, self._id, self._register_again)
            await self._carry_out_wishes()
            async with anyio.create_task_group() as executions:
                async with anyio.create_task_group() as chores:
                    self._start_chores(chores, executions)
                    await self._stopping.wait()
                    chores.cancel_scope.cancel()
                await self._drain()
            presence.cancel_scope.cancel()

    async def _carry_out_wishes(self) -> None:
        """Serve what people asked for while nobody served, before the first run is taken, if that can be had soon."""
        asked = [promoter for promoter in self._promoters.values() if promoter.deployment.is_wish_open]
        if not asked:
            return
        with anyio.move_on_after(_PATIENCE_AT_START.total_seconds()) as patience:
            async with anyio.create_task_group() as waiting:

                async def until_stopped() -> None:
                    await self._stopping.wait()
                    patience.cancel()

                waiting.start_soon(until_stopped)
                async with anyio.create_task_group() as tasks:
                    for promoter in asked:
                        tasks.start_soon(promoter.carry_out_wish)
                waiting.cancel_scope.cancel()

    async def _register_again(self) -> None:
        """Come back after we were given up: what we still ran is not ours any more.

        What serves is as others left it: while we were away they may have promoted what we have not seen.
        """
        for execution in self._executions.values():
            execution.stop(SIGKILL)
        now = datetime.now(UTC)
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
        await self._shop.store.register(self._id, registrations, lease_until=now + LEASE, now=now)

    def _start_chores(self, chores: TaskGroup, executions: TaskGroup) -> None:
        ids, store = list(self._served), self._shop.store

        def start(run: Run) -> None:
            executions.start_soon(self._execute, run)

        chores.start_soon(create_scheduled, store, ids)
        chores.start_soon(claim_runs, store, self._id, ids, self._slots, start)
        chores.start_soon(keep_fresh, list(self._watchers.values()), store)
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
                        if deployment.id in self._promoters:
                            self._promoters[deployment.id].refresh(deployment)
                except StoreUnavailable as error:
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
                await collect_garbage(self._shop.store, self._shop.cache, offered, now=datetime.now(UTC))
            except FlowsourceError as error:
                logger.warning("old snapshots are left for the next time: %s", error)
            await anyio.sleep(TIDY_EVERY.total_seconds())

    async def _drain(self) -> None:
        """Wait for the runs that are going on; past the grace, or when told, end them all together."""
        for scope in self._preparing.values():
            scope.cancel()
        if not self._executions:
            return
        self._shop.terminal.stopping(len(self._executions), self._grace.total_seconds())
        with anyio.move_on_after(self._grace.total_seconds()) as patience:
            async with anyio.create_task_group() as waiting:

                async def until_told() -> None:
                    await self._stopping_now.wait()
                    patience.cancel()

                waiting.start_soon(until_told)
                await self._wait_until_idle()
                waiting.cancel_scope.cancel()
        for number in (SIGTERM, SIGKILL):
            for execution in list(self._executions.values()):
                execution.stop(number)
            with anyio.move_on_after(KILL_AFTER.total_seconds()):
                await self._wait_until_idle()
        for execution in self._executions.values():
            execution.abandon()

    async def _wait_until_idle(self) -> None:
        while self._executions:
            self._one_ended = anyio.Event()
            await self._one_ended.wait()

    async def _execute(self, run: Run) -> None:
        """From a claim to a final state, or back to the queue when we are stopped before its code was there."""
        try:
            with anyio.CancelScope() as scope:
                self._preparing[run.id] = scope
                assert run.revision is not None, "a claimed run has its revision"
                snapshot = await self._shop.cache.ensure(self._served[run.deployment_id].source, run.revision)
            del self._preparing[run.id]
            if scope.cancelled_caught:
                now = datetime.now(UTC)
                await self._shop.store.release(run.id, run.epoch, at=now, transition_id=uuid4())
                return
            # The snapshot stays on the disk as long as the process lives.
            with self._shop.cache.lease(snapshot):
                await self._execute_at(snapshot, run)
        except FlowsourceError as error:
            logger.warning("run %s could not be started: %s", run.name, error)
            await self._give_up(run, str(error))
        except Exception as error:  # One run that meets a fault of ours must not end those of others.
            logger.exception("run %s met a fault of flowsource", run.name)
            await self._give_up(run, f"{type(error).__name__}: {error}")
        finally:
            self._preparing.pop(run.id, None)
            self._executions.pop(run.id, None)
            self._slots.give_back(run.id)
            self._one_ended.set()

    async def _execute_at(self, snapshot: Snapshot, run: Run) -> None:
        served, shop = self._served[run.deployment_id], self._shop
        assignment = Assignment(
            run=run,
            entrypoint=served.deployment.declared.entrypoint,
            snapshot=snapshot,
            directory=served.directory or snapshot.root,
            bytecode=shop.cache.bytecode(snapshot),
            scratch=shop.scratch / str(run.id),
        )
        execution = Execution(
            assignment,
            store=shop.store,
            server=shop.server,
            terminal=shop.terminal,
            on_process_gone=partial(self._slots.give_back, run.id),
        )
        self._executions[run.id] = execution
        await execution.execute()

    async def _give_up(self, run: Run, why: str) -> None:
        outcome = Outcome(state=RunState.CRASHED, failure=Failure(kind="not started", message=why))
        try:
            now = datetime.now(UTC)
            ended = await self._shop.store.finish(run.id, run.epoch, outcome, at=now, transition_id=uuid4())
            self._shop.terminal.run_ended(ended)
        except FlowsourceError as error:
            logger.warning("how run %s ended could not be recorded: %s", run.name, error)

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
        candidate = Candidate(snapshot, on_the_clock(self._watchers[source.key].asked_at))
        for entry in self._served.values():
            if (entry.source.key, entry.source.selector) == (source.key, source.selector):
                self._promoters[entry.deployment.id].offer(candidate)

    def _promoter(self, entry: Served) -> Promoter:
        shop, declared = self._shop, entry.deployment.declared

        async def inspect(snapshot: Snapshot) -> FlowFacts | Rejection:
            return await inspect_entrypoint(shop.server, shop.cache, snapshot, declared)

        async def compared(known: Revision, snapshot: Snapshot) -> Comparison:
            return await compare(shop.cache, known, snapshot, declared)

        async def bring(revision: Revision) -> Snapshot:
            return await shop.cache.ensure(entry.source, revision)

        def on_change(before: Deployment, after: Deployment, outcome: Found | None) -> None:
            entry.deployment = after
            shop.terminal.deployment_changed(before, after, outcome, in_place=entry.source.mount is not None)
            if before.active != after.active:
                self._one_promoted.set()

        means = Means(inspect=inspect, compare=compared, bring=bring)
        promoter = Promoter(entry.deployment, shop.store, means, on_change=on_change)
        if not entry.latest.is_stale:
            promoter.offer(Candidate(entry.latest.snapshot, entry.seen_at))
        return promoter
