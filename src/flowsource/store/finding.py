"""Finding runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, bindparam, func, select, union, union_all

from flowsource.errors import RunNotFound
from flowsource.revisions import Revision
from flowsource.runs import Run, RunState
from flowsource.store.rows import run_from
from flowsource.store.tables import (
    AnyRow,
    deployments,
    is_in_progress,
    is_not_completed,
    is_waiting,
    runs,
)
from flowsource.store.values import Backlog, RunGlimpse

_BETWEEN = select(runs).where(runs.c.id.between(bindparam("lowest"), bindparam("highest"))).limit(2)
_NAMED = select(runs).where(runs.c.name == bindparam("wanted")).order_by(runs.c.id.desc()).limit(1)
_NEWEST = select(runs).order_by(runs.c.id.desc()).limit(bindparam("limit"))
_AT_REVISION = (
    select(deployments.c.source_key, runs.c.revision)
    .join(deployments, deployments.c.id == runs.c.deployment_id)
    .where(runs.c.revision.is_not(None))
)
# Each part has an index of its own.
_AT_REVISIONS = union(_AT_REVISION.where(is_waiting), _AT_REVISION.where(is_in_progress))
_COUNTED = select(runs.c.state, func.count().label("count"), func.min(runs.c.due_at).label("due_at"))
_BACKLOG = union_all(*(_COUNTED.where(part).group_by(runs.c.state) for part in (is_waiting, is_in_progress)))
_LATEST = (
    select(runs.c.id, runs.c.name, runs.c.state, runs.c.scheduled_at, runs.c.started_at, runs.c.ended_at)
    .where(runs.c.deployment_id == bindparam("of"), runs.c.is_nested.is_(False))
    .order_by(runs.c.id.desc())
    .limit(bindparam("limit"))
)
_PART_OF_ID = re.compile(r"[0-9a-f]{4,32}")


def find_run(connection: Connection, text: str) -> Run:
    """The run of that id, of a unique beginning of an id, or of that name (the newest)."""
    digits = text.lower().replace("-", "")
    alike: Sequence[AnyRow] = []
    if _PART_OF_ID.fullmatch(digits):
        # As a range of ids, which both databases answer from the index, whatever they keep an id as.
        reach = {"lowest": UUID(digits.ljust(32, "0")), "highest": UUID(digits.ljust(32, "f"))}
        alike = connection.execute(_BETWEEN, reach).all()
    if len(alike) == 1:
        return run_from(alike[0])
    named = connection.execute(_NAMED, {"wanted": text}).one_or_none()
    if named is not None:
        return run_from(named)
    raise RunNotFound(text, "more than one run has an id that begins with") if alike else RunNotFound(text)


def revisions_of_runs(connection: Connection) -> list[tuple[str, Revision]]:
    """The revisions of runs that have not ended and have one, with the keys of their sources."""
    return [(key, Revision.from_json(revision)) for key, revision in connection.execute(_AT_REVISIONS)]


def newest_runs(
    connection: Connection,
    *,
    deployment_id: UUID | None,
    states: Sequence[RunState],
    parent_id: UUID | None,
    before: UUID | None = None,
    limit: int,
) -> list[Run]:
    """The newest runs first, those of a deployment, of certain states, of a parent or older than one when asked."""
    wanted = _NEWEST if before is None else _NEWEST.where(runs.c.id < before)
    wanted = wanted.where(runs.c.is_nested.is_(False) if parent_id is None else runs.c.parent_id == parent_id)
    if deployment_id is not None:
        wanted = wanted.where(runs.c.deployment_id == deployment_id)
    if states:
        wanted = wanted.where(runs.c.state.in_(states))
        if RunState.COMPLETED not in states:
            # Said in the words of the index as well: a database draws no such conclusion from bound values.
            wanted = wanted.where(is_not_completed)
    return [run_from(row) for row in connection.execute(wanted, {"limit": limit})]


def backlog(connection: Connection) -> list[Backlog]:
    """How many runs are in each state in which they have not ended, and when the first of them came due."""
    return [Backlog(**{**row._mapping, "state": RunState(row.state)}) for row in connection.execute(_BACKLOG)]


def latest_runs(connection: Connection, deployment_ids: Sequence[UUID], *, each: int) -> dict[UUID, list[RunGlimpse]]:
    """How the newest runs of each deployment went, the oldest of them first."""
    found = {}
    for deployment_id in deployment_ids:
        # One look at the index for each, in which a database does not go through the runs of the others.
        rows = connection.execute(_LATEST, {"of": deployment_id, "limit": each}).all()
        found[deployment_id] = [RunGlimpse(**{**row._mapping, "state": RunState(row.state)}) for row in reversed(rows)]
    return found
