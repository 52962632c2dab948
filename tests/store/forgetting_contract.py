"""What every store promises about removing events that belong to no run; its tests subclass this."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from flowsource.events import new_event
from flowsource.retention import Limits, Pruned
from flowsource.store.protocol import Store
from flowsource.triggers import EventTrigger
from tests.store.words import HOUR, NOW, SECOND, registration, serve

DAY = timedelta(days=1)


async def tell(store: Store, name: str, *hours: int) -> None:
    """Tell events of that name, so many hours after NOW."""
    await store.emit([new_event(name, at=NOW + hour * HOUR) for hour in hours])


async def names(store: Store) -> list[str]:
    """What is told, but for what the store tells itself."""
    return [event.name for event in (await store.events(after=0, names=["order.*"])).events]


async def forget(store: Store, before: datetime) -> Pruned:
    """Remove all events that may go."""
    gone = Pruned()
    while step := await store.prune(Limits(runs=None, logs=None, events=before)):
        gone += step
    return gone


class ForgettingContract:
    async def test_events_of_no_run_go_by_their_time_and_those_of_runs_with_their_run(self, store: Store) -> None:
        server = await serve(store, registration())
        run = await server.ask()
        of_run = replace(new_event("order.mine", at=NOW), run_id=run.id)
        await store.emit([of_run])
        await tell(store, "order.old", 0, 1)
        await tell(store, "order.late", 3)
        await tell(store, "order.old", 1)
        there = Limits(runs=None, logs=None, events=NOW + 2 * HOUR)
        expected = await store.prunable(there)

        gone = await forget(store, NOW + 2 * HOUR)

        assert gone == expected and gone.events >= 3
        assert await names(store) == ["order.mine", "order.late"]
        assert await store.prune(there) == Pruned()
        assert len(await store.transitions(run.id)) == 1

    async def test_many_go_in_many_steps(self, store: Store) -> None:
        await store.emit([new_event("order.created", at=NOW) for _ in range(1500)])
        first = await store.prune(Limits(runs=None, logs=None, events=NOW + SECOND))
        assert first == Pruned(events=1000)
        assert await forget(store, NOW + SECOND) == Pruned(events=500)

    async def test_a_trigger_that_had_not_looked_at_what_goes_is_told_once(self, store: Store) -> None:
        waits = EventTrigger(expect="order.created")
        server = await serve(
            store,
            registration(triggers=(waits,)),
            registration("other", triggers=(EventTrigger(expect="parcel.*"),)),
            registration("paused", triggers=(waits,), paused=True),
            registration("disabled", triggers=(replace(waits, enabled=False),)),
            registration("looked", triggers=(waits,)),
        )
        await tell(store, "order.created", 0, 1)
        [looked] = await store.triggers([server.deployments[4].id])
        upto = (await store.events(after=0)).upto
        await store.move_trigger(looked, state=looked.state, cursor=upto, fired=[], now=NOW)

        await forget(store, NOW + SECOND)
        await forget(store, NOW + DAY)

        told = [await store.firings(deployment.id) for deployment in server.deployments]
        assert [len(of) for of in told] == [1, 0, 0, 0, 0]
        [lost] = told[0]
        assert (lost.outcome, lost.event, lost.run_id) == ("failed", None, None)
        assert lost.reason is not None and "FLOWSOURCE_KEEP_EVENTS" in lost.reason
        assert await store.runs() == []
