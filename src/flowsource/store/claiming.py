"""Claiming: giving runs that are due to a runner, each to one only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, Update, bindparam, func, null, select, update

from flowsource.runs import Failure, Run, RunState
from flowsource.store import steps
from flowsource.store.awaiting import waits_for_another
from flowsource.store.presence import require_runner
from flowsource.store.rows import failure_json, run_from
from flowsource.store.tables import AnyRow, deployments, is_in_progress, is_scheduled, is_waiting, runs

# More than that of one deployment wait for the next look, so that no write takes long.
_GIVEN_UP_AT_ONCE = 500
_OF_SAME = runs.c.deployment_id == deployments.c.id
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
        _IN_PROGRESS.scalar_subquery().label("everywhere"),
        _IN_PROGRESS.where(runs.c.runner_id == bindparam("runner")).scalar_subquery().label("here"),
    )
    .where(deployments.c.id.in_(bindparam("served", expanding=True)))
    .subquery()
)
_WITH_WORK = select(_DUE).where(_DUE.c.oldest <= bindparam("now"))
_WAITING = (
    select(runs.c.id, runs.c.due_at)
    .where(runs.c.deployment_id == bindparam("of_deployment"), is_waiting, runs.c.due_at <= bindparam("now"))
    .order_by(runs.c.due_at, runs.c.id)
    .limit(bindparam("room"))
)
_TAKE = (
    update(runs)
    .where(runs.c.id.in_(bindparam("chosen", expanding=True)), is_waiting)
    .values(
        state=RunState.CLAIMED,
        epoch=runs.c.epoch + 1,
        attempt=runs.c.attempt + 1,
        runner_id=bindparam("runner"),
        # A further attempt is made at the revision of the first.
        revision=func.coalesce(runs.c.revision, select(deployments.c.active).where(_OF_SAME).scalar_subquery()),
        claimed_at=bindparam("now"),
        started_at=null(),
        changed_at=bindparam("now"),
        transition_id=bindparam("claim"),
    )
    .returning(*runs.c)
)
# By the claim of that id, of which the reply may have been lost.
_TAKEN = select(runs).where(
    runs.c.deployment_id.in_(bindparam("served", expanding=True)),
    is_in_progress,
    runs.c.state == RunState.CLAIMED,
    runs.c.runner_id == bindparam("runner"),
    runs.c.transition_id == bindparam("claim"),
)
# Those that were begun already are not in question.
_BEFORE = (
    select(runs.c.id)
    .where(runs.c.deployment_id == bindparam("of_deployment"), is_scheduled, runs.c.due_at <= bindparam("before"))
    .order_by(runs.c.due_at, runs.c.id)
    .limit(_GIVEN_UP_AT_ONCE)
)


def _drop(to: RunState, chosen: Select[Any]) -> Update:
    return (
        update(runs)
        .where(runs.c.id.in_(chosen.scalar_subquery()))
        .values(
            state=to,
            changed_at=bindparam("now"),
            ended_at=bindparam("now"),
            failure=bindparam("why"),
            transition_id=null(),
        )
        .returning(*runs.c)
    )


_SKIP_LATE = _drop(RunState.SKIPPED, _BEFORE.where(runs.c.schedule.is_not(None)))
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
    require_runner(connection, runner_id)
    if limit < 1 or not deployment_ids:
        return [], []
    if transition_id is not None and (before := _taken_by(connection, runner_id, deployment_ids, transition_id)):
        return before, []
    asked = {"served": list(deployment_ids), "runner": runner_id, "now": now}
    with_work = connection.execute(_WITH_WORK, asked).all()
    late = {deployment.id: _too_late(connection, deployment, now) for deployment in with_work}
    waiting = [
        (deployment.everywhere + place, row.due_at, row.id)
        for deployment in with_work
        # Behind so many that are too late there may be more of them.
        if len(late[deployment.id]) < _GIVEN_UP_AT_ONCE and (room := min(_room(deployment), limit)) > 0
        for place, row in enumerate(
            connection.execute(_WAITING, {"of_deployment": deployment.id, "room": room, "now": now})
        )
    ]
    taken = []
    if waiting:
        # Whoever has the fewest runs going on comes first, and of those who have waited longest.
        chosen = [run_id for _, _, run_id in sorted(waiting)[:limit]]
        by = {"runner": runner_id, "now": now, "claim": transition_id}
        rows = connection.execute(_TAKE, {"chosen": chosen, **by}).all()
        steps.remember(connection, rows, at=now)
        taken = sorted(map(run_from, rows), key=lambda run: (run.due_at, run.id))
    too_many = [run for deployment in with_work for run in _too_many(connection, deployment, taken, now)]
    return taken, [*(run for dropped in late.values() for run in dropped), *too_many]


def _taken_by(
    connection: Connection, runner_id: UUID, deployment_ids: Sequence[UUID], transition_id: UUID
) -> list[Run]:
    """What the claim of that id took already."""
    asked = {"served": list(deployment_ids), "runner": runner_id, "claim": transition_id}
    return sorted(map(run_from, connection.execute(_TAKEN, asked)), key=lambda run: (run.due_at, run.id))


def _room(deployment: AnyRow) -> int:
    """How many more runs of a deployment may go on at once."""
    here = deployment.run_limit - deployment.here if deployment.run_limit is not None else None
    everywhere = deployment.global_limit - deployment.everywhere if deployment.global_limit is not None else None
    return min((room for room in (here, everywhere) if room is not None), default=1 << 31)


def _too_late(connection: Connection, deployment: AnyRow, now: datetime) -> list[Run]:
    """Skip scheduled runs that should have begun long ago."""
    if deployment.max_lateness is None or deployment.oldest > now - deployment.max_lateness:
        return []
    why = Failure(kind="too late", message=f"it could not begin within {deployment.max_lateness} of its time")
    return _give_up(connection, _SKIP_LATE, deployment, why, before=now - deployment.max_lateness, now=now)


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
    connection: Connection, drop: Update, deployment: AnyRow, why: Failure, *, before: datetime, now: datetime
) -> list[Run]:
    asked = {"of_deployment": deployment.id, "before": before, "why": failure_json(why), "now": now}
    dropped = connection.execute(drop, asked).all()
    steps.remember(connection, dropped, at=now, reason=why.message)
    return [run_from(row) for row in dropped]
