"""The objects of a repository by id, each checked against its id as it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from dulwich.object_store import BaseObjectStore
from dulwich.objects import Commit, ObjectID, Tag, object_class

from flowsource.errors import SourceInvalid
from flowsource.revisions import Revision
from flowsource.sources.git.text import harmless

_Answer = TypeVar("_Answer")


class DamagedObjects(Exception):
    """An object that must be there is missing, or is not what its id says."""


class Objects:
    """The objects of one store, which stays open as long as this is used."""

    def __init__(self, store: BaseObjectStore) -> None:
        self._store = store

    def has(self, object_id: str) -> bool:
        """Whether the object is there; raises DamagedObjects where that cannot be told."""
        return _undamaged(self._store.__contains__, object_id)

    def read(self, object_id: str, kind: str) -> bytes:
        """The content of the object, which must be a `kind` (`blob`, `tree`, ...).

        Raises DamagedObjects, and SourceInvalid for one that was named as what it is not.
        """
        found, data = self._read(object_id)
        if found != kind:
            raise SourceInvalid(f"object {object_id} is a {found} where a {kind} is named; mend it in a new commit.")
        return data

    def commit(self, object_id: str) -> Commit:
        """The commit that an id leads to, through annotated tags if need be.

        Raises DamagedObjects, and SourceInvalid for a tag that leads to something else.
        """
        while True:
            kind, data = self._read(object_id)
            if kind == "commit":
                return Commit.from_string(data)
            if kind != "tag":
                raise SourceInvalid(f"{object_id} is a {kind}, and only a commit can be served; name another.")
            object_id = _tagged(object_id, data)

    def _read(self, object_id: str) -> tuple[str, bytes]:
        number, data = _undamaged(self._store.get_raw, object_id)
        kind = object_class(number)
        if kind is None:
            raise DamagedObjects(f"{object_id} is of no known kind")
        # dulwich trusts what it reads from a pack.
        digest = (hashlib.sha1 if len(object_id) == 40 else hashlib.sha256)(b"%s %d\0" % (kind.type_name, len(data)))
        digest.update(data)
        if digest.hexdigest() != object_id:
            raise DamagedObjects(f"{object_id} has other content than its id says")
        return kind.type_name.decode("ascii"), data


def _undamaged(ask: Callable[[ObjectID], _Answer], object_id: str) -> _Answer:
    try:
        return ask(ObjectID(object_id.encode("ascii")))
    except Exception as error:
        # A broken pack shows as anything from KeyError to zlib.error. The exception is not kept: its traceback holds
        # on to the mapped pack, which could then not be closed.
        problem = type(error).__name__
    raise DamagedObjects(f"{object_id} cannot be read ({problem})")


def _tagged(object_id: str, data: bytes) -> str:
    try:
        return Tag.from_string(data).object[1].decode("ascii")
    except Exception as error:
        raise SourceInvalid(f"tag {object_id} cannot be read ({type(error).__name__}); make it anew.") from error


def described(revision: Revision, commit: Commit) -> tuple[Revision, str]:
    """`revision` with what `commit` says about itself, and the id of its tree.

    Raises SourceInvalid for a commit that is not written as commits are.
    """
    try:
        return _described(revision, commit), commit.tree.decode("ascii")
    except Exception as error:
        raise SourceInvalid(f"commit {revision.id} cannot be read ({type(error).__name__}); name another.") from error


def _described(revision: Revision, commit: Commit) -> Revision:
    encoding = commit.encoding.decode("ascii", "replace") if commit.encoding else "utf-8"
    subject = _text(commit.message, encoding).strip().partition("\n")[0]
    return Revision(
        id=revision.id,
        content=revision.content,
        ref=revision.ref,
        subject=harmless(subject),
        author=harmless(_text(commit.author, encoding)),
        committed_at=_instant(commit.commit_time),
    )


def _text(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding, "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


def _instant(seconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
