"""A step as they may be: a column that is copied over, another, and an index of some of the rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from flowsource.store.schema import REVISIONS

revision = "9001"
down_revision = REVISIONS[-1]

_IS_RED = sa.text("colour = 'red'")


def upgrade() -> None:
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("colour", sa.Text(), nullable=False, server_default="red"))
        runs.alter_column("flow", new_column_name="of_flow")
    op.create_index("runs_red", "runs", ["colour", "id"], sqlite_where=_IS_RED, postgresql_where=_IS_RED)


def downgrade() -> None:
    op.drop_index("runs_red", "runs")
    with op.batch_alter_table("runs") as runs:
        runs.alter_column("of_flow", new_column_name="flow")
        runs.drop_column("colour")
