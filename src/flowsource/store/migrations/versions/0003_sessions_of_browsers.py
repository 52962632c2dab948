"""Sessions of browsers, and the links by which they begin."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_TABLES = ("sessions", "login_links")


def upgrade() -> None:
    """Make the tables."""
    for table in _TABLES:
        op.create_table(
            table,
            sa.Column("digest", sa.Text(), nullable=False),
            sa.Column("token_id", sa.Uuid(), nullable=False),
            sa.Column("until", sa.BigInteger(), nullable=False),
            sa.ForeignKeyConstraint(["token_id"], ["tokens.id"], ondelete="CASCADE"),
            sa.PrimaryKeyConstraint("digest"),
        )


def downgrade() -> None:
    """End all sessions."""
    for table in _TABLES:
        op.drop_table(table)
