"""Which part of a commit is written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from difflib import get_close_matches

from flowsource.errors import InvalidInput, SourceInvalid, UnsafeTree
from flowsource.sources.git.tree import Entry, Kind, Trees
from flowsource.sources.names import check_name, check_path


@dataclass(frozen=True, slots=True)
class Scope:
    """All of a commit, or some `directories` of it.

    With a directory come the files that lie beside it and beside those it is in, up to the top, but no other
    directories: what Git calls the cone of a sparse checkout.
    """

    directories: tuple[str, ...] = ()

    # Whether a directory may be, or lie in, a submodule.
    in_submodules: bool = False

    def select(self, trees: Trees, *, done: Set[bytes] = frozenset()) -> Iterator[tuple[bytes, Entry]]:
        """The entries that are written, each directory before what it holds, but for what is in those that are `done`.

        Raises SourceInvalid naming a directory that the commit does not have.
        """
        missing = {os.fsencode(directory) for directory in self.directories}
        for path, entry in trees.walk(lambda path: self.goes_into(path) and path not in done):
            if entry.kind is Kind.DIRECTORY:
                missing.discard(path)
            elif entry.kind is Kind.SUBMODULE and self.in_submodules:
                missing = {one for one in missing if not (one + b"/").startswith(path + b"/")}
            if self.takes(path, entry):
                yield path, entry
        if missing:
            raise _no_such_directory(sorted(missing), trees)

    def goes_into(self, path: bytes) -> bool:
        """Whether anything in the directory `path` is written."""
        if not self.directories:
            return True
        inside = path + b"/"
        return any(inside.startswith(one) or one.startswith(inside) for one in self._prefixes)

    def of_submodule(self, path: bytes) -> Scope | None:
        """What is written of the submodule at `path`; None for nothing."""
        inside = path + b"/"
        if not self.directories or any(inside.startswith(one) for one in self._prefixes):
            return Scope(in_submodules=True)
        own = tuple(os.fsdecode(one[len(inside) : -1]) for one in self._prefixes if one.startswith(inside))
        return Scope(own, in_submodules=True) if own else None

    @property
    def _prefixes(self) -> list[bytes]:
        return [os.fsencode(directory) + b"/" for directory in self.directories]

    def takes(self, path: bytes, entry: Entry) -> bool:
        """Whether an entry is written that lies in a directory of which something is."""
        return entry.kind is not Kind.DIRECTORY or self.goes_into(path)


def checked_directories(given: Sequence[str] | None) -> tuple[str, ...]:
    """The directories that a person gave, in order and each once; raises InvalidInput for what is none."""
    if given is None:
        return ()
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise InvalidInput(f"directories: {given!r} is not a list; give one, such as ['flows', 'lib/etl'].")
    checked = {_checked(directory) for directory in given}
    if not checked:
        raise InvalidInput("directories: the list is empty; name some, or leave it out to have all of them.")
    # One that lies in another comes with it.
    return tuple(sorted(one for one in checked if not any(one.startswith(f"{other}/") for other in checked)))


def _checked(directory: object) -> str:
    if not isinstance(directory, str | os.PathLike):
        raise InvalidInput(f"directories: {directory!r} is not a path; give text.")
    text = os.fspath(directory)
    path = text.removeprefix("./").rstrip("/") if isinstance(text, str) else ""
    try:
        check_path(os.fsencode(path))
        for name in path.split("/"):
            check_name(os.fsencode(name), os.fsencode(path))
    except (UnsafeTree, UnicodeEncodeError):
        raise InvalidInput(
            f"directories: {text!r} is not a directory in a repository; give its path from the top, such as 'flows'."
        ) from None
    return path


def _no_such_directory(missing: Sequence[bytes], trees: Trees) -> SourceInvalid:
    known = [os.fsdecode(path) for path, entry in trees.walk() if entry.kind is Kind.DIRECTORY]
    name = os.fsdecode(missing[0])
    near = get_close_matches(name, known) or sorted(path for path in known if "/" not in path)[:5]
    there = f"; there are {', '.join(map(repr, near))}" if near else ""
    return SourceInvalid(
        f"directories: the commit has no directory {name!r}{there}. Correct it, or push the directory."
    )
