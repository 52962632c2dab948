"""A remote that can be told to misbehave, and a cache that must not suffer from it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dulwich.protocol import pkt_line

from flowsource.demo.repository import FixtureRepository
from flowsource.revisions import Revision
from flowsource.snapshots.cache import SnapshotCache
from flowsource.snapshots.locks import try_lock
from flowsource.snapshots.snapshot import Snapshot
from flowsource.sources.git.repository import GitRepository
from tests.support.git_server import GitServer, Refuse, git_server
from tests.support.packs import Made, sent
from tests.support.parts import requires

FILES: dict[str, str | bytes] = {"flows.py": "ANSWER = 41\n", "deep/down/data.txt": "data\n" * 100}

ADVERTISEMENT = {"Content-Type": "application/x-git-upload-pack-advertisement"}
VERSION_2 = b"".join(map(pkt_line, [b"version 2\n", b"ls-refs\n", b"fetch=shallow filter\n"])) + b"0000"


@dataclass(frozen=True)
class Stage:
    """A repository on a server, and a cache of it below `home`, which holds nothing else."""

    home: Path
    repository: FixtureRepository
    server: GitServer
    first: str

    @property
    def cache(self) -> SnapshotCache:
        """The cache, as a process that has just begun sees it."""
        return SnapshotCache(self.home / "cache")

    @property
    def url(self) -> str:
        """Where the repository is served."""
        return self.server.url("flows.git")

    def workspace(self, source: GitRepository) -> Path:
        """What the cache has of a source."""
        return self.home / "cache" / "sources" / source.key

    async def ensure(self, commit: str | None = None, **options: Any) -> Snapshot:
        """The snapshot of `commit`, or of the newest."""
        source = GitRepository(self.url, commit_sha=commit, **options)
        return await self.cache.ensure(source, await source.resolve())

    def sends(self, made: Made | bytes) -> None:
        """Let the server answer every fetch with that pack, and say no more than that it can be fetched from."""
        self.server.misbehave(Refuse(status=200, headers=ADVERTISEMENT, body=VERSION_2), on="GET")
        self.server.misbehave(sent(made.pack if isinstance(made, Made) else made), on="fetch")


@contextmanager
def stage(at: Path, *, login: tuple[str, str] | None = None) -> Iterator[Stage]:
    """A stage below `at` with one commit of FILES."""
    requires("git")
    (at / "home").mkdir()
    repository = FixtureRepository.create(at / "served" / "flows.git")
    first = repository.commit_files(FILES)
    with git_server(at / "served", login=login) as server:
        yield Stage(at / "home", repository, server, first)


def debris(workspace: Path) -> list[str]:
    """What there is in the workspace of a source that only somebody at work should have there."""
    if not workspace.exists():
        return []
    patterns = ("staging/*", "objects/**/tmp*", "objects/**/*.lock", "objects.old", "snapshots/.*")
    return sorted(str(path.relative_to(workspace)) for pattern in patterns for path in workspace.glob(pattern))


def is_unlocked(workspace: Path) -> bool:
    """Whether nobody holds the lock of a source."""
    if not workspace.exists():
        return True
    with try_lock(workspace / "lock") as is_held:
        return is_held


async def unsound(cache: SnapshotCache) -> list[str]:
    """What is wrong with any snapshot that can be seen, each read to the last byte; nothing if all are whole."""
    wrong: list[str] = []
    sources = cache.root / "sources"
    for place in sorted(sources.glob("[!.]*/snapshots/*")):
        name, _, part = place.name.partition("-")
        assert not part, "no test here takes parts of a commit and looks at all"
        found = cache.find(place.parent.parent.name, Revision(id=name))
        if found is not None:
            wrong += [f"{place.name}: {path}" for path in await cache.verify(found)]
    return wrong


def beside(stage: Stage) -> list[str]:
    """What there is beside the cache: whatever was written out of it would be here."""
    return sorted(os.listdir(stage.home))
