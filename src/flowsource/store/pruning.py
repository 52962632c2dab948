"""Removing runs, logs and events that were kept long enough, a little at a time.

See `flowsource.retention` for what may go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    exists,
    func,
    not_,
    null,
    select,
    tuple_,
    update,
)

from flowsource.retention import Limits, Pruned
from flowsource.store import forgetting
from flowsource.store.names import first_run_id
from flowsource.store.tables import is_not_final, log_lines, runs

# What one transaction removes at most: some hundredths of a second, in which nobody else writes to a SQLite file.
RUNS_AT_ONCE = 100
LINES_AT_ONCE = 2000

_newer = runs.alias("newer")
_IS_NOT_NEWEST = exists().where(
    _newer.c.deployment_id == runs.c.deployment_id, _newer.c.id > runs.c.id, _newer.c.is_nested.is_(False)
)
_NEXT_WITH_LINES = (
    select(log_lines.c.run_id)
    .where(log_lines.c.run_id > bindparam("behind"), log_lines.c.run_id < bindparam("before"))
    .order_by(log_lines.c.run_id)
    .limit(1)
)
_OF_RUN = log_lines.c.run_id == bindparam("run")
_PLACE = tuple_(log_lines.c.attempt, log_lines.c.seq)
_ORDER = (log_lines.c.attempt, log_lines.c.seq)
_LAST_TO_GO = select(*_ORDER).where(_OF_RUN).order_by(*_ORDER).limit(1).offset(bindparam("skipped"))
_WHICH: BindParameter[UUID] = bindparam("which", expanding=True)
_INSIDE = select(runs.c.id).where(runs.c.parent_id.in_(_WHICH), runs.c.is_nested).limit(RUNS_AT_ONCE)
# Runs that were asked for by one that goes have a time of their own.
_LET_GO = update(runs).where(runs.c.parent_id.in_(_WHICH), runs.c.is_nested.is_(False)).values(parent_id=null())
_DELETE = delete(runs).where(runs.c.id.in_(_WHICH))


def prune(connection: Connection, limits: Limits) -> Pruned:
    """Remove some of what may go: lines first, then runs that have none, then events; nothing once there is no more."""
    if limits.logs is not None and (lines := _prune_lines(connection, limits.logs)):
        return Pruned(lines=lines)
    if limits.runs is not None and (gone := _prune_runs(connection, limits.runs)):
        return Pruned(runs=gone)
    return Pruned(events=forgetting.forget(connection, limits.events) if limits.events is not None else 0)


def prunable(connection: Connection, limits: Limits) -> Pruned:
    """How much may go. Looks at all there is."""
    count = select(func.count())
    found = {"runs": 0, "lines": 0, "events": 0}
    if limits.runs is not None:
        found["runs"] = connection.execute(count.select_from(runs).where(_may_go(limits.runs))).scalar_one()
    if limits.logs is not None:
        joined = log_lines.join(runs, runs.c.id == log_lines.c.run_id)
        found["lines"] = connection.execute(count.select_from(joined).where(_may_go(limits.logs))).scalar_one()
    if limits.events is not None:
        found["events"] = forgetting.forgettable(connection, limits.events)
    return Pruned(**found)


def _may_go(before: datetime) -> ColumnElement[bool]:
    return and_(
        # It was created before it ended, and ids sort by time: so no newer run is looked at.
        runs.c.id < first_run_id(before),
        runs.c.ended_at < before,
        runs.c.is_nested.is_(False),
        not_(is_not_final(runs)),
        _IS_NOT_NEWEST,
    )


def _prune_lines(connection: Connection, before: datetime) -> int:
    removed = 0
    for run_id in _runs_with_lines(connection, before):
        room = LINES_AT_ONCE - removed
        if not connection.execute(select(runs.c.id).where(runs.c.id == run_id, _may_go(before))).first():
            continue
        removed += remove_lines(connection, run_id, room)
        if removed >= LINES_AT_ONCE:
            break
    return removed


def remove_lines(connection: Connection, run_id: UUID, most: int) -> int:
    """Remove the first lines of the log of a run, so many at most; how many."""
    last = connection.execute(_LAST_TO_GO, {"run": run_id, "skipped": most - 1}).first()
    gone = delete(log_lines).where(log_lines.c.run_id == run_id)
    if last is not None:
        gone = gone.where(tuple_(last.attempt, last.seq) >= _PLACE)
    return connection.execute(gone).rowcount


def _runs_with_lines(connection: Connection, before: datetime) -> Iterator[UUID]:
    """The runs created before that instant that have a log, the oldest first, each found by one look at the index."""
    place = UUID(int=0)
    end = first_run_id(before)
    while (found := connection.execute(_NEXT_WITH_LINES, {"behind": place, "before": end}).scalar()) is not None:
        yield found
        place = found


def _prune_runs(connection: Connection, before: datetime) -> int:
    oldest = select(runs.c.id).where(_may_go(before)).order_by(runs.c.id).limit(RUNS_AT_ONCE)
    return remove_runs(connection, connection.execute(oldest).scalars().all())


def remove_runs(connection: Connection, ids: Sequence[UUID]) -> int:
    """Remove these runs, or some of those inside them, as long as there are any; how many."""
    # There may be many inside one: they go before it, so that each transaction is short.
    inside = connection.execute(_INSIDE, {"which": ids}).scalars().all() if ids else []
    return _remove(connection, inside or ids)


def _remove(connection: Connection, ids: Sequence[UUID]) -> int:
    if not ids:
        return 0
    connection.execute(_LET_GO, {"which": ids})
    return connection.execute(_DELETE, {"which": ids}).rowcount
