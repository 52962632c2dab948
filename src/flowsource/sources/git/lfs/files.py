"""The files that Git LFS keeps beside a repository, written in place of their pointers."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final, Protocol

from dulwich.config import ConfigFile
from dulwich.repo import Repo

from flowsource.errors import (
    InvalidInput,
    SourceError,
    SourceInvalid,
    SourceUnavailable,
    UnsafeTree,
)
from flowsource.sources.git.checkpoint import Checkpoint
from flowsource.sources.git.lfs.pointers import Pointer
from flowsource.sources.git.lfs.server import LfsServer, NotThere
from flowsource.sources.git.parts import of_part
from flowsource.sources.git.remotes import Remote
from flowsource.sources.git.text import harmless
from flowsource.sources.git.urls import parse_url, redacted
from flowsource.sources.limits import MOST_BYTES
from flowsource.sources.names import unsafe
from flowsource.sources.writing import TreeWriter

_CHUNK: Final = 1 << 20
_LARGEST_CONFIG: Final = 64 << 10
_OTHERWISE: Final = "Or give include_lfs=False to have the pointers in place of the files."

# By the path in the tree: the pointer that a commit has there, and whether the file is executable.
Pointers = Mapping[bytes, tuple[Pointer, bool]]


class _Files(Protocol):
    """A place where the files of one repository are."""

    def open(self, pointers: Sequence[Pointer]) -> Iterator[tuple[Pointer, Iterator[bytes]]]:
        """Each of `pointers` with its content; raises SourceError with why one is not to be had."""


@dataclass(frozen=True, slots=True)
class Lfs:
    """Writes files into the tree `into`. Raises SourceError naming a file that is not to be had."""

    into: TreeWriter
    checkpoint: Checkpoint

    def write(self, pointers: Pointers, remote: Remote, *, config: bytes, ref: str | None) -> None:
        """Write what `pointers` of the repository at `remote` stand for; `config` is its `.lfsconfig`."""
        self._check_sizes(pointers)
        lacking: defaultdict[Pointer, list[tuple[bytes, bool]]] = defaultdict(list)
        for path, (pointer, executable) in pointers.items():
            self.checkpoint()
            if not self.into.take_over(path, digest=pointer.digest, executable=executable):
                lacking[pointer].append((path, executable))
        if not lacking:
            return
        first = os.fsdecode(next(iter(lacking.values()))[0][0])
        try:
            files = _files_of(remote, config, ref, self.checkpoint)
            for pointer, chunks in files.open(list(lacking)):
                first = os.fsdecode(lacking[pointer][0][0])
                self._write(pointer, lacking[pointer], chunks)
        except UnsafeTree:
            # It names the file, and is about that.
            raise
        except SourceError as error:
            if isinstance(error, NotThere):
                first = os.fsdecode(lacking[error.pointer][0][0])
            raise of_part(f"{harmless(first)!r} is kept in Git LFS", error, otherwise=_OTHERWISE) from error

    def _check_sizes(self, pointers: Pointers) -> None:
        """Before anything is downloaded; raises UnsafeTree."""
        size = 0
        for path, (pointer, _) in pointers.items():
            size += pointer.size
            if size > MOST_BYTES:
                raise unsafe(path, f"with it the files of Git LFS are larger than {MOST_BYTES >> 30} GiB in all")

    def _write(self, pointer: Pointer, places: list[tuple[bytes, bool]], chunks: Iterator[bytes]) -> None:
        (path, executable), *more = places
        self.into.add_file(path, self._checked(chunks, pointer), executable=executable, digest=pointer.digest)
        for other, executable in more:
            written = Path(os.fsdecode(self.into.directory), os.fsdecode(path))
            self.into.add_file(other, _read(written), executable=executable, digest=pointer.digest)

    def _checked(self, chunks: Iterator[bytes], pointer: Pointer) -> Iterator[bytes]:
        made, size = hashlib.sha256(), 0
        for chunk in chunks:
            self.checkpoint()
            size += len(chunk)
            if size > pointer.size:
                raise SourceInvalid(f"there is more of it than the {pointer.size:,} bytes that the commit says.")
            made.update(chunk)
            yield chunk
        if size < pointer.size:
            raise SourceUnavailable(f"it ended after {size:,} of {pointer.size:,} bytes.")
        if made.hexdigest() != pointer.oid:
            raise SourceInvalid("what is kept there has other content than the commit says; upload it anew.")


class _Directory:
    """The files in the repository at `path` on this machine, as `git lfs fetch` keeps them."""

    def __init__(self, path: Path) -> None:
        with Repo(str(path)) as repo:
            self._root = Path(os.fsdecode(repo.commondir()), "lfs", "objects")

    def open(self, pointers: Sequence[Pointer]) -> Iterator[tuple[Pointer, Iterator[bytes]]]:
        for pointer in pointers:
            place = self._root / pointer.oid[:2] / pointer.oid[2:4] / pointer.oid
            if pointer.size and not place.is_file():
                raise SourceInvalid(f"there is no {place}; run `git lfs fetch --all` in that repository.")
            yield pointer, _read(place) if pointer.size else iter(())


def _files_of(remote: Remote, config: bytes, ref: str | None, checkpoint: Checkpoint) -> _Files:
    if remote.address.path is not None:
        return _Directory(remote.address.path)
    if remote.address.scheme not in ("http", "https"):
        raise SourceInvalid("over SSH it cannot be had; give an https URL and an access token.")
    return LfsServer(_endpoint(remote, config), ref, checkpoint)


def _endpoint(remote: Remote, config: bytes) -> Remote:
    """The LFS server of a repository; raises SourceInvalid for one that is on another host."""
    if (given := _configured_url(config)) is None:
        base = remote.address.url if remote.address.url.endswith(".git") else f"{remote.address.url}.git"
        return remote.at(parse_url(f"{base}/info/lfs")[0])
    try:
        address, _ = parse_url(given)
    except (SourceError, InvalidInput) as error:
        raise SourceInvalid(f"its .lfsconfig: {error}") from None
    if not remote.is_beside(address):
        raise SourceInvalid(
            f"its .lfsconfig says that it is kept at {harmless(redacted(given))}, which is not on the server of "
            f"{remote.address}; nobody is asked there. Keep it beside the repository."
        )
    return remote.at(address)


def _configured_url(config: bytes) -> str | None:
    if not config:
        return None
    if len(config) > _LARGEST_CONFIG:
        raise SourceInvalid(f"its .lfsconfig is larger than {_LARGEST_CONFIG >> 10} KiB; mend it.")
    try:
        # It may say to read other files too, on whatever machine it is read.
        return os.fsdecode(ConfigFile.from_file(BytesIO(config), expand_includes=False).get((b"lfs",), b"url"))
    except KeyError:
        return None
    except ValueError as error:
        raise SourceInvalid(f"its .lfsconfig cannot be read ({harmless(str(error))}); mend it.") from None


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
