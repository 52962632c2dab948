"""PostgreSQL for the tests of the store: started once in each process that tests, emptied for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.postgres import PostgresServer, emptied, postgres_server


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
    """The address of a database in which nothing is kept yet."""
    return emptied(_shared_database)
