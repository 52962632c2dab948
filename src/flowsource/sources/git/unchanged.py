"""Directories that an earlier snapshot has as a commit has them now, told by the ids of their trees."""

from __future__ import annotations

from flowsource.errors import SourceError
from flowsource.sources.git.store.objects import DamagedObjects, Objects
from flowsource.sources.git.tree import Kind, parse_entries
from flowsource.sources.kept import KeptSnapshot


class Unchanged:
    """The directories of `snapshot`, if its commit is among `objects`. Only trees on the way to them are read."""

    def __init__(self, objects: Objects, snapshot: KeptSnapshot) -> None:
        self._objects, self.snapshot = objects, snapshot
        # By path: the ids of the trees in a directory, by name.
        self._below: dict[bytes, dict[bytes, str]] = {}

    def has(self, path: bytes, tree: str) -> bool:
        """Whether `tree` is what was at `path`."""
        above, _, name = path.rpartition(b"/")
        return self._trees_in(above).get(name) == tree

    def _trees_in(self, path: bytes) -> dict[bytes, str]:
        if path not in self._below:
            self._below[path] = self._read(path)
        return self._below[path]

    def _read(self, path: bytes) -> dict[bytes, str]:
        try:
            tree = self._id_of(path)
            if tree is None:
                return {}
            entries = parse_entries(self._objects.read(tree, "tree"), path, len(tree) // 2)
        except (DamagedObjects, SourceError):
            # It is not kept any longer, and then nothing is known of it.
            return {}
        return {entry.name: entry.object_id for entry in entries if entry.kind is Kind.DIRECTORY}

    def _id_of(self, path: bytes) -> str | None:
        if not path:
            return str(self._objects.commit(self.snapshot.revision_id).tree.decode("ascii"))
        above, _, name = path.rpartition(b"/")
        return self._trees_in(above).get(name)
