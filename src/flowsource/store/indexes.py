"""The indexes of the tables, for who makes them: no statement needs to know of them, and a list is there sooner."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Index

from flowsource.store.tables import (
    GRAVE_LINES,
    events,
    is_grave,
    is_in_progress,
    is_not_completed,
    is_scheduled,
    is_waiting,
    log_lines,
    run_tags,
    runs,
    tokens,
)


def _partial(name: str, *columns: Column[Any], where: Any, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


_partial("runs_waiting", runs.c.deployment_id, runs.c.due_at, runs.c.id, where=is_waiting)
# Few runs have one, and none but these pay for it.
_partial("runs_start_by", runs.c.deployment_id, runs.c.start_by, where=is_scheduled & runs.c.start_by.is_not(None))
# With the state as a column too, or SQLite may count through the whole history of a deployment instead.
_partial("runs_in_progress", runs.c.deployment_id, runs.c.state, where=is_in_progress)
# What people look for is rare in a long history, of which nearly all has completed.
_partial("runs_not_completed", runs.c.id, runs.c.state, where=is_not_completed)
_partial(
    "runs_once_per_instant",
    *(runs.c.deployment_id, runs.c.schedule, runs.c.scheduled_at),
    where=runs.c.schedule.is_not(None),
    unique=True,
)
_partial(
    "runs_once_per_key",
    *(runs.c.deployment_id, runs.c.idempotency_key),
    where=runs.c.idempotency_key.is_not(None),
    unique=True,
)
# Ids sort by time, so these three (with the primary key) give the newest first.
Index("runs_of_deployment", runs.c.deployment_id, runs.c.id)
Index("runs_of_name", runs.c.name, runs.c.id)
# Of each of these there are few that begin alike, and then each has its runs in order.
_partial("runs_of_revision", runs.c.revision_id, runs.c.id, where=runs.c.revision_id.is_not(None))
_partial("runs_of_commit", runs.c.revision_commit, runs.c.id, where=runs.c.revision_commit.is_not(None))
# There is none of runners: a claim would count by it through all that its runner ever executed.
_partial("runs_of_triggers", runs.c.id, runs.c.trigger, where=runs.c.trigger.is_not(None))
_partial("events_of_no_run", events.c.at, where=events.c.run_id.is_(None))
_partial("events_once", events.c.id, where=events.c.id.is_not(None), unique=True)
Index("runs_of_tag", run_tags.c.tag, run_tags.c.run_id)
_partial("tokens_once_per_name", tokens.c.name, where=tokens.c.revoked_at.is_(None), unique=True)
_partial(GRAVE_LINES, *log_lines.primary_key, log_lines.c.level, where=is_grave)
_partial("runs_of_parent", runs.c.parent_id, runs.c.id, where=runs.c.parent_id.is_not(None))
