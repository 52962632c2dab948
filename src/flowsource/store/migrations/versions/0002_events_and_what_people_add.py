"""Events in the place of the steps of runs; triggers, schedules that people add, tags to look for, turns and tokens."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_START_BY = "state IN ('scheduled') AND state IN ('scheduled', 'retrying') AND start_by IS NOT NULL"


def upgrade() -> None:
    """Make what is new, and tell the steps of runs as events, what was declared of schedules, and the tags of runs."""
    _make_events()
    _make_triggers()
    op.create_table(
        "turns",
        sa.Column("chore", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("chore"),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    _partial("tokens_once_per_name", "tokens", ["name"], where="revoked_at IS NULL", unique=True)
    op.create_table(
        "run_tags",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "tag"),
        sqlite_with_rowid=False,
    )
    op.create_index("runs_of_tag", "run_tags", ["tag", "run_id"])
    op.add_column("deployments", sa.Column("owner", sa.Text(), nullable=True))
    op.add_column("runners", sa.Column("owner", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("start_by", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("cause", sa.Text(), nullable=True))
    _partial("runs_start_by", "runs", ["deployment_id", "start_by"], where=_START_BY)
    with op.batch_alter_table("schedules") as schedules:
        schedules.add_column(sa.Column("declared", sa.Text(), nullable=True))
        schedules.add_column(sa.Column("added_by", sa.Text(), nullable=True))
        schedules.add_column(sa.Column("is_removed", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("schedules") as schedules:
        schedules.alter_column("is_removed", server_default=None)
    op.execute("UPDATE schedules SET declared = schedule")
    _change_options(lambda options: {**options, "triggers": []})
    _tell_tags()


def downgrade() -> None:
    """Keep the steps of runs, and forget all else that is new."""
    op.create_table(
        "transitions",
        sa.Column("seq", _SERIAL, nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("ix_transitions_run_id", "transitions", ["run_id"])
    op.execute(
        """INSERT INTO transitions (run_id, at, state, attempt, reason, "by")
        SELECT run_id, at, substr(name, 10), attempt, reason, "by" FROM events
        WHERE run_id IS NOT NULL AND name LIKE 'flow-run.%' ORDER BY seq"""
    )
    for table in ("firings", "triggers", "events", "run_tags", "turns", "tokens"):
        op.drop_table(table)
    op.drop_index("runs_start_by", "runs")
    for table, column in (("runs", "start_by"), ("runs", "cause"), ("runners", "owner"), ("deployments", "owner")):
        op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    op.execute("DELETE FROM schedules WHERE declared IS NULL OR is_removed")
    for column in ("declared", "added_by", "is_removed"):
        op.execute(f"ALTER TABLE schedules DROP COLUMN {column}")
    _change_options(lambda options: {name: value for name, value in options.items() if name != "triggers"})


def _make_events() -> None:
    op.create_table(
        "events",
        sa.Column("seq", _SERIAL, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("by", sa.Text(), nullable=True),
        sa.Column("resource", sa.Text(), nullable=True),
        sa.Column("related", sa.Text(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_autoincrement=True,
    )
    _partial("events_once", "events", ["id"], where="id IS NOT NULL", unique=True)
    op.create_index("ix_events_run_id", "events", ["run_id"])
    op.execute(
        """INSERT INTO events (run_id, at, name, attempt, reason, "by")
        SELECT run_id, at, 'flow-run.' || state, attempt, reason, "by" FROM transitions ORDER BY seq"""
    )
    op.drop_table("transitions")


def _make_triggers() -> None:
    op.create_table(
        "triggers",
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["deployment_id"], ["deployments.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("deployment_id", "key"),
    )
    op.create_table(
        "firings",
        sa.Column("seq", _SERIAL, nullable=False),
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("once", sa.Text(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("event", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["deployment_id"], ["deployments.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("deployment_id", "key", "once"),
    )
    op.create_index("ix_firings_run_id", "firings", ["run_id"])


def _change_options(change: Any) -> None:
    deployments = sa.table("deployments", sa.column("id", sa.Uuid()), sa.column("options", sa.Text()))
    connection = op.get_bind()
    for one in connection.execute(sa.select(deployments)).all():
        options = json.dumps(change(json.loads(one.options)), separators=(",", ":"))
        connection.execute(deployments.update().where(deployments.c.id == one.id).values(options=options))


def _tell_tags() -> None:
    runs = sa.table("runs", sa.column("id", sa.Uuid()), sa.column("tags", sa.Text()))
    run_tags = sa.table("run_tags", sa.column("run_id", sa.Uuid()), sa.column("tag", sa.Text()))
    connection = op.get_bind()
    for run in connection.execute(sa.select(runs).where(runs.c.tags != "[]")).all():
        # As what no database can encode is kept in text: visible. Two tags may be one then.
        tags = {tag.encode("utf-8", "backslashreplace").decode() for tag in json.loads(run.tags)}
        connection.execute(run_tags.insert(), [{"run_id": run.id, "tag": tag} for tag in tags])


def _partial(name: str, table: str, columns: list[str], *, where: str, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
