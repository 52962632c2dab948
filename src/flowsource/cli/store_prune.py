"""`flowsource store prune`: remove now what was kept long enough."""

from __future__ import annotations

from datetime import UTC, datetime

from flowsource.cli import exits
from flowsource.cli.opening import with_store
from flowsource.cli.output import print_json, say
from flowsource.retention import Pruned, limits
from flowsource.runner.pruning import prune as prune_all
from flowsource.settings import Settings
from flowsource.store.protocol import Store


def prune(*, dry_run: bool = False, json: bool = False) -> int:
    """Remove runs, logs and events that were kept long enough, as each server does now and then.

    FLOWSOURCE_KEEP_RUNS, FLOWSOURCE_KEEP_LOGS and FLOWSOURCE_KEEP_EVENTS say how long that is. What goes on, what
    waits, and the newest run of each deployment stay; events of a run go with it.

    Parameters
    ----------
    dry_run
        Tell how much would go, and remove nothing.
    json
        Print how much as JSON.
    """
    what = limits(Settings.load().keeping, now=datetime.now(UTC))

    async def work(store: Store) -> Pruned:
        return await store.prunable(what) if dry_run else await prune_all(store, what)

    gone = with_store(work)
    if json:
        print_json({"runs": gone.runs, "lines": gone.lines, "events": gone.events, "dry_run": dry_run})
    else:
        say(f"{'This would remove' if dry_run else 'Removed'} {gone}.")
    return exits.OK
