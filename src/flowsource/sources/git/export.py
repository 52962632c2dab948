"""Writing the tree of a commit, as Git would check it out on this system."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final

from dulwich.objects import Commit

from flowsource.sources.base import Report, say_nothing
from flowsource.sources.git.checkpoint import Checkpoint
from flowsource.sources.git.lfs.pointers import Pointer, parse_pointer
from flowsource.sources.git.limits import LARGEST_FILE
from flowsource.sources.git.placing import Places
from flowsource.sources.git.scope import Scope
from flowsource.sources.git.store.objects import Held, Objects
from flowsource.sources.git.tree import Entry, Kind, Target, Trees
from flowsource.sources.git.unchanged import Unchanged
from flowsource.sources.limits import MOST_BYTES
from flowsource.sources.names import unsafe
from flowsource.sources.writing import TreeWriter

# Files at the top that say where more is to be had. They are read as they are written.
GITMODULES: Final = b".gitmodules"
LFSCONFIG: Final = b".lfsconfig"


class Export:
    """What `scope` takes of `commit`, on its way into the tree `into`, below `path` there.

    Files are written as their objects arrive, as long as the trees that name them came before; what was not among
    them is taken from a store in the end. Links are links. Submodules are empty directories, which `submodules` tells
    of. Pointers of Git LFS are written as they are unless `expands_lfs`: then `pointers` has them, in place of the
    tree. `tag` is an object that must come along, which nothing is written of. `notes` gets the content of
    `.gitmodules` and `.lfsconfig`. Raises UnsafeTree for a name that must not be written, and before a file is read
    that is too large, alone or with others.
    """

    def __init__(
        self,
        commit: str,
        into: TreeWriter,
        scope: Scope,
        *,
        checkpoint: Checkpoint,
        path: bytes = b"",
        expands_lfs: bool = False,
        tag: str | None = None,
        notes: dict[bytes, bytes] | None = None,
        report: Report = say_nothing,
    ) -> None:
        self._commit, self._into, self._scope, self._checkpoint = commit, into, scope, checkpoint
        self._prefix = path + b"/" if path else b""
        self._expands_lfs = expands_lfs
        self.tag = tag
        # Told how far the pack has come that is being received.
        self.report = report
        self.held = Held()
        # By their paths in the repository.
        self.submodules: dict[bytes, str] = {}
        self.pointers: dict[bytes, tuple[Pointer, bool]] = {}
        self._notes = {} if notes is None else notes
        self._parsed: dict[str, tuple[Entry, ...]] = {}
        self._places: Places | None = None
        # Where files go that have not arrived yet, by object id.
        self._expected: defaultdict[str, list[Target]] = defaultdict(list)
        self._wanted: dict[str, list[Target]] | None = None
        # Of a submodule only files are taken over: where it was in an earlier snapshot nothing tells.
        self._alike = [] if path else into.alike
        self._unchanged: list[Unchanged] = []
        # The directories of which nothing else needs to be looked at.
        self._taken: set[bytes] = set()

    @property
    def is_partial(self) -> bool:
        """Whether most files may be of no use."""
        return bool(self._scope.directories)

    def arrived(self, kind: str, object_id: str, data: bytes | None) -> None:
        """Take an object as it comes out of a pack; a large one without its content."""
        if data is None:
            return
        if kind == "blob":
            for target in self._expected.pop(object_id, ()):
                self._write(target, data)
            return
        self.held.keep(object_id, kind, data)
        if kind == "tree" and self._places is not None:
            self._expect(self._places.arrived(object_id))
        elif kind == "commit" and object_id == self._commit:
            root = Commit.from_string(data).tree.decode("ascii")
            self._places = Places(root, self._scope, self.held, self._parsed)

    def lacking(self, objects: Objects) -> list[str]:
        """The files that are neither written nor in the store, by object id, each once; raises DamagedObjects."""
        return [object_id for object_id in self._plan(objects) if not objects.has(object_id)]

    def finish(self, objects: Objects) -> None:
        """Write the rest from the store; raises DamagedObjects where it is not there."""
        wanted = self._plan(objects)
        sizes = _Sizes(objects, Counter({object_id: len(targets) for object_id, targets in wanted.items()}))
        for object_id, targets in wanted.items():
            for target in targets:
                if not self._holds(target[0]):
                    self._checkpoint()
                    sizes.check(*target)
                    self._write(target, objects.content(object_id))

    def _expect(self, targets: Iterable[Target]) -> None:
        for path, entry in targets:
            if self._scope.takes(path, entry) and not self._is_there(path, entry):
                self._expected[entry.object_id].append((path, entry))

    def _plan(self, objects: Objects) -> dict[str, list[Target]]:
        """What is still to be written, by object id, now that all of the trees are there."""
        if self._wanted is None:
            self._unchanged = [Unchanged(objects, snapshot) for snapshot in self._alike]
            root = objects.commit(self._commit).tree.decode("ascii")
            trees = Trees(objects, root, self._parsed, is_known=self._is_known)
            self._expected = defaultdict(list)
            self._expect(self._scope.select(trees, done=self._taken))
            # From now on also what arrives is written to all of its places.
            self._wanted = dict(self._expected)
        return self._wanted

    def _is_there(self, path: bytes, entry: Entry) -> bool:
        """Whether an entry is in the tree, now that it was looked for in earlier snapshots."""
        if entry.kind in (Kind.DIRECTORY, Kind.SUBMODULE):
            self._into.add_directory(self._prefix + path)
            if entry.kind is Kind.SUBMODULE:
                self.submodules[path] = entry.object_id
            else:
                self._take_over(path, entry.object_id)
            return True
        if self._holds(path):
            return True
        if entry.kind is Kind.LINK or path in (GITMODULES, LFSCONFIG):
            return False
        executable = entry.kind is Kind.EXECUTABLE
        return self._into.take_over(self._prefix + path, digest=_digest(entry), executable=executable)

    def _is_known(self, path: bytes, tree: str) -> bool:
        """Whether an earlier snapshot has the directory as it is now."""
        return any(unchanged.has(path, tree) for unchanged in self._unchanged)

    def _take_over(self, path: bytes, tree: str) -> None:
        """Write a directory as an earlier snapshot has it, if one has all of it."""
        for unchanged in self._unchanged:
            if unchanged.has(path, tree) and self._into.take_over_directory(path, unchanged.snapshot):
                self._taken.add(path)
                return

    def _holds(self, path: bytes) -> bool:
        return path in self.pointers or self._into.holds(self._prefix + path)

    def _write(self, target: Target, content: bytes | Iterable[bytes]) -> None:
        path, entry = target
        if entry.kind is Kind.LINK:
            target_of_link = content if isinstance(content, bytes) else b"".join(content)
            self._into.add_link(self._prefix + path, target_of_link, digest=_digest(entry))
            return
        executable = entry.kind is Kind.EXECUTABLE
        digest: str | None = _digest(entry)
        if isinstance(content, bytes):
            if path in (GITMODULES, LFSCONFIG):
                self._notes[path] = content
            if (pointer := parse_pointer(content, self._prefix + path, strictly=self._expands_lfs)) is not None:
                if self._expands_lfs:
                    self.pointers[path] = pointer, executable
                    return
                # Not known by its blob: that would let it be taken over where the file itself is wanted.
                digest = None
        self._into.add_file(self._prefix + path, content, executable=executable, digest=digest)


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
