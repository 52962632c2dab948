"""What the tree of a commit names: read, and refused where it must not be written."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from dulwich.objects import parse_tree

from flowsource.errors import UnsafeTree
from flowsource.sources.git.store.objects import Objects
from flowsource.sources.limits import DEEPEST, LONGEST_PATH, MOST_ENTRIES
from flowsource.sources.names import check_name, unsafe

_DOT_GITMODULES = re.compile(rb"\.gitmodules[ .]*(:.*)?|gitmod~\d+|gi7eba~\d+", re.IGNORECASE)


class Kind(Enum):
    """What an entry becomes on disk."""

    FILE = "file"
    EXECUTABLE = "executable"
    LINK = "link"
    DIRECTORY = "directory"
    SUBMODULE = "submodule"


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a directory."""

    name: bytes
    kind: Kind
    object_id: str


# An entry with its path.
Target: TypeAlias = tuple[bytes, Entry]


class Trees:
    """A tree with all that is below it: validated as a whole, nothing of it expanded yet.

    Trees are read once however often they are named: a few hundred bytes can name ten thousand million files. Those
    that are `parsed` are not read at all, nor is what `is_known` says of a path and the id of its tree to be as it
    was before, until the walk goes into it.
    """

    def __init__(
        self,
        objects: Objects,
        root: str,
        parsed: dict[str, tuple[Entry, ...]] | None = None,
        *,
        is_known: Callable[[bytes, str], bool] = lambda path, tree: False,
    ) -> None:
        self._objects, self._is_known = objects, is_known
        self._parsed = {} if parsed is None else parsed
        self._entries: dict[str, tuple[Entry, ...]] = {}
        self._measures: dict[str, tuple[int, int]] = {}
        self._known = 0
        self.root = root
        self._measure(root, b"", 0)

    def walk(self, goes_into: Callable[[bytes], bool] = lambda path: True) -> Iterator[tuple[bytes, Entry]]:
        """Every entry with its path, each directory before what it holds, of those that `goes_into` says."""
        yield from self._walk(self.root, b"", goes_into)

    def _walk(self, object_id: str, prefix: bytes, goes_into: Callable[[bytes], bool]) -> Iterator[tuple[bytes, Entry]]:
        if object_id not in self._entries:
            self._measure(object_id, prefix, prefix.count(b"/"))
        for entry in self._entries[object_id]:
            path = prefix + entry.name
            if len(path) > LONGEST_PATH:
                raise unsafe(path, f"the path is longer than {LONGEST_PATH} bytes")
            yield path, entry
            if entry.kind is Kind.DIRECTORY and goes_into(path):
                yield from self._walk(entry.object_id, path + b"/", goes_into)

    def _measure(self, object_id: str, path: bytes, depth: int) -> tuple[int, int]:
        """How many entries there are in and below a tree, and how many directories lie one in another."""
        # Before going down, or a chain without end would; and below once more, for trees that were measured elsewhere.
        if depth > DEEPEST:
            raise unsafe(path, f"directories are nested more than {DEEPEST} deep")
        if (measure := self._measures.get(object_id)) is None:
            entries = self._parsed.get(object_id)
            if entries is None:
                entries = parse_entries(self._objects.read(object_id, "tree"), path, len(object_id) // 2)
            self._entries[object_id] = entries
            # Those of one tree are counted with it; before that is known, they must not be more than a memory holds.
            self._known += len(entries)
            if self._known > MOST_ENTRIES:
                raise _too_many(path)
            count, height = len(entries), 0
            for entry in entries:
                if entry.kind is Kind.DIRECTORY and not self._is_known(path + entry.name, entry.object_id):
                    below = self._measure(entry.object_id, path + entry.name + b"/", depth + 1)
                    count, height = count + below[0], max(height, below[1] + 1)
            measure = self._measures[object_id] = count, height
        if measure[0] > MOST_ENTRIES:
            raise _too_many(path)
        if depth + measure[1] > DEEPEST:
            raise unsafe(path, f"directories are nested more than {DEEPEST} deep")
        return measure


def _too_many(path: bytes) -> UnsafeTree:
    return unsafe(path or b"/", f"there are more than {MOST_ENTRIES:,} files and directories")


def parse_entries(data: bytes, where: bytes, id_size: int) -> tuple[Entry, ...]:
    """The entries of the tree at the path `where` (empty, or with a slash at its end); raises UnsafeTree."""
    entries: dict[bytes, Entry] = {}
    try:
        parsed = list(parse_tree(data, id_size))
    except Exception as error:
        # dulwich does not say which exceptions it has for bytes that are no tree.
        raise unsafe(where or b"/", f"the tree cannot be read ({type(error).__name__})") from error
    for name, mode, hex_id in parsed:
        path = where + name
        check_name(name, path)
        if name in entries:
            raise unsafe(path, "the name is there twice")
        kind = _kind(mode, path)
        if kind is Kind.LINK and _DOT_GITMODULES.fullmatch(name):
            raise unsafe(path, "it must not be a link")
        entries[name] = Entry(name, kind, hex_id.decode("ascii"))
    return tuple(entries.values())


def _kind(mode: int, path: bytes) -> Kind:
    match stat.S_IFMT(mode):
        case stat.S_IFREG:
            # As Git does: of all the permissions only the owner's right to execute counts.
            return Kind.EXECUTABLE if mode & stat.S_IXUSR else Kind.FILE
        case stat.S_IFDIR:
            return Kind.DIRECTORY
        case stat.S_IFLNK:
            return Kind.LINK
        case 0o160000:
            return Kind.SUBMODULE
    raise unsafe(path, f"the mode {mode:o} is that of no file, directory, link or submodule")
