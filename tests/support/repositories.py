"""Places that tests push to, and trees that no honest program would make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dulwich.objects import Blob, ShaFile, Tree
from dulwich.repo import Repo

from flowsource.demo.repository import FixtureRepository
from flowsource.sources.git.repository import GitRepository

FIXTURES = Path(__file__).parents[2] / "fixtures" / "repos"


@dataclass(frozen=True, slots=True)
class GitRemote:
    """A repository and the source that reads it, as the contract of sources wants it."""

    repository: FixtureRepository
    source: GitRepository

    def push(self, files: Mapping[str, str | bytes]) -> None:
        """Add a commit that holds exactly `files`."""
        self.repository.commit_files(dict(files))


def add(repository: FixtureRepository, item: ShaFile) -> str:
    """Put an object into the repository, however odd, and return its id."""
    with Repo(str(repository.path)) as repo:
        repo.object_store.add_object(item)
        return item.id.decode()


def add_blob(repository: FixtureRepository, content: bytes) -> str:
    """Put a file's content into the repository and return its id."""
    return add(repository, Blob.from_string(content))


def add_tree(repository: FixtureRepository, *entries: tuple[int, bytes, str]) -> str:
    """Put a tree of (mode, name, id) into the repository, byte by byte as given, and return its id."""
    raw = b"".join(b"%o %s\0%s" % (mode, name, bytes.fromhex(object_id)) for mode, name, object_id in entries)
    tree = Tree()
    tree.set_raw_string(raw)
    return add(repository, tree)
