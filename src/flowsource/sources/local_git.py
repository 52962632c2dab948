"""What Git knows of a directory that lies in a work tree."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Final

from dulwich.ignore import IgnoreFilterManager
from dulwich.index import get_unstaged_changes
from dulwich.object_store import tree_lookup_path
from dulwich.objects import Blob, Commit
from dulwich.patch import write_blob_diff
from dulwich.refs import Ref
from dulwich.repo import Repo

logger = logging.getLogger(__name__)

# Comparing takes time that grows faster than what is compared.
_LARGEST_SHOWN: Final = 256 << 10
_LARGEST_PATCH: Final = 1 << 20

# The mode, and the content unless it is too large.
_Blob = tuple[int, Blob | None]


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
        dirty=next(_changed(repo, commit, _prefix(repo, directory), paths), None) is not None,
    )


def difference(directory: Path, tree: Path) -> bytes | None:
    """The unified diff from the commit that is checked out at `directory` to `tree`, a copy of what was there.

    It has the files that Git knows or would, with paths from the top of the work tree; of one that is too large, or
    past what a diff may be in all, it has the name only. None outside Git, or where Git cannot be read.
    """
    try:
        with Repo.discover(directory) as repo:
            head = repo.refs.follow(Ref(b"HEAD"))[1]
            commit = repo[head] if head else None
            if not isinstance(commit, Commit) or not _is_trusted(repo, directory):
                return None
            return _difference(repo, commit, directory, tree)
    except Exception as error:
        # A courtesy too, see `git_facts`.
        logger.debug("no difference from Git for %s: %s", directory, error, extra={"event": "source.git_unreadable"})
        return None


def _difference(repo: Repo, commit: Commit, directory: Path, tree: Path) -> bytes:
    prefix = _prefix(repo, directory)
    copied = (path for path in tree.rglob("*") if path.is_symlink() or path.is_file())
    paths = [str(path.relative_to(tree)) for path in copied]
    told = BytesIO()
    for path in sorted(set(_changed(repo, commit, prefix, paths))):
        inside = Path(os.fsdecode(path.removeprefix(prefix)))
        new = _of_file(tree / inside)
        if new is None and os.path.lexists(directory / inside):
            continue  # Left out of the copy, as what lies in an environment is: not deleted.
        old = _of_commit(repo, commit, path)
        if old == new:
            continue
        if told.tell() > _LARGEST_PATCH or any(blob is None for _, blob in filter(None, (old, new))):
            told.write(b"%s differs, and is too large to be shown here\n" % path)
            continue
        write_blob_diff(told, _side(path, old), _side(path, new))
    return told.getvalue()


def _side(path: bytes, found: _Blob | None) -> tuple[bytes | None, int | None, Blob | None]:
    return (path, *found) if found is not None else (None, None, None)


def _of_file(path: Path) -> _Blob | None:
    """Mode and content of a file or link, as Git sees it; no content where it is too large, None where it is not."""
    if path.is_symlink():
        return 0o120000, Blob.from_string(os.fsencode(path.readlink()))
    if not path.is_file():
        return None
    facts = path.stat()
    mode = 0o100755 if facts.st_mode & stat.S_IXUSR else 0o100644
    return mode, Blob.from_string(path.read_bytes()) if facts.st_size <= _LARGEST_SHOWN else None


def _of_commit(repo: Repo, commit: Commit, path: bytes) -> _Blob | None:
    try:
        mode, object_id = tree_lookup_path(repo.object_store.__getitem__, commit.tree, path)
    except KeyError:
        return None
    blob = repo.object_store[object_id]
    return mode, blob if isinstance(blob, Blob) and blob.raw_length() <= _LARGEST_SHOWN else None


def _changed(repo: Repo, commit: Commit, prefix: bytes, paths: Sequence[str]) -> Iterator[bytes]:
    """The paths below `prefix`, from the top of the work tree, that may differ from the commit."""
    index = repo.open_index()
    ignored = IgnoreFilterManager.from_repo(repo)
    for path in (prefix + os.fsencode(path) for path in paths):
        if path not in index and not ignored.is_ignored(os.fsdecode(path)):
            yield path
    for (old, new), _, _ in index.changes_from_tree(repo.object_store, commit.tree):
        yield from (path for path in (old, new) if path is not None and path.startswith(prefix))
    # Given no filter to run: the configuration of a repository may name any program as one.
    for path in get_unstaged_changes(index, os.fsencode(_top(repo))):
        if path.startswith(prefix):
            yield path


def _prefix(repo: Repo, directory: Path) -> bytes:
    inside = os.fsencode(directory.relative_to(_top(repo)))
    return b"" if inside == b"." else inside + b"/"


def _top(repo: Repo) -> Path:
    return Path(os.fsdecode(repo.path)).resolve()


def _text(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding, "replace")
    except LookupError:
        return data.decode("utf-8", "replace")
