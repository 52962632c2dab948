"""What a snapshot holds, entry by entry."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

FILE: Final = "0444"
EXECUTABLE: Final = "0555"
LINK: Final = "link"


class Entry(NamedTuple):
    """One file or link.

    `path` is relative, with slashes. `mode` is octal digits or `link`; `size` and `digest` of a link are those of its
    target. `digest` begins with how it was made: `sha256:`, or `git:` for the id that Git gives to such content.
    `mtime_ns` and `inode` are those of the file as it was written, 0 for a link.
    """

    path: str
    mode: str
    size: int
    digest: str
    mtime_ns: int = 0
    inode: int = 0

    @property
    def content(self) -> tuple[str, str, int, str]:
        """What the entry holds, wherever it lies."""
        return self[:4]


def hasher(like: str, size: int) -> tuple[str, Hash]:
    """What a digest that is made as `like` was begins with, and what makes it from `size` bytes."""
    kind, _, known = like.partition(":")
    if kind == "git":
        return "git:", _of_git(b"blob %d\0" % size, id_length=len(known))
    return "sha256:", hashlib.sha256()


def digest_of(content: bytes, like: str = "sha256:") -> str:
    """The digest of `content`, made as `like` was."""
    kind, made = hasher(like, len(content))
    made.update(content)
    return f"{kind}{made.hexdigest()}"


def _of_git(header: bytes, *, id_length: int) -> Hash:
    return hashlib.sha256(header) if id_length == 64 else hashlib.sha1(header)
