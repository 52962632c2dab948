"""The claim by which a runner was last given runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Runners that are there were given none that is known."""
    op.add_column("runners", sa.Column("claim_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    """A claim that comes late is taken for a new one again."""
    op.drop_column("runners", "claim_id")
