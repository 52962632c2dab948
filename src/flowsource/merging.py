"""What holds after a start: made of what the code said last, of what people made of it, and of what the code says now.

Starting again with the same code changes nothing, and what people did survives any number of such starts. A change in
the code wins over what people did to just that, and over nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


def merged(before: T, live: T, declared: T) -> T:
    """What holds of a value that the code said to be `before`, says to be `declared` now, and that is `live`.

    >>> merged(1, 5, 1), merged(1, 5, 2)
    (5, 2)
    """
    return live if declared == before else declared


def merged_switch(before: bool | None, live: bool, declared: bool | None) -> bool:
    """The same for one that the code may leave alone, by None: what it switched on alone then goes off again.

    >>> merged_switch(None, True, None), merged_switch(True, True, None)
    (True, False)
    """
    if declared is None:
        return live and not before
    return live if declared == before else declared


def merged_parts(
    before: Mapping[str, Any], live: Mapping[str, Any], declared: Mapping[str, Any], *, options: Set[str]
) -> dict[str, Any]:
    """The same for mappings of which all that is no option is one thing, and each option another.

    >>> merged_parts({"at": 1, "on": True}, {"at": 1, "on": False}, {"at": 2, "on": True}, options={"on"})
    {'at': 2, 'on': False}
    """
    whole = [{name: value for name, value in said.items() if name not in options} for said in (before, live, declared)]
    each = {name: merged(*(said.get(name) for said in (before, live, declared))) for name in options}
    return {**merged(*whole), **{name: value for name, value in each.items() if value is not None}}


@dataclass(frozen=True, slots=True)
class Item(Generic[T]):
    """One of several things that are told apart by keys.

    `declared` is what the code said of it last, None for one that a person added; `live` is what holds, None for one
    that the code declares and a person removed.
    """

    declared: T | None
    live: T | None


def merge_items(
    kept: Mapping[str, Item[T]], declared: Mapping[str, T], merge: Callable[[T | None, T, T], T]
) -> dict[str, Item[T]]:
    """The items that hold, by key: those of the code in its order, and then those that people added in theirs.

    `merge` makes one of what the code said before (None where a person had added it), what is live, and what the code
    says now. An item that a person removed comes back when the code says something else of it, or begins to say it
    again. One that a person added stays until a person removes it; once the code declares it too, it is the code's.
    """
    of_code = {key: Item(said, _live(kept.get(key), said, merge)) for key, said in declared.items()}
    return of_code | {key: item for key, item in kept.items() if item.declared is None and key not in declared}


def _live(kept: Item[T] | None, declared: T, merge: Callable[[T | None, T, T], T]) -> T | None:
    if kept is None:
        return declared
    if kept.live is None:
        return None if kept.declared == declared else declared
    return merge(kept.declared, kept.live, declared)
