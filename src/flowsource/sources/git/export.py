"""Writing one tree into an empty directory: nothing outside of it, and through no link."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from flowsource.sources.git.checkpoint import Checkpoint
from flowsource.sources.git.limits import LARGEST_FILE, MOST_BYTES
from flowsource.sources.git.objects import Objects
from flowsource.sources.git.tree import Entry, Kind, Trees, unsafe

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def export(objects: Objects, tree: str, into: Path, *, checkpoint: Checkpoint) -> None:
    """Fill the empty directory `into` with `tree`, as Git would check it out on this system.

    Files are 0644 or 0755, links are links, submodules are empty directories. Raises UnsafeTree before anything is
    written for a name that must not be, and before a file is read that is too large, alone or with those before it;
    DamagedObjects.
    """
    trees = Trees(objects, tree)
    copies = Counter(entry.object_id for _, entry in trees.walk() if entry.kind is not Kind.DIRECTORY)
    top = os.open(into, _DIRECTORY)
    try:
        _Writer(objects, trees, copies, checkpoint).fill(top, trees[tree], b"")
    finally:
        os.close(top)


class _Writer:
    def __init__(self, objects: Objects, trees: Trees, copies: Counter[str], checkpoint: Checkpoint) -> None:
        self._objects, self._trees, self._checkpoint = objects, trees, checkpoint
        # How often each object that was not met yet will be written.
        self._copies = copies
        self._bytes = 0

    def fill(self, directory: int, entries: tuple[Entry, ...], where: bytes) -> None:
        """Write `entries` into the open `directory`, which is at the path `where` of the tree."""
        for entry in entries:
            self._checkpoint()
            path = where + entry.name
            if entry.kind is Kind.DIRECTORY:
                os.mkdir(entry.name, 0o755, dir_fd=directory)
                below = os.open(entry.name, _DIRECTORY, dir_fd=directory)
                try:
                    self.fill(below, self._trees[entry.object_id], path + b"/")
                finally:
                    os.close(below)
            elif entry.kind is Kind.SUBMODULE:
                os.mkdir(entry.name, 0o755, dir_fd=directory)
            elif entry.kind is Kind.LINK:
                _write_link(directory, entry.name, self._content(entry, path), path)
            else:
                _write_file(directory, entry, self._content(entry, path))

    def _content(self, entry: Entry, path: bytes) -> bytes:
        """The content of a file, once all copies of it are known to fit."""
        size = self._objects.size(entry.object_id)
        if size > LARGEST_FILE:
            raise unsafe(path, f"it is larger than {LARGEST_FILE >> 20} MiB")
        self._bytes += size * self._copies.pop(entry.object_id, 0)
        if self._bytes > MOST_BYTES:
            raise unsafe(path, f"with it the files are larger than {MOST_BYTES >> 30} GiB in all")
        return self._objects.read(entry.object_id, "blob")


def _write_file(directory: int, entry: Entry, data: bytes) -> None:
    descriptor = os.open(entry.name, _NEW_FILE, 0o600, dir_fd=directory)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        # Whatever the umask: a snapshot is the same on every machine.
        os.fchmod(descriptor, 0o755 if entry.kind is Kind.EXECUTABLE else 0o644)
    finally:
        os.close(descriptor)


def _write_link(directory: int, name: bytes, target: bytes, path: bytes) -> None:
    if not target or b"\0" in target or len(target) > 4095:
        raise unsafe(path, "it is a link whose target cannot exist")
    os.symlink(target, name, dir_fd=directory)
