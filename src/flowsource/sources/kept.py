"""Files of earlier snapshots that a new one can take over, as long as nobody has changed them."""

from __future__ import annotations

import errno
import fcntl
import os
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from stat import S_ISREG
from typing import Final, TypeAlias

from flowsource.sources.content import Entry

_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CLONE: Final = 0x40049409  # FICLONE, which shares the blocks of a file where the file system can
_CHUNK: Final = 1 << 30


# The directory of a snapshot, with a slash at its end, and a file in it.
Place: TypeAlias = tuple[bytes, Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSnapshot:
    """An earlier snapshot: the directory it is in, and what was written there, by path.

    `empty_directories` are those that hold nothing. `is_alike` says that the same part of its revision was meant as
    of the one that is written now.
    """

    revision_id: str
    root: Path
    entries: Sequence[Entry]
    empty_directories: Sequence[str] = ()
    is_alike: bool = False

    # The directory, with a slash at its end.
    top: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "top", os.fsencode(self.root) + b"/")

    def at(self, path: str) -> Entry | None:
        """What is at `path`, or None."""
        place = bisect_left(self.entries, path, key=_path)
        return self.entries[place] if place < len(self.entries) and self.entries[place].path == path else None

    def below(self, path: str) -> Sequence[Entry]:
        """The files and links in a directory and all that are in it."""
        # A slash is followed by a zero.
        first = bisect_left(self.entries, f"{path}/", key=_path)
        return self.entries[first : bisect_left(self.entries, f"{path}0", key=_path)]


def _path(entry: Entry) -> str:
    return entry.path


class KeptFiles:
    """The files of `snapshots`.

    Unchanged means that size, inode and time of the last write are those that were noted. With `may_link` a file is
    shared by a hard link. That is for who cannot write to a file without the permission to, which root can: for root
    the blocks are shared where the file system can do that, and copied elsewhere.
    """

    def __init__(self, snapshots: Iterable[KeptSnapshot] = (), *, may_link: bool) -> None:
        self.snapshots = tuple(snapshots)
        self._may_link, self._may_clone = may_link, True

    @cached_property
    def _anywhere(self) -> dict[tuple[str, str], Place]:
        places = ((one.top, entry) for one in reversed(self.snapshots) for entry in one.entries)
        return {(entry.digest, entry.mode): (top, entry) for top, entry in places}

    def find(self, path: str, digest: str, mode: str) -> Place | None:
        """Where there is a file of that content and mode, of the same path if there is one."""
        for snapshot in self.snapshots:
            entry = snapshot.at(path)
            if entry is not None and (entry.digest, entry.mode) == (digest, mode):
                return snapshot.top, entry
        return self._anywhere.get((digest, mode))

    def take(self, place: Place, path: str, into: bytes) -> Entry | None:
        """Make the file `into`, which is to be at `path`, from the one at `place`; None if that was changed."""
        top, entry = place
        source = top + os.fsencode(entry.path)
        try:
            taken = (self._may_link and _link(source, into, entry)) or self._copy(source, into, entry)
        except FileNotFoundError:
            return None
        return taken if taken is None or entry.path == path else taken._replace(path=path)

    def _copy(self, source: bytes, into: bytes, entry: Entry) -> Entry | None:
        reading = os.open(source, _READ)
        try:
            if not _is_unchanged(os.fstat(reading), entry):
                return None
            writing = os.open(into, _NEW, 0o600)
            try:
                if not (self._may_clone and self._clone(reading, writing)):
                    _copy_bytes(reading, writing, entry.size)
                os.fchmod(writing, int(entry.mode, 8))
                facts = os.fstat(writing)
            finally:
                os.close(writing)
        finally:
            os.close(reading)
        return entry._replace(mtime_ns=facts.st_mtime_ns, inode=facts.st_ino)

    def _clone(self, reading: int, writing: int) -> bool:
        try:
            fcntl.ioctl(writing, _CLONE, reading)
        except OSError:
            # Whatever it is that this file system, or the other one, does not like about it.
            self._may_clone = False
        return self._may_clone


def _link(source: bytes, into: bytes, entry: Entry) -> Entry | None:
    """`entry` once it has a second name; None where it may have no more names, or none across file systems."""
    if not _is_unchanged(os.lstat(source), entry):
        return None
    try:
        os.link(source, into, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EMLINK, errno.EXDEV, errno.EPERM):
            raise
        return None
    return entry


def _is_unchanged(facts: os.stat_result, entry: Entry) -> bool:
    return (
        (facts.st_mtime_ns, facts.st_size, facts.st_ino) == (entry.mtime_ns, entry.size, entry.inode)
        and S_ISREG(facts.st_mode)
        and facts.st_mode & 0o7777 == int(entry.mode, 8)
    )


def _copy_bytes(reading: int, writing: int, size: int) -> None:
    while size > 0:
        copied = os.copy_file_range(reading, writing, min(size, _CHUNK))
        if copied == 0:
            raise OSError(errno.EIO, "the file became shorter while it was copied")
        size -= copied
