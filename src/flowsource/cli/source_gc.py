"""`flowsource source gc`: the cache without what nobody needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from flowsource.cli import exits
from flowsource.cli.json_shapes import revision_json
from flowsource.cli.opening import with_store
from flowsource.cli.output import Cell, print_json, print_table, say
from flowsource.errors import InvalidInput
from flowsource.revisions import Revision
from flowsource.runner.tidying import KEEP_SNAPSHOTS, KEEP_SNAPSHOTS_FOR, revisions_in_use
from flowsource.settings import Settings
from flowsource.snapshots.cache import SnapshotCache
from flowsource.store.protocol import Store
from flowsource.text import revision_text, size_text

_MOST_DAYS = 36500


def gc(
    *,
    keep: int = KEEP_SNAPSHOTS,
    keep_days: float = KEEP_SNAPSHOTS_FOR / timedelta(days=1),
    json: bool = False,
) -> int:
    """Remove from the cache what nobody needs.

    Parameters
    ----------
    keep
        How many of the newest revisions of each source stay (10).
    keep_days
        For how many days each revision stays (7).
    json
        Print what was removed as JSON.
    """
    if keep < 0 or not 0 <= keep_days <= _MOST_DAYS:
        raise InvalidInput(f"--keep and --keep-days: give numbers of 0 or more, and no more than {_MOST_DAYS} days.")
    keep_for = timedelta(days=keep_days)
    cache = SnapshotCache(Settings.load().cache)

    async def tidy(store: Store) -> tuple[list[tuple[str, Revision]], dict[str, str]]:
        now = store.now()
        labels = {source.report.key: source.report.status.label for source in await store.sources(now=now)}
        in_use = await revisions_in_use(store)
        await cache.sweep()
        return await cache.collect(keep=keep, keep_for=keep_for, in_use=in_use, now=now), labels

    before = _bytes_below(cache.root)
    removed, labels = with_store(tidy)
    freed = max(0, before - _bytes_below(cache.root))
    if json:
        gone = [{"source": labels.get(key, key), "revision": revision_json(revision)} for key, revision in removed]
        print_json({"cache": str(cache.root), "freed_bytes": freed, "removed": gone})
        return exits.OK
    if removed:
        rows = [[Cell(labels.get(key, key)), Cell(revision_text(revision))] for key, revision in removed]
        print_table(("SOURCE", "REVISION"), rows)
    say(f"Removed {len(removed)} revisions from {cache.root}; that freed {size_text(freed)}.")
    return exits.OK


def _bytes_below(directory: Path) -> int:
    """What the files below take on the disk; one that has several names is there once."""
    found: dict[tuple[int, int], int] = {}
    for entry in _entries(directory):
        with suppress(FileNotFoundError):
            facts = entry.stat(follow_symlinks=False)
            found[facts.st_dev, facts.st_ino] = facts.st_blocks * 512
    return sum(found.values())


def _entries(directory: Path) -> Iterator[os.DirEntry[str]]:
    waiting = [os.fspath(directory)]
    while waiting:
        # Somebody may be tidying there too.
        with suppress(FileNotFoundError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
