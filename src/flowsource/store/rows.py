"""Values as rows of the tables, and rows as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flowsource.deployments import Declaration, Deployment
from flowsource.event_names import RUNS
from flowsource.events import Event
from flowsource.revisions import Revision
from flowsource.runs import Attempt, Cancellation, Cause, Failure, Run, RunState, Transition
from flowsource.schedules import Schedule, schedule_from_json
from flowsource.store.standing_rows import standing_from
from flowsource.store.tables import AnyRow
from flowsource.store.values import LogLine, ScheduleState
from flowsource.triggers import trigger_from_json, trigger_to_json


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
        "global_limit": declared.global_limit,
        "collision_strategy": declared.collision_strategy,
        "max_lateness": declared.max_lateness,
        "on_lost": declared.on_lost,
        "options": {
            "catchup": declared.catchup,
            "workdir": declared.workdir,
            "freshness": declared.freshness,
            "preload": declared.preload,
            "grace": declared.grace.total_seconds(),
            "instance": declared.instance,
            "triggers": [trigger_to_json(trigger) for trigger in declared.triggers],
        },
        "declared_paused": declared.paused,
        "pause_on_shutdown": declared.pause_on_shutdown,
        "paths": declared.paths,
        "on_dependency_change": declared.on_dependency_change,
    }


def deployment_from(row: AnyRow, schedules: Iterable[Schedule], added: Iterable[Schedule]) -> Deployment:
    """The deployment of a row of its table, with the schedules of the code in their order, and those that people
    added."""
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
            global_limit=row.global_limit,
            collision_strategy=row.collision_strategy,
            max_lateness=row.max_lateness,
            on_lost=row.on_lost,
            catchup=row.options["catchup"],
            workdir=row.options["workdir"],
            freshness=row.options["freshness"],
            preload=tuple(row.options["preload"]),
            grace=timedelta(seconds=row.options["grace"]),
            instance=row.options["instance"],
            triggers=tuple(map(trigger_from_json, row.options["triggers"])),
            paused=row.declared_paused,
            pause_on_shutdown=row.pause_on_shutdown,
            paths=tuple(row.paths),
            on_dependency_change=row.on_dependency_change,
        ),
        **standing_from(row),
        added_schedules=tuple(added),
        paused=row.paused,
        stopped=row.stopped,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def schedule_state_from(row: AnyRow) -> ScheduleState:
    """The state of a schedule, from its row joined with what its deployment says of it."""
    schedule = schedule_from_json(row.schedule)
    return ScheduleState(
        deployment_id=row.deployment_id,
        key=row.key,
        schedule=schedule,
        added_by=row.added_by,
        cursor=row.cursor,
        is_held=row.paused or row.stopped or not schedule.active,
        catchup=schedule.catchup or row.options["catchup"],
        max_lateness=row.max_lateness if schedule.patience is None else schedule.patience,
    )


def new_run_columns(run: Run, idempotency_key: str | None) -> dict[str, Any]:
    """The columns of a run that is new."""
    return {
        "id": run.id,
        "name": run.name,
        "deployment_id": run.deployment_id,
        "deployment": run.deployment,
        "flow": run.flow,
        "state": run.state,
        "scheduled_at": run.scheduled_at,
        "due_at": run.due_at,
        "created_at": run.created_at,
        "changed_at": run.changed_at,
        "parameters": run.parameters,
        "tags": run.tags,
        "schedule": run.schedule,
        "idempotency_key": idempotency_key,
        "cause": _cause_json(run.cause) if run.cause else None,
        "rerun_of": run.rerun_of,
        "keeps_revision": run.keeps_revision,
        "trigger": run.cause.trigger if run.cause else None,
        "parent_id": run.parent_id,
        "is_nested": run.is_nested,
        "has_nested": False,
        "attempt": run.attempt,
        "epoch": run.epoch,
        "revision": run.revision.to_json() if run.revision else None,
        "revision_id": run.revision.id if run.revision else None,
        "revision_commit": run.revision.commit if run.revision else None,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "failure": failure_json(run.failure),
        "has_result": run.has_result,
    }


def run_from(row: AnyRow) -> Run:
    """The run of a row of its table."""
    return Run(
        id=row.id,
        name=row.name,
        deployment_id=row.deployment_id,
        deployment=row.deployment,
        flow=row.flow,
        state=RunState(row.state),
        scheduled_at=row.scheduled_at,
        due_at=row.due_at,
        created_at=row.created_at,
        changed_at=row.changed_at,
        parameters=row.parameters,
        tags=tuple(row.tags),
        schedule=row.schedule,
        cause=cause_from(row.cause) if row.cause else None,
        rerun_of=row.rerun_of,
        keeps_revision=bool(row.keeps_revision),
        parent_id=row.parent_id,
        is_nested=row.is_nested,
        attempt=row.attempt,
        epoch=row.epoch,
        runner_id=row.runner_id,
        revision=Revision.from_json(row.revision) if row.revision else None,
        claimed_at=row.claimed_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        cancellation=_cancellation_from(row.cancellation) if row.cancellation else None,
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
            "attempt": line.attempt,
            "seq": line.seq,
            "at": line.at,
            "level": line.level,
            "text": line.text,
            "logger": line.logger,
            "extra": dict(line.extra) or None,
        }
        for line in lines
    ]


def line_from(row: AnyRow) -> LogLine:
    """The line of a row of its table."""
    return LogLine(
        attempt=row.attempt,
        seq=row.seq,
        at=row.at,
        level=row.level,
        text=row.text,
        logger=row.logger,
        extra=row.extra or {},
    )


def attempt_columns(
    run: AnyRow, *, state: RunState, failure: dict[str, Any] | None, at: datetime, transition_id: UUID | None
) -> dict[str, Any]:
    """The row of the attempt that `run` has just ended in `state`, of which it still has the rest."""
    return {
        "run_id": run.id,
        "number": run.attempt,
        "epoch": run.epoch,
        "runner_id": run.runner_id,
        "claimed_at": run.claimed_at,
        "started_at": run.started_at,
        "ended_at": at,
        "state": state,
        "failure": failure,
        "transition_id": transition_id,
    }


def attempt_from(row: AnyRow) -> Attempt:
    """The attempt of a row of its table."""
    return Attempt(
        number=row.number,
        epoch=row.epoch,
        runner_id=row.runner_id,
        claimed_at=row.claimed_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        state=RunState(row.state),
        failure=Failure(**row.failure) if row.failure else None,
    )


def transition_columns(
    run: Run | AnyRow, *, at: datetime, reason: str | None = None, by: str | None = None
) -> dict[str, Any]:
    """The event that tells how `run` came to the state that it is in now."""
    name = f"{RUNS}{run.state}"
    return {"run_id": run.id, "at": at, "name": name, "attempt": run.attempt, "reason": reason, "by": by}


def transition_from(row: AnyRow) -> Transition:
    """The step that an event tells."""
    state = RunState(row.name.removeprefix(RUNS))
    return Transition(seq=row.seq, at=row.at, state=state, attempt=row.attempt, reason=row.reason, by=row.by)


def _cause_json(cause: Cause) -> dict[str, Any]:
    event = cause.event.to_json() if cause.event is not None else None
    return {"trigger": cause.trigger, "event": event, "chain": list(cause.chain)}


def cause_from(data: Mapping[str, Any]) -> Cause:
    """The cause that a run is kept with."""
    event = Event.from_json(data["event"]) if data["event"] is not None else None
    return Cause(trigger=data["trigger"], event=event, chain=tuple(data["chain"]))


def cancellation_json(cancellation: Cancellation) -> dict[str, Any]:
    """A mapping of JSON values that says all of `cancellation`."""
    said = asdict(cancellation)
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in said.items()}


def _cancellation_from(data: dict[str, Any]) -> Cancellation:
    told = {name: value for name, value in data.items() if name.endswith("_at") and value is not None}
    instants = {name: datetime.fromisoformat(value) for name, value in told.items()}
    return Cancellation(**{**data, **instants})
