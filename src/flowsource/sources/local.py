"""A directory of this machine as a source, used in place."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import anyio
from anyio import to_thread

from flowsource.errors import InvalidInput, RevisionGone, SourceError, SourceUnavailable
from flowsource.revisions import Revision
from flowsource.sources.base import Report, Source, say_nothing
from flowsource.sources.intervals import checked_interval
from flowsource.sources.local_scan import Scan, scan
from flowsource.sources.writing import TreeWriter

_PAUSE = 0.025
_LOOKS = 20
_CHUNK = 1 << 20


class LocalStorage:
    """The directory `path`, mounted in place: the next run sees every edit.

    `~` is expanded, and links on the way are resolved once. `pull_interval` is the time between two looks (seconds, or
    a timedelta); None leaves it to the watching of the directory. Caches, editors' files, `.git` and virtual
    environments are no part of it (see `local_scan`); links in it are not followed. With `modules_only` a revision is
    about what Python would import from there, as for a script that may stand in any directory.

    A revision is named by a digest of the names and times of its files. Where the directory lies in a Git work tree
    the revision also tells what is checked out: `commit`, `ref`, `subject`, `author` and `committed_at` are those of
    the commit, and `dirty` says that files here differ from it.
    """

    def __init__(
        self, path: str | Path, *, pull_interval: float | timedelta | None = None, modules_only: bool = False
    ) -> None:
        if not str(path):
            raise InvalidInput("path: it is empty; give the directory that holds the flows.")
        self._directory = _expanded(path).resolve()
        self._pull_interval = checked_interval(pull_interval)
        self._scan = partial(scan, self._directory, modules_only=modules_only)
        self._modules_only = modules_only

    def __repr__(self) -> str:
        return f"LocalStorage({str(self._directory)!r})"

    @property
    def key(self) -> str:
        """Names the directory; the same for every spelling of its path."""
        kind = "modules" if self._modules_only else "local"
        return f"{kind}-{hashlib.sha256(os.fsencode(self._directory)).hexdigest()[:32]}"

    @property
    def label(self) -> str:
        """The path, with `~` for the home directory."""
        home = _expanded("~")
        inside = self._directory.is_relative_to(home) and self._directory != home
        return f"~/{self._directory.relative_to(home)}" if inside else str(self._directory)

    @property
    def selector(self) -> str:
        """Empty: a directory has one state at a time."""
        return ""

    @property
    def pull_interval(self) -> timedelta | None:
        """Time between two looks, or None."""
        return self._pull_interval

    @property
    def mount(self) -> Path:
        """The directory, absolute and without links."""
        return self._directory

    @property
    def secret_variables(self) -> frozenset[str]:
        """None: reading a directory takes no credentials."""
        return frozenset()

    def notices(self, stop: anyio.Event) -> AsyncGenerator[object]:
        """A hint after each edit, until `stop` is set."""
        from flowsource.sources.local_watch import watch_directory

        return watch_directory(self._directory, stop=stop, modules_only=self._modules_only)

    async def resolve(self) -> Revision:
        """The state that the directory is in.

        Raises SourceMissing if it is not there, SourceInvalid if it cannot be used.
        """
        return await to_thread.run_sync(self._revision, await _settled_scan(self._scan))

    async def resolve_together(self, sources: Sequence[Source]) -> list[Revision | SourceError]:
        """The same state for each: equal keys name one directory."""
        revision = await self.resolve()
        return [revision for _ in sources]

    async def fetch(
        self, revision: Revision, into: TreeWriter, *, workspace: Path, report: Report = say_nothing
    ) -> Revision:
        """Copy the directory; raises RevisionGone if it is not at `revision` any more.

        Raises SourceUnavailable if it is edited meanwhile.
        """
        now = await self.resolve()
        if now != revision:
            raise RevisionGone(
                f"{self.label} was edited since {revision.id[:7]}, and keeps no history. Use {now.id[:7]}."
            )
        edited = SourceUnavailable(f"{self.label} was edited while it was copied. Try again.")
        try:
            await to_thread.run_sync(_copy, self._directory, into)
        except FileNotFoundError as error:
            raise edited from error
        if await self.resolve() != revision:
            raise edited
        return now

    def _revision(self, seen: Scan) -> Revision:
        from flowsource.sources.local_git import git_facts

        facts = git_facts(self._directory, seen.paths)
        if facts is None:
            return Revision(id=seen.digest)
        return Revision(
            id=seen.digest,
            ref=facts.ref,
            commit=facts.commit,
            subject=facts.subject,
            author=facts.author,
            committed_at=facts.committed_at,
            dirty=facts.dirty,
        )


def _expanded(path: str | Path) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        # Some users have no home directory. Nothing is called `~` then, and the path is told as it was given.
        return Path(path)


async def _settled_scan(look: Callable[[], Scan]) -> Scan:
    looks = 0
    while True:
        begun = time.time_ns()
        seen = await to_thread.run_sync(look)
        looks += 1
        # A directory that is never quiet, or a clock that was set back, has to do with the last look.
        if seen.is_settled(begun) or looks == _LOOKS:
            return seen
        await anyio.sleep(_PAUSE)


def _copy(directory: Path, into: TreeWriter) -> None:
    for path in scan(directory).paths:
        source, name = directory / path, os.fsencode(path)
        if source.is_symlink():
            into.add_link(name, os.fsencode(source.readlink()))
        else:
            executable = bool(source.stat().st_mode & stat.S_IXUSR)
            with source.open("rb") as file:
                into.add_file(name, iter(partial(file.read, _CHUNK), b""), executable=executable)
