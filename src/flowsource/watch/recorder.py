"""Telling the store how sources are: news at once, and that there is none now and then."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import anyio

from flowsource.errors import FlowsourceError
from flowsource.store.protocol import Store
from flowsource.store.values import SourceReport

logger = logging.getLogger(__name__)

# That a poll found nothing is worth a write to the disk only so often.
QUIET = timedelta(seconds=30)
_AGAIN = timedelta(seconds=5)


class Recorder:
    """Writes the last report of each source to `store`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last: dict[tuple[str, str], SourceReport] = {}
        self._written: dict[tuple[str, str], SourceReport] = {}
        self._write_at = time.monotonic() + QUIET.total_seconds()
        self._has_news = anyio.Event()

    def take(self, reports: Sequence[SourceReport]) -> None:
        """Keep `reports` until they are written, which is soon where they tell anything new."""
        for report in reports:
            name = report.key, report.selector
            self._last[name] = report
            if is_news(self._written.get(name), report):
                self._has_news.set()

    async def run(self) -> None:
        """Write until cancelled; that the store is away is no reason to end."""
        while True:
            with anyio.move_on_after(max(0.0, self._write_at - time.monotonic())):
                await self._has_news.wait()
            self._has_news = anyio.Event()
            await self._write()

    async def _write(self) -> None:
        pending = {name: report for name, report in self._last.items() if report != self._written.get(name)}
        self._write_at = time.monotonic() + QUIET.total_seconds()
        try:
            if pending:
                await self._store.report_sources(list(pending.values()))
                self._written.update(pending)
        except FlowsourceError as error:
            logger.warning("how the sources are could not be recorded, and is tried again: %s", error)
            self._write_at = time.monotonic() + _AGAIN.total_seconds()


def is_news(before: SourceReport | None, after: SourceReport) -> bool:
    """Whether `after` tells anything but that one more poll found what the one before it did."""
    return before is None or _without_times(before) != _without_times(after)


def _without_times(report: SourceReport) -> SourceReport:
    return replace(report, poll=None, status=replace(report.status, next_try_at=None, failures=0))
