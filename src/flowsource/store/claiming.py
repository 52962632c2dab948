"""Claiming: giving runs that are due to a runner, each to one only."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Connection, Select, Update, bindparam, case, func, null, select, update

from flowsource.runs import Failure, Run, RunState
from flowsource.store import presence, steps
from flowsource.store.awaiting import waits_for_another
from flowsource.store.database import has_other_writers
from flowsource.store.rows import failure_json, run_from
from flowsource.store.tables import AnyRow, deployments, is_in_progress, is_scheduled, is_waiting, runners, runs
from flowsource.store.values import Claimed

# More than that of one deployment wait for the next look, so that no write takes long.
_GIVEN_UP_AT_ONCE = 500
_OF_SAME = runs.c.deployment_id == deployments.c.id
_OF_THIS = runs.c.deployment_id == bindparam("of_deployment")
_HAS_OWN_END = is_scheduled & runs.c.start_by.is_not(None)
# One that waits for another leaves its place to it: else, within a limit, it might wait for itself.
_IN_PROGRESS = select(func.count()).select_from(runs).where(_OF_SAME, is_in_progress, ~waits_for_another)
_DUE = (
    select(
        deployments.c.id,
        deployments.c.run_limit,
        deployments.c.global_limit,
        deployments.c.collision_strategy,
        deployments.c.max_lateness,
        select(func.min(runs.c.due_at)).where(_OF_SAME, is_waiting).scalar_subquery().label("oldest"),
        select(func.min(runs.c.start_by)).where(_OF_SAME, _HAS_OWN_END).scalar_subquery().label("first_end"),
        _IN_PROGRESS.scalar_subquery().label("everywhere"),
        _IN_PROGRESS.where(runs.c.runner_id == bindparam("runner")).scalar_subquery().label("here"),
    )
    .where(deployments.c.id.in_(bindparam("served", expanding=True)))
    .subquery()
)
_WITH_WORK = select(_DUE).where(_DUE.c.oldest <= bindparam("now"))
_WAITING = (
    select(runs.c.id, runs.c.due_at)
    .where(_OF_THIS, is_waiting, runs.c.due_at <= bindparam("now"))
    .order_by(runs.c.due_at, runs.c.id)
    .limit(bindparam("room"))
)
# What others are just taking is passed over. Those who only refer to a run, as lines of its log do, take nothing.
_NOT_TAKEN = _WAITING.with_for_update(skip_locked=True, key_share=True)
# Whoever counts against a limit does so alone.
_HOLD = (
    select(deployments.c.id)
    .where(deployments.c.id.in_(bindparam("which", expanding=True)))
    .order_by(deployments.c.id)
    .with_for_update(key_share=True)
)


def _fixed(on_run: Column[Any], active: Column[Any]) -> ColumnElement[Any]:
    """A further attempt is made at the revision of the first."""
    return case(
        (runs.c.revision.is_not(None), on_run), else_=select(active).where(_OF_SAME).correlate(runs).scalar_subquery()
    )


_TAKE = (
    update(runs)
    .where(runs.c.id.in_(bindparam("chosen", expanding=True)), is_waiting)
    .values(
        state=RunState.CLAIMED,
        epoch=runs.c.epoch + 1,
        attempt=runs.c.attempt + 1,
        runner_id=bindparam("runner"),
        revision=_fixed(runs.c.revision, deployments.c.active),
        revision_id=_fixed(runs.c.revision_id, deployments.c.active_id),
        revision_commit=_fixed(runs.c.revision_commit, deployments.c.active_commit),
        claimed_at=bindparam("now"),
        started_at=null(),
        changed_at=bindparam("now"),
        transition_id=bindparam("claim"),
    )
    .returning(*runs.c)
)
_LAST_CLAIM = select(runners.c.claim_id).where(runners.c.id == bindparam("runner")).with_for_update(key_share=True)
_REMEMBER_CLAIM = update(runners).where(runners.c.id == bindparam("runner")).values(claim_id=bindparam("claim"))
_TAKEN = select(runs).where(
    is_in_progress,
    runs.c.state == RunState.CLAIMED,
    runs.c.runner_id == bindparam("runner"),
    runs.c.transition_id == bindparam("claim"),
)
# Those that were begun already are not in question.
_BEFORE = (
    select(runs.c.id)
    .where(_OF_THIS, is_scheduled, runs.c.due_at <= bindparam("before"))
    .order_by(runs.c.due_at, runs.c.id)
    .limit(_GIVEN_UP_AT_ONCE)
    .with_for_update(skip_locked=True, key_share=True)
)


def _drop(to: RunState, chosen: Select[Any]) -> Update:
    return (
        update(runs)
        .where(runs.c.id.in_(chosen.scalar_subquery()), is_scheduled)
        .values(
            state=to,
            changed_at=bindparam("now"),
            ended_at=bindparam("now"),
            failure=bindparam("why"),
            transition_id=null(),
        )
        .returning(*runs.c)
    )


_SKIP_LATE = _drop(RunState.SKIPPED, _BEFORE.where(runs.c.schedule.is_not(None), runs.c.start_by.is_(None)))
_PAST_THEIR_END = (
    select(runs.c.id, runs.c.due_at, runs.c.start_by)
    .where(_OF_THIS, _HAS_OWN_END, runs.c.start_by <= bindparam("now"))
    .order_by(runs.c.start_by, runs.c.id)
    .limit(_GIVEN_UP_AT_ONCE)
    .with_for_update(skip_locked=True, key_share=True)
)
_SKIP_THESE = _drop(
    RunState.SKIPPED, select(runs.c.id).where(_OF_THIS, runs.c.id.in_(bindparam("chosen", expanding=True)))
)
_CANCEL_NEW = _drop(RunState.CANCELLED, _BEFORE)
_NEXT_OF_SAME = select(func.min(runs.c.due_at)).where(_OF_SAME, is_waiting, runs.c.due_at > bindparam("after"))
_NEXT_DUE = select(func.min(_NEXT_OF_SAME.scalar_subquery())).where(
    deployments.c.id.in_(bindparam("served", expanding=True))
)


def next_due(connection: Connection, deployment_ids: Sequence[UUID], *, after: datetime) -> datetime | None:
    """When the first run comes due that is not due at `after`."""
    if not deployment_ids:
        return None
    found: datetime | None = connection.execute(_NEXT_DUE, {"served": list(deployment_ids), "after": after}).scalar()
    return found


def missed_by(connection: Connection, runner_id: UUID, after: UUID | None, *, now: datetime) -> Claimed | None:
    """What a runner was given that does not know of any claim behind `after`, and has not begun; None for nothing.

    The runner can make no other claim before this transaction ends. Raises NotFound for one that is not registered.
    """
    presence.hold(connection, runner_id)
    last: UUID | None = connection.execute(_LAST_CLAIM, {"runner": runner_id}).scalar()
    # One that was given up and is back has no claim behind it here, whatever it knows of.
    if last is None or last == after:
        return None
    taken = map(run_from, connection.execute(_TAKEN, {"runner": runner_id, "claim": last}))
    # There may be more, which this one does not look for: that is due now.
    return Claimed(sorted(taken, key=_by_due), now, last)


def claim(
    connection: Connection,
    runner_id: UUID,
    deployment_ids: Sequence[UUID],
    *,
    limit: int,
    now: datetime,
    transition_id: UUID | None = None,
) -> tuple[list[Run], list[Run]]:
    """Take runs that are due, as many as `limit` and the deployments' own limits let pass.

    Returns them, and those that were given up instead: too late, or one too many. Looks at no more than `limit` runs
    of each deployment, however many are waiting.
    """
    # A claim that is asked for again while it goes on waits for itself, and then finds what it took.
    presence.hold(connection, runner_id)
    if limit < 1 or not deployment_ids:
        return [], []
    asked = {"served": list(deployment_ids), "runner": runner_id, "now": now}
    with_work = _with_work(connection, asked)
    late = {deployment.id: _too_late(connection, deployment, now) for deployment in with_work}
    rooms = {
        deployment.id: room
        for deployment in with_work
        # Behind so many that are too late there may be more of them.
        if len(late[deployment.id]) < _GIVEN_UP_AT_ONCE and (room := min(_room(deployment), limit)) > 0
    }
    waiting = [
        (deployment.everywhere + place, row.due_at, row.id, deployment.id)
        for deployment in with_work
        if deployment.id in rooms
        for place, row in enumerate(_first_of(connection, _WAITING, deployment.id, rooms[deployment.id], now))
    ]
    taken = []
    if waiting:
        # Whoever has the fewest runs going on comes first, and of those who have waited longest.
        turns = [deployment_id for _, _, _, deployment_id in sorted(waiting)[:limit]]
        chosen = [run_id for _, _, run_id, _ in sorted(waiting)[:limit]]
        if has_other_writers(connection):
            chosen = _not_taken(connection, Counter(turns), rooms, now)
        by = {"runner": runner_id, "now": now, "claim": transition_id}
        rows = connection.execute(_TAKE, {"chosen": chosen, **by}).all()
        steps.remember(connection, rows, at=now)
        if rows and transition_id is not None:
            connection.execute(_REMEMBER_CLAIM, {"runner": runner_id, "claim": transition_id})
        taken = sorted(map(run_from, rows), key=_by_due)
    too_many = [run for deployment in with_work for run in _too_many(connection, deployment, taken, now)]
    return taken, [*(run for dropped in late.values() for run in dropped), *too_many]


def _with_work(connection: Connection, asked: dict[str, Any]) -> Sequence[AnyRow]:
    """The deployments of which runs are due, with what is counted of them, which holds until this transaction ends."""
    found = connection.execute(_WITH_WORK, asked).all()
    limited = {one.id for one in found if one.run_limit is not None or one.global_limit is not None}
    if not limited or not has_other_writers(connection):
        return found
    connection.execute(_HOLD, {"which": list(limited)}).all()
    # Whoever held them before may have taken some.
    counted = connection.execute(_WITH_WORK, asked).all()
    return [one for one in counted if one.id in limited or (one.run_limit is None and one.global_limit is None)]


def _first_of(
    connection: Connection, which: Select[*tuple[Any, ...]], of: UUID, room: int, now: datetime
) -> Sequence[AnyRow]:
    return connection.execute(which, {"of_deployment": of, "room": room, "now": now}).all()


def _not_taken(connection: Connection, turns: Counter[UUID], rooms: Mapping[UUID, int], now: datetime) -> list[UUID]:
    """As many runs of each deployment as it has turns, of those that nobody else is just taking, and held for us.

    Where one has too few of them its turns go to the others, within their `rooms`.
    """
    held = {one: _first_of(connection, _NOT_TAKEN, one, count, now) for one, count in turns.items()}
    missing = turns.total() - sum(map(len, held.values()))
    for one, room in rooms.items():
        before = len(held.get(one, ()))
        if missing and before < room:
            held[one] = _first_of(connection, _NOT_TAKEN, one, min(room, before + missing), now)
            missing -= len(held[one]) - before
    return [row.id for rows in held.values() for row in rows]


def _by_due(run: Run) -> tuple[datetime, UUID]:
    return run.due_at, run.id


def _room(deployment: AnyRow) -> int:
    """How many more runs of a deployment may go on at once."""
    here = deployment.run_limit - deployment.here if deployment.run_limit is not None else None
    everywhere = deployment.global_limit - deployment.everywhere if deployment.global_limit is not None else None
    return min((room for room in (here, everywhere) if room is not None), default=1 << 31)


def _too_late(connection: Connection, deployment: AnyRow, now: datetime) -> list[Run]:
    """Skip scheduled runs that should have begun long ago."""
    skipped = _past_their_end(connection, deployment, now)
    if deployment.max_lateness is not None and deployment.oldest <= now - deployment.max_lateness:
        before, why = now - deployment.max_lateness, _later_than(deployment.max_lateness)
        skipped += _give_up(connection, _SKIP_LATE, deployment, why, before=before, now=now)
    return skipped


def _past_their_end(connection: Connection, deployment: AnyRow, now: datetime) -> list[Run]:
    """Skip those whose schedules say themselves until when they may begin."""
    if deployment.first_end is None or deployment.first_end > now:
        return []
    late: defaultdict[timedelta, list[UUID]] = defaultdict(list)
    for row in connection.execute(_PAST_THEIR_END, {"of_deployment": deployment.id, "now": now}):
        late[row.start_by - row.due_at].append(row.id)
    return [
        run
        for patience, chosen in late.items()
        for run in _give_up(connection, _SKIP_THESE, deployment, _later_than(patience), chosen=chosen, now=now)
    ]


def _later_than(patience: timedelta) -> Failure:
    return Failure(kind="too late", message=f"it could not begin within {patience} of its time")


def _too_many(connection: Connection, deployment: AnyRow, taken: Sequence[Run], now: datetime) -> list[Run]:
    """Cancel what is due beyond the limit of all servers together, where that is wanted."""
    if deployment.collision_strategy != "cancel_new" or deployment.global_limit is None:
        return []
    if deployment.everywhere + sum(run.deployment_id == deployment.id for run in taken) < deployment.global_limit:
        return []
    count = deployment.global_limit
    why = Failure(kind="limit", message=f"{count} run{'s' if count > 1 else ''} of its deployment went on already")
    return _give_up(connection, _CANCEL_NEW, deployment, why, before=now, now=now)


def _give_up(
    connection: Connection, drop: Update, deployment: AnyRow, why: Failure, *, now: datetime, **which: Any
) -> list[Run]:
    asked = {"of_deployment": deployment.id, "why": failure_json(why), "now": now, **which}
    dropped = connection.execute(drop, asked).all()
    steps.remember(connection, dropped, at=now, reason=why.message)
    return [run_from(row) for row in dropped]
