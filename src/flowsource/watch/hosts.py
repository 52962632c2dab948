"""The hosts that sources are on: all that ask one of them keep to one budget."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Protocol, runtime_checkable

import anyio

from flowsource.sources.base import Source
from flowsource.watch.budget import Budget, Spent, begun, ended, held, wait_for_turn


@runtime_checkable
class OnHost(Protocol):
    """A source that has an address."""

    @property
    def host(self) -> str:
        """The machine that is asked, with its port, in one spelling; "" when nobody is asked over a network."""

    @property
    def url(self) -> str:
        """The whole address in one spelling, without credentials."""


# For what costs nobody else anything: there is no host that we share.
_NOBODY_ELSE = Budget(spacing=timedelta(0))


def address_of(source: Source) -> str:
    """Where `source` is, in one spelling and without credentials; "" for one that does not say."""
    return source.url if isinstance(source, OnHost) else ""


class Host:
    """One host as all see it who ask it. Fetches are counted by themselves: a long one keeps nobody from polling."""

    def __init__(self, budget: Budget = _NOBODY_ELSE) -> None:
        self._budget, self._spent = budget, Spent()
        self._one_ended = anyio.Event()
        self.fetching = anyio.CapacityLimiter(budget.at_once)

    async def take_turn(self) -> None:
        """Wait until it may be asked once more; `give_back_turn` when it has answered."""
        while (wait := wait_for_turn(self._spent, self._budget, now=time.monotonic())) != 0:
            if wait is None:
                await self._one_ended.wait()
            else:
                await anyio.sleep(wait)
        self._spent = begun(self._spent, self._budget, now=time.monotonic())

    def give_back_turn(self) -> None:
        """Let the next one ask."""
        self._spent = ended(self._spent)
        self._one_ended.set()
        self._one_ended = anyio.Event()

    def leave_alone(self, seconds: float) -> None:
        """Have nobody ask it for so long, because it said so to one of us."""
        self._spent = held(self._spent, seconds, now=time.monotonic())

    @property
    def held_until(self) -> float:
        """Until when (`time.monotonic`) it wants to be left alone; in the past when it does not."""
        return self._spent.held_until


class Hosts:
    """The hosts of one server, each made when a source of it is met first."""

    def __init__(self) -> None:
        self._known: dict[str, Host] = {}

    def of(self, source: Source) -> Host:
        """The host that `source` is on; one of its own where nobody else is asked."""
        name = source.host if isinstance(source, OnHost) else ""
        return self._known.setdefault(name, Host(Budget())) if name else Host()
