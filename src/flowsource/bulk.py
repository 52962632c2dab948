"""Doing the same to all runs or deployments that a query asks for, one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from flowsource.deployments import Deployment
from flowsource.errors import InConflict, RunNotFound
from flowsource.promotions import Author
from flowsource.queries.terms import Query
from flowsource.runs import Run, RunState
from flowsource.store.protocol import Store
from flowsource.store.values import NewRun

_AT_ONCE = 100
_WAITING = tuple(state for state in RunState if state.is_waiting)
_UNFINISHED = tuple(state for state in RunState if not state.is_final)
_ENDED = tuple(state for state in RunState if state.is_final)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it: how many were changed and in which way, and how many were passed over and why.

    `has_more` says that as many were changed as were to be at most, and that there are more.
    """

    changed: Mapping[str, int]
    skipped: Mapping[str, int]
    has_more: bool = False


async def delete_whole(store: Store, deployment_id: UUID, author: Author) -> None:
    """Delete a deployment with all that is its, a little at a time; raises what `Store.delete_deployment` does."""
    is_gone = False
    while not is_gone:
        is_gone = await store.delete_deployment(deployment_id, author, now=store.now())


def unfinished(query: Query) -> Query:
    """The runs that `query` asks for and that have not ended."""
    return _in_states(query, _UNFINISHED)


def ended(query: Query) -> Query:
    """The runs that `query` asks for and that have ended."""
    return _in_states(query, _ENDED)


def to_be_paused(query: Query, paused: bool) -> Query:
    """The deployments that `query` asks for and that pausing, or resuming, would change."""
    return query.with_term("paused", "no" if paused else "yes")


async def cancel_runs(
    store: Store, query: Query, author: Author, *, limit: int | None = None, now: Callable[[], datetime]
) -> Done:
    """Ask all runs to end that `query` asks for and that have not ended, as `Store.ask_cancel` does; or `limit` of
    them.

    Those that wait are first, or each place that becomes free would be taken by the next of them. Each is a transaction
    of its own, so that others are never held up; whoever stops half way may ask again.
    """
    changed, skipped = Counter[str](), Counter[str]()
    asked = set[UUID]()
    for states in (_WAITING, _UNFINISHED):
        async for run in _runs(store, _in_states(query, states)):
            if run.id in asked:
                continue
            if run.cancellation is not None and run.state is not RunState.LOST:
                skipped["is to end already"] += 1
                continue
            if changed.total() == limit:
                return Done(changed, skipped, has_more=True)
            try:
                after = await store.ask_cancel(run.id, author, now=now())
            except RunNotFound:
                skipped["is gone"] += 1
            except InConflict:
                skipped["goes on inside another run"] += 1
            else:
                _count(after, changed, skipped)
                if not after.state.is_final:
                    asked.add(run.id)
    return Done(changed, skipped)


async def rerun_runs(
    store: Store,
    query: Query,
    *,
    at_same_revision: bool = False,
    limit: int | None = None,
    idempotency_key: str | None = None,
    now: Callable[[], datetime],
) -> Done:
    """Ask for a new run for each that `query` asks for and that has ended, the newest first; or for `limit` of them.

    Each has the parameters and tags of the one that it does again, at what serves by then or at the same revision.
    Asked again with the same `idempotency_key`, the new runs are the same.
    """
    changed, skipped = Counter[str](), Counter[str]()
    batch = idempotency_key or f"once {uuid4()}"
    # What is made is newer than what is looked for from then on, so that nothing is done again twice.
    async for run in _runs(store, ended(query)):
        if changed.total() == limit:
            return Done(changed, skipped, has_more=True)
        new = NewRun(
            deployment_id=run.deployment_id,
            scheduled_at=now(),
            rerun_of=run.id,
            at_same_revision=at_same_revision,
            idempotency_key=f"{batch} {run.id}",
        )
        try:
            await store.create_run(new, now=now())
        except RunNotFound:
            skipped["is gone"] += 1
        except InConflict:
            skipped["went on inside another run, or never had a revision"] += 1
        else:
            changed["asked for again"] += 1
    return Done(changed, skipped)


async def pause_deployments(
    store: Store, query: Query, paused: bool, author: Author, *, limit: int | None = None, now: Callable[[], datetime]
) -> Done:
    """Hold the schedules of all deployments that `query` asks for, or let them go on, as `Store.set_paused` does; or of
    `limit` of them."""
    changed, skipped = Counter[str](), Counter[str]()
    word = "paused" if paused else "resumed"
    async for deployment in _deployments(store, query, now()):
        if deployment.paused == paused:
            skipped["is paused already" if paused else "is not paused"] += 1
        elif changed.total() == limit:
            return Done(changed, skipped, has_more=True)
        else:
            await store.set_paused(deployment.id, paused, author=author, now=now())
            changed[word] += 1
    return Done(changed, skipped)


def _count(after: Run, changed: Counter[str], skipped: Counter[str]) -> None:
    if after.cancellation is None:
        skipped["has ended meanwhile"] += 1
    elif after.state is RunState.CANCELLED:
        changed["cancelled"] += 1
    else:
        changed["given up" if after.state.is_final else "asked to end"] += 1


def _in_states(query: Query, states: tuple[RunState, ...]) -> Query:
    return query.with_term("state", *states)


async def _runs(store: Store, query: Query) -> AsyncIterator[Run]:
    cursor = None
    while True:
        page = await store.find_runs(query, cursor=cursor, limit=_AT_ONCE)
        for run in page.items:
            yield run
        if (cursor := page.cursor) is None:
            return


async def _deployments(store: Store, query: Query, now: datetime) -> AsyncIterator[Deployment]:
    cursor = None
    while True:
        page = await store.find_deployments(query, cursor=cursor, limit=_AT_ONCE, now=now)
        for deployment in page.items:
            yield deployment
        if (cursor := page.cursor) is None:
            return
