"""The shapes of what `--json` prints: one function for each value. Instants are ISO 8601 in UTC."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from flowsource.bulk import Done
from flowsource.cli.life import Branch, Life
from flowsource.deployments import Block, Deployment, Hold, Rejection, Wish
from flowsource.events import Event
from flowsource.promotions import HistoryEntry
from flowsource.revisions import Revision
from flowsource.runs import Attempt, Cancellation, Cause, Failure, Run, Transition
from flowsource.schedules.forecasting import Coming
from flowsource.store.values import Firing, KnownRunner, LogLine, ScheduleState, TriggerState
from flowsource.tokens import Token
from flowsource.triggers import trigger_to_json


def instant_json(at: datetime | None) -> str | None:
    """An instant, or null."""
    return at.isoformat() if at else None


def revision_json(revision: Revision) -> dict[str, Any]:
    """A revision with all that is known about it; `id` is a full commit id, or a digest."""
    return {
        "id": revision.id,
        "ref": revision.ref,
        "commit": revision.commit,
        "subject": revision.subject,
        "author": revision.author,
        "committed_at": instant_json(revision.committed_at),
        "dirty": revision.dirty,
    }


def run_json(run: Run) -> dict[str, Any]:
    """A run. `result` means something only where `has_result` is true; `parent_id` is the run that asked for this one,
    or in which it goes on where `is_nested` is true. `rerun_of` is the one that this does again, which may be gone."""
    return {
        "id": str(run.id),
        "name": run.name,
        "deployment": run.deployment,
        "flow": run.flow,
        "state": run.state.value,
        "attempt": run.attempt,
        "scheduled_at": instant_json(run.scheduled_at),
        "due_at": instant_json(run.due_at),
        "created_at": instant_json(run.created_at),
        "claimed_at": instant_json(run.claimed_at),
        "started_at": instant_json(run.started_at),
        "ended_at": instant_json(run.ended_at),
        "parameters": dict(run.parameters),
        "tags": list(run.tags),
        "schedule": run.schedule,
        "cause": _cause_json(run.cause) if run.cause else None,
        "rerun_of": str(run.rerun_of) if run.rerun_of else None,
        "parent_id": str(run.parent_id) if run.parent_id else None,
        "is_nested": run.is_nested,
        "revision": revision_json(run.revision) if run.revision else None,
        "cancellation": _cancellation_json(run.cancellation) if run.cancellation else None,
        "failure": _failure_json(run.failure),
        "has_result": run.has_result,
        "result": run.result,
        "result_note": run.result_note,
    }


def done_json(hit: int, done: Done | None) -> dict[str, Any]:
    """What came of an act on all that a query asks for, which `hit` so many: how many were changed and how many were
    passed over, by what was done and why. Nothing is, where it was not to be `done`."""
    done = done or Done({}, {})
    return {"hit": hit, "changed": dict(done.changed), "skipped": dict(done.skipped), "more": done.has_more}


def event_json(event: Event) -> dict[str, Any]:
    """An event. `resource` and each of `related` are labels; `run_id` is the run it happened to, or that told it."""
    return event.to_json()


def trigger_json(one: TriggerState) -> dict[str, Any]:
    """A trigger of a deployment; `held` is true while a pause holds it, or it is not enabled."""
    return {
        "deployment": one.deployment,
        "key": one.key,
        "held": one.is_held,
        "enabled": one.trigger.enabled,
        "origin": one.origin,
        "added_by": one.added_by,
        "said": one.trigger.describe(),
        **trigger_to_json(one.trigger),
    }


def firing_json(one: Firing) -> dict[str, Any]:
    """What a trigger fired: `run_id` is the run that it made, and `reason` says why it made none."""
    return {
        "at": instant_json(one.at),
        "trigger": one.trigger,
        "key": one.key,
        "outcome": one.outcome,
        "event": event_json(one.event) if one.event is not None else None,
        "run_id": str(one.run_id) if one.run_id is not None else None,
        "reason": one.reason,
    }


def _cause_json(cause: Cause) -> dict[str, Any]:
    event = event_json(cause.event) if cause.event is not None else None
    return {"trigger": cause.trigger, "event": event, "chain": list(cause.chain)}


def life_json(life: Life) -> dict[str, Any]:
    """A run with its `attempts` and `steps`, and as `children` the runs that it asked for and those inside it."""
    return {
        **run_json(life.run),
        "attempts": [attempt_json(attempt) for attempt in life.attempts],
        "steps": [step_json(step) for step in life.steps],
        "children": [_branch_json(child) for child in life.children],
    }


def _branch_json(branch: Branch) -> dict[str, Any]:
    return {**run_json(branch.run), "children": [_branch_json(child) for child in branch.children]}


def attempt_json(attempt: Attempt) -> dict[str, Any]:
    """One execution of a run."""
    return {
        "number": attempt.number,
        "state": attempt.state.value,
        "claimed_at": instant_json(attempt.claimed_at),
        "started_at": instant_json(attempt.started_at),
        "ended_at": instant_json(attempt.ended_at),
        "failure": _failure_json(attempt.failure),
    }


def step_json(step: Transition) -> dict[str, Any]:
    """One step in the life of a run."""
    return {
        "seq": step.seq,
        "at": instant_json(step.at),
        "state": step.state.value,
        "attempt": step.attempt,
        "reason": step.reason,
        "by": step.by,
    }


def _cancellation_json(cancellation: Cancellation) -> dict[str, Any]:
    return {
        "by": cancellation.by,
        "reason": cancellation.reason,
        "asked_at": instant_json(cancellation.asked_at),
        "told_at": instant_json(cancellation.told_at),
        "signalled_at": instant_json(cancellation.signalled_at),
        "killed_at": instant_json(cancellation.killed_at),
    }


def _failure_json(failure: Failure | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    return {"kind": failure.kind, "message": failure.message, "traceback": failure.traceback}


def line_json(line: LogLine) -> dict[str, Any]:
    """A line of a log; `level` and `logger` are null for what was written to standard output or standard error.

    `seq` counts within an `attempt`; `extra` is what a record carried beside its text.
    """
    return {
        "attempt": line.attempt,
        "seq": line.seq,
        "at": instant_json(line.at),
        "level": logging.getLevelName(line.level) if line.logger is not None else None,
        "logger": line.logger,
        "text": line.text,
        "extra": dict(line.extra),
    }


def token_json(token: Token) -> dict[str, Any]:
    """A token, of whose secret nobody knows."""
    return {
        "id": str(token.id),
        "name": token.name,
        "scopes": list(token.scopes),
        "created_at": instant_json(token.created_at),
        "expires_at": instant_json(token.expires_at),
        "used_at": instant_json(token.used_at),
        "revoked_at": instant_json(token.revoked_at),
    }


def runner_json(runner: KnownRunner) -> dict[str, Any]:
    """A runner, which is taken for lost once `lease_until` is past. What it says of itself is null for one that says
    nothing; `owner` is the name of its token, and `limit` null where it takes any number of runs."""
    info = runner.info
    return {
        "id": str(runner.id),
        "host": info.host if info is not None else None,
        "pid": info.pid if info is not None else None,
        "version": info.version if info is not None else None,
        "started_at": instant_json(info.started_at) if info is not None else None,
        "limit": info.limit if info is not None else None,
        "owner": runner.owner,
        "lease_until": instant_json(runner.lease_until),
        "deployments": list(runner.deployments),
    }


def deployment_json(deployment: Deployment, next_at: datetime | None) -> dict[str, Any]:
    """A deployment; `next_at` is when its schedules want the next run. Lengths of time are in seconds."""
    declared = deployment.declared
    return {
        "id": str(deployment.id),
        "name": deployment.full_name,
        "flow": deployment.flow,
        "entrypoint": declared.entrypoint,
        "source": declared.source_label,
        "description": deployment.description,
        "version": deployment.version,
        "tags": list(declared.tags),
        "limit": declared.limit,
        "global_limit": declared.global_limit,
        "collision_strategy": declared.collision_strategy,
        "catchup": declared.catchup,
        "max_lateness": declared.max_lateness.total_seconds() if declared.max_lateness is not None else None,
        "on_lost": declared.on_lost,
        "workdir": declared.workdir,
        "freshness": declared.freshness,
        "preload": list(declared.preload),
        "grace": declared.grace.total_seconds(),
        "parameters": dict(declared.parameters),
        "parameter_schema": dict(deployment.facts.parameter_schema),
        "triggers": [{"said": trigger.describe(), **trigger_to_json(trigger)} for trigger in declared.triggers],
        "schedules": [{"said": schedule.describe(), **schedule.to_json()} for schedule in deployment.schedules],
        "next_at": instant_json(next_at),
        "paused": deployment.paused,
        "stopped": deployment.stopped,
        "paths": list(declared.paths),
        "on_dependency_change": declared.on_dependency_change,
        "active": revision_json(deployment.active),
        "pinned": _wish_json(deployment.pin) if deployment.pin else None,
        "asked_for": _wish_json(deployment.wish) if deployment.wish and deployment.is_wish_open else None,
        "without_pin": revision_json(deployment.beneath.revision) if deployment.beneath else None,
        "held": _hold_json(deployment.held) if deployment.held else None,
        "blocked": [_block_json(block) for block in deployment.blocked],
        "rejected": _rejection_json(deployment.rejected) if deployment.rejected else None,
        "created_at": instant_json(deployment.created_at),
        "updated_at": instant_json(deployment.updated_at),
    }


def schedule_json(state: ScheduleState, of: Deployment, next_at: datetime | None) -> dict[str, Any]:
    """A schedule; `origin` is `code`, or `person` for one that `added_by` added. `next_at` is when it wants its next
    run. `catchup` and `max_lateness` are those that hold for it; lengths of time are in seconds."""
    return {
        "deployment": of.full_name,
        "key": state.key,
        "slug": state.schedule.slug,
        "said": state.schedule.describe(),
        "origin": state.origin,
        "added_by": state.added_by,
        "active": state.schedule.active,
        "held": state.is_held,
        "next_at": instant_json(next_at),
        "cursor": instant_json(state.cursor),
        "parameters": dict(state.schedule.parameters),
        "timezone": state.schedule.timezone,
        "jitter": state.schedule.spread.total_seconds(),
        **state.schedule.to_json(),
        "catchup": state.catchup,
        "max_lateness": state.max_lateness.total_seconds() if state.max_lateness is not None else None,
    }


def coming_json(one: Coming) -> dict[str, Any]:
    """An instant at which a schedule will fire: in UTC, and on the clock of its zone, which is set by so many seconds
    since the one before."""
    return {
        "at": instant_json(one.at.astimezone(UTC)),
        "in_zone": instant_json(one.at),
        "clock_set_by": one.clock_set_by.total_seconds(),
    }


def _rejection_json(rejection: Rejection) -> dict[str, Any]:
    return {
        "revision": revision_json(rejection.revision),
        "kind": rejection.kind,
        "message": rejection.message,
        "details": rejection.details,
        "at": instant_json(rejection.at),
    }


def history_json(entry: HistoryEntry) -> dict[str, Any]:
    """An entry of the history of a deployment; what `details` holds goes with its `kind`."""
    return {
        "seq": entry.seq,
        "at": instant_json(entry.at),
        "kind": entry.kind.value,
        "revision": revision_json(entry.revision) if entry.revision else None,
        "previous": revision_json(entry.previous) if entry.previous else None,
        "by": entry.by,
        "reason": entry.reason,
        "details": dict(entry.details),
    }


def _wish_json(wish: Wish) -> dict[str, Any]:
    return {
        "kind": wish.kind,
        "revision": revision_json(wish.revision),
        "by": wish.by,
        "reason": wish.reason,
        "at": instant_json(wish.at),
    }


def _hold_json(hold: Hold) -> dict[str, Any]:
    return {
        "kind": "dependency",
        "revision": revision_json(hold.loaded.revision),
        "changes": [{"path": change.path, "diff": change.diff} for change in hold.changes],
        "at": instant_json(hold.at),
    }


def _block_json(block: Block) -> dict[str, Any]:
    return {
        "revision": revision_json(block.revision),
        "instead": revision_json(block.instead),
        "by": block.by,
        "reason": block.reason,
        "at": instant_json(block.at),
    }
