"""Whether one commit comes after another, told from the commits that lie between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from dulwich.objects import ObjectID

from flowsource.sources.git.store.packs import KINDS, Found, PackReader, delta_size, new_hash, undeltified

# Of commits alone a pack of this length holds about a hundred thousand.
MOST_HISTORY: Final = 32 << 20
MOST_COMMITS: Final = 200_000


class TooMuchHistory(Exception):
    """There is more between two commits than is looked at."""


class SinceThen:
    """Tells a server that `commit` is known and nothing else is, so that it sends what is new since then."""

    shallow: frozenset[ObjectID] = frozenset()

    def __init__(self, commit: str) -> None:
        self._known = iter([ObjectID(commit.encode())])

    def __next__(self) -> ObjectID | None:
        return next(self._known, None)

    def ack(self, commit: ObjectID, /) -> None:
        """There is no second question, whatever the answer to the first."""

    def nak(self) -> None:
        """There is no second question, whatever the answer to the first."""


class ReceivedHistory:
    """The commits of a pack that `where` sends, and that is whole in itself. `id_size` is that of an id in bytes."""

    def __init__(self, where: str, *, id_size: int) -> None:
        self._pack, self._id_size = PackReader(where, id_size=id_size), id_size
        self._kept = 0
        self._commits: dict[bytes | int, bytes] = {}
        self._deltas: list[Found] = []

    def feed(self, data: bytes) -> int:
        """Take the next bytes of the pack; raises TooMuchHistory."""
        for found in self._pack.feed(data):
            # A delta may make a commit, and else a file or a tree, which is of no use here.
            if found.header.base is None and KINDS[found.header.kind] != "commit":
                continue
            self._kept += len(found.data)
            if found.header.base is None:
                self._keep(found.offset, found.data)
            else:
                self._deltas.append(found)
        if self._pack.received > MOST_HISTORY or self._kept > MOST_HISTORY:
            raise TooMuchHistory
        return len(data)

    def leads(self, old: str, new: str) -> bool:
        """Whether `new` has `old` among its ancestors; raises an exception for what is no pack."""
        self._pack.finish()
        while self._unfold():
            pass
        # Each is known by what its content hashes to: nobody can slip in a commit that is not an ancestor.
        parents = {key.hex(): _parents(data) for key, data in self._commits.items() if isinstance(key, bytes)}
        if parents and new not in parents:
            raise ValueError(f"the pack does not hold {new}")
        return is_ancestor(old, new, lambda commit: parents.get(commit, ()), lambda: None)

    def _unfold(self) -> bool:
        """Apply the deltas whose base is known now; whether there was any."""
        waiting, self._deltas = self._deltas, []
        for found in waiting:
            base = found.header.base
            data = self._commits.get(found.offset - base if isinstance(base, int) else base or b"")
            if data is None:
                self._deltas.append(found)
                continue
            self._kept += delta_size(found.data)
            if self._kept > MOST_HISTORY:
                raise TooMuchHistory
            self._keep(found.offset, undeltified(data, found.data))
        return len(self._deltas) < len(waiting)

    def _keep(self, offset: int, data: bytes) -> None:
        name = new_hash(self._id_size, b"commit %d\0" % len(data) + data).digest()
        self._commits[offset] = self._commits[name] = data


def _parents(commit: bytes) -> list[str]:
    head, _, _ = commit.partition(b"\n\n")
    return [line.removeprefix(b"parent ").decode() for line in head.split(b"\n") if line.startswith(b"parent ")]


def is_ancestor(old: str, new: str, parents: Callable[[str], Iterable[str]], checkpoint: Callable[[], None]) -> bool:
    """Whether `old` can be reached from `new`; raises TooMuchHistory when that takes too many steps to tell."""
    waiting, seen = [new], {new}
    while waiting:
        checkpoint()
        if len(seen) > MOST_COMMITS:
            raise TooMuchHistory
        commit = waiting.pop()
        if commit == old:
            return True
        further = [parent for parent in parents(commit) if parent not in seen]
        seen.update(further)
        waiting.extend(further)
    return False
