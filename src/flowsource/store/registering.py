"""Deployments: registering them again and again without undoing what a person set in between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Connection, bindparam, insert, select, update

from flowsource.deployments import Deployment
from flowsource.errors import DeploymentNotFound, InvalidDeployment
from flowsource.merging import merged_switch
from flowsource.promotions import Author, HistoryEntry, Kind
from flowsource.schedules import Schedule, schedule_from_json
from flowsource.store import owning, presence, promoting, scheduling, telling, triggering
from flowsource.store.returning import first_standing, standing_after
from flowsource.store.rows import declaration_columns, deployment_from
from flowsource.store.standing_rows import standing_columns
from flowsource.store.tables import deployments, schedules
from flowsource.store.values import Registration, RunnerInfo

_CHANGE = update(deployments).where(deployments.c.id == bindparam("which"))
_IS_LIMITED = select(deployments.c.run_limit.is_not(None) | deployments.c.global_limit.is_not(None)).where(
    deployments.c.id == bindparam("which")
)
_SCHEDULES_OF = (
    select(schedules.c.deployment_id, schedules.c.schedule, schedules.c.added_by)
    .where(schedules.c.deployment_id.in_(bindparam("which", expanding=True)), schedules.c.is_removed.is_(False))
    .order_by(schedules.c.deployment_id, schedules.c.position)
)


def register(
    connection: Connection,
    runner_id: UUID,
    registrations: Sequence[Registration],
    *,
    lease_until: datetime,
    now: datetime,
    owner: str | None = None,
    info: RunnerInfo | None = None,
) -> list[Deployment]:
    """Bring the deployments up to what is declared now, and make the runner present that serves them."""
    _refuse_twins(registrations)
    if owner is not None:
        owning.refuse_what_is_not_his(connection, owner, runner_id, registrations)
    served = presence.served(connection, now=now)
    ids = [_register(connection, registration, served, now) for registration in registrations]
    presence.appear(connection, runner_id, ids, lease_until=lease_until, now=now, owner=owner, info=info)
    if owner is not None:
        owning.give(connection, owner, ids)
    found = {deployment.id: deployment for deployment in _load(connection, deployments.c.id.in_(ids))}
    return [found[one] for one in ids]


def set_paused(
    connection: Connection, deployment_id: UUID, paused: bool, author: Author | None, *, now: datetime
) -> Deployment:
    """Hold the schedules, or let them go on from `now`."""
    before = get_by_id(connection, deployment_id)
    if before.paused == paused:
        return before
    if not paused:
        scheduling.skip_ahead(connection, deployment_id, to=now)
        triggering.begin_anew(connection, deployment_id, now=now)
    kind = Kind.PAUSED if paused else Kind.RESUMED
    if author is not None:
        entry = HistoryEntry(kind=kind, at=now, by=author.by, reason=author.reason)
        promoting.remember(connection, deployment_id, [entry])
    else:
        telling.tell_of_deployments(connection, [deployment_id], kind, at=now)
    connection.execute(_CHANGE.values(paused=paused, updated_at=now), {"which": deployment_id})
    return get_by_id(connection, deployment_id)


def all_deployments(connection: Connection) -> list[Deployment]:
    """All deployments, by full name."""
    return sorted(_load(connection), key=lambda deployment: deployment.full_name)


def get_by_id(connection: Connection, deployment_id: UUID) -> Deployment:
    """The deployment of that id; raises DeploymentNotFound."""
    found = _load(connection, deployments.c.id == deployment_id)
    if not found:
        raise DeploymentNotFound(str(deployment_id))
    return found[0]


def get_several(connection: Connection, ids: Sequence[UUID]) -> list[Deployment]:
    """The deployments of these ids, by full name."""
    return sorted(_load(connection, deployments.c.id.in_(ids)), key=lambda deployment: deployment.full_name)


def is_limited(connection: Connection, deployment_id: UUID) -> bool:
    """Whether the deployment has a limit of its own."""
    return bool(connection.execute(_IS_LIMITED, {"which": deployment_id}).scalar())


def find_deployment(connection: Connection, name: str) -> Deployment:
    """The deployment of that full name, or of that own name where it is unique."""
    flow, slash, own = name.partition("/")
    found = _load(
        connection, (deployments.c.flow == flow) & (deployments.c.name == own) if slash else deployments.c.name == name
    )
    if len(found) == 1:
        return found[0]
    if found:
        raise DeploymentNotFound(name, sorted(deployment.full_name for deployment in found))
    raise DeploymentNotFound(name, _names_near(connection, name))


def _refuse_twins(registrations: Sequence[Registration]) -> None:
    seen = set()
    for registration in registrations:
        name = f"{registration.facts.name}/{registration.declared.name}"
        if name in seen:
            raise InvalidDeployment(f"name: two deployments are called {name!r}; give each a name of its own.")
        seen.add(name)


def _register(connection: Connection, new: Registration, served: set[UUID], now: datetime) -> UUID:
    declared = new.declared
    old = _called(connection, new.facts.name, declared.name)
    columns = {
        **declaration_columns(declared),
        "paused": bool(declared.paused)
        if old is None
        else merged_switch(old.declared.paused, old.paused, declared.paused),
        "stopped": False,
        "updated_at": now,
    }
    if old is None:
        deployment_id = uuid4()
        identity = {"id": deployment_id, "flow": new.facts.name, "name": declared.name, "created_at": now}
        after, entries = first_standing(new, deployment_id, now=now)
        connection.execute(insert(deployments), {**identity, **standing_columns(after), **columns})
        telling.tell_of_deployments(connection, [deployment_id], "registered", at=now)
        was_held = False
    else:
        deployment_id = old.id
        after, entries = standing_after(old, new, now=now)
        connection.execute(_CHANGE.values(**{**standing_columns(after), **columns}), {"which": deployment_id})
        # Also when its runner was killed and nobody has marked it stopped yet.
        was_held = old.paused or old.stopped or (old.declared.pause_on_shutdown and deployment_id not in served)
    promoting.remember(connection, deployment_id, entries)
    resumes = was_held and not columns["paused"]
    resumes_at = now if resumes else None
    is_other = scheduling.declare(connection, deployment_id, declared.schedules, resumes_at=resumes_at, now=now)
    triggering.declare(connection, deployment_id, declared.triggers, now=now)
    # Of schedules people may have made something else meanwhile.
    if old is not None and (is_other or replace(declared, schedules=()) != replace(old.declared, schedules=())):
        telling.tell_of_deployments(connection, [deployment_id], "changed", at=now)
    return deployment_id


def _called(connection: Connection, flow: str, name: str) -> Deployment | None:
    found = _load(connection, deployments.c.flow == flow, deployments.c.name == name)
    return found[0] if found else None


def _load(connection: Connection, *conditions: ColumnElement[bool]) -> list[Deployment]:
    rows = connection.execute(select(deployments).where(*conditions)).all()
    declared: defaultdict[UUID, list[Schedule]] = defaultdict(list)
    added: defaultdict[UUID, list[Schedule]] = defaultdict(list)
    for row in connection.execute(_SCHEDULES_OF, {"which": [row.id for row in rows]}):
        of = declared if row.added_by is None else added
        of[row.deployment_id].append(schedule_from_json(row.schedule))
    return [deployment_from(row, declared[row.id], added[row.id]) for row in rows]


def _names_near(connection: Connection, name: str) -> list[str]:
    known: dict[str, str] = {}
    for row in connection.execute(select(deployments.c.flow, deployments.c.name)):
        full = f"{row.flow}/{row.name}"
        known.update({full: full, row.name: full})
    return list(dict.fromkeys(known[near] for near in get_close_matches(name, known)))
