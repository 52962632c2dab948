"""A source that is reached over SSH, with a key that is let in unless a test says otherwise."""

from __future__ import annotations

from pathlib import Path

from flowsource.demo.repository import FixtureRepository
from flowsource.sources.git.repository import GitRepository
from tests.support.ssh_server import SshServer


def source(server: SshServer, repository: FixtureRepository, **fields: Path) -> GitRepository:
    given = {"ssh_key_file": server.key, "known_hosts_file": server.known_hosts, **fields}
    credentials = {name: str(path) for name, path in given.items()}
    return GitRepository(server.url(repository.path), branch="main", credentials=credentials)
