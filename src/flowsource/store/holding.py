"""What keeps others from changing what belongs to a deployment at the same time."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, bindparam, select

from flowsource.errors import DeploymentNotFound
from flowsource.store.tables import deployments

# Whoever changes something of it holds its row meanwhile, where the database lets others write.
_HOLD = select(deployments.c.id).where(deployments.c.id == bindparam("which")).with_for_update()


def hold(connection: Connection, deployment_id: UUID) -> None:
    """Have nobody else change what is its until this transaction has ended; raises DeploymentNotFound."""
    if connection.execute(_HOLD, {"which": deployment_id}).one_or_none() is None:
        raise DeploymentNotFound(str(deployment_id))
