"""What a source needs of the place where its objects are."""

from __future__ import annotations

from typing import Final, Protocol

from flowsource.errors import SourceInvalid
from flowsource.sources.limits import MOST_ENTRIES
from flowsource.sources.remote.listing import Item

# Seconds that one request may take, and a listing that a library makes in one piece.
REQUEST: Final = 60.0
LISTING: Final = 50.0


class ObjectChanged(Exception):
    """An object is not, or no longer, what the listing told of it, or came in part only."""


class Store(Protocol):
    """Everything below one address. Whatever else goes wrong is raised as SourceError, and told without a secret.

    `has_failed` says that it did go wrong once, so that its connections are not to be relied on.
    """

    has_failed: bool

    @property
    def at_once(self) -> int:
        """How many reads may be under way at a time."""

    async def items(self) -> list[Item]:
        """Every object, as it is now: nothing is remembered from an earlier call.

        Raises SourceMissing where there is none.
        """

    async def read(self, item: Item, start: int, end: int) -> bytes:
        """The bytes of an object from `start` to before `end`; raises ObjectChanged when it is another now."""


def check_count(items: list[Item], where: str) -> None:
    """Raise SourceInvalid for more objects than a revision may hold, before a memory is full of them."""
    if len(items) > MOST_ENTRIES:
        raise SourceInvalid(f"{where} holds more than {MOST_ENTRIES:,} objects. Give a prefix with fewer of them.")


def single_object(where: str) -> SourceInvalid:
    """The error for an address that leads to one object, where a place that holds some is wanted."""
    return SourceInvalid(
        f"{where} is a single object. Give the prefix that it is in, and name the file in the entrypoint; an archive "
        "is not unpacked."
    )
