"""Writing a revision into an empty directory: nothing outside of it, and through no link."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from flowsource.sources.behind import WriteBehind
from flowsource.sources.content import EXECUTABLE, FILE, LINK, Entry, digest_of, hasher
from flowsource.sources.kept import KeptFiles, KeptSnapshot, Place
from flowsource.sources.limits import LONGEST_TARGET, MOST_BYTES, MOST_ENTRIES
from flowsource.sources.names import check_name, check_path, unsafe

_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class TreeWriter:
    """Fills the empty `directory`, which nobody else can write to, with one revision.

    Paths are relative, with slashes. Files are made 0444 or 0555 and never opened again; the directories above them
    are made as needed. Raises UnsafeTree naming the entry for what must not be written: a name that could lead
    elsewhere, one that is there already, more than a revision may hold. What the disk refuses may be raised by a later
    call, for files are written while their giver goes on. Not safe to use from several threads at once.
    """

    def __init__(self, directory: Path, kept: KeptFiles | None = None) -> None:
        self.directory = directory
        self._top = os.fsencode(directory) + b"/"
        self._kept = kept or KeptFiles(may_link=False)
        self._directories: set[bytes] = {b""}
        self._names: set[bytes] = set()
        self._entries: list[Entry] = []
        self._behind = WriteBehind(self._write_file)
        self._bytes = 0

    def holds(self, path: bytes) -> bool:
        """Whether a file or link of that path was written."""
        return path in self._names

    def add_file(
        self, path: bytes, content: bytes | Iterable[bytes], *, executable: bool = False, digest: str | None = None
    ) -> str:
        """Write a file, and return its digest: the one given, which is believed, or that of the content."""
        self._make_room(path)
        self._names.add(path)
        if isinstance(content, bytes):
            digest = digest or digest_of(content)
            self._count(path, len(content))
            self._behind.give(path, content, executable, digest)
            return digest
        return self._write_chunks(path, content, executable, digest)

    def take_over(self, path: bytes, *, digest: str, executable: bool = False) -> bool:
        """Write the file as an earlier snapshot has it, if one has that content; whether one had."""
        mode = EXECUTABLE if executable else FILE
        place = self._kept.find(os.fsdecode(path), digest, mode)
        if place is None:
            return False
        self._make_room(path)
        return self._take(path, place)

    def take_over_directory(self, path: bytes, snapshot: KeptSnapshot) -> bool:
        """Write all that an earlier snapshot has in the directory `path`, unless it is there; whether that could be.

        What was changed there meanwhile is left out.
        """
        is_whole = True
        for entry in snapshot.below(os.fsdecode(path)):
            name = os.fsencode(entry.path)
            if name in self._names:
                continue
            above = name.rpartition(b"/")[0]
            if above not in self._directories:
                self.add_directory(above)
            is_whole &= (
                self._take_link(name, entry, snapshot)
                if entry.mode == LINK
                else self._take(name, (snapshot.top, entry))
            )
        inside = f"{os.fsdecode(path)}/"
        for empty in snapshot.empty_directories:
            if empty.startswith(inside):
                self.add_directory(os.fsencode(empty))
        return is_whole

    def add_link(self, path: bytes, target: bytes, *, digest: str | None = None) -> None:
        """Write a link, wherever it leads: it is never followed here."""
        if not target or b"\0" in target or len(target) > LONGEST_TARGET:
            raise unsafe(path, "it is a link whose target cannot exist")
        self._make_room(path)
        os.symlink(target, self._top + path)
        self._names.add(path)
        self._entries.append(Entry(os.fsdecode(path), LINK, len(target), digest or digest_of(target)))

    def add_directory(self, path: bytes) -> None:
        """Make a directory, with those above it, unless it is there."""
        if path in self._directories:
            return
        above, _, name = path.rpartition(b"/")
        if path in self._names:
            raise unsafe(path, "a file or link and a directory have one name")
        check_name(name, path)
        check_path(path)
        self.add_directory(above)
        self._directories.add(path)
        self._count(path, 0)
        os.mkdir(self._top + path, 0o700)

    @property
    def alike(self) -> list[KeptSnapshot]:
        """The earlier snapshots of which the same part was meant as of this one."""
        return [snapshot for snapshot in self._kept.snapshots if snapshot.is_alike]

    @property
    def empty_directories(self) -> list[str]:
        """The directories in which nothing was written, in order."""
        above = {path.rpartition(b"/")[0] for path in (*self._names, *self._directories)}
        return sorted(os.fsdecode(path) for path in self._directories - above if path)

    def finish(self) -> list[Entry]:
        """Take the permission to write from all directories, and return what was written, by path."""
        self._behind.finish()
        for path in self._directories:
            os.chmod(self._top + path, 0o555)
        return sorted(self._entries)

    def close(self) -> None:
        """Return when nothing is being written any more, whatever became of it."""
        self._behind.close()

    def _take(self, path: bytes, place: Place) -> bool:
        entry = self._kept.take(place, os.fsdecode(path), self._top + path)
        if entry is None:
            return False
        self._count(path, entry.size)
        self._names.add(path)
        self._entries.append(entry)
        return True

    def _take_link(self, path: bytes, entry: Entry, snapshot: KeptSnapshot) -> bool:
        try:
            target = os.readlink(snapshot.top + path)
        except OSError:
            return False
        if digest_of(target, entry.digest) != entry.digest:
            return False
        self.add_link(path, target, digest=entry.digest)
        return True

    def _make_room(self, path: bytes) -> None:
        """See to it that a file or link can be written at `path`."""
        above, _, name = path.rpartition(b"/")
        check_name(name, path)
        check_path(path)
        if above not in self._directories:
            self.add_directory(above)
        if path in self._names or path in self._directories:
            raise unsafe(path, "the name is there twice")
        self._count(path, 0)

    def _count(self, path: bytes, size: int) -> None:
        if len(self._names) + len(self._directories) > MOST_ENTRIES:
            raise unsafe(path, f"there are more than {MOST_ENTRIES:,} files and directories")
        self._bytes += size
        if self._bytes > MOST_BYTES:
            raise unsafe(path, f"with it the files are larger than {MOST_BYTES >> 30} GiB in all")

    def _write_file(self, path: bytes, content: bytes, executable: bool, digest: str) -> None:
        descriptor = os.open(self._top + path, _NEW_FILE, 0o600)
        try:
            _write(descriptor, content)
            self._entries.append(_sealed(descriptor, path, executable, digest))
        finally:
            os.close(descriptor)

    def _write_chunks(self, path: bytes, chunks: Iterable[bytes], executable: bool, digest: str | None) -> str:
        kind, made = hasher("sha256:", 0)
        descriptor = os.open(self._top + path, _NEW_FILE, 0o600)
        try:
            for chunk in chunks:
                if digest is None:
                    made.update(chunk)
                self._count(path, len(chunk))
                _write(descriptor, chunk)
            digest = digest or f"{kind}{made.hexdigest()}"
            self._entries.append(_sealed(descriptor, path, executable, digest))
        except BaseException:
            # Its giver may have another try at it, and half a file must not be taken for one that is there.
            os.unlink(self._top + path)
            self._names.discard(path)
            raise
        finally:
            os.close(descriptor)
        return digest


def _write(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])


def _sealed(descriptor: int, path: bytes, executable: bool, digest: str) -> Entry:
    """The entry of an open file, once nobody can write to it any more."""
    # Whatever the umask: a snapshot is the same on every machine.
    os.fchmod(descriptor, 0o555 if executable else 0o444)
    facts = os.fstat(descriptor)
    mode = EXECUTABLE if executable else FILE
    return Entry(os.fsdecode(path), mode, facts.st_size, digest, facts.st_mtime_ns, facts.st_ino)
