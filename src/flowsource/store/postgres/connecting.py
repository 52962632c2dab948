"""Connections to PostgreSQL, none of which waits for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
from psycopg import conninfo

from flowsource.addresses import shown
from flowsource.errors import InvalidSettings, StoreError, StoreUnavailable
from flowsource.store.postgres.watchdog import Watchdog

# How long a statement may take, or wait for another, before it is given up by the server.
PATIENCE = timedelta(seconds=30)
_DEFAULTS: dict[str, Any] = {
    "application_name": "flowsource",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
_MILLISECONDS = str(PATIENCE // timedelta(milliseconds=1))
SESSION = {
    "statement_timeout": _MILLISECONDS,
    "lock_timeout": _MILLISECONDS,
    # Whoever stops in the middle of a change holds up the others no longer than that.
    "idle_in_transaction_session_timeout": "10000",
    "default_transaction_isolation": "read committed",
    "client_encoding": "UTF8",
}
_BEGIN_SESSION = (
    "SELECT " + ", ".join(f"set_config('{name}', '{value}', false)" for name, value in SESSION.items())
).encode()


def connect(address: str, watchdog: Watchdog) -> psycopg.Connection[Any]:
    """A new connection that makes each statement a transaction of its own; raises psycopg.Error.

    What the address says stands over what we would. Of several hosts it is to one that can be written.
    """
    given = _parsed(address)
    defaults = dict(_DEFAULTS)
    if "," in str(given.get("host", "")):
        defaults["target_session_attrs"] = "read-write"
    connection = psycopg.connect(**{**defaults, **given}, autocommit=True)
    try:
        with watchdog.over(connection.fileno(), PATIENCE):
            connection.execute(_BEGIN_SESSION)
    except BaseException:
        connection.close()
        raise
    return connection


def as_store_error(error: BaseException, address: str, *, doing: str = "used") -> StoreError:
    """What it means that PostgreSQL, or the way to it, answered with `error`; told without any value of a row."""
    cause = getattr(error, "orig", error)
    where, what = shown(address), _told(cause)
    if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError | psycopg.InternalError):
        return StoreUnavailable(
            f"{where}: the database cannot be {doing} ({what}). "
            "Look whether PostgreSQL runs there and lets this user in; FLOWSOURCE_STORE, or the variables of libpq, "
            "say who that is."
        )
    return StoreError(
        f"{where}: the database refuses what it was asked for ({what}). "
        "Look whether its tables belong to this user, and whether somebody else changed them."
    )


def state_of(error: BaseException) -> str:
    """The five characters by which PostgreSQL says what is wrong, or ""."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) or ""


def _parsed(address: str) -> dict[str, Any]:
    try:
        return conninfo.conninfo_to_dict(address)
    except psycopg.ProgrammingError:
        # What it says is in the way may be a part of the password.
        raise InvalidSettings(
            "the store: PostgreSQL's library cannot read this postgresql:// address. "
            "Write what is special in user, password and path with %, as in %40 for @."
        ) from None


def _told(cause: Any) -> str:
    """The first line of what it says: others may hold rows."""
    diagnosis = getattr(cause, "diag", None)
    message = (diagnosis.message_primary if diagnosis is not None else None) or str(cause)
    return message.strip().split("\n", 1)[0] or type(cause).__name__
