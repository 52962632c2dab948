"""Where the files of a commit go, told by its trees while they arrive."""

from __future__ import annotations

from collections.abc import Iterator

from flowsource.sources.git.scope import Scope
from flowsource.sources.git.store.objects import Held
from flowsource.sources.git.tree import Entry, Kind, Target, parse_entries


class Places:
    """The entries below `root` that can be placed already, from trees that are `held`.

    A tree is placed once here, however often it is named: so no more comes of it than what was sent. The other places
    are left for when all of it is there, and was measured. `parsed` gets the entries of each tree that was placed.
    """

    def __init__(self, root: str, scope: Scope, held: Held, parsed: dict[str, tuple[Entry, ...]]) -> None:
        self._scope, self._held, self._parsed = scope, held, parsed
        self._expected: dict[str, bytes] = {root: b""}

    def arrived(self, tree: str) -> Iterator[Target]:
        """The entries that can be placed now that `tree` is there, each directory before what it holds."""
        pending = [tree]
        while pending:
            tree = pending.pop()
            prefix, found = self._expected.get(tree), self._held.get(tree)
            if prefix is None or found is None or tree in self._parsed:
                continue
            entries = self._parsed[tree] = parse_entries(found[1], prefix, len(tree) // 2)
            for entry in entries:
                path = prefix + entry.name
                yield path, entry
                if entry.kind is Kind.DIRECTORY and self._scope.goes_into(path):
                    self._expected.setdefault(entry.object_id, path + b"/")
                    pending.append(entry.object_id)
