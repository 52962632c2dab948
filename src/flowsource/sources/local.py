"""A directory of this machine as a source: used in place, or each saved state of it copied."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path

import anyio
from anyio import to_thread

from flowsource.errors import InvalidInput, RevisionGone, SourceError, SourceUnavailable
from flowsource.revisions import Revision
from flowsource.sources.base import Report, Source, say_nothing
from flowsource.sources.intervals import checked_interval
from flowsource.sources.local_contents import Contents, Digests, Edited, copy, identity
from flowsource.sources.local_scan import Found, Scan, scan
from flowsource.sources.paths import expanded
from flowsource.sources.writing import TreeWriter

_PAUSE = 0.025
_LOOKS = 20
_ATTEMPTS = 5


class LocalStorage:
    """The directory `path`, mounted in place: the next run sees every edit.

    With `snapshot` each saved state is a revision of its own, copied before it is used: a run sees one state to its
    end, and can be repeated. Such a revision is named by a digest of what the files hold, so that a state which comes
    back is the revision that it was; how it differs from the commit below it is kept (see `local_patch`).

    `~` is expanded, and links on the way are resolved once. `pull_interval` is the time between two looks (seconds, or
    a timedelta); None leaves it to the watching of the directory. Caches, editors' files, `.git` and virtual
    environments are no part of it (see `local_scan`); links in it are not followed. With `modules_only` a revision is
    about what Python would import from there, as for a script that may stand in any directory.

    Without `snapshot` a revision is named by a digest of the names and times of its files. Where the directory lies in
    a Git work tree the revision also tells what is checked out: `commit`, `ref`, `subject`, `author` and `committed_at`
    are those of the commit, and `dirty` says that files here differ from it.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        snapshot: bool = False,
        pull_interval: float | timedelta | None = None,
        modules_only: bool = False,
    ) -> None:
        if not str(path):
            raise InvalidInput("path: it is empty; give the directory that holds the flows.")
        self._directory = expanded(path).resolve()
        self._pull_interval = checked_interval(pull_interval, asks_others=False)
        self._scan = partial(scan, self._directory, modules_only=modules_only)
        self._modules_only = modules_only
        self._contents = Contents(self._directory) if snapshot else None

    def __repr__(self) -> str:
        return f"LocalStorage({str(self._directory)!r}{', snapshot=True' if self._contents else ''})"

    @property
    def key(self) -> str:
        """Names the directory and how it is used; the same for every spelling of its path."""
        kind = f"{'modules' if self._modules_only else 'local'}{'-states' if self._contents else ''}"
        return f"{kind}-{hashlib.sha256(os.fsencode(self._directory)).hexdigest()[:32]}"

    @property
    def label(self) -> str:
        """The path, with `~` for the home directory."""
        home = expanded("~")
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
    def mount(self) -> Path | None:
        """The directory, absolute and without links; None when each state is copied."""
        return None if self._contents else self._directory

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
        return (await self._look()).revision

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
        now = await self._look()
        if now.revision != revision:
            raise RevisionGone(
                f"{self.label} was edited since {revision.id[:7]}, and keeps no history. Use {now.revision.id[:7]}."
            )
        try:
            await to_thread.run_sync(
                partial(copy, self._directory, now.files, into, digests=now.digests, report=report)
            )
        except Edited as error:
            raise self._edited(error) from error
        if self._contents and now.revision.dirty:
            from flowsource.sources.local_patch import keep_patch

            await to_thread.run_sync(keep_patch, workspace, now.revision, self._directory, into.directory)
        return now.revision

    async def _look(self) -> _State:
        """The state that the directory is in, with what is needed to copy it."""
        for attempt in count(1):
            seen = await _settled_scan(self._scan)
            try:
                return await to_thread.run_sync(self._state, seen)
            except Edited as error:
                if attempt == _ATTEMPTS:
                    raise self._edited(error) from error
        raise AssertionError("counting has no end")

    def _state(self, seen: Scan) -> _State:
        digests = self._contents.digests(seen.files) if self._contents else None
        name = identity(seen.files, digests) if digests is not None else seen.digest
        return _State(self._revision(name, seen.paths), seen.files, digests)

    def _revision(self, name: str, paths: Sequence[str]) -> Revision:
        from flowsource.sources.local_git import git_facts

        facts = git_facts(self._directory, paths)
        if facts is None:
            return Revision(id=name)
        return Revision(
            id=name,
            ref=facts.ref,
            commit=facts.commit,
            subject=facts.subject,
            author=facts.author,
            committed_at=facts.committed_at,
            dirty=facts.dirty,
        )

    def _edited(self, error: Edited) -> SourceUnavailable:
        return SourceUnavailable(f"{self.label} is being edited ({error.args[0]!r}). It is tried again.")


@dataclass(frozen=True, slots=True)
class _State:
    revision: Revision
    files: tuple[Found, ...]
    digests: Digests | None


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
