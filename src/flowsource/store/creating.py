"""Creating runs, each exactly once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, select, update

from flowsource.errors import DeploymentNotFound, InConflict, InvalidInput
from flowsource.runs import Failure, Run, RunState
from flowsource.schedules import schedule_from_json, wait_of
from flowsource.store import awaiting, steps, tagging
from flowsource.store.names import new_run_id, new_run_name
from flowsource.store.owning import get_row
from flowsource.store.rows import new_run_columns, run_from
from flowsource.store.tables import AnyRow, deployments, insert_unless_there, runs, schedules
from flowsource.store.values import NewRun

# As a foreign key holds it too, but sooner: one that is being deleted is waited for, and is not there then.
_DEPLOYMENT = (
    select(deployments.c.id, deployments.c.flow, deployments.c.name, deployments.c.parameters, deployments.c.tags)
    .where(deployments.c.id == bindparam("wanted"))
    .with_for_update(read=True, key_share=True)
)
# The unique indexes decide which of two that race was first.
_EXISTING = (
    select(runs)
    .where(
        runs.c.deployment_id == bindparam("of_deployment"),
        (runs.c.idempotency_key == bindparam("of_key"))
        | ((runs.c.schedule == bindparam("of_schedule")) & (runs.c.scheduled_at == bindparam("of_instant"))),
    )
    .limit(1)
)
_SCHEDULE = select(schedules.c.schedule).where(
    schedules.c.deployment_id == bindparam("of_deployment"),
    schedules.c.key == bindparam("of_key"),
    schedules.c.is_removed.is_(False),
)
_MOVE_CURSOR = (
    update(schedules)
    .where(
        schedules.c.deployment_id == bindparam("of_deployment"),
        schedules.c.key == bindparam("of_key"),
        schedules.c.cursor < bindparam("to"),
    )
    .values(cursor=bindparam("to"))
)


def create_run(connection: Connection, new: NewRun, *, now: datetime) -> Run:
    """Create a run, or find the one that has its idempotency key, or its schedule and instant."""
    if new.parent_id is not None:
        get_row(connection, new.parent_id)
    run = _created_once(connection, new, now)
    if new.awaited_by is not None:
        awaiting.begin(connection, new.awaited_by, run.id)
    return run


def create_scheduled(
    connection: Connection,
    deployment_id: UUID,
    key: str,
    instants: Sequence[datetime],
    *,
    skipped: Mapping[datetime, Failure],
    cursor: datetime,
    now: datetime,
) -> list[Run]:
    """Create the runs of a schedule that are not there yet, and move its cursor on."""
    deployment = _find_deployment(connection, deployment_id)
    said = connection.execute(_SCHEDULE, {"of_deployment": deployment_id, "of_key": key}).scalar()
    if said is None:
        return []  # A person took it away since whoever creates them looked.
    schedule = schedule_from_json(said)
    created = []
    for instant in sorted({*instants, *skipped}):
        new = NewRun(
            deployment_id=deployment_id,
            scheduled_at=instant,
            schedule=key,
            parameters=schedule.parameters,
        )
        run = replace(_new_run(deployment, new, now), due_at=instant + wait_of(key, instant, schedule.spread))
        start_by = run.due_at + schedule.patience if schedule.patience is not None else None
        if why := skipped.get(instant):
            run = replace(run, state=RunState.SKIPPED, ended_at=now, failure=why)
        if connection.execute(
            insert_unless_there(connection, runs), {**new_run_columns(run, None), "start_by": start_by}
        ).rowcount:
            tagging.keep(connection, run)
            steps.remember(connection, [run], at=now, reason=why.message if why else None)
            created.append(run)
    connection.execute(_MOVE_CURSOR, {"of_deployment": deployment_id, "of_key": key, "to": cursor})
    return created


def _created_once(connection: Connection, new: NewRun, now: datetime) -> Run:
    run = _new_run(_find_deployment(connection, new.deployment_id), new, now)
    if new.rerun_of is not None:
        run = _like(run, run_from(get_row(connection, new.rerun_of)), keeps_revision=new.at_same_revision)
    if connection.execute(insert_unless_there(connection, runs), new_run_columns(run, new.idempotency_key)).rowcount:
        tagging.keep(connection, run)
        steps.remember(connection, [run], at=now)
        return run
    existing = connection.execute(
        _EXISTING,
        {
            "of_deployment": new.deployment_id,
            "of_key": new.idempotency_key,
            "of_schedule": new.schedule,
            "of_instant": new.scheduled_at,
        },
    )
    return run_from(existing.one())


def _like(run: Run, other: Run, *, keeps_revision: bool) -> Run:
    """`run` as one that does again what `other` did; raises InConflict where that cannot be."""
    if other.deployment_id != run.deployment_id:
        raise InvalidInput(f"rerun_of: {other.name} is a run of {other.deployment}, not of {run.deployment}.")
    if other.is_nested:
        raise InConflict(f"{other.name} was called inside another run: have that run again.")
    if keeps_revision and other.revision is None:
        raise InConflict(f"{other.name} has not begun, so that it has no revision yet. Ask for the active one.")
    # In its own words: what the deployment says by now is for new runs.
    return replace(
        run,
        parameters=other.parameters,
        tags=other.tags,
        rerun_of=other.id,
        keeps_revision=keeps_revision,
        revision=other.revision if keeps_revision else None,
    )


def _find_deployment(connection: Connection, deployment_id: UUID) -> AnyRow:
    row = connection.execute(_DEPLOYMENT, {"wanted": deployment_id}).one_or_none()
    if row is None:
        raise DeploymentNotFound(str(deployment_id))
    return row


def _new_run(deployment: AnyRow, new: NewRun, now: datetime) -> Run:
    return Run(
        id=new_run_id(now),
        name=new.name or new_run_name(),
        deployment_id=deployment.id,
        deployment=f"{deployment.flow}/{deployment.name}",
        flow=deployment.flow,
        state=RunState.SCHEDULED,
        scheduled_at=new.scheduled_at,
        due_at=new.scheduled_at,
        created_at=now,
        changed_at=now,
        parameters={**deployment.parameters, **new.parameters},
        tags=tuple(dict.fromkeys((*deployment.tags, *new.tags))),
        schedule=new.schedule,
        cause=new.cause,
        parent_id=new.parent_id,
    )
