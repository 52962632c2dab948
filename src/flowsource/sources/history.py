"""Sources whose revisions come one after the other, and what is done when one does not."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias, runtime_checkable

from flowsource.errors import HistoryRewritten
from flowsource.revisions import Revision
from flowsource.sources.base import Source

Policy: TypeAlias = Literal["follow", "ff_only"]


@runtime_checkable
class HasHistory(Protocol):
    """A source that can tell whether one of its revisions comes after another."""

    @property
    def policy(self) -> Policy:
        """Whether a revision that does not come after the one that was taken is followed, or held off."""

    async def descends(self, new: Revision, old: Revision) -> bool | None:
        """Whether `new` comes after `old`, or is the same; None when that cannot be told.

        Raises SourceUnavailable if a later try may succeed, SourceInvalid if only a person can help.
        """


async def hold_rewritten(source: Source, new: Revision, *, taken: Revision) -> None:
    """Raise HistoryRewritten if `source` is to keep the revision that it has `taken`, rather than go to `new`.

    Asks the remote, and only where the policy of the source wants that. What cannot be told to come after is held too.
    """
    if not isinstance(source, HasHistory) or source.policy != "ff_only":
        return
    if new == taken or await source.descends(new, taken):
        return
    raise HistoryRewritten(
        f"{source.label} leads to {new.short}, which does not come after {taken.short}: history was rewritten. "
        f"{taken.short} is kept; to take {new.short}, give policy='follow' or commit_sha={new.id!r}."
    )
