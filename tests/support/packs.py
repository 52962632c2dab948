"""Packs put together by hand, and the answers of a server that sends them."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from dulwich.object_format import SHA1
from dulwich.pack import pack_object_header
from dulwich.protocol import pkt_line

from tests.support.git_server import Refuse

COMMIT, TREE, BLOB, TAG, OFS_DELTA, REF_DELTA = 1, 2, 3, 4, 6, 7
FILE, EXECUTABLE, LINK, DIRECTORY, SUBMODULE = 0o100644, 0o100755, 0o120000, 0o40000, 0o160000

_NAMES = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob", TAG: b"tag"}


def object_id(kind: int, content: bytes) -> str:
    """The id that Git gives to an object."""
    return hashlib.sha1(b"%s %d\0" % (_NAMES[kind], len(content)) + content).hexdigest()


def tree_of(*entries: tuple[int, bytes, str]) -> bytes:
    """The content of a tree of (mode, name, id), in the order given, however odd."""
    return b"".join(b"%o %s\0%s" % (mode, name, bytes.fromhex(named)) for mode, name, named in entries)


def commit_of(tree: str) -> bytes:
    """The content of a commit of the tree of that id."""
    who = b"Ada <ada@example.org> 1735732800 +0000"
    return b"tree %s\nauthor %s\ncommitter %s\n\nChange files\n" % (tree.encode(), who, who)


def number(value: int) -> bytes:
    """A number as deltas have it, seven bits a byte."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def copy_of_all(length: int, *, times: int = 1) -> bytes:
    """A delta that repeats a base of `length` bytes, which is below 2**24."""
    instruction = b"\xf0" + length.to_bytes(3, "little")
    return number(length) + number(length * times) + instruction * times


def entry(kind: int, content: bytes, *, base: bytes | int | None = None, said: int | None = None) -> bytes:
    """An object in a pack: `base` is the id that a delta names or the distance to it, `said` a length that lies."""
    header = bytes(pack_object_header(kind, base, len(content) if said is None else said, SHA1))
    return header + zlib.compress(content)


def pack_of(*entries: bytes, count: int | None = None) -> bytes:
    """A pack of entries; `count` is how many it says there are."""
    data = b"PACK\0\0\0\2" + (len(entries) if count is None else count).to_bytes(4) + b"".join(entries)
    return data + hashlib.sha1(data).digest()


@dataclass
class Made:
    """Objects that belong together, in the order they were added."""

    entries: list[bytes] = field(default_factory=list)
    commit: str = ""

    def add(self, kind: int, content: bytes) -> str:
        """Add an object, and return its id."""
        self.entries.append(entry(kind, content))
        return object_id(kind, content)

    def blob(self, content: bytes) -> str:
        """Add a blob."""
        return self.add(BLOB, content)

    def tree(self, *entries: tuple[int, bytes, str]) -> str:
        """Add a tree."""
        return self.add(TREE, tree_of(*entries))

    def root(self, *entries: tuple[int, bytes, str]) -> Made:
        """Add a tree and the commit of it, which comes first as it does from Git."""
        tree = self.tree(*entries)
        return self.commits(tree)

    def commits(self, tree: str) -> Made:
        """Add the commit of a tree in front."""
        content = commit_of(tree)
        self.commit = object_id(COMMIT, content)
        self.entries.insert(0, entry(COMMIT, content))
        return self

    def trees_first(self) -> Made:
        """As Git sends them: trees before the blobs, and each before those that it names."""
        self.entries = [self.entries[0], *reversed(self.entries[1:])]
        return self

    @property
    def pack(self) -> bytes:
        """All of them in a pack."""
        return pack_of(*self.entries)


def sent(pack: bytes, *, chunk: int = 65_515, then: Sequence[bytes] = ()) -> Refuse:
    """The answer of a server of version 2 that sends `pack` in lines of at most `chunk` bytes, then other lines."""
    lines = [b"\1" + pack[place : place + chunk] for place in range(0, len(pack), chunk)]
    body = b"".join(map(pkt_line, [b"packfile\n", *lines, *then])) + b"0000"
    return Refuse(status=200, headers={"Content-Type": "application/x-git-upload-pack-result"}, body=body)
