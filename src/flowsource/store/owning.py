"""Who owns what: a claim its run, and a token what was registered by it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, bindparam, select, tuple_, update

from flowsource.errors import NotAllowed, RunNotFound, Superseded
from flowsource.store.tables import AnyRow, deployments, runners, runs
from flowsource.store.values import Registration

_OF_OTHERS = select(deployments.c.flow, deployments.c.name).where(
    tuple_(deployments.c.flow, deployments.c.name).in_(bindparam("called", expanding=True)),
    deployments.c.owner.is_distinct_from(bindparam("him")),
)
_RUNNER_OF_OTHERS = select(runners.c.id).where(
    runners.c.id == bindparam("runner"), runners.c.owner.is_distinct_from(bindparam("him"))
)
_GIVE = update(deployments).where(deployments.c.id.in_(bindparam("which", expanding=True)))
_CURRENT = select(runs).where(runs.c.id == bindparam("run"))


def get_row(connection: Connection, run_id: UUID) -> AnyRow:
    """The row of that run; raises RunNotFound."""
    row = connection.execute(_CURRENT, {"run": run_id}).one_or_none()
    if row is None:
        raise RunNotFound(str(run_id))
    return row


def get_owned_row(connection: Connection, run_id: UUID, epoch: int) -> AnyRow:
    """The row of that run, if the claim that asks still owns it; raises Superseded, or RunNotFound."""
    row = get_row(connection, run_id)
    if row.epoch != epoch:
        raise Superseded(
            f"run {row.name!r} was claimed again (claim {row.epoch}, this is claim {epoch}): "
            "whatever goes on under the older claim must stop."
        )
    return row


def refuse_what_is_not_his(
    connection: Connection, owner: str, runner_id: UUID, registrations: Sequence[Registration]
) -> None:
    """Raise NotAllowed where any of these is there already, and is not the owner's."""
    called = [(one.facts.name, one.declared.name) for one in registrations]
    if connection.execute(_RUNNER_OF_OTHERS, {"runner": runner_id, "him": owner}).first():
        raise NotAllowed(f"the runner {runner_id} was registered by somebody else.")
    if called and (found := connection.execute(_OF_OTHERS, {"called": called, "him": owner}).first()):
        raise NotAllowed(
            f"the deployment '{found.flow}/{found.name}' was not registered by the token {owner!r}. "
            "Give yours another name, or serve it with the token that it was registered by."
        )


def give(connection: Connection, owner: str, deployment_ids: Sequence[UUID]) -> None:
    """From now on these are the owner's."""
    connection.execute(_GIVE.values(owner=owner), {"which": list(deployment_ids)})
