"""Which runners are there, and what becomes of what they served and ran when they are not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, exists, insert, null, select, update

from flowsource.errors import NotFound
from flowsource.runs import Failure, Run, RunState
from flowsource.store.rows import failure_json, run_from
from flowsource.store.tables import deployments, is_in_progress, presence, runners, runs

_LEASE = select(runners.c.lease_until).where(runners.c.id == bindparam("runner"))
_RENEW = update(runners).where(runners.c.id == bindparam("runner")).values(lease_until=bindparam("until"))
_RESUME = (
    update(deployments)
    .where(
        deployments.c.stopped,
        deployments.c.id.in_(select(presence.c.deployment_id).where(presence.c.runner_id == bindparam("runner"))),
    )
    .values(stopped=False)
)
_LAPSED = select(runners.c.id).where(runners.c.lease_until < bindparam("now"))
# The deployments that a live runner serves, at the instant `now`.
SERVED = (
    select(presence.c.deployment_id)
    .join(runners, runners.c.id == presence.c.runner_id)
    .where(runners.c.lease_until >= bindparam("now"))
    .distinct()
)
_STOP_ABANDONED = (
    update(deployments)
    .where(
        deployments.c.pause_on_shutdown,
        deployments.c.stopped.is_(False),
        deployments.c.id.in_(
            select(presence.c.deployment_id).where(presence.c.runner_id.in_(bindparam("gone", expanding=True)))
        ),
        deployments.c.id.not_in(SERVED.where(runners.c.id.not_in(bindparam("gone", expanding=True)))),
    )
    .values(stopped=True, updated_at=bindparam("now"))
    .returning(deployments.c.id)
)
_FORGET = delete(runners).where(runners.c.id.in_(bindparam("gone", expanding=True)))
_CRASH_ORPHANS = (
    update(runs)
    .where(is_in_progress, ~exists().where(runners.c.id == runs.c.runner_id))
    .values(
        state=RunState.CRASHED,
        changed_at=bindparam("now"),
        ended_at=bindparam("now"),
        failure=bindparam("why"),
        transition_id=null(),
    )
    .returning(*runs.c)
)
_RUNNER_LOST = Failure(
    kind="RunnerLost",
    message="its runner is gone, or was out of sight for longer than its lease; how far it got is not known",
)


def require_runner(connection: Connection, runner_id: UUID) -> None:
    """Raise NotFound unless the runner is registered."""
    if connection.execute(_LEASE, {"runner": runner_id}).one_or_none() is None:
        raise _forgotten(runner_id)


def appear(connection: Connection, runner_id: UUID, deployment_ids: Sequence[UUID], *, lease_until: datetime) -> None:
    """Make a runner present, serving these deployments and no others."""
    if not connection.execute(_RENEW, {"runner": runner_id, "until": lease_until}).rowcount:
        connection.execute(insert(runners), {"id": runner_id, "lease_until": lease_until})
    connection.execute(delete(presence).where(presence.c.runner_id == runner_id))
    if deployment_ids:
        connection.execute(insert(presence), [{"runner_id": runner_id, "deployment_id": one} for one in deployment_ids])


def renew(connection: Connection, runner_id: UUID, *, lease_until: datetime) -> bool:
    """Prolong the lease of a runner; raises NotFound when it was given up for lost.

    Returns whether anything that it serves had been stopped meanwhile, and goes on.
    """
    if not connection.execute(_RENEW, {"runner": runner_id, "until": lease_until}).rowcount:
        raise _forgotten(runner_id)
    return bool(connection.execute(_RESUME, {"runner": runner_id}).rowcount)


def served(connection: Connection, *, now: datetime) -> set[UUID]:
    """The deployments that a live runner serves."""
    return set(connection.execute(SERVED, {"now": now}).scalars())


def retire(connection: Connection, runner_ids: Sequence[UUID], *, now: datetime) -> list[UUID]:
    """Forget runners, and stop the deployments with `pause_on_shutdown` that no live one is left to serve."""
    if not runner_ids:
        return []
    gone = list(runner_ids)
    stopped = list(connection.execute(_STOP_ABANDONED, {"gone": gone, "now": now}).scalars())
    connection.execute(_FORGET, {"gone": gone})
    return stopped


def reap(connection: Connection, *, now: datetime) -> list[Run]:
    """Retire the runners whose lease has ended, and crash every run in progress that has no runner."""
    retire(connection, list(connection.execute(_LAPSED, {"now": now}).scalars()), now=now)
    crashed = connection.execute(_CRASH_ORPHANS, {"now": now, "why": failure_json(_RUNNER_LOST)})
    return sorted(map(run_from, crashed), key=lambda run: run.id)


def _forgotten(runner_id: UUID) -> NotFound:
    return NotFound(
        f"runner {runner_id} is not registered, or was out of sight for longer than its lease. "
        "Whatever it still runs has been given up: stop it, and register again."
    )
