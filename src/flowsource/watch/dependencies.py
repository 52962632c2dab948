"""Dependency files: which of them a revision changes, and how."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from flowsource.deployments import Change
from flowsource.entrypoints import Entrypoint
from flowsource.sources.content import LINK, Entry

Changed = tuple[Entry | None, Entry | None]

_NAMES = (
    "pyproject.toml",
    "requirements*.txt",
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile*",
    "setup.py",
    "setup.cfg",
    "environment.y*ml",
    "pylock*.toml",
)
_MOST_BYTES = 256 * 1024
# Between the first and the last line that differ: comparing may take time with the third power of their number.
_MOST_COMPARED = 300
_MOST_LINES = 40
_LONGEST_LINE = 200
_MOST_FILES = 10
# A package index may be named with a password.
_USERINFO = re.compile(r"://[^/\s@]+@")


def changed_dependencies(
    before: Iterable[Entry], after: Iterable[Entry], entrypoint: Entrypoint
) -> tuple[Changed, ...]:
    """The dependency files that two trees hold differently, by path; None where one of them has none.

    Those count that lie at the top, in the directory of `entrypoint`, or in one on the way to it.
    """
    directories = _directories(entrypoint)
    then, now = (
        {entry.path: entry for entry in entries if _is_dependency_file(entry.path, directories)}
        for entries in (before, after)
    )
    paths = sorted(path for path in then.keys() | now.keys() if _content(then.get(path)) != _content(now.get(path)))
    return tuple((then.get(path), now.get(path)) for path in paths)


def described(changed: tuple[Changed, ...], before: Path, after: Path) -> tuple[Change, ...]:
    """`changed` with the lines that differ, as far as they can be shown, read from the trees at `before` and `after`.

    Passwords in URLs are left out.
    """
    changes = []
    for place, (old, new) in enumerate(changed):
        path = (old or new or _NOWHERE).path
        is_shown = place < _MOST_FILES
        changes.append(Change(path, _diff(path, _lines(before, old), _lines(after, new)) if is_shown else None))
    return tuple(changes)


_NOWHERE = Entry("", "", 0, "")


def _directories(entrypoint: Entrypoint) -> frozenset[str]:
    """The directory of the code, and each above it; the top is empty."""
    parts = entrypoint.file.split("/")[:-1] if entrypoint.file is not None else str(entrypoint.module).split(".")
    return frozenset("/".join(parts[:length]) for length in range(len(parts) + 1))


def _is_dependency_file(path: str, directories: frozenset[str]) -> bool:
    directory, _, name = path.rpartition("/")
    return directory in directories and any(fnmatchcase(name, pattern) for pattern in _NAMES)


def _content(entry: Entry | None) -> tuple[str, str] | None:
    # The mode says nothing about what it names.
    return None if entry is None else (entry.digest, LINK if entry.mode == LINK else "")


def _lines(tree: Path, entry: Entry | None) -> list[str] | None:
    """The lines of a file, none of one that is not there; None where they cannot be shown."""
    if entry is None:
        return []
    if entry.mode == LINK or entry.size > _MOST_BYTES:
        return None
    try:
        return (tree / entry.path).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None


def _diff(path: str, old: list[str] | None, new: list[str] | None) -> str | None:
    if old is None or new is None:
        return None
    if _between(old, new) > _MOST_COMPARED:
        return None
    diff = difflib.unified_diff(old, new, path, path, n=1, lineterm="")
    lines = [_shortened(_USERINFO.sub("://***@", line)) for line in diff]
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"... and {len(lines) - _MOST_LINES} lines more"]
    return "\n".join(lines)


def _between(old: list[str], new: list[str]) -> int:
    """How many lines lie between the first and the last that differ, on the longer side; 0 where one side is empty."""
    shorter, longer = sorted((len(old), len(new)))
    if not shorter:
        return 0
    pairs, from_the_end = zip(old, new, strict=False), zip(reversed(old), reversed(new), strict=False)
    head = next((place for place, (one, other) in enumerate(pairs) if one != other), shorter)
    tail = next((place for place, (one, other) in enumerate(from_the_end) if one != other), shorter)
    return longer - min(head + tail, shorter)


def _shortened(line: str) -> str:
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…"
