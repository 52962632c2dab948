"""What the files of a directory hold: read, and copied, in the state that a look at it found them in."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Final

from anyio import from_thread

from flowsource.errors import SourceInvalid
from flowsource.sources.base import Progress, Report
from flowsource.sources.content import digest_of
from flowsource.sources.local_scan import Found, state_of
from flowsource.sources.writing import TreeWriter

# Of a file that was replaced by a FIFO since, opening must not wait for a writer.
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK: Final = 1 << 20
# Gone, below a file, a link now, or a socket.
_IS_ANOTHER: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO})

Digests = Mapping[str, str]


class Edited(Exception):
    """A file is not as it was when the directory was looked at."""


class Contents:
    """The digests of the files of `directory`. One that is in the state that it was read in is not read again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[str, tuple[tuple[int, ...], str]] = {}

    def digests(self, files: Sequence[Found]) -> Digests:
        """The digest of each of `files`, by path; raises Edited, and SourceInvalid for one that cannot be read."""
        known = {found.path: (found.state, self._digest(found)) for found in files}
        self._known = known
        return {path: digest for path, (_, digest) in known.items()}

    def _digest(self, found: Found) -> str:
        state, digest = self._known.get(found.path, ((), ""))
        if state == found.state:
            return digest
        from_thread.check_cancelled()
        if stat.S_ISLNK(found.facts.st_mode):
            return digest_of(_target(self._directory, found))
        with _as_found(self._directory, found) as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def identity(files: Sequence[Found], digests: Digests) -> str:
    """Names what `files` hold, whenever it was written: the sha256 of path, kind and content of each."""
    told = [(found.path, _kind(found), digests[found.path]) for found in files]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def copy(
    directory: Path, files: Sequence[Found], into: TreeWriter, *, digests: Digests | None = None, report: Report
) -> None:
    """Write `files` into a tree, and take over those of which an earlier one has what `digests` tells of them.

    Raises Edited for one that was edited since it was found, SourceInvalid for one that cannot be read.
    """
    received = 0
    for done, found in enumerate(files, start=1):
        from_thread.check_cancelled()
        path, executable = os.fsencode(found.path), _kind(found) == "executable"
        if stat.S_ISLNK(found.facts.st_mode):
            into.add_link(path, _target(directory, found))
        elif digests is None or not into.take_over(path, digest=digests[found.path], executable=executable):
            with _as_found(directory, found) as file:
                # In pieces, so that it is on disk before its state is looked at once more.
                into.add_file(path, iter(partial(file.read, _CHUNK), b""), executable=executable)
            received += found.facts.st_size
        report(Progress(received, done, len(files)))


@contextmanager
def _as_found(directory: Path, found: Found) -> Iterator[FileIO]:
    """The file, open for reading; raises Edited if it is in another state before or after that."""
    with _opened(directory, found) as file:
        yield file
        _check(file.fileno(), found)


def _opened(directory: Path, found: Found) -> FileIO:
    try:
        descriptor = os.open(directory / found.path, _READ)
    except OSError as error:
        if error.errno in _IS_ANOTHER:
            raise Edited(found.path) from error
        raise SourceInvalid(
            f"{directory / found.path} cannot be read: {error.strerror}. Let this user read it, or move it away."
        ) from error
    try:
        _check(descriptor, found)
        return FileIO(descriptor)
    except BaseException:
        os.close(descriptor)
        raise


def _check(descriptor: int, found: Found) -> None:
    if state_of(os.fstat(descriptor)) != found.state:
        raise Edited(found.path)


def _target(directory: Path, found: Found) -> bytes:
    link = directory / found.path
    try:
        target = os.fsencode(link.readlink())
        if state_of(link.lstat()) == found.state:
            return target
    except OSError:
        # No link any more, or not there.
        pass
    raise Edited(found.path)


def _kind(found: Found) -> str:
    if stat.S_ISLNK(found.facts.st_mode):
        return "link"
    return "executable" if found.facts.st_mode & stat.S_IXUSR else "file"
