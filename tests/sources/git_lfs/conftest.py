"""Files that a server keeps beside a repository."""

from __future__ import annotations

import pytest

from tests.support.git_server import GitServer
from tests.support.lfs import LfsObjects


@pytest.fixture
def objects(server: GitServer) -> LfsObjects:
    """What `server` has, which says of itself where."""
    objects = LfsObjects(href=lambda oid: server.url(f"objects/{oid}"))
    server.beside = objects
    return objects


@pytest.fixture
def elsewhere(elsewhere: GitServer) -> GitServer:
    """A second host, which has files."""
    elsewhere.beside = LfsObjects()
    return elsewhere
