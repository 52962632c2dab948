"""From places that webhooks name to hints in the store: many become one, and only known sources get any."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import timedelta

import anyio

from flowsource.errors import StoreError
from flowsource.server.webhooks_named import place_of
from flowsource.store.protocol import Store

logger = logging.getLogger(__name__)

AT_MOST_EVERY = timedelta(seconds=1)
_AGAIN = timedelta(seconds=5)


class Hints:
    """Passes hints on to `store`, once a second at most however many there are."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._places: set[str] = set()
        self._came = anyio.Event()

    def take(self, places: Collection[str]) -> None:
        """Have the sources at `places` looked at soon; of those that nobody knows nothing becomes."""
        if places:
            self._places.update(places)
            self._came.set()

    async def run(self) -> None:
        """Pass on until cancelled; what the store does not take is kept until it does."""
        while True:
            await self._came.wait()
            self._came = anyio.Event()
            places, self._places = self._places, set()
            try:
                await self._pass_on(places)
            except StoreError as error:
                logger.warning("hints could not be passed on, and will be: %s", error)
                self.take(places)
                await anyio.sleep(_AGAIN.total_seconds())
            else:
                await anyio.sleep(AT_MOST_EVERY.total_seconds())

    async def _pass_on(self, places: Collection[str]) -> None:
        known = [source.report for source in await self._store.sources(now=self._store.now())]
        keys = sorted({report.key for report in known if place_of(report.address) in places})
        if keys:
            await self._store.hint_sources(keys)
            logger.info("a webhook hints at %d sources", len(keys), extra={"event": "webhook.hint"})
