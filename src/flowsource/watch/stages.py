"""The stages of a poll, each with the time it took, so that a person can be told where it went."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from flowsource.source_status import Poll, Stage
from flowsource.watch.patience import GivenUp


class Stages:
    """What a poll has done so far. `asked` says what it is made for."""

    def __init__(self, asked: str) -> None:
        self._asked, self._at, self._begun = asked, datetime.now(UTC), time.monotonic()
        self._done: tuple[Stage, ...] = ()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Takes the time of what is inside; what it raises goes on."""
        begun, outcome = time.monotonic(), "failed"
        try:
            yield
            outcome = "ok"
        except GivenUp:
            outcome = "given up"
            raise
        finally:
            took = timedelta(seconds=time.monotonic() - begun)
            self._done += (Stage(name=name, took=took, outcome=outcome),)

    def branch(self) -> Stages:
        """The same so far, to go on with one of several sources that were asked together."""
        branch = Stages(self._asked)
        branch._at, branch._begun, branch._done = self._at, self._begun, self._done
        return branch

    def poll(self, found: str) -> Poll:
        """The whole, now that it is known what it found."""
        took = timedelta(seconds=time.monotonic() - self._begun)
        return Poll(at=self._at, asked=self._asked, took=took, stages=self._done, found=found)
