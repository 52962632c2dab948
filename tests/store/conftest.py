"""PostgreSQL for the tests of the store: started once in each process that tests, emptied for each test."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.postgres import PostgresServer, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server that tests share; none stops it."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def _shared_database(postgres: PostgresServer) -> Iterator[str]:
    with postgres.database() as address:
        yield address


@pytest.fixture
def postgres_address(_shared_database: str) -> str:
    """The address of a database with empty tables, or none."""
    with psycopg.connect(_shared_database, autocommit=True) as connection:
        tables = [
            name
            for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            if name != "alembic_version"
        ]
        if tables:
            connection.execute(f"TRUNCATE {', '.join(tables)}".encode())
    return _shared_database
