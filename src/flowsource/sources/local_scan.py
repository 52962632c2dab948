"""Which state a directory is in, told from its names and times alone."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from flowsource.errors import SourceInvalid, SourceMissing

MAX_FILES = 50_000

_IGNORED_NAMES = frozenset(
    {
        ".git",
        ".hg",
        ".svn",
        "__pycache__",
        "node_modules",
        ".venv",
        ".tox",
        ".nox",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".hypothesis",
        ".ipynb_checkpoints",
        ".DS_Store",
        ".flowsource",
        # vim writes a file of this name to learn whether it may.
        "4913",
    }
)
_IGNORED_PATTERNS = ("flowsource.db*", "*.pyc", "*.pyo", "*~", "*.sw[a-p]", "*.swx", ".#*", "#*#")

# File systems stamp files with a clock that stands still between two ticks of the kernel (4 ms, on some 10).
_TICK = 20_000_000


class Found(NamedTuple):
    """A file or link, with what `lstat` told of it."""

    path: str
    facts: os.stat_result

    @property
    def state(self) -> tuple[int, ...]:
        """Changes with every edit: mode, size, inode, and times of the last write and the last change of any kind."""
        return state_of(self.facts)


@dataclass(frozen=True, slots=True)
class Scan:
    """One look at a directory: its `files`, links among them, in the order of their paths.

    `digest` changes with every edit: it is the sha256 of each file's path and state.
    """

    digest: str
    files: tuple[Found, ...]
    changed_at: int

    @property
    def paths(self) -> tuple[str, ...]:
        """Those of the files."""
        return tuple(found.path for found in self.files)

    def is_settled(self, at: int) -> bool:
        """Whether an edit after this look, begun at the instant `at`, would have to change the digest.

        An edit within the same tick as the last one, of the same size, would not show. Both in nanoseconds.
        """
        return self.changed_at + _TICK < at


def state_of(facts: os.stat_result) -> tuple[int, ...]:
    """What of `facts` changes with every edit."""
    return facts.st_mode, facts.st_size, facts.st_ino, facts.st_mtime_ns, facts.st_ctime_ns


def is_ignored(name: str) -> bool:
    """Whether a file or directory of that name is no part of the code: caches, histories and editors' own files."""
    return name in _IGNORED_NAMES or any(fnmatchcase(name, pattern) for pattern in _IGNORED_PATTERNS)


def scan(directory: Path, *, modules_only: bool = False) -> Scan:
    """Look at `directory` without opening a file or following a link. Virtual environments and caches are left out.

    With `modules_only` it is about what Python would import from there: the .py files at its top and in its packages,
    so that a script in a large directory costs no more than one in a small one.

    Raises SourceMissing if there is no such directory, SourceInvalid beyond 50,000 files.
    """
    seen: list[Found] = []
    for found in _modules(directory) if modules_only else _files(directory):
        seen.append(found)
        if len(seen) > MAX_FILES:
            raise SourceInvalid(
                f"{directory} holds more than {MAX_FILES:,} files. Give the directory of the flows alone, "
                "or move the data out of it."
            )
    seen.sort(key=attrgetter("path"))
    digest = hashlib.sha256()
    for found in seen:
        digest.update(repr((found.path, *found.state)).encode("utf-8", "surrogateescape"))
    return Scan(
        digest=digest.hexdigest(),
        files=tuple(seen),
        # Not the time of the last write: programs set that one as they like.
        changed_at=max((found.facts.st_ctime_ns for found in seen), default=0),
    )


def _files(directory: Path) -> Iterator[Found]:
    pending = [""]
    while pending:
        place = pending.pop()
        try:
            with os.scandir(directory / place) as listing:
                entries = [entry for entry in listing if not is_ignored(entry.name)]
        except OSError as error:
            if not place:
                raise _unusable(directory, error) from error
            # Gone since it was listed, or not for us to read: either way it is no part of what a run can import.
            continue
        if place and any(entry.name in ("pyvenv.cfg", "CACHEDIR.TAG") for entry in entries):
            continue
        for entry in entries:
            try:
                facts = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            path = f"{place}{entry.name}"
            if stat.S_ISDIR(facts.st_mode):
                pending.append(f"{path}/")
            elif stat.S_ISREG(facts.st_mode) or stat.S_ISLNK(facts.st_mode):
                yield Found(path, facts)


def _modules(directory: Path) -> Iterator[Found]:
    for package in packages(directory):
        try:
            with os.scandir(package) as listing:
                for entry in listing:
                    if entry.name.endswith(".py") and entry.is_file(follow_symlinks=False):
                        yield Found(os.path.relpath(entry.path, directory), entry.stat(follow_symlinks=False))
        except FileNotFoundError:
            continue


def packages(directory: Path) -> Iterator[Path]:
    """`directory` and the packages below it; raises SourceMissing or SourceInvalid when it cannot be read."""
    pending = [directory]
    while pending:
        place = pending.pop()
        try:
            with os.scandir(place) as listing:
                below = [entry for entry in listing if entry.is_dir(follow_symlinks=False)]
        except OSError as error:
            if place == directory:
                raise _unusable(directory, error) from error
            continue
        yield place
        pending.extend(
            Path(entry.path)
            for entry in below
            if entry.name.isidentifier() and Path(entry.path, "__init__.py").is_file()
        )


def _unusable(directory: Path, error: OSError) -> SourceInvalid:
    if isinstance(error, FileNotFoundError):
        hint = f" There are: {', '.join(near)}." if (near := _siblings(directory)) else ""
        return SourceMissing(f"there is no directory {directory}.{hint} Correct the path, or make the directory.")
    if isinstance(error, NotADirectoryError):
        return SourceInvalid(f"{directory} is not a directory. Give the directory that the file is in.")
    return SourceInvalid(f"{directory} cannot be read: {error.strerror}. Let this user read it.")


def _siblings(directory: Path) -> list[str]:
    try:
        names = [path.name for path in directory.parent.iterdir() if path.is_dir()]
    except OSError:
        return []
    return [str(directory.parent / name) for name in get_close_matches(directory.name, names)]
