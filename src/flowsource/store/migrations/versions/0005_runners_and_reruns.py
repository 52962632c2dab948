"""What runners say of themselves, and runs that do again what others did."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make room for it; nothing that is there is rewritten."""
    op.add_column("runners", sa.Column("info", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("rerun_of", sa.Uuid(), nullable=True))
    op.add_column("runs", sa.Column("keeps_revision", sa.Boolean(), nullable=True))


def downgrade() -> None:
    """Forget it."""
    op.drop_column("runs", "keeps_revision")
    op.drop_column("runs", "rerun_of")
    op.drop_column("runners", "info")
