"""A server that speaks S3, with nothing in its bucket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flowsource.sources.remote import storage
from tests.support.s3_server import S3Server, s3_server


@pytest.fixture(scope="package")
def running() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def server(running: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The server, with nothing in its bucket."""
    monkeypatch.setattr(storage, "_SETTLE", 0.001)
    running.empty()
    return running
