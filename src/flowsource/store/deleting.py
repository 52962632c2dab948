"""Deleting a deployment with all that is known of it, a little at a time."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, select

from flowsource.deployments import Deployment
from flowsource.errors import InConflict
from flowsource.promotions import Author
from flowsource.store import presence, pruning, registering, telling
from flowsource.store.holding import hold
from flowsource.store.tables import deployments, is_in_progress, runs
from flowsource.store.values import LOST_FOR

_OF_IT = runs.c.deployment_id == bindparam("which")
_GOING_ON = select(runs.c.name).where(_OF_IT, is_in_progress).limit(1)
_OLDEST = select(runs.c.id).where(_OF_IT).order_by(runs.c.id).limit(pruning.RUNS_AT_ONCE)
_DELETE = delete(deployments).where(deployments.c.id == bindparam("which"))


def delete_some(connection: Connection, deployment_id: UUID, author: Author, *, now: datetime) -> bool:
    """Remove lines of its runs, else runs, else the deployment: whether that is gone."""
    deployment = registering.get_by_id(connection, deployment_id)
    _refuse_what_is_in_use(connection, deployment, now)
    # A run that is just asked for waits, and finds no deployment then.
    hold(connection, deployment_id)
    if _remove_runs(connection, deployment_id):
        return False
    telling.tell_of_deployments(connection, [deployment_id], "deleted", at=now, by=author.by, reason=author.reason)
    connection.execute(_DELETE, {"which": deployment_id})
    return True


def _refuse_what_is_in_use(connection: Connection, deployment: Deployment, now: datetime) -> None:
    name = deployment.full_name
    # A runner that is out of sight may come back, and would serve what is not there.
    if deployment.id in presence.served(connection, now=now - LOST_FOR):
        raise InConflict(
            f"{name} is served, or was until some minutes ago. Stop what serves it, and delete it then; "
            "`flowsource runners ls` tells where that is."
        )
    going_on = connection.execute(_GOING_ON, {"which": deployment.id}).scalar()
    if going_on is not None:
        raise InConflict(f"{going_on}, a run of {name}, goes on. Wait for its end, or cancel it, and delete it then.")


def _remove_runs(connection: Connection, deployment_id: UUID) -> int:
    """Remove some of the lines, or else some of the runs; how many."""
    ids = connection.execute(_OLDEST, {"which": deployment_id}).scalars().all()
    removed = 0
    for run_id in ids:
        removed += pruning.remove_lines(connection, run_id, pruning.LINES_AT_ONCE - removed)
        if removed >= pruning.LINES_AT_ONCE:
            return removed
    return removed + pruning.remove_runs(connection, ids)
