"""The objects of a repository by id, each checked against its id as it is read."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final, TypeVar

from dulwich.object_store import DiskObjectStore
from dulwich.objects import Commit, ObjectID, Tag, object_class

from flowsource.errors import SourceInvalid
from flowsource.revisions import Revision
from flowsource.sources.git.limits import LARGEST_RECORD
from flowsource.sources.git.store.packed import Packed
from flowsource.sources.git.store.packs import LARGE, new_hash
from flowsource.sources.git.text import harmless

_Answer = TypeVar("_Answer")


class DamagedObjects(Exception):
    """An object that must be there is missing, or is not what its id says."""


class Held:
    """Commits and trees that are held in memory on their way into a store, already found to be what their ids say."""

    # Those of a million files are smaller.
    MOST: Final = 256 << 20

    def __init__(self) -> None:
        self._records: dict[str, tuple[str, bytes]] = {}
        self._size = 0

    def keep(self, object_id: str, kind: str, data: bytes) -> None:
        """Hold an object, if there is room; the store has it in any case."""
        if self._size + len(data) <= self.MOST:
            self._records[object_id] = kind, data
            self._size += len(data)

    def get(self, object_id: str) -> tuple[str, bytes] | None:
        """Kind and content of an object, or None."""
        return self._records.get(object_id)


class Objects:
    """The objects of one store, which stays open as long as this is used, and those that are `held` in memory."""

    def __init__(self, store: DiskObjectStore, held: Held | None = None) -> None:
        self._store, self._held = store, held or Held()
        self._packed: Packed | None = None

    def has(self, object_id: str) -> bool:
        """Whether the object is there; raises DamagedObjects where that cannot be told."""
        return _undamaged(self._store.__contains__, object_id)

    def content(self, object_id: str) -> bytes | Iterator[bytes]:
        """The content of a blob of any size; that of a large one in pieces, where it can be had so.

        Raises DamagedObjects, at the last piece for what turns out to be damaged then.
        """
        if self.size(object_id) > LARGE and (pieces := self._sizes.pieces(ObjectID(object_id.encode()))) is not None:
            return _checked(pieces, object_id, self.size(object_id))
        return self.read(object_id, "blob")

    def size(self, object_id: str) -> int:
        """How many bytes `read` would give, without unpacking them; raises DamagedObjects."""
        return _undamaged(self._size, object_id)

    def read(self, object_id: str, kind: str) -> bytes:
        """The content of the object, which must be a `kind` (`blob`, `tree`, ...). A blob may have any `size`.

        Raises DamagedObjects, and SourceInvalid for one that was named as what it is not, or is too large for it.
        """
        if kind != "blob":
            self._check_size(object_id)
        found, data = self._read(object_id)
        if found != kind:
            raise SourceInvalid(f"object {object_id} is a {found} where a {kind} is named; mend it in a new commit.")
        return data

    def any(self, object_id: str) -> tuple[str, bytes]:
        """Kind and content of an object; raises DamagedObjects."""
        return self._read(object_id)

    def commit(self, object_id: str) -> Commit:
        """The commit that an id leads to, through annotated tags if need be.

        Raises DamagedObjects, and SourceInvalid for a tag that leads to something else.
        """
        while True:
            self._check_size(object_id)
            kind, data = self._read(object_id)
            if kind == "commit":
                return Commit.from_string(data)
            if kind != "tag":
                raise SourceInvalid(f"{object_id} is a {kind}, and only a commit can be served; name another.")
            object_id = _tagged(object_id, data)

    @property
    def _sizes(self) -> Packed:
        if self._packed is None:
            self._packed = Packed(self._store)
        return self._packed

    def _size(self, object_id: ObjectID) -> int:
        held = self._held.get(object_id.decode())
        return len(held[1]) if held is not None else self._sizes.size(object_id)

    def _check_size(self, object_id: str) -> None:
        if self.size(object_id) > LARGEST_RECORD:
            raise SourceInvalid(
                f"object {object_id} is larger than {LARGEST_RECORD >> 20} MiB, which no tree, commit or tag may be; "
                "mend it in a new commit."
            )

    def _read(self, object_id: str) -> tuple[str, bytes]:
        if (held := self._held.get(object_id)) is not None:
            return held
        number, data = _undamaged(self._store.get_raw, object_id)
        kind = object_class(number)
        if kind is None:
            raise DamagedObjects(f"{object_id} is of no known kind")
        # dulwich trusts what it reads from a pack.
        digest = new_hash(len(object_id) // 2, b"%s %d\0" % (kind.type_name, len(data)))
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


def _checked(pieces: Iterator[bytes], object_id: str, size: int) -> Iterator[bytes]:
    digest, length = new_hash(len(object_id) // 2, b"blob %d\0" % size), 0
    try:
        for piece in pieces:
            digest.update(piece)
            length += len(piece)
            yield piece
    except (OSError, zlib.error) as error:
        raise DamagedObjects(f"{object_id} cannot be read ({type(error).__name__})") from error
    if length != size or digest.hexdigest() != object_id:
        raise DamagedObjects(f"{object_id} has other content than its id says")


def _tagged(object_id: str, data: bytes) -> str:
    try:
        return Tag.from_string(data).object[1].decode("ascii")
    except Exception as error:
        # dulwich has a dozen exceptions for what is written otherwise than it should be; so it is below.
        raise SourceInvalid(f"tag {object_id} cannot be read ({type(error).__name__}); make it anew.") from error


def described(revision: Revision, commit: Commit) -> Revision:
    """`revision` with what `commit` says about itself.

    Raises SourceInvalid for a commit that is not written as commits are.
    """
    try:
        return _described(revision, commit)
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
