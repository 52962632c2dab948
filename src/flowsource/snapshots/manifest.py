"""The manifest: what exactly a snapshot holds."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flowsource.sources.content import LINK, Entry, digest_of, hasher

_OTHER = "other"
_UNKNOWN = "sha256:"
_CHUNK = 128 * 1024


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot holds, by path; and the directories in it that hold nothing."""

    entries: Sequence[Entry]
    empty_directories: Sequence[str] = ()

    def to_json(self) -> bytes:
        """The content of a manifest file."""
        told = {"columns": Entry._fields, "entries": self.entries, "empty_directories": self.empty_directories}
        return json.dumps(told).encode()


def from_json(data: bytes) -> Manifest:
    """The manifest that `to_json` wrote; raises ValueError, KeyError or TypeError for anything else."""
    told = json.loads(data)
    return Manifest([Entry(*row) for row in told["entries"]], told["empty_directories"])


def differences(expected: Sequence[Entry], tree: Path) -> tuple[str, ...]:
    """The paths at which `tree` is not what is `expected`, in order. Reads every file of it."""
    known = {entry.path: entry for entry in expected}
    found = {
        _describe(path, entry, known.get(path)).content
        for path, entry in _walk(tree)
        if not entry.is_dir(follow_symlinks=False)
    }
    return tuple(sorted({content[0] for content in found ^ {entry.content for entry in expected}}))


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


def _describe(path: str, entry: os.DirEntry[str], known: Entry | None) -> Entry:
    """What is at `path`, its digest made as that of `known` was."""
    facts = entry.stat(follow_symlinks=False)
    like = known.digest if known is not None else _UNKNOWN
    if stat.S_ISLNK(facts.st_mode):
        target = os.fsencode(Path(entry).readlink())
        return Entry(path, LINK, len(target), digest_of(target, like))
    if not stat.S_ISREG(facts.st_mode):
        # Named without being opened: a FIFO would never answer.
        return Entry(path, _OTHER, 0, "")
    return Entry(path, f"{stat.S_IMODE(facts.st_mode):04o}", facts.st_size, _digest(entry, like, facts.st_size))


def _digest(file: os.DirEntry[str], like: str, size: int) -> str:
    kind, made = hasher(like, size)
    descriptor = os.open(file, os.O_RDONLY)
    try:
        # Most files are small: for those a file object would take longer than the reading.
        while data := os.read(descriptor, _CHUNK):
            made.update(data)
    finally:
        os.close(descriptor)
    return f"{kind}{made.hexdigest()}"
