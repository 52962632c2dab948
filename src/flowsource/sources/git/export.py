"""Writing the tree of a commit, as Git would check it out on this system."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from flowsource.sources.git.checkpoint import Checkpoint
from flowsource.sources.git.limits import LARGEST_FILE
from flowsource.sources.git.objects import DamagedObjects, Held, Objects
from flowsource.sources.git.scope import Scope
from flowsource.sources.git.tree import Entry, Kind, Trees
from flowsource.sources.limits import MOST_BYTES
from flowsource.sources.names import unsafe
from flowsource.sources.writing import TreeWriter

Target = tuple[bytes, Entry]


class Export:
    """What `scope` takes of `commit`, on its way into the tree `into`.

    Files are written as their objects arrive, as long as the trees that name them came before; what was not among
    them is taken from a store in the end. Links are links, submodules are empty directories. Raises UnsafeTree before
    anything is written for a name that must not be, and before a file is read that is too large, alone or with others.
    """

    def __init__(self, commit: str, into: TreeWriter, scope: Scope, *, checkpoint: Checkpoint) -> None:
        self._commit, self._into, self._scope, self._checkpoint = commit, into, scope, checkpoint
        self.held = Held()
        # By object id: where it is still to be written.
        self._wanted: dict[str, list[Target]] | None = None
        self._is_known_to_lack = False

    @property
    def is_partial(self) -> bool:
        """Whether most files may be of no use."""
        return bool(self._scope.directories)

    def arrived(self, kind: str, object_id: str, data: bytes | None, known: Objects) -> None:
        """Take an object as it comes out of a pack; `known` are those that were there before."""
        self._checkpoint()
        if data is None:
            return
        if kind in ("commit", "tree"):
            self.held.keep(object_id, kind, data)
        elif kind == "blob" and self._plan_early(known):
            assert self._wanted is not None
            for target in self._wanted.pop(object_id, ()):
                self._write(target, data)

    def lacking(self, objects: Objects) -> list[str]:
        """The files that are neither written nor in the store, by object id, each once; raises DamagedObjects."""
        return [object_id for object_id in self._plan(objects) if not objects.has(object_id)]

    def finish(self, objects: Objects) -> None:
        """Write the rest from the store; raises DamagedObjects where it is not there."""
        wanted = self._plan(objects)
        sizes = _Sizes(objects, Counter({object_id: len(targets) for object_id, targets in wanted.items()}))
        for object_id in sorted(wanted, key=lambda one: wanted[one][0][0]):
            for target in wanted[object_id]:
                self._checkpoint()
                sizes.check(*target)
                self._write(target, objects.content(target[1].object_id))
            del wanted[object_id]

    def _plan_early(self, known: Objects) -> bool:
        """Whether it is known where files go, now that the first of them comes."""
        if self._wanted is None and not self._is_known_to_lack:
            try:
                self._plan(known)
            except DamagedObjects:
                # Some trees come later in the pack, or are not what they should be; either shows in the end.
                self._is_known_to_lack = True
        return self._wanted is not None

    def _plan(self, objects: Objects) -> dict[str, list[Target]]:
        if self._wanted is None:
            trees = Trees(objects, objects.commit(self._commit).tree.decode("ascii"))
            self._wanted = self._take_over(self._scope.select(trees))
        return self._wanted

    def _take_over(self, targets: Iterable[Target]) -> dict[str, list[Target]]:
        """Make directories, take over the files that an earlier snapshot has, and return what remains to be written."""
        wanted: defaultdict[str, list[Target]] = defaultdict(list)
        for path, entry in targets:
            self._checkpoint()
            if entry.kind in (Kind.DIRECTORY, Kind.SUBMODULE):
                self._into.add_directory(path)
            elif self._into.holds(path) or self._is_taken_over(path, entry):
                continue
            else:
                wanted[entry.object_id].append((path, entry))
        return dict(wanted)

    def _is_taken_over(self, path: bytes, entry: Entry) -> bool:
        executable = entry.kind is Kind.EXECUTABLE
        return entry.kind is not Kind.LINK and self._into.take_over(path, digest=_digest(entry), executable=executable)

    def _write(self, target: Target, content: bytes | Iterable[bytes]) -> None:
        path, entry = target
        if entry.kind is Kind.LINK:
            target_of_link = content if isinstance(content, bytes) else b"".join(content)
            self._into.add_link(path, target_of_link, digest=_digest(entry))
        else:
            self._into.add_file(path, content, executable=entry.kind is Kind.EXECUTABLE, digest=_digest(entry))


class _Sizes:
    """What files come to, known before any is read."""

    def __init__(self, objects: Objects, copies: Counter[str]) -> None:
        self._objects, self._copies, self._bytes = objects, copies, 0

    def check(self, path: bytes, entry: Entry) -> None:
        """Count all copies of a file; raises UnsafeTree when they are too much."""
        size = self._objects.size(entry.object_id)
        if size > LARGEST_FILE:
            raise unsafe(path, f"it is larger than {LARGEST_FILE >> 20} MiB")
        self._bytes += size * self._copies.pop(entry.object_id, 0)
        if self._bytes > MOST_BYTES:
            raise unsafe(path, f"with it the files are larger than {MOST_BYTES >> 30} GiB in all")


def _digest(entry: Entry) -> str:
    return f"git:{entry.object_id}"
