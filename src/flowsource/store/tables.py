"""The tables of a store that is a database."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    ForeignKey,
    FromClause,
    Insert,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Row,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
    false,
    literal_column,
)
from sqlalchemy.types import TypeEngine

from flowsource.runs import TRANSITIONS, RunState

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

SCHEMA_VERSION = 4
AnyRow = Row[*tuple[Any, ...]]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# No character (Unicode says so for ever), and yet one that every database keeps.
_ESCAPE = "\uffff"
# Counts as far as anybody will; SQLite counts by itself only in what it calls an INTEGER.
_Serial = BigInteger().with_variant(Integer, "sqlite")


class Instant(TypeDecorator[datetime]):
    """A UTC-aware instant, kept as whole microseconds since 1970 so that instants sort and compare as numbers."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + timedelta(microseconds=value)


class Span(TypeDecorator[timedelta]):
    """A length of time, kept as whole microseconds, so that it can be taken from an instant."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, dialect: Dialect) -> int | None:
        return None if value is None else value // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> timedelta | None:
        return None if value is None else value * _MICROSECOND


class Plain(TypeDecorator[str]):
    """Text; what no database can encode (lone surrogates, from bytes that were no text) is made visible.

    PostgreSQL keeps no NUL either. There it is kept as two others, and comes back as it was.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return value
        if not value.isascii():
            value = value.encode("utf-8", "backslashreplace").decode()
        return _without_nul(value) if dialect.name == "postgresql" else value

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        # Not `process_result_value`, which would cost every row of the other database something.
        return _with_nul if dialect.name == "postgresql" else None


class Digits(TypeDecorator[str]):
    """Hexadecimal digits, of which a range of texts has all that begin alike, whatever language a database speaks."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        return Text(collation="C") if dialect.name == "postgresql" else Text()


class Json(TypeDecorator[Any]):
    """A JSON value as text; None is no value at all."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        # Escaped to ASCII, so that even lone surrogates come back as they were.
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


def _without_nul(text: str) -> str:
    return text.replace(_ESCAPE, f"{_ESCAPE}1").replace("\0", f"{_ESCAPE}0")


def _with_nul(value: str | None) -> str | None:
    if value is None or _ESCAPE not in value:
        return value
    return value.replace(f"{_ESCAPE}0", "\0").replace(f"{_ESCAPE}1", _ESCAPE)


metadata = MetaData()

deployments = Table(
    "deployments",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("flow", Plain, nullable=False),
    Column("name", Plain, nullable=False),
    Column("entrypoint", Plain, nullable=False),
    Column("source_key", Plain, nullable=False),
    Column("source_label", Plain, nullable=False),
    Column("source_selector", Plain, nullable=False),
    Column("parameters", Json, nullable=False),
    Column("tags", Json, nullable=False),
    Column("description", Plain),
    Column("version", Plain),
    Column("run_limit", Integer),
    Column("global_limit", Integer),
    Column("collision_strategy", Plain, nullable=False),
    Column("max_lateness", Span),
    Column("on_lost", Plain, nullable=False),
    # What no statement asks for.
    Column("options", Json, nullable=False),
    Column("declared_paused", Boolean),
    Column("pause_on_shutdown", Boolean, nullable=False),
    Column("paths", Json, nullable=False),
    Column("on_dependency_change", Plain, nullable=False),
    Column("facts", Json, nullable=False),
    Column("active", Json, nullable=False),
    # Of that what is looked for, which a run takes over with it.
    Column("active_id", Digits),
    Column("active_commit", Digits),
    Column("rejected", Json),
    Column("held", Json),
    Column("wish", Json),
    Column("beneath", Json),
    Column("blocked", Json, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("seen_at", Instant),
    Column("paused", Boolean, nullable=False),
    Column("stopped", Boolean, nullable=False),
    # The name of the token by which it was registered, where it came through a server.
    Column("owner", Plain),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("flow", "name"),
)

promotions = Table(
    "promotions",
    metadata,
    Column("deployment_id", ForeignKey("deployments.id", ondelete="CASCADE"), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("kind", Plain, nullable=False),
    Column("revision", Json),
    Column("previous", Json),
    Column("by", Plain),
    Column("reason", Plain),
    Column("details", Json, nullable=False),
    PrimaryKeyConstraint("deployment_id", "seq"),
)

schedules = Table(
    "schedules",
    metadata,
    Column("deployment_id", ForeignKey("deployments.id", ondelete="CASCADE"), nullable=False),
    Column("key", Plain, nullable=False),
    Column("position", Integer, nullable=False),
    # As it holds, or held until a person removed it.
    Column("schedule", Json, nullable=False),
    # What the code said of it last; none where a person added it.
    Column("declared", Json),
    Column("added_by", Plain),
    Column("is_removed", Boolean, nullable=False),
    Column("cursor", Instant, nullable=False),
    PrimaryKeyConstraint("deployment_id", "key"),
)

runners = Table(
    "runners",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("lease_until", Instant, nullable=False),
    Column("owner", Plain),
    # By which it was last given runs.
    Column("claim_id", Uuid),
    # What it says of itself.
    Column("info", Json),
)

presence = Table(
    "presence",
    metadata,
    Column("runner_id", ForeignKey("runners.id", ondelete="CASCADE"), nullable=False),
    Column("deployment_id", ForeignKey("deployments.id", ondelete="CASCADE"), nullable=False),
    PrimaryKeyConstraint("deployment_id", "runner_id"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Plain, nullable=False),
    Column("deployment_id", ForeignKey("deployments.id"), nullable=False),
    # The full name again: it never changes, and each answer about a run would need a join for it.
    Column("deployment", Plain, nullable=False),
    Column("flow", Plain, nullable=False),
    Column("state", Plain, nullable=False),
    Column("scheduled_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    # Until when it may begin, where its schedule says so; else its deployment says how late it may be.
    Column("start_by", Instant),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("parameters", Json, nullable=False),
    Column("tags", Json, nullable=False),
    Column("schedule", Plain),
    Column("idempotency_key", Plain),
    # Of one that a trigger wanted: which, the event it saw, and the deployments that led there.
    Column("cause", Json),
    # No foreign key: it may be gone. Of those that were there before, nothing is known of the second.
    Column("rerun_of", Uuid),
    Column("keeps_revision", Boolean),
    Column("trigger", Plain),
    Column("parent_id", ForeignKey("runs.id", ondelete="CASCADE")),
    Column("is_nested", Boolean, nullable=False),
    # Whether flows were called inside it, so that its end is theirs.
    Column("has_nested", Boolean, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    # No foreign key: a run remembers its runner when that one is gone.
    Column("runner_id", Uuid),
    Column("revision", Json),
    Column("revision_id", Digits),
    Column("revision_commit", Digits),
    Column("claimed_at", Instant),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    Column("cancellation", Json),
    Column("failure", Json),
    Column("has_result", Boolean, nullable=False),
    Column("result", Json),
    Column("transition_id", Uuid),
)

# The tags of runs again, to find runs by them.
run_tags = Table(
    "run_tags",
    metadata,
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("tag", Plain, nullable=False),
    PrimaryKeyConstraint("run_id", "tag"),
    sqlite_with_rowid=False,
)

# Those that have ended; one that goes on is told by its run.
attempts = Table(
    "attempts",
    metadata,
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("runner_id", Uuid, nullable=False),
    Column("claimed_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("ended_at", Instant, nullable=False),
    Column("state", Plain, nullable=False),
    Column("failure", Json),
    # Of the report that ended it, so that the same report again is known as such when the run has moved on.
    Column("transition_id", Uuid),
    PrimaryKeyConstraint("run_id", "number"),
)

# All that happened, in order; most of it are the steps of runs, which are told by their runs. A number is never given
# twice, so that whoever has read up to one finds all that is new behind it.
events = Table(
    "events",
    metadata,
    Column("seq", _Serial, primary_key=True),
    # Of those that somebody told: the same one told again is known by it.
    Column("id", Uuid),
    Column("at", Instant, nullable=False),
    Column("name", Plain, nullable=False),
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), index=True),
    Column("attempt", Integer),
    Column("reason", Plain),
    Column("by", Plain),
    Column("resource", Json),
    Column("related", Json),
    Column("payload", Json),
    sqlite_autoincrement=True,
)

triggers = Table(
    "triggers",
    metadata,
    Column("deployment_id", ForeignKey("deployments.id", ondelete="CASCADE"), nullable=False),
    Column("key", Plain, nullable=False),
    Column("position", Integer, nullable=False),
    # JSON, as its very text: it is read with every look, and changes as seldom as the code.
    Column("trigger", Plain, nullable=False),
    # What the code says of it, None for one that a person added; one of the code that a person removed is kept as such.
    Column("declared", Plain),
    Column("added_by", Plain),
    Column("is_removed", Boolean, nullable=False),
    Column("state", Json, nullable=False),
    Column("cursor", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    PrimaryKeyConstraint("deployment_id", "key"),
)

firings = Table(
    "firings",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("deployment_id", ForeignKey("deployments.id", ondelete="CASCADE"), nullable=False),
    # No foreign key: what fired is told also when its trigger is there no longer.
    Column("key", Plain, nullable=False),
    Column("once", Plain, nullable=False),
    Column("trigger", Plain, nullable=False),
    Column("at", Instant, nullable=False),
    Column("outcome", Plain, nullable=False),
    # Where there is a run, that has the event.
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), index=True),
    Column("event", Json),
    Column("reason", Plain),
    UniqueConstraint("deployment_id", "key", "once"),
)

# Runs that wait for others, each under the claim by which it is executed. What has ended is waited for by nobody.
waits = Table(
    "waits",
    metadata,
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("awaited_id", ForeignKey("runs.id", ondelete="CASCADE"), nullable=False, index=True),
    PrimaryKeyConstraint("run_id", "epoch", "awaited_id"),
    sqlite_with_rowid=False,
)

log_lines = Table(
    "log_lines",
    metadata,
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("level", Integer, nullable=False),
    Column("text", Plain, nullable=False),
    Column("logger", Plain),
    Column("extra", Json),
    PrimaryKeyConstraint("run_id", "attempt", "seq"),
    sqlite_with_rowid=False,
)

# Who does a chore that one process at a time is to do has it until then.
turns = Table(
    "turns",
    metadata,
    Column("chore", Plain, primary_key=True),
    Column("until", Instant, nullable=False),
)

# What servers told of their sources last; kept when nobody serves a source any more.
sources = Table(
    "sources",
    metadata,
    Column("key", Plain, nullable=False),
    Column("selector", Plain, nullable=False),
    Column("label", Plain, nullable=False),
    Column("address", Plain, nullable=False),
    Column("state", Plain, nullable=False),
    Column("since", Instant, nullable=False),
    Column("reason", Plain),
    Column("failures", Integer, nullable=False),
    Column("next_try_at", Instant),
    Column("rewritten", Json),
    Column("revision", Json, nullable=False),
    Column("poll", Json),
    Column("answered", Integer, nullable=False),
    PrimaryKeyConstraint("key", "selector"),
)

# What people, and those who push, want of sources, whoever serves them.
source_wishes = Table(
    "source_wishes",
    metadata,
    Column("key", Plain, primary_key=True),
    Column("paused_at", Instant),
    Column("hints", Integer, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Plain, nullable=False),
    Column("scopes", Json, nullable=False),
    Column("digest", Plain, nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("used_at", Instant),
    Column("revoked_at", Instant),
)

# Browsers that came in, each by the digest of its cookie, for as long as the token counts that it came in with.
sessions = Table(
    "sessions",
    metadata,
    Column("digest", Plain, primary_key=True),
    Column("token_id", ForeignKey("tokens.id", ondelete="CASCADE"), nullable=False),
    Column("until", Instant, nullable=False),
)

# By each of these a browser comes in once.
login_links = Table(
    "login_links",
    metadata,
    Column("digest", Plain, primary_key=True),
    Column("token_id", ForeignKey("tokens.id", ondelete="CASCADE"), nullable=False),
    Column("until", Instant, nullable=False),
)


def _is_one_of(*states: RunState) -> ColumnElement[bool]:
    # Literals, not bound parameters: a database uses a partial index only where it can see that the condition is the
    # same.
    return runs.c.state.in_([literal_column(f"'{state}'") for state in states])


is_waiting = _is_one_of(*(state for state in RunState if state.is_waiting))
is_in_progress = _is_one_of(*(state for state in RunState if state.is_in_progress)) & runs.c.is_nested.is_(false())
# Said in the words of the indexes as well: no database draws the conclusion.
is_lost = _is_one_of(RunState.LOST) & is_in_progress
is_scheduled = _is_one_of(RunState.SCHEDULED) & is_waiting
is_not_completed = _is_one_of(*(state for state in RunState if state is not RunState.COMPLETED))


def is_not_final(table: FromClause) -> ColumnElement[bool]:
    """Whether a run in `table`, which has the columns of `runs`, has not ended."""
    return table.c.state.not_in([literal_column(f"'{state}'") for state in RunState if state.is_final])


def may_become(to: RunState) -> ColumnElement[bool]:
    """The guard of a statement that moves runs to the state `to`: none moves that the table lets not."""
    return _is_one_of(*(state for state, ways in TRANSITIONS.items() if to in ways))


GRAVE_LINES = "log_lines_grave"
# In the words of its index: warnings and what is worse, which are few in a long log.
is_grave = log_lines.c.level >= literal_column("30")


def insert_unless_there(connection: Connection, table: Table) -> Insert:
    """An INSERT that leaves a row which is there already as it is, by whichever unique key.

    Where it is executed for one row, its `rowcount` says whether that was new.
    """
    return _insert_unless_there(connection.dialect.name, table)


def insert_or_replace(connection: Connection, table: Table) -> Insert:
    """An INSERT that takes the place of the row with its primary key, if there is one."""
    return _insert_or_replace(connection.dialect.name, table)


@cache
def _insert_unless_there(dialect: str, table: Table) -> Insert:
    return _insert(dialect, table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)


@cache
def _insert_or_replace(dialect: str, table: Table) -> Insert:
    new = _insert(dialect, table)
    others = {column.name: new.excluded[column.name] for column in table.columns if not column.primary_key}
    return new.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=others)


def _insert(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    # Each brings what its database needs, and the other's is not to be waited for.
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)
