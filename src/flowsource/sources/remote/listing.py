"""What a listing tells: which objects there are, in which state, and what they become on disk."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from flowsource.errors import UnsafeTree
from flowsource.sources.names import check_name, check_path, unsafe
from flowsource.sources.remote.patterns import Patterns

# The first of these that a store tells is taken: what changes with every write comes before what changes with the
# content, and both before a time, which a write within the same tick would not change.
_STAMPS: Final = ("generation", "ETag", "etag", "md5Hash", "md5", "sha", "Content-MD5")
_TIMES: Final = ("mtime", "LastModified", "last_modified", "Last-Modified", "modified", "updated", "created")


@dataclass(frozen=True, slots=True)
class Item:
    """One object as a listing tells it. `path` is relative to the address, and not yet known to be harmless.

    `stamp` changes when the object does; `name` is what the store itself calls the object.
    """

    path: str
    size: int
    stamp: str
    kind: str = "file"
    name: str = field(default="", compare=False)

    @property
    def is_marker(self) -> bool:
        """Whether it stands for a directory: an empty object with a slash at the end, as consoles make them."""
        return self.path.endswith("/") and self.size == 0


@dataclass(frozen=True, slots=True)
class Listing:
    """The objects at one moment, in order of their paths.

    `digest` names this state: it is the sha256 of what tells of a change, for each object.
    """

    items: tuple[Item, ...]
    digest: str

    @classmethod
    def of(cls, items: Iterable[Item], patterns: Patterns) -> Listing:
        """A listing of those of `items` that are taken."""
        items = list(items)
        chosen = patterns.chosen(item.path for item in items)
        taken = sorted((item for item in items if item.path in chosen), key=attrgetter("path"))
        told = json.dumps([(item.path, item.size, item.stamp, item.kind) for item in taken])
        return cls(tuple(taken), hashlib.sha256(told.encode()).hexdigest())

    def checked(self) -> list[Item]:
        """The files and the markers of directories, once every path is known to be harmless.

        Raises UnsafeTree naming the key for one that could lead elsewhere, for one that cannot be a file, and where a
        file would be a directory too. Nothing is left out.
        """
        files, directories = dict[bytes, str](), dict[bytes, str]()
        for item in self.items:
            path = _checked_path(item)
            if not item.is_marker:
                if path in files:
                    raise unsafe(path, "the name is there twice")
                files[path] = item.path
            for above in _above(path, itself=item.is_marker):
                directories.setdefault(above, item.path)
        for path in files.keys() & directories.keys():
            raise unsafe(path, f"it is a file, and the directory of {directories[path]!r} too")
        return list(self.items)


def path_of(item: Item) -> bytes:
    """The path of `item` as a name on disk."""
    return os.fsencode(item.path.removesuffix("/") if item.is_marker else item.path)


def stamp_of(facts: Mapping[str, Any]) -> str:
    """What a listing tells of the state of an object, beside its size; empty where it tells nothing.

    >>> stamp_of({"ETag": '"5d41"', "LastModified": "yesterday"})
    'ETag "5d41"'
    """
    for name in (*_STAMPS, *_TIMES):
        value = facts.get(name)
        if isinstance(value, datetime):
            value = value.isoformat()
        if value not in (None, ""):
            return f"{name} {value}"
    settings = facts.get("content_settings")
    md5 = settings.get("content_md5") if isinstance(settings, Mapping) else None
    return f"content_md5 {bytes(md5).hex()}" if md5 else ""


def _checked_path(item: Item) -> bytes:
    try:
        path = path_of(item)
    except UnicodeEncodeError:
        raise UnsafeTree(f"the revision was not written: {item.path!a}: it is no name. Rename the object.") from None
    if item.kind != "file":
        raise unsafe(path, f"it is a {item.kind}; a source holds files only")
    if item.path.endswith("/") and not item.is_marker:
        raise unsafe(path, "an object whose key ends with a slash stands for a directory, and this one has content")
    if b"\\" in path:
        raise unsafe(path, "a backslash separates names on some systems")
    if path.startswith(b"/"):
        raise unsafe(path, "the key begins with a slash, or has two of them in a row")
    for name in path.split(b"/"):
        if name in (b"", b".", b".."):
            raise unsafe(path, "a name in the key is empty, '.' or '..'")
        check_name(name, path)
    check_path(path)
    return path


def _above(path: bytes, *, itself: bool) -> Iterator[bytes]:
    parts: Sequence[bytes] = path.split(b"/")
    for count in range(1, len(parts) + itself):
        yield b"/".join(parts[:count])
