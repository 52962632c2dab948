"""The text that stands in a commit for a file which Git LFS keeps elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from flowsource.sources.names import unsafe

# The specification names both the first line, by which a pointer is known, and how long one may be.
_VERSION: Final = b"version https://git-lfs.github.com/spec/v1\n"
_LONGEST: Final = 1024
_REST: Final = re.compile(rb"oid sha256:([0-9a-f]{64})\nsize (0|[1-9][0-9]{0,17})\n?")


@dataclass(frozen=True, slots=True)
class Pointer:
    """A file by the sha256 (hexadecimal digits) and the size in bytes of its content."""

    oid: str
    size: int

    @property
    def digest(self) -> str:
        """What a manifest knows the file by."""
        return f"sha256:{self.oid}"


def parse_pointer(content: bytes, path: bytes, *, strictly: bool = True) -> Pointer | None:
    """The pointer that the file at `path` is, or None for a file like any other.

    One that begins as a pointer and goes on otherwise is refused with UnsafeTree, or taken for a file unless
    `strictly`.
    """
    if not content.startswith(_VERSION) or len(content) > _LONGEST:
        return None
    if (found := _REST.fullmatch(content, len(_VERSION))) is not None:
        return Pointer(found[1].decode(), int(found[2]))
    if strictly:
        raise unsafe(path, "it begins as a pointer of Git LFS does and is none that can be followed")
    return None
