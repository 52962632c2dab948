"""The store that is a database."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar
from uuid import UUID

import anyio
import anyio.to_thread
from sqlalchemy import Connection

from flowsource.deployments import Deployment
from flowsource.events import Event, NewEvent
from flowsource.promotions import Act, Author, Decision, HistoryEntry
from flowsource.queries.terms import Query
from flowsource.retention import Limits, Pruned
from flowsource.revisions import Revision
from flowsource.runs import Attempt, CancelPhase, Failure, Run, RunState, Transition
from flowsource.schedules import Schedule
from flowsource.store import (
    awaiting,
    cancelling,
    claiming,
    creating,
    deleting,
    finding,
    firing,
    listing,
    logs,
    moving,
    nesting,
    paging,
    presence,
    promoting,
    pruning,
    registering,
    scheduling,
    sessions,
    sources,
    steps,
    telling,
    tokens,
    triggering,
    turns,
)
from flowsource.store.database import Database
from flowsource.store.ears import Bell
from flowsource.store.protocol import Changes
from flowsource.store.values import (
    ALL_LINES,
    BEFORE_ALL,
    CANCELS,
    DEPLOYMENTS,
    EVENTS,
    HISTORY_KEPT,
    SOURCES,
    WAITS,
    WISHES,
    WORK,
    Backlog,
    Claim,
    Claimed,
    EventPage,
    Firing,
    KnownRunner,
    KnownSource,
    LineFilter,
    LinePage,
    LinePlace,
    LogLine,
    NestedRun,
    NewFiring,
    NewRun,
    Outcome,
    Page,
    Registration,
    RunGlimpse,
    RunnerInfo,
    ScheduleState,
    SourceReport,
    SourceWish,
    Things,
    TriggerState,
    about,
)
from flowsource.tokens import Token
from flowsource.triggers import Trigger
from flowsource.triggers.counting import State

T = TypeVar("T")
P = ParamSpec("P")


class SqlStore:
    """A store in a database, open while its context is. See `flowsource.store.protocol.Store` for what it promises.

    Each method is one transaction in a worker thread, and rings after it. Writes begin in the order in which they were
    asked for, as many at once as the database takes, and hold up no reads.
    """

    def __init__(self, open_database: Callable[[], Database], doorbell: Bell) -> None:
        self._open_database = open_database
        self._doorbell = doorbell

    async def __aenter__(self) -> Self:
        # Limits of its own: blocking calls of somebody else cannot use up the threads of the store.
        opening = anyio.CapacityLimiter(1)
        self._database = await anyio.to_thread.run_sync(self._open_database, limiter=opening)
        self._writers = anyio.CapacityLimiter(self._database.writers)
        self._readers = anyio.CapacityLimiter(self._database.readers)
        self._doorbell.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._close, limiter=anyio.CapacityLimiter(1))

    def now(self) -> datetime:
        return self._database.now()

    async def register(
        self,
        runner_id: UUID,
        registrations: Sequence[Registration],
        *,
        lease_until: datetime,
        now: datetime,
        owner: str | None = None,
        info: RunnerInfo | None = None,
    ) -> list[Deployment]:
        def register(connection: Connection) -> tuple[list[Deployment], list[Run]]:
            registered = registering.register(
                connection, runner_id, registrations, lease_until=lease_until, now=now, owner=owner, info=info
            )
            return registered, presence.find_again(connection, runner_id, now=now)

        registered, found = await self._write_alone(register)
        self._doorbell.ring(DEPLOYMENTS, EVENTS, *(about(run.id) for run in found))
        return registered

    async def renew(self, runner_id: UUID, *, lease_until: datetime) -> None:
        if await self._write_soon(presence.renew, runner_id, lease_until=lease_until):
            self._doorbell.ring(DEPLOYMENTS)

    async def retire(self, runner_id: UUID, *, now: datetime) -> list[Deployment]:
        def take_leave(connection: Connection) -> list[Deployment]:
            return registering.get_several(connection, presence.retire(connection, [runner_id], now=now))

        stopped = await self._write_alone(take_leave)
        self._doorbell.ring(EVENTS)
        return stopped

    async def reap(self, *, now: datetime, dead: Collection[UUID] = ()) -> list[Run]:
        moved = await self._write_alone(presence.reap, now=now, dead=dead)
        if moved:
            self._doorbell.ring(WORK, EVENTS, *(about(run.id) for run in moved))
        return moved

    async def runners(self) -> list[KnownRunner]:
        return await self._read(presence.registered)

    async def deployments(self) -> list[Deployment]:
        return await self._read(registering.all_deployments)

    async def deployment(self, name: str) -> Deployment:
        return await self._read(registering.find_deployment, name)

    async def served(self, *, now: datetime) -> set[UUID]:
        return await self._read(presence.served, now=now)

    async def set_paused(
        self, deployment_id: UUID, paused: bool, *, author: Author | None = None, now: datetime
    ) -> Deployment:
        deployment = await self._write_alone(registering.set_paused, deployment_id, paused, author, now=now)
        self._doorbell.ring(DEPLOYMENTS, EVENTS)
        return deployment

    async def decide(self, deployment_id: UUID, decision: Decision, *, now: datetime) -> Deployment:
        def decide(connection: Connection) -> Deployment:
            return promoting.decide(connection, registering.get_by_id(connection, deployment_id), decision, now=now)

        deployment = await self._write_alone(decide)
        self._doorbell.ring(DEPLOYMENTS, EVENTS)
        return deployment

    async def act(self, deployment_id: UUID, act: Act, author: Author, *, now: datetime) -> Deployment:
        def do(connection: Connection) -> Deployment:
            return promoting.act(connection, registering.get_by_id(connection, deployment_id), act, author, now=now)

        deployment = await self._write_alone(do)
        self._doorbell.ring(DEPLOYMENTS, EVENTS)
        return deployment

    async def delete_deployment(self, deployment_id: UUID, author: Author, *, now: datetime) -> bool:
        is_gone = await self._write_alone(deleting.delete_some, deployment_id, author, now=now)
        if is_gone:
            self._doorbell.ring(DEPLOYMENTS, EVENTS)
        return is_gone

    async def history(self, deployment_id: UUID, *, limit: int = HISTORY_KEPT) -> list[HistoryEntry]:
        return await self._read(promoting.history, deployment_id, limit=limit)

    async def schedules(self, deployment_ids: Sequence[UUID]) -> list[ScheduleState]:
        return await self._read(scheduling.states, deployment_ids)

    async def add_schedule(
        self, deployment_id: UUID, schedule: Schedule, author: Author, *, now: datetime
    ) -> ScheduleState:
        added = await self._write(scheduling.add, deployment_id, schedule, author, now=now)
        self._doorbell.ring(DEPLOYMENTS, EVENTS)
        return added

    async def set_schedule_active(
        self, deployment_id: UUID, key: str, active: bool, author: Author, *, now: datetime
    ) -> ScheduleState:
        changed = await self._write(scheduling.set_active, deployment_id, key, active, author, now=now)
        self._doorbell.ring(DEPLOYMENTS, EVENTS)
        return changed

    async def remove_schedule(self, deployment_id: UUID, key: str, author: Author, *, now: datetime) -> ScheduleState:
        removed = await self._write(scheduling.remove, deployment_id, key, author, now=now)
        self._doorbell.ring(DEPLOYMENTS, EVENTS)
        return removed

    async def create_scheduled(
        self,
        deployment_id: UUID,
        key: str,
        instants: Sequence[datetime],
        *,
        skipped: Mapping[datetime, Failure] | None = None,
        cursor: datetime,
        now: datetime,
    ) -> list[Run]:
        created = await self._write(
            creating.create_scheduled, deployment_id, key, instants, skipped=skipped or {}, cursor=cursor, now=now
        )
        if created:
            self._doorbell.ring(WORK, EVENTS, *(about(run.id) for run in created))
        return created

    async def create_run(self, new: NewRun, *, now: datetime) -> Run:
        run = await self._write(creating.create_run, new, now=now)
        self._doorbell.ring(WORK, EVENTS, about(run.id), *([WAITS] if new.awaited_by is not None else []))
        return run

    async def go_on(self, waiter: Claim, awaited_id: UUID) -> None:
        await self._write_soon(awaiting.end, waiter, awaited_id)
        self._doorbell.ring(WAITS)

    async def waiting(self, runner_id: UUID) -> set[UUID]:
        return await self._read(awaiting.waiting_of, runner_id)

    async def claim(
        self,
        runner_id: UUID,
        deployment_ids: Sequence[UUID],
        *,
        limit: int,
        now: datetime,
        transition_id: UUID | None = None,
        after: UUID | None = None,
    ) -> Claimed:
        def take(connection: Connection) -> tuple[Claimed, list[Run]]:
            missed = claiming.missed_by(connection, runner_id, after, now=now) if transition_id is not None else None
            if missed is not None:
                return missed, []
            taken, given_up = claiming.claim(
                connection, runner_id, deployment_ids, limit=limit, now=now, transition_id=transition_id
            )
            is_all = len(taken) < limit
            next_due = claiming.next_due(connection, deployment_ids, after=now) if is_all else None
            return Claimed(taken, next_due, transition_id if taken else after), given_up

        claimed, given_up = await self._write(take)
        if claimed.runs or given_up:
            # Where some were given up there may be more that wait behind them.
            about_them = (about(run.id) for run in (*claimed.runs, *given_up))
            self._doorbell.ring(EVENTS, *about_them, *([WORK] if given_up else []))
        return claimed

    async def start(self, run_id: UUID, epoch: int, *, at: datetime, transition_id: UUID) -> Run:
        run = await self._write_soon(moving.start, run_id, epoch, at=at, transition_id=transition_id)
        self._doorbell.ring(EVENTS, about(run_id))
        return run

    async def rename(self, run_id: UUID, epoch: int, name: str) -> Run:
        run = await self._write_soon(moving.rename, run_id, epoch, name)
        self._doorbell.ring(about(run_id))
        return run

    async def finish(
        self,
        run_id: UUID,
        epoch: int,
        outcome: Outcome,
        *,
        at: datetime,
        transition_id: UUID,
        began_at: datetime | None = None,
        lines: Sequence[LogLine] = (),
    ) -> Run:
        def end(connection: Connection) -> tuple[Run, bool]:
            run = moving.finish(
                connection, run_id, epoch, outcome, at=at, transition_id=transition_id, began_at=began_at
            )
            logs.keep_lines(connection, run_id, lines)
            return run, registering.is_limited(connection, run.deployment_id)

        run, is_limited = await self._write(end)
        # A place within the limit of its deployment has become free, if it has one.
        has_work = is_limited or run.state.is_waiting
        self._doorbell.ring(EVENTS, about(run_id), *([WORK] if has_work else []))
        return run

    async def release(self, run_id: UUID, epoch: int, *, at: datetime, transition_id: UUID) -> Run:
        run = await self._write(moving.release, run_id, epoch, at=at, transition_id=transition_id)
        self._doorbell.ring(WORK, EVENTS, about(run_id))
        return run

    async def ask_cancel(self, run_id: UUID, author: Author, *, now: datetime) -> Run:
        run = await self._write(cancelling.ask, run_id, author, now=now)
        self._doorbell.ring(EVENTS, about(run_id), CANCELS)
        return run

    async def note_cancel(self, run_id: UUID, epoch: int, phase: CancelPhase, *, at: datetime) -> Run:
        run = await self._write_soon(cancelling.note, run_id, epoch, phase, at=at)
        self._doorbell.ring(about(run_id))
        return run

    async def to_cancel(self, runner_id: UUID) -> list[Run]:
        return await self._read(cancelling.wanted_of, runner_id)

    async def nest(self, run_id: UUID, epoch: int, nested: Sequence[NestedRun]) -> None:
        await self._write_soon(nesting.nest, run_id, epoch, nested)
        self._doorbell.ring(EVENTS, about(run_id))

    async def attempts(self, run_id: UUID) -> list[Attempt]:
        return await self._read(steps.attempts_of, run_id)

    async def transitions(self, run_id: UUID) -> list[Transition]:
        return await self._read(steps.of_run, run_id)

    async def run(self, run: str) -> Run:
        return await self._read(finding.find_run, run)

    async def runs(
        self,
        *,
        deployment_id: UUID | None = None,
        states: Sequence[RunState] = (),
        parent_id: UUID | None = None,
        before: UUID | None = None,
        limit: int = 50,
    ) -> list[Run]:
        return await self._read(
            finding.newest_runs,
            deployment_id=deployment_id,
            states=states,
            parent_id=parent_id,
            before=before,
            limit=limit,
        )

    async def find_runs(self, query: Query, *, cursor: str | None = None, limit: int = 50) -> Page[Run]:
        return await self._read(paging.find, query, cursor=cursor, limit=limit)

    async def count_runs(self, query: Query) -> int:
        return await self._read(paging.count, query)

    async def backlog(self) -> list[Backlog]:
        return await self._read(finding.backlog)

    async def latest_runs(self, deployment_ids: Sequence[UUID], *, each: int) -> dict[UUID, list[RunGlimpse]]:
        return await self._read(finding.latest_runs, deployment_ids, each=each)

    async def find_deployments(
        self, query: Query, *, cursor: str | None = None, limit: int = 50, now: datetime
    ) -> Page[Deployment]:
        return await self._read(listing.find, query, cursor=cursor, limit=limit, now=now)

    async def revisions_of_runs(self) -> list[tuple[str, Revision]]:
        return await self._read(finding.revisions_of_runs)

    async def append_lines(self, run_id: UUID, lines: Sequence[LogLine]) -> None:
        await self._write_soon(logs.keep_lines, run_id, lines)
        self._doorbell.ring(about(run_id))

    async def lines(self, run_id: UUID, *, after: LinePlace = BEFORE_ALL, limit: int = 1000) -> list[LogLine]:
        return await self._read(logs.read_lines, run_id, after=after, limit=limit)

    async def find_lines(
        self,
        run_id: UUID,
        wanted: LineFilter = ALL_LINES,
        *,
        begin: LinePlace = BEFORE_ALL,
        backwards: bool = False,
        limit: int = 1000,
    ) -> LinePage:
        return await self._read(logs.find_lines, run_id, wanted, begin=begin, backwards=backwards, limit=limit)

    async def prune(self, limits: Limits) -> Pruned:
        return await self._write_soon(pruning.prune, limits)

    async def prunable(self, limits: Limits) -> Pruned:
        return await self._read(pruning.prunable, limits)

    async def take_turn(self, chore: str, *, now: datetime, length: timedelta) -> bool:
        return await self._write_soon(turns.take, chore, now=now, length=length)

    async def report_sources(self, reports: Sequence[SourceReport]) -> None:
        await self._write_soon(sources.report, reports)
        self._doorbell.ring(SOURCES, EVENTS)

    async def sources(self, *, now: datetime) -> list[KnownSource]:
        return await self._read(sources.known, now=now)

    async def set_source_paused(self, key: str, paused: bool, *, now: datetime) -> SourceWish:
        wish = await self._write(sources.set_paused, key, paused, now=now)
        self._doorbell.ring(WISHES, SOURCES)
        return wish

    async def hint_sources(self, keys: Sequence[str]) -> list[SourceWish]:
        hinted = await self._write_soon(sources.hint, keys)
        self._doorbell.ring(WISHES)
        return hinted

    async def source_wishes(self, keys: Sequence[str]) -> list[SourceWish]:
        return await self._read(sources.wishes, keys)

    async def emit(self, told: Sequence[NewEvent]) -> None:
        await self._write(telling.emit, told)
        self._doorbell.ring(EVENTS)

    async def events(self, *, after: int, names: Sequence[str] = (), limit: int = 500) -> EventPage:
        return await self._read(telling.events_after, after, names=names, limit=limit)

    async def newest_events(
        self, *, names: Sequence[str] = (), before: int | None = None, limit: int = 50
    ) -> list[Event]:
        return await self._read(telling.newest_events, names=names, before=before, limit=limit)

    async def create_token(self, token: Token, digest: str) -> Token:
        return await self._write_alone(tokens.create, token, digest)

    async def tokens(self) -> list[Token]:
        return await self._read(tokens.everyone)

    async def revoke_token(self, name: str, *, now: datetime) -> Token:
        return await self._write(tokens.revoke, name, now=now)

    async def use_token(self, digest: str, *, now: datetime) -> Token | None:
        token = await self._read(tokens.of_digest, digest)
        if token is None or not token.is_good(now):
            return None
        if token.used_at is None or now - token.used_at >= tokens.USED_TO_THE:
            await self._write_soon(tokens.note_use, token.id, now=now)
        return token

    async def create_login_link(self, digest: str, token_id: UUID, *, until: datetime, now: datetime) -> None:
        await self._write(sessions.create_link, digest, token_id, until=until, now=now)

    async def begin_session(self, link: str, digest: str, *, until: datetime, now: datetime) -> Token | None:
        return await self._write(sessions.begin, link, digest, until=until, now=now)

    async def use_session(self, digest: str, *, until: datetime, now: datetime) -> Token | None:
        found = await self._read(sessions.of_digest, digest)
        if found is None or found[1] <= now or not found[0].is_good(now):
            return None
        if until - found[1] >= sessions.PROLONGED_TO_THE:
            await self._write_soon(sessions.prolong, digest, until=until)
            await self._write_soon(tokens.note_use, found[0].id, now=now)
        return found[0]

    async def end_session(self, digest: str) -> None:
        await self._write(sessions.end, digest)

    async def not_owned(self, owner: str, things: Things) -> Things:
        return await self._read(tokens.not_owned, owner, things)

    async def triggers(self, deployment_ids: Sequence[UUID]) -> list[TriggerState]:
        return await self._read(triggering.trigger_states, deployment_ids)

    async def add_trigger(
        self, deployment_id: UUID, trigger: Trigger, author: Author, *, now: datetime
    ) -> TriggerState:
        added = await self._write(triggering.add, deployment_id, trigger, author, now=now)
        self._doorbell.ring(DEPLOYMENTS, EVENTS)
        return added

    async def set_trigger_enabled(
        self, deployment_id: UUID, key: str, enabled: bool, author: Author, *, now: datetime
    ) -> TriggerState:
        changed = await self._write(triggering.set_enabled, deployment_id, key, enabled, author, now=now)
        self._doorbell.ring(DEPLOYMENTS, EVENTS)
        return changed

    async def remove_trigger(self, deployment_id: UUID, key: str, author: Author, *, now: datetime) -> TriggerState:
        removed = await self._write(triggering.remove, deployment_id, key, author, now=now)
        self._doorbell.ring(DEPLOYMENTS, EVENTS)
        return removed

    async def move_trigger(
        self, before: TriggerState, *, state: State, cursor: int, fired: Sequence[NewFiring], now: datetime
    ) -> list[Firing]:
        kept = await self._write(triggering.move, before, state=state, cursor=cursor, fired=fired, now=now)
        if kept:
            self._doorbell.ring(WORK, EVENTS)
        return kept

    async def firings(self, deployment_id: UUID, *, limit: int = 50) -> list[Firing]:
        return await self._read(firing.firings_of, deployment_id, limit=limit)

    async def event(self, seq: int) -> Event | None:
        return await self._read(telling.event_of, seq)

    def changes(self, *topics: str) -> AbstractAsyncContextManager[Changes]:
        return self._doorbell.listen(*topics)

    async def _read(self, ask: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        def work() -> T:
            return self._database.read(lambda connection: ask(connection, *args, **kwargs))

        return await anyio.to_thread.run_sync(work, limiter=self._readers)

    async def _write(self, change: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Write what must not be lost once it was answered, even when the machine stops.

        `change` holds against others that go on at the same time, by the locks and the keys of single rows.
        """
        return await self._change(lambda connection: change(connection, *args, **kwargs), durable=True, alone=False)

    async def _write_alone(
        self, change: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Write, as `_write` does, what is decided by what many rows say, which therefore must not change meanwhile."""
        return await self._change(lambda connection: change(connection, *args, **kwargs), durable=True, alone=True)

    async def _write_soon(
        self, change: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Write what the next durable write takes to the disk with it; it must hold against others as well."""
        return await self._change(lambda connection: change(connection, *args, **kwargs), durable=False, alone=False)

    async def _change(self, change: Callable[[Connection], T], *, durable: bool, alone: bool) -> T:
        def work() -> T:
            return self._database.write(change, durable=durable, alone=alone)

        return await anyio.to_thread.run_sync(work, limiter=self._writers)

    def _close(self) -> None:
        self._doorbell.close()
        self._database.close()
