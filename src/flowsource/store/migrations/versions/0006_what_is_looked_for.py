"""Columns and indexes for what people look for: revisions and triggers of runs, and grave lines of logs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_AT_ONCE = 10_000
_NEW = (
    ("deployments", "active_id"),
    ("deployments", "active_commit"),
    ("runs", "revision_id"),
    ("runs", "revision_commit"),
    ("runs", "trigger"),
)


def upgrade() -> None:
    """Say beside the JSON what is looked for in it."""
    for table, column in _NEW:
        op.add_column(table, sa.Column(column, sa.Text() if column == "trigger" else _digits(), nullable=True))
    _say("deployments", "active", lambda active: {"active_id": active["id"], "active_commit": active["commit"]})
    _say("runs", "revision", lambda one: {"revision_id": one["id"], "revision_commit": one["commit"]})
    _say("runs", "cause", lambda cause: {"trigger": _as_kept(cause["trigger"])})
    _partial("runs_of_revision", "runs", ["revision_id", "id"], where="revision_id IS NOT NULL")
    _partial("runs_of_commit", "runs", ["revision_commit", "id"], where="revision_commit IS NOT NULL")
    _partial("runs_of_triggers", "runs", ["id", "trigger"], where='"trigger" IS NOT NULL')
    _partial("log_lines_grave", "log_lines", ["run_id", "attempt", "seq", "level"], where="level >= 30")
    _partial("events_of_no_run", "events", ["at"], where="run_id IS NULL")


def downgrade() -> None:
    """Leave it to the JSON again."""
    op.drop_index("events_of_no_run", "events")
    op.drop_index("log_lines_grave", "log_lines")
    for index in ("runs_of_revision", "runs_of_commit", "runs_of_triggers"):
        op.drop_index(index, "runs")
    for table, column in _NEW:
        op.execute(f'ALTER TABLE {table} DROP COLUMN "{column}"')


def _digits() -> sa.Text:
    return sa.Text(collation="C") if op.get_bind().dialect.name == "postgresql" else sa.Text()


def _as_kept(text: str) -> str:
    """`text` as text is kept: what no database can encode is made visible, and for a NUL PostgreSQL has two others."""
    text = text.encode("utf-8", "backslashreplace").decode()
    if op.get_bind().dialect.name == "postgresql":
        text = text.replace("\uffff", "\uffff1").replace("\0", "\uffff0")
    return text


def _say(table: str, column: str, said: Callable[[Any], dict[str, Any]]) -> None:
    """Fill columns of each row that has a JSON value in `column` with what is `said` of it."""
    names = [name for of, name in _NEW if of == table]
    rows = sa.table(table, *(sa.column(name) for name in (column, *names)), sa.column("id", sa.Uuid()))
    following = sa.select(rows.c.id, rows.c[column]).where(rows.c[column].is_not(None)).order_by(rows.c.id)
    connection, last = op.get_bind(), UUID(int=0)
    while some := connection.execute(following.where(rows.c.id > last).limit(_AT_ONCE)).all():
        new = [{"which": row[0], **said(json.loads(row[1]))} for row in some]
        values: dict[str, Any] = {name: sa.bindparam(name) for name in new[0] if name != "which"}
        connection.execute(rows.update().where(rows.c.id == sa.bindparam("which")).values(values), new)
        last = some[-1][0]


def _partial(name: str, table: str, columns: list[str], *, where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)
