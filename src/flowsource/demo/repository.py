"""Repositories made from readable trees: one directory for each commit, such as `02-change-the-greeting/`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dulwich.objects import Blob, Commit, ObjectID, Tag, Tree
from dulwich.refs import Ref
from dulwich.repo import Repo

AUTHOR = b"Ada Example <ada@example.org>"
# Noon of the first of January 2025, UTC; each commit is a minute after the one before it.
_FIRST_COMMIT_AT = 1_735_732_800
_MINUTE = 60


def steps(fixture: Path) -> list[Path]:
    """The directories in `fixture`, one for each commit, in order."""
    return sorted(entry for entry in fixture.iterdir() if entry.is_dir())


def subject(step: Path) -> str:
    """The subject of the commit that the directory `02-change-the-greeting` stands for: "Change the greeting"."""
    words = step.name.partition("-")[2].replace("-", " ")
    return words[:1].upper() + words[1:]


@dataclass(frozen=True, slots=True)
class FixtureRepository:
    """A bare repository at `path`, whose commits have an author and times that are always the same."""

    path: Path
    branch: str = "main"

    @classmethod
    def create(cls, path: Path, trees: list[Path] | None = None, *, branch: str = "main") -> Self:
        """Make a repository at `path`, which must not exist, with one commit for each directory in `trees`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        Repo.init_bare(path, mkdir=True, default_branch=branch.encode()).close()
        made = cls(path, branch)
        for tree in trees or ():
            made.commit(tree)
        return made

    def commit(self, tree: Path, *, message: str | None = None, branch: str | None = None) -> str:
        """Add a commit that holds exactly the directory `tree`, at the tip of `branch`, and return its id.

        Links stay links and what the owner may execute stays executable. Empty directories are left out.
        """
        with Repo(str(self.path)) as repo:
            return self._commit(repo, _add_tree(repo, tree), message or subject(tree), branch or self.branch)

    def commit_files(
        self, files: dict[str, str | bytes], *, message: str = "Change files", branch: str | None = None
    ) -> str:
        """Add a commit that holds exactly `files`, content by path, and return its id."""
        with Repo(str(self.path)) as repo:
            return self._commit(repo, _add_files(repo, files), message, branch or self.branch)

    def commit_tree(self, tree: str, *, message: str = "Change files", branch: str | None = None) -> str:
        """Add a commit of a tree that is in the repository already, by its id, and return the commit's id."""
        with Repo(str(self.path)) as repo:
            return self._commit(repo, ObjectID(tree.encode()), message, branch or self.branch)

    def set_ref(self, name: str, object_id: str | None) -> None:
        """Let the ref of that full name lead to an object, whatever it led to before; None deletes it."""
        with Repo(str(self.path)) as repo:
            if object_id is None:
                del repo.refs[Ref(name.encode())]
            else:
                repo.refs[Ref(name.encode())] = ObjectID(object_id.encode())

    def set_head(self, branch: str) -> None:
        """Let HEAD stand for `branch`."""
        with Repo(str(self.path)) as repo:
            repo.refs.set_symbolic_ref(Ref(b"HEAD"), Ref(b"refs/heads/" + branch.encode()))

    def annotate(self, name: str, commit: str, *, message: str = "A release") -> str:
        """Make, or move, the annotated tag `name` to `commit`, and return the id of the tag itself."""
        tag = Tag()
        tag.name, tag.message, tag.tagger = name.encode(), message.encode(), AUTHOR
        tag.object = (Commit, ObjectID(commit.encode()))
        tag.tag_time, tag.tag_timezone = _FIRST_COMMIT_AT, 0
        with Repo(str(self.path)) as repo:
            repo.object_store.add_object(tag)
            repo.refs[Ref(b"refs/tags/" + name.encode())] = tag.id
        return tag.id.decode()

    def tip(self, branch: str | None = None) -> str:
        """The id of the commit that `branch` is at; raises KeyError."""
        with Repo(str(self.path)) as repo:
            return repo.refs[Ref(b"refs/heads/" + (branch or self.branch).encode())].decode()

    def _commit(self, repo: Repo, tree: ObjectID, message: str, branch: str) -> str:
        ref = Ref(b"refs/heads/" + branch.encode())
        parents = [repo.refs[ref]] if ref in repo.refs else []
        made = Commit()
        made.tree, made.parents, made.message = tree, parents, message.encode() + b"\n"
        made.author = made.committer = AUTHOR
        made.author_time = made.commit_time = _next_time(repo, parents)
        made.author_timezone = made.commit_timezone = 0
        repo.object_store.add_object(made)
        repo.refs[ref] = made.id
        return made.id.decode()


def _next_time(repo: Repo, parents: list[ObjectID]) -> int:
    if not parents:
        return _FIRST_COMMIT_AT
    parent = repo[parents[0]]
    assert isinstance(parent, Commit)
    return int(parent.commit_time) + _MINUTE


def _add_tree(repo: Repo, directory: Path) -> ObjectID:
    tree = Tree()
    for entry in _entries(directory):
        name = os.fsencode(entry.name)
        if entry.is_symlink():
            tree.add(name, stat.S_IFLNK, _add_blob(repo, os.fsencode(entry.readlink())))
        elif entry.is_dir():
            tree.add(name, stat.S_IFDIR, _add_tree(repo, entry))
        else:
            mode = 0o755 if entry.stat().st_mode & stat.S_IXUSR else 0o644
            tree.add(name, stat.S_IFREG | mode, _add_blob(repo, entry.read_bytes()))
    repo.object_store.add_object(tree)
    return tree.id


def _entries(directory: Path) -> Iterator[Path]:
    for entry in sorted(directory.iterdir()):
        if entry.name == "__pycache__":
            continue
        if entry.is_symlink() or not entry.is_dir() or any(_entries(entry)):
            yield entry


def _add_files(repo: Repo, files: dict[str, str | bytes]) -> ObjectID:
    tree = Tree()
    below: dict[str, dict[str, str | bytes]] = {}
    for path, content in files.items():
        first, _, rest = path.partition("/")
        if rest:
            below.setdefault(first, {})[rest] = content
        else:
            data = content.encode() if isinstance(content, str) else content
            tree.add(first.encode(), stat.S_IFREG | 0o644, _add_blob(repo, data))
    for name, inner in below.items():
        tree.add(name.encode(), stat.S_IFDIR, _add_files(repo, inner))
    repo.object_store.add_object(tree)
    return tree.id


def _add_blob(repo: Repo, data: bytes) -> ObjectID:
    blob = Blob.from_string(data)
    repo.object_store.add_object(blob)
    return blob.id
