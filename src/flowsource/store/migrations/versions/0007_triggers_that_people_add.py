"""What people make of triggers: add, hold and remove them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """All triggers that are there are those of the code."""
    with op.batch_alter_table("triggers") as triggers:
        triggers.add_column(sa.Column("declared", sa.Text(), nullable=True))
        triggers.add_column(sa.Column("added_by", sa.Text(), nullable=True))
        triggers.add_column(sa.Column("is_removed", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("triggers") as triggers:
        triggers.alter_column("is_removed", server_default=None)
    op.execute('UPDATE triggers SET declared = "trigger"')


def downgrade() -> None:
    """Keep what the code says, which is registered again with the next start, and forget what people made of it."""
    op.execute("DELETE FROM triggers WHERE declared IS NULL OR is_removed")
    for column in ("declared", "added_by", "is_removed"):
        op.execute(f"ALTER TABLE triggers DROP COLUMN {column}")
