"""Writing the tree of a commit, as Git would check it out on this system."""

from __future__ import annotations

from collections import Counter

from flowsource.sources.git.checkpoint import Checkpoint
from flowsource.sources.git.limits import LARGEST_FILE
from flowsource.sources.git.objects import Objects
from flowsource.sources.git.tree import Entry, Kind, Trees
from flowsource.sources.limits import MOST_BYTES
from flowsource.sources.names import unsafe
from flowsource.sources.writing import TreeWriter


def export(objects: Objects, tree: str, into: TreeWriter, *, checkpoint: Checkpoint) -> None:
    """Write what `tree` names and is not in `into` yet.

    Links are links, submodules are empty directories. Raises UnsafeTree before anything is written for a name that
    must not be, and before a file is read that is too large, alone or with those before it; DamagedObjects.
    """
    trees = Trees(objects, tree)
    copies = Counter(entry.object_id for _, entry in trees.walk() if entry.kind is not Kind.DIRECTORY)
    sizes = _Sizes(objects, copies)
    for path, entry in trees.walk():
        checkpoint()
        if entry.kind in (Kind.DIRECTORY, Kind.SUBMODULE):
            into.add_directory(path)
        elif not into.holds(path):
            _write(objects, path, entry, into, sizes)


class _Sizes:
    """What the files come to, known before any is read."""

    def __init__(self, objects: Objects, copies: Counter[str]) -> None:
        self._objects, self._copies, self._bytes = objects, copies, 0

    def check(self, entry: Entry, path: bytes) -> None:
        """Count all copies of a file; raises UnsafeTree when they are too much."""
        size = self._objects.size(entry.object_id)
        if size > LARGEST_FILE:
            raise unsafe(path, f"it is larger than {LARGEST_FILE >> 20} MiB")
        self._bytes += size * self._copies.pop(entry.object_id, 0)
        if self._bytes > MOST_BYTES:
            raise unsafe(path, f"with it the files are larger than {MOST_BYTES >> 30} GiB in all")


def _write(objects: Objects, path: bytes, entry: Entry, into: TreeWriter, sizes: _Sizes) -> None:
    digest, executable = f"git:{entry.object_id}", entry.kind is Kind.EXECUTABLE
    if entry.kind is not Kind.LINK and into.take_over(path, digest=digest, executable=executable):
        return
    sizes.check(entry, path)
    content = objects.read(entry.object_id, "blob")
    if entry.kind is Kind.LINK:
        into.add_link(path, content, digest=digest)
    else:
        into.add_file(path, content, executable=executable, digest=digest)
