"""Triggering: events are looked at as they come, and make runs, however many runners look at the same."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import anyio

from flowsource.deployments import Deployment
from flowsource.errors import FlowsourceError, InvalidParameters, Outdated, StoreUnavailable
from flowsource.events import Event
from flowsource.runner.requests import check_parameters
from flowsource.store.protocol import Store
from flowsource.store.values import DEPLOYMENTS, EVENTS, EventPage, Firing, NewFiring, TriggerState
from flowsource.triggers import Trigger
from flowsource.triggers.evaluating import Fired, next_end, passed, seen
from flowsource.triggers.filling import PlaceholderUnknown, filled

logger = logging.getLogger(__name__)

# What wakes us may be lost, and triggers may be registered by others.
LOOK_EVERY = timedelta(seconds=10)
# Where there are none, that somebody adds one is heard of; or not, and seen so much later at most.
ADDED_WITHIN = timedelta(seconds=30)
# Where much happens it is looked at together.
_GATHER = timedelta(milliseconds=20)
# What happened in time may be told a little later, by a clock that is not quite ours.
_TOLD_WITHIN = timedelta(seconds=1)
# That nothing came which counts is worth a write only so often: who begins anew reads that much again, by its names.
READ_AGAIN = 50_000
# And at least so often, so that nobody takes what was seen for what was not, and is gone.
TOLD_EVERY = timedelta(minutes=30)


async def fire_triggers(store: Store, deployment_ids: Sequence[UUID]) -> None:
    """Make the runs that the triggers of these deployments want, as events come or do not come, until cancelled."""
    eyes = Eyes(store, deployment_ids)
    while True:
        await _until_there_are_some(eyes, store)
        await _fire_as_long_as_there_are_some(eyes, store)


async def _until_there_are_some(eyes: Eyes, store: Store) -> None:
    """Where there is no trigger nobody listens to events: each run tells several."""
    async with store.changes(DEPLOYMENTS) as ear:
        while True:
            try:
                if await eyes.has_any():
                    return
            except FlowsourceError as error:
                logger.warning("triggers wait for the store: %s", error)
            await ear.wait(ADDED_WITHIN)


async def _fire_as_long_as_there_are_some(eyes: Eyes, store: Store) -> None:
    async with store.changes(EVENTS) as ear:
        while True:
            delay: timedelta | None = LOOK_EVERY
            began_at = anyio.current_time()
            try:
                delay = await eyes.look(now=store.now())
            except FlowsourceError as error:
                logger.warning("triggers wait for the store: %s", error)
            if delay is None:
                return
            took = anyio.current_time() - began_at
            if await ear.wait(delay):
                # Looking takes no more than half of the time, however many triggers there are.
                await anyio.sleep(max(took, _GATHER.total_seconds()))


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a trigger of that version has looked, although nothing had to be kept since then."""

    version: int
    cursor: int
    kept_at: datetime


class Eyes:
    """Looks at events for the triggers of some deployments, and remembers how far it has looked."""

    def __init__(self, store: Store, deployment_ids: Sequence[UUID]) -> None:
        self._store, self._ids = store, deployment_ids
        self._places: dict[tuple[UUID, str], _Place] = {}
        self._broken: set[tuple[UUID, str]] = set()

    async def has_any(self) -> bool:
        """Whether there is any trigger, held or not."""
        return bool(await self._store.triggers(self._ids))

    async def look(self, *, now: datetime) -> timedelta | None:
        """Look at what has happened since the last time; returns the time until there may be more to do, None where
        there is no trigger.

        A trigger that cannot be used holds up no other, and is told once.
        """
        states = await self._store.triggers(self._ids)
        if not states:
            return None
        waiting = [state for state in states if not state.is_held]
        sound = [one for one in waiting if _id_of(one) not in self._broken]
        # Each of those looks for itself: it stays where it is, and would keep the others there.
        alone = [[one] for one in waiting if _id_of(one) in self._broken]
        delays = [await self._look_for(several, now) for several in (sound, *alone) if several]
        return max(min(delays, default=LOOK_EVERY), timedelta(0))

    async def _look_for(self, waiting: Sequence[TriggerState], now: datetime) -> timedelta:
        """Look for these at the events that come next; the time until there may be more to do."""
        after = min(map(self._cursor_of, waiting))
        page = await self._store.events(after=after, names=_names_of([one.trigger for one in waiting]))
        more = LOOK_EVERY if page.is_last else timedelta(0)
        delays = [LOOK_EVERY]
        for one in waiting:
            try:
                delays += [more, await self._evaluate(one, page, now)]
                self._broken.discard(_id_of(one))
            except Outdated:
                # Somebody else looks too, and was first.
                delays.append(timedelta(0))
            except StoreUnavailable:
                raise
            except Exception as error:
                if _id_of(one) not in self._broken:
                    logger.warning("the trigger %s of %s is left out: %s", _told(one), one.deployment, error)
                self._broken.add(_id_of(one))
        return min(delays)

    def _cursor_of(self, one: TriggerState) -> int:
        place = self._place_of(one)
        return max(place.cursor, one.cursor) if place is not None else one.cursor

    def _place_of(self, one: TriggerState) -> _Place | None:
        place = self._places.get(_id_of(one))
        # One that was taken out and declared anew counts its versions anew too.
        return place if place is not None and place.version == one.version else None

    async def _evaluate(self, one: TriggerState, page: EventPage, now: datetime) -> timedelta:
        cursor, state = self._cursor_of(one), one.state
        fired: list[Fired] = []
        for event in page.events:
            if event.seq > cursor:
                state, more = seen(one.trigger, state, event)
                fired += more
        if page.is_last:
            state, more = passed(one.trigger, state, now - _TOLD_WITHIN)
            fired += more
        cursor, version = max(cursor, page.upto), one.version
        place = self._place_of(one)
        kept_at = place.kept_at if place is not None else now
        is_told_late = cursor > one.cursor and now - kept_at >= TOLD_EVERY
        if state is not one.state or fired or cursor - one.cursor > READ_AGAIN or is_told_late:
            new = await self._new_firings(one, fired, page)
            kept = await self._store.move_trigger(one, state=state, cursor=cursor, fired=new, now=now)
            version, kept_at = version + 1, now
            for firing in kept:
                _tell(firing, one)
        self._places[_id_of(one)] = _Place(version, cursor, kept_at)
        end = next_end(one.trigger, state)
        return LOOK_EVERY if end is None else end + _TOLD_WITHIN - now

    async def _new_firings(self, of: TriggerState, fired: Sequence[Fired], page: EventPage) -> list[NewFiring]:
        if not fired:
            return []
        deployment = await self._store.deployment(of.deployment)
        known = {event.seq: event for event in page.events}
        return [
            _new_firing(deployment, of, one, known.get(one.seq) or await self._store.event(one.seq))
            if one.seq is not None
            else _new_firing(deployment, of, one, None)
            for one in fired
        ]


def _new_firing(deployment: Deployment, of: TriggerState, fired: Fired, event: Event | None) -> NewFiring:
    firing = NewFiring(once=fired.once, at=fired.at, event=event)
    try:
        return replace(firing, parameters=check_parameters(deployment, filled(of.trigger.parameters, event)))
    except (PlaceholderUnknown, InvalidParameters) as error:
        return replace(firing, problem=str(error))


def _id_of(one: TriggerState) -> tuple[UUID, str]:
    return one.deployment_id, one.key


def _names_of(triggers: Sequence[Trigger]) -> list[str]:
    """The events that any of them looks at; none means all."""
    each = [trigger.names for trigger in triggers]
    return sorted({name for names in each for name in names}) if all(each) else []


def _tell(firing: Firing, of: TriggerState) -> None:
    if firing.outcome != "fired":
        what = "was cut" if firing.outcome == "cut" else "could not make a run"
        logger.warning("the trigger %s of %s %s: %s", _told(of), of.deployment, what, firing.reason)


def _told(of: TriggerState) -> str:
    return repr(of.trigger.name or of.trigger.describe())
