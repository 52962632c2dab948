"""Keeping sources fresh while a server runs: their watchers, and what the store says is wanted of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import anyio

from flowsource.errors import FlowsourceError
from flowsource.store.protocol import Store
from flowsource.store.values import WISHES
from flowsource.watch.recorder import Recorder
from flowsource.watch.watcher import Watcher

logger = logging.getLogger(__name__)

# Wishes wake us. This is for the wake-up that was lost.
_LOOK_ANYWAY = timedelta(seconds=60)
# However often somebody hints, the remotes are asked no more often than this.
_AT_MOST_EVERY = timedelta(seconds=0.5)


async def keep_fresh(watchers: Sequence[Watcher], store: Store) -> None:
    """Run `watchers` until cancelled: pauses and hints come from `store`, and what they find goes there."""
    recorder, wishes = Recorder(store), _Wishes(watchers, store)
    async with anyio.create_task_group() as tasks, store.changes(WISHES) as ear:
        # Before the first poll: what a person paused stays paused.
        await wishes.look()
        for watcher in watchers:
            tasks.start_soon(partial(watcher.run, on_news=recorder.take))
        tasks.start_soon(recorder.run)
        while True:
            await anyio.sleep(_AT_MOST_EVERY.total_seconds())
            await ear.wait(_LOOK_ANYWAY)
            await wishes.look()


class _Wishes:
    """What the store says is wanted, brought to the watchers it concerns."""

    def __init__(self, watchers: Sequence[Watcher], store: Store) -> None:
        self._watchers = {watcher.key: watcher for watcher in watchers}
        self._store = store
        self._passed_on: dict[str, int] = {}

    async def look(self) -> None:
        """Pause, resume and hint as is wanted now."""
        try:
            wishes = await self._store.source_wishes(list(self._watchers))
        except FlowsourceError as error:
            logger.warning("what is wanted of the sources could not be read, and is looked for again: %s", error)
            return
        for wish in wishes:
            if (watcher := self._watchers.get(wish.key)) is None:
                continue
            watcher.set_paused(wish.paused_at)
            # At the start, those that somebody answered before us are no news.
            if wish.hints > self._passed_on.setdefault(wish.key, wish.answered):
                self._passed_on[wish.key] = wish.hints
                watcher.hint(number=wish.hints)
