"""A source whose revisions are written by the test, and which keeps a ledger of its fetches."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio

from flowsource.errors import SourceError
from flowsource.revisions import Revision
from flowsource.snapshots.snapshot import Snapshot
from flowsource.sources.base import Report, Source, say_nothing
from flowsource.sources.writing import TreeWriter

ONE = Revision(id="1" * 40)
TWO = Revision(id="2" * 40)
THREE = Revision(id="3" * 40)

TREE: Mapping[str, str] = {
    "flows.py": "ANSWER = 42\n",
    "data/rows.csv": "1,2\n",
    "bin/run.sh": "#!/bin/sh\n",
    "data/latest -> rows.csv": "",
}


class WrittenSource:
    """Any revision of it holds `tree`; `a -> b` is a link, and what ends in .sh may be executed."""

    label = "somewhere"
    selector = "branch main"
    pull_interval: timedelta | None = None
    mount: Path | None = None
    secret_variables: frozenset[str] = frozenset()

    def __init__(
        self,
        tree: Mapping[str, str] = TREE,
        *,
        key: str = "written",
        then: Callable[[Path], Awaitable[None]] | None = None,
    ) -> None:
        self.tree, self.key, self._then = tree, key, then

    def notices(self, stop: anyio.Event) -> None:
        """None: it is to be polled."""

    async def resolve(self) -> Revision:
        return ONE

    async def resolve_together(self, sources: Sequence[Source]) -> list[Revision | SourceError]:
        return [ONE for _ in sources]

    async def fetch(
        self, revision: Revision, into: TreeWriter, *, workspace: Path, report: Report = say_nothing
    ) -> Revision:
        with (workspace / "ledger").open("a") as ledger:
            ledger.write(f"{revision.id} by {os.getpid()}\n")
        for name, text in self.tree.items():
            path, _, target = name.partition(" -> ")
            if target:
                into.add_link(os.fsencode(path), os.fsencode(target))
            else:
                into.add_file(os.fsencode(path), text.encode(), executable=path.endswith(".sh"))
        if self._then is not None:
            await self._then(into.directory)
        return replace(revision, subject="Answer", committed_at=datetime(2026, 1, 2, tzinfo=UTC))


def make_foreign(snapshot: Snapshot) -> None:
    """Make `snapshot` one that another version of flowsource has published."""
    marker = snapshot.root.parent / "complete"
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "format": 999}))


def fetches(cache: Path, key: str = "written") -> list[str]:
    """The ledger: one line for each fetch, by whatever process."""
    ledger = cache / "sources" / key / "ledger"
    return ledger.read_text().splitlines() if ledger.exists() else []


def below(directory: Path) -> list[str]:
    """The relative path of everything in `directory`, but for the tag that a cache carries."""
    found = (str(path.relative_to(directory)) for path in directory.rglob("*"))
    return sorted(path for path in found if path != "CACHEDIR.TAG")
