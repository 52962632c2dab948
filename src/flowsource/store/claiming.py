"""Claiming: giving runs that are due to a runner, each to one only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, case, func, null, select, update

from flowsource.runs import Run, RunState
from flowsource.store.presence import require_runner
from flowsource.store.rows import run_from
from flowsource.store.tables import deployments, is_in_progress, is_waiting, runs

_OF_SAME = runs.c.deployment_id == deployments.c.id
_HEADS = (
    select(
        deployments.c.id,
        select(func.min(runs.c.scheduled_at)).where(_OF_SAME, is_waiting).scalar_subquery().label("oldest"),
        case(
            (
                deployments.c.run_limit.is_not(None),
                deployments.c.run_limit
                - select(func.count()).select_from(runs).where(_OF_SAME, is_in_progress).scalar_subquery(),
            ),
            else_=bindparam("limit"),
        ).label("room"),
    )
    .where(deployments.c.id.in_(bindparam("served", expanding=True)))
    .subquery()
)
# The oldest N runs of all belong to at most N deployments: those whose own oldest is among the N oldest.
_WITH_ROOM = (
    select(_HEADS.c.id, _HEADS.c.room)
    .where(_HEADS.c.oldest <= bindparam("now"), _HEADS.c.room > 0)
    .order_by(_HEADS.c.oldest)
    .limit(bindparam("limit"))
)
_WAITING = (
    select(runs.c.id, runs.c.scheduled_at)
    .where(runs.c.deployment_id == bindparam("of_deployment"), is_waiting, runs.c.scheduled_at <= bindparam("now"))
    .order_by(runs.c.scheduled_at, runs.c.id)
    .limit(bindparam("room"))
)
_TAKE = (
    update(runs)
    .where(runs.c.id.in_(bindparam("chosen", expanding=True)), is_waiting)
    .values(
        state=RunState.CLAIMED,
        epoch=runs.c.epoch + 1,
        runner_id=bindparam("runner"),
        revision=select(deployments.c.active).where(_OF_SAME).scalar_subquery(),
        claimed_at=bindparam("now"),
        changed_at=bindparam("now"),
        transition_id=null(),
    )
    .returning(*runs.c)
)


_NEXT_DUE = select(func.min(runs.c.scheduled_at)).where(
    runs.c.deployment_id.in_(bindparam("served", expanding=True)), is_waiting, runs.c.scheduled_at > bindparam("after")
)


def next_due(connection: Connection, deployment_ids: Sequence[UUID], *, after: datetime) -> datetime | None:
    """When the first run comes due that is not due at `after`."""
    if not deployment_ids:
        return None
    found: datetime | None = connection.execute(_NEXT_DUE, {"served": list(deployment_ids), "after": after}).scalar()
    return found


def claim(
    connection: Connection, runner_id: UUID, deployment_ids: Sequence[UUID], *, limit: int, now: datetime
) -> list[Run]:
    """Take the oldest runs that are due, as many as `limit` and the deployments' own limits let pass.

    Looks at no more than `limit` deployments and `limit` runs of each, however many are waiting.
    """
    require_runner(connection, runner_id)
    if limit < 1 or not deployment_ids:
        return []
    asked = {"served": list(deployment_ids), "limit": limit, "now": now}
    waiting = [
        (row.scheduled_at, row.id)
        for deployment in connection.execute(_WITH_ROOM, asked).all()
        for row in connection.execute(
            _WAITING, {"of_deployment": deployment.id, "room": min(deployment.room, limit), "now": now}
        )
    ]
    if not waiting:
        return []
    chosen = [run_id for _, run_id in sorted(waiting)[:limit]]
    taken = connection.execute(_TAKE, {"chosen": chosen, "runner": runner_id, "now": now})
    return sorted(map(run_from, taken), key=lambda run: (run.scheduled_at, run.id))
