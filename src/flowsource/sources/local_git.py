"""What Git knows of a directory that lies in a work tree."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dulwich.ignore import IgnoreFilterManager
from dulwich.index import Index, get_unstaged_changes
from dulwich.objects import Commit
from dulwich.refs import Ref
from dulwich.repo import Repo

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitFacts:
    """The commit that is checked out around a directory, and whether the directory differs from it."""

    commit: str
    ref: str | None
    subject: str
    author: str
    committed_at: datetime
    dirty: bool


def git_facts(directory: Path, paths: Sequence[str]) -> GitFacts | None:
    """What is checked out at `directory`, whose files are `paths`; None outside Git, or where Git cannot be read.

    Files that Git ignores do not make it dirty, others that it does not know do.
    """
    try:
        with Repo.discover(directory) as repo:
            return _read(repo, directory, paths) if _is_trusted(repo, directory) else None
    except Exception as error:
        # These facts are a courtesy. A broken or unusual repository around the directory must not stop its flows.
        logger.debug("no facts from Git for %s: %s", directory, error, extra={"event": "source.git_unreadable"})
        return None


def _is_trusted(repo: Repo, directory: Path) -> bool:
    """Whether the repository belongs to us or to the owner of the directory, not to somebody in a directory above."""
    return Path(repo.controldir()).stat().st_uid in {os.geteuid(), directory.stat().st_uid}


def _read(repo: Repo, directory: Path, paths: Sequence[str]) -> GitFacts | None:
    chain, head = repo.refs.follow(Ref(b"HEAD"))
    commit = repo[head] if head else None
    if not isinstance(commit, Commit):
        return None
    encoding = (commit.encoding or b"utf-8").decode("ascii", "replace")
    return GitFacts(
        commit=commit.id.decode("ascii"),
        ref=chain[-1].decode("utf-8", "replace") if len(chain) > 1 else None,
        subject=_text(commit.message, encoding).partition("\n")[0],
        author=_text(commit.author, encoding),
        committed_at=datetime.fromtimestamp(commit.commit_time, UTC),
        dirty=_is_dirty(repo, commit, directory, paths),
    )


def _is_dirty(repo: Repo, commit: Commit, directory: Path, paths: Sequence[str]) -> bool:
    root = Path(os.fsdecode(repo.path)).resolve()
    inside = os.fsencode(directory.relative_to(root))
    prefix = b"" if inside == b"." else inside + b"/"
    index = repo.open_index()
    return (
        _has_untracked(repo, index, prefix, paths)
        or any(
            (old or new or b"").startswith(prefix)
            for (old, new), _, _ in index.changes_from_tree(repo.object_store, commit.tree)
        )
        # Given no filter to run: the configuration of a repository may name any program as one.
        or any(path.startswith(prefix) for path in get_unstaged_changes(index, os.fsencode(root)))
    )


def _has_untracked(repo: Repo, index: Index, prefix: bytes, paths: Sequence[str]) -> bool:
    ignored = IgnoreFilterManager.from_repo(repo)
    full = (prefix + os.fsencode(path) for path in paths)
    return any(path not in index and not ignored.is_ignored(os.fsdecode(path)) for path in full)


def _text(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding, "replace")
    except LookupError:
        return data.decode("utf-8", "replace")
