"""A step that makes a table, fills it, and then, where the test wants that, waits to be killed or fails."""

from __future__ import annotations

import os
import signal

import sqlalchemy as sa
from alembic import op

revision = "9002"
down_revision = "9001"


def upgrade() -> None:
    op.create_table("shades", sa.Column("of", sa.Uuid(), sa.ForeignKey("runs.id"), primary_key=True))
    op.execute("INSERT INTO shades SELECT id FROM runs")
    op.execute("UPDATE runs SET colour = 'blue'")
    if os.environ.get("TEST_STEP") == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get("TEST_STEP") == "fails":
        raise RuntimeError("half way")
    if os.environ.get("TEST_STEP") == "breaks a reference":
        op.execute("DELETE FROM runs")


def downgrade() -> None:
    op.drop_table("shades")
    op.execute("UPDATE runs SET colour = 'red'")
