"""The protocol of a source: a place flow code comes from."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import anyio

from flowsource.errors import SourceError
from flowsource.revisions import Revision
from flowsource.sources.writing import TreeWriter


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a fetch has come: bytes received, and how many of its parts (objects, files) are there.

    `total` is None until it is known how many there will be.
    """

    received: int
    done: int
    total: int | None = None


Report = Callable[[Progress], None]


def say_nothing(progress: Progress) -> None:
    """A report for whom nobody waits."""


class Source(Protocol):
    """A place flow code comes from. Every implementation passes `SourceContract` in the tests.

    The errors tell what to do about them: `SourceUnavailable` may succeed later, `SourceInvalid` and what derives
    from it need a person. No message, and no `repr`, ever holds a credential.
    """

    @property
    def key(self) -> str:
        """Names the remote and the identity used there, without secrets; fit for a file name.

        Sources of equal key share one watcher, one poll and one place on disk, whatever ref each of them follows.
        """

    @property
    def label(self) -> str:
        """What a person calls this source: its address without credentials, and its ref where one was given."""

    @property
    def selector(self) -> str:
        """Which of the revisions of `key` this source follows, such as `branch main`; fit for a message."""

    @property
    def pull_interval(self) -> timedelta | None:
        """Time between two polls; None means that it is read once."""

    @property
    def mount(self) -> Path | None:
        """The directory that is used in place, never copied, or None when revisions are fetched into snapshots."""

    def notices(self, stop: anyio.Event) -> AsyncGenerator[object] | None:
        """Hints that the source may have changed, as they come, until `stop` is set; None when it is to be polled.

        The first comes at once. Close the generator when you leave it early.
        """

    @property
    def secret_variables(self) -> frozenset[str]:
        """Environment variables that hold this source's credentials, so that runs are not given them."""

    async def resolve(self) -> Revision:
        """Name the current revision, moving no file content.

        Raises SourceUnavailable if a later try may succeed, SourceInvalid if only a person can help.
        """

    async def resolve_together(self, sources: Sequence[Source]) -> list[Revision | SourceError]:
        """Resolve several sources of this `key` in one exchange, one answer each, in order.

        What concerns one of them (its ref is missing) is returned in its place; what concerns all (the remote is
        away) is raised.
        """

    async def fetch(
        self, revision: Revision, into: TreeWriter, *, workspace: Path, report: Report = say_nothing
    ) -> Revision:
        """Write exactly `revision` into the empty tree `into`, and return it with what is now known of it.

        `workspace` is a directory of this `key` that outlives the call, for an object store and the like; the caller
        holds a lock on it across processes. `report` is told, from whatever thread, how far it has come. Raises
        RevisionGone when the source no longer has the revision, UnsafeTree when it must not be written.
        """


async def resolve_alone(source: Source) -> Revision:
    """What `source` resolves to, for one whose `resolve_together` has the answer."""
    [answer] = await source.resolve_together([source])
    if isinstance(answer, SourceError):
        raise answer
    return answer
