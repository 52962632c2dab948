"""Leases: what keeps a snapshot on the disk while a run uses it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from flowsource.snapshots.layout import Shelf
from flowsource.snapshots.locks import try_lock


class Lease:
    """A hold on a snapshot, by a shared flock. It ends with `release`, or with the last process that has it open.

    Hand `fileno()` to a child (`pass_fds`, `send_fds`) and the child holds the lease as well, whatever becomes of us.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        """The descriptor that is the lease; raises ValueError after `release`."""
        if self._descriptor < 0:
            raise ValueError("the lease was released")
        return self._descriptor

    def release(self) -> None:
        """Give up our hold; children that were given the descriptor keep theirs. A second call does nothing."""
        if self._descriptor >= 0:
            # Closed, not unlocked: unlocking would take the lease from the children too.
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def on_directory(directory: Path) -> Lease:
    """What looks like a lease but keeps nothing, for a directory that is not ours; raises OSError if it is gone."""
    return Lease(os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))


def hold(shelf: Shelf, snapshot_id: str) -> Lease:
    """A lease on that id. Whether the snapshot is there must be looked at afterwards. Raises OSError."""
    while True:
        lease = Lease(_open(shelf, snapshot_id))
        try:
            # Waits for no more than a rename: nobody holds the exclusive side for longer.
            fcntl.flock(lease, fcntl.LOCK_SH)
            if os.fstat(lease.fileno()).st_nlink:
                return lease
        except BaseException:
            lease.release()
            raise
        # The file was unlinked between opening and locking, with its snapshot: this lock would protect nothing.
        lease.release()


def make_room(shelf: Shelf, snapshot_id: str) -> None:
    """Make the file that leases on that id are held on: later the disk may be full, and they must still be had."""
    os.close(_open(shelf, snapshot_id))


def _open(shelf: Shelf, snapshot_id: str) -> int:
    while True:
        # Leases lie outside of what the lock of a shelf is about: their directory may go at any time, with all that
        # was of a source which nobody had used for long, and just as somebody comes back to it.
        shelf.prepare()
        with suppress(FileNotFoundError):
            return os.open(shelf.leases / snapshot_id, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


@contextmanager
def unleased(shelf: Shelf, snapshot_id: str) -> Iterator[bool]:
    """Whether nobody holds a lease on that id; if so nobody can take one during the block.

    The caller holds the lock of the shelf. The lease file is gone after the block if the snapshot is.
    """
    lease_file = shelf.leases / snapshot_id
    with try_lock(lease_file) as is_free:
        yield is_free
        if is_free and not (shelf.snapshots / snapshot_id).exists():
            lease_file.unlink()
