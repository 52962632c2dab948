"""The manifest: what exactly a snapshot holds."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from flowsource.errors import UnsafeTree

_LINK = "link"
_OTHER = "other"
_CHUNK = 128 * 1024


class Entry(NamedTuple):
    """One file or link. `mode` is octal digits or `link`; `size` and `sha256` of a link are those of its target."""

    path: str
    mode: str
    size: int
    sha256: str


def make_read_only(tree: Path) -> None:
    """Give every file of `tree` mode 0444, or 0555 if its owner may execute it, and every directory 0555.

    Raises UnsafeTree when there is anything but files, directories and links.
    """
    tree.chmod(0o555)
    for path, entry in _walk(tree):
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISREG(mode):
            os.chmod(entry, 0o555 if mode & stat.S_IXUSR else 0o444)
        elif stat.S_ISDIR(mode):
            os.chmod(entry, 0o555)
        elif not stat.S_ISLNK(mode):
            raise UnsafeTree(f"{path!r} is neither file, directory nor link. Remove it from the source.")


def describe(tree: Path) -> list[Entry]:
    """What `tree` holds, by path."""
    return sorted(_describe(path, entry) for path, entry in _walk(tree) if not entry.is_dir(follow_symlinks=False))


def differences(expected: Sequence[Entry], found: Sequence[Entry]) -> tuple[str, ...]:
    """The paths at which the two differ, in order."""
    return tuple(sorted({entry.path for entry in set(expected) ^ set(found)}))


def to_json(entries: Sequence[Entry]) -> bytes:
    """`entries` as the content of a manifest file."""
    return json.dumps({"columns": Entry._fields, "entries": entries}).encode()


def from_json(data: bytes) -> list[Entry]:
    """The entries that `to_json` wrote; raises ValueError, KeyError or TypeError for anything else."""
    return [Entry(*row) for row in json.loads(data)["entries"]]


def _walk(tree: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Everything below `tree`, with its path from there; a directory comes before it is looked into."""
    above = len(str(tree)) + 1
    pending = [str(tree)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                yield entry.path[above:], entry
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)


def _describe(path: str, entry: os.DirEntry[str]) -> Entry:
    facts = entry.stat(follow_symlinks=False)
    if stat.S_ISLNK(facts.st_mode):
        target = os.fsencode(Path(entry).readlink())
        return Entry(path, _LINK, len(target), hashlib.sha256(target).hexdigest())
    if not stat.S_ISREG(facts.st_mode):
        # Named without being opened: a FIFO would never answer.
        return Entry(path, _OTHER, 0, "")
    return Entry(path, f"{stat.S_IMODE(facts.st_mode):04o}", facts.st_size, _sha256(entry))


def _sha256(file: os.DirEntry[str]) -> str:
    digest = hashlib.sha256()
    descriptor = os.open(file, os.O_RDONLY)
    try:
        # Most files are small: for those a file object would take longer than the reading.
        while data := os.read(descriptor, _CHUNK):
            digest.update(data)
    finally:
        os.close(descriptor)
    return digest.hexdigest()
