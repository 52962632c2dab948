"""Values as rows of the tables, and rows as values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from flowsource.deployments import Declaration, Deployment
from flowsource.revisions import Revision
from flowsource.runs import Failure, Run, RunState
from flowsource.schedules import Schedule, schedule_from_json
from flowsource.store.protocol import LogLine, ScheduleState
from flowsource.store.standing_rows import standing_from
from flowsource.store.tables import AnyRow


def declaration_columns(declared: Declaration) -> dict[str, Any]:
    """The columns of a deployment that hold what was declared; its schedules have a table of their own."""
    return {
        "entrypoint": declared.entrypoint,
        "source_key": declared.source_key,
        "source_label": declared.source_label,
        "source_selector": declared.source_selector,
        "parameters": dict(declared.parameters),
        "tags": declared.tags,
        "description": declared.description,
        "version": declared.version,
        "run_limit": declared.limit,
        "declared_paused": declared.paused,
        "pause_on_shutdown": declared.pause_on_shutdown,
        "paths": declared.paths,
        "on_dependency_change": declared.on_dependency_change,
    }


def deployment_from(row: AnyRow, schedules: Iterable[Schedule]) -> Deployment:
    """The deployment of a row of its table, with its schedules in their declared order."""
    return Deployment(
        id=row.id,
        flow=row.flow,
        declared=Declaration(
            name=row.name,
            entrypoint=row.entrypoint,
            source_key=row.source_key,
            source_label=row.source_label,
            source_selector=row.source_selector,
            parameters=row.parameters,
            schedules=tuple(schedules),
            tags=tuple(row.tags),
            description=row.description,
            version=row.version,
            limit=row.run_limit,
            paused=row.declared_paused,
            pause_on_shutdown=row.pause_on_shutdown,
            paths=tuple(row.paths),
            on_dependency_change=row.on_dependency_change,
        ),
        **standing_from(row),
        paused=row.paused,
        stopped=row.stopped,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def schedule_state_from(row: AnyRow) -> ScheduleState:
    """The state of a schedule, from its row joined with the `paused` and `stopped` of its deployment."""
    return ScheduleState(
        deployment_id=row.deployment_id,
        key=row.key,
        schedule=schedule_from_json(row.schedule),
        cursor=row.cursor,
        is_held=row.paused or row.stopped,
    )


def new_run_columns(run: Run, idempotency_key: str | None) -> dict[str, Any]:
    """The columns of a run that nobody has claimed yet."""
    return {
        "id": run.id,
        "name": run.name,
        "deployment_id": run.deployment_id,
        "deployment": run.deployment,
        "state": run.state,
        "scheduled_at": run.scheduled_at,
        "created_at": run.created_at,
        "changed_at": run.changed_at,
        "parameters": run.parameters,
        "tags": run.tags,
        "schedule": run.schedule,
        "idempotency_key": idempotency_key,
        "epoch": run.epoch,
        "has_result": run.has_result,
    }


def run_from(row: AnyRow) -> Run:
    """The run of a row of its table."""
    return Run(
        id=row.id,
        name=row.name,
        deployment_id=row.deployment_id,
        deployment=row.deployment,
        state=RunState(row.state),
        scheduled_at=row.scheduled_at,
        created_at=row.created_at,
        changed_at=row.changed_at,
        parameters=row.parameters,
        tags=tuple(row.tags),
        schedule=row.schedule,
        epoch=row.epoch,
        runner_id=row.runner_id,
        revision=Revision.from_json(row.revision) if row.revision else None,
        claimed_at=row.claimed_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        failure=Failure(**row.failure) if row.failure else None,
        has_result=row.has_result,
        result=row.result if row.has_result else None,
        result_note=None if row.has_result else row.result,
    )


def failure_json(failure: Failure | None) -> dict[str, Any] | None:
    """A mapping of JSON values that says all of `failure`."""
    return asdict(failure) if failure else None


def line_columns(run_id: UUID, lines: Sequence[LogLine]) -> list[dict[str, Any]]:
    """The rows of `lines`."""
    return [
        {
            "run_id": run_id,
            "seq": line.seq,
            "at": line.at,
            "level": line.level,
            "text": line.text,
            "logger": line.logger,
        }
        for line in lines
    ]


def line_from(row: AnyRow) -> LogLine:
    """The line of a row of its table."""
    return LogLine(seq=row.seq, at=row.at, level=row.level, text=row.text, logger=row.logger)
