"""Databases of both kinds, not there yet or empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import PostgresServer


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | str]:
    """A file, or an address."""
    if request.param == "sqlite":
        yield tmp_path / "flowsource.db"
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        with server.database() as address:
            yield address
