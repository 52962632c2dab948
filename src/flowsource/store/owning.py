"""Who owns what: a claim its run, and a token what was registered by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, bindparam, select, tuple_, update

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
# Those who only refer to the run, as lines of its log do, are not held up.
_HELD = _CURRENT.with_for_update(key_share=True)


def get_row(connection: Connection, run_id: UUID) -> AnyRow:
    """The row of that run; raises RunNotFound."""
    return _found(connection, _CURRENT, run_id)


def hold_row(connection: Connection, run_id: UUID) -> AnyRow:
    """The row of that run, which nobody else changes before this transaction ends; raises RunNotFound."""
    return _found(connection, _HELD, run_id)


def get_owned_row(connection: Connection, run_id: UUID, epoch: int) -> AnyRow:
    """The row of that run, held, if the claim that asks still owns it; raises Superseded, or RunNotFound."""
    row = hold_row(connection, run_id)
    if row.epoch != epoch:
        raise Superseded(
            f"run {row.name!r} was claimed again (claim {row.epoch}, this is claim {epoch}): "
            "whatever goes on under the older claim must stop."
        )
    return row


def _found(connection: Connection, wanted: Select[Any], run_id: UUID) -> AnyRow:
    row = connection.execute(wanted, {"run": run_id}).one_or_none()
    if row is None:
        raise RunNotFound(str(run_id))
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
