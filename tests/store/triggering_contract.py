"""What every store promises about triggers and firings; its tests subclass this and supply the fixture `store`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flowsource.errors import Outdated
from flowsource.events import Event, new_event
from flowsource.queries.runs import parse_runs
from flowsource.schedules import Cron
from flowsource.store.protocol import Store
from flowsource.store.values import DEPLOYMENTS, WORK, Firing, NewFiring, NewRun, TriggerState
from flowsource.triggers import EventTrigger
from flowsource.triggers.chains import MOST_ROUNDS
from flowsource.triggers.evaluating import begun
from tests.store.words import ANNA, GENEROUS, HOUR, NOW, SECOND, Server, end, registration, serve

ON_ORDER = EventTrigger(expect="order.created")


async def emitted(store: Store, **said: Any) -> Event:
    """An event that was just told."""
    await store.emit([new_event("order.created", at=NOW, **said)])
    return (await store.newest_events(limit=1))[0]


async def the_trigger(store: Store, server: Server) -> TriggerState:
    [state] = await store.triggers([server.deployment.id])
    return state


async def fire(store: Store, of: TriggerState, event: Event, *, once: str = "", **said: Any) -> list[Firing]:
    new = NewFiring(once=once or f"event {event.seq}", at=NOW, event=event, **said)
    return await store.move_trigger(of, state=of.state, cursor=event.seq, fired=[new], now=NOW)


class TriggeringContract:
    async def test_a_trigger_is_registered_with_its_deployment_and_begins_now(self, store: Store) -> None:
        await emitted(store)
        server = await serve(store, registration(triggers=(ON_ORDER, EventTrigger(expect="b", name="second"))))
        first, second = await store.triggers([server.deployment.id])
        assert (first.trigger, second.trigger.name, first.deployment) == (ON_ORDER, "second", "etl/nightly")
        assert (first.state, first.is_held) == (begun(ON_ORDER, at=NOW), False)
        assert server.deployment.declared.triggers == (first.trigger, second.trigger)
        assert (await store.events(after=first.cursor, names=["order.*"])).events == []

    async def test_a_trigger_that_is_registered_again_goes_on_where_it_was(self, store: Store) -> None:
        proactive = EventTrigger(expect="a", posture="Proactive", within=60)
        new = registration(triggers=(proactive, *(EventTrigger(expect=f"{number}") for number in range(9))))
        server = await serve(store, new)
        before, *_ = await store.triggers([server.deployment.id])
        await store.move_trigger(before, state=before.state, cursor=before.cursor + 5, fired=[], now=NOW)
        moved = await store.triggers([server.deployment.id])
        await serve(store, new, now=NOW + HOUR)
        assert await store.triggers([server.deployment.id]) == moved

    async def test_a_trigger_that_waits_for_something_else_begins_anew(self, store: Store) -> None:
        def named(**said: Any) -> EventTrigger:
            return EventTrigger(name="mine", **said)

        server = await serve(store, registration(triggers=(named(expect="a"),)))
        event = await emitted(store)
        await serve(store, registration(triggers=(named(expect="a", parameters={"x": 1}),)))
        assert (await the_trigger(store, server)).cursor < event.seq
        await serve(store, registration(triggers=(named(expect="b"),)))
        assert (await the_trigger(store, server)).cursor >= event.seq

    async def test_a_trigger_that_the_code_says_no_longer_is_gone(self, store: Store) -> None:
        server = await serve(store, registration(triggers=(ON_ORDER,)))
        await serve(store, registration())
        assert await store.triggers([server.deployment.id]) == []

    async def test_a_firing_makes_one_run_that_tells_its_cause(self, store: Store) -> None:
        server = await serve(store, registration(triggers=(ON_ORDER,), parameters={"a": 1}))
        event = await emitted(store, payload={"id": 17})
        async with store.changes(WORK) as work:
            [firing] = await fire(store, await the_trigger(store, server), event, parameters={"b": 2})
            assert await work.wait(GENEROUS)
        run = await store.run(str(firing.run_id))
        assert (run.parameters, run.scheduled_at, run.schedule) == ({"a": 1, "b": 2}, NOW, None)
        assert run.cause is not None
        assert (run.cause.trigger, run.cause.event, run.cause.chain) == ("order.created", event, ())
        assert (firing.outcome, firing.event) == ("fired", event)
        assert await store.firings(server.deployment.id) == [firing]
        assert (await server.claim_one()).cause == run.cause
        asked = parse_runs("trigger:order.*", now=NOW)
        assert [one.id for one in (await store.find_runs(asked)).items] == [run.id]

    async def test_whoever_looked_at_an_older_state_changes_nothing(self, store: Store) -> None:
        server = await serve(store, registration(triggers=(ON_ORDER,)))
        event, before = await emitted(store), await the_trigger(store, server)
        await fire(store, before, event)
        with pytest.raises(Outdated):
            await fire(store, before, event, once="other")
        assert len(await store.runs()) == 1

    async def test_the_same_firing_is_kept_once(self, store: Store) -> None:
        server = await serve(store, registration(triggers=(ON_ORDER,)))
        event = await emitted(store)
        await fire(store, await the_trigger(store, server), event)
        assert await fire(store, await the_trigger(store, server), event) == []
        assert (len(await store.runs()), len(await store.firings(server.deployment.id))) == (1, 1)

    async def test_a_firing_that_can_have_no_run_is_told_with_the_reason(self, store: Store) -> None:
        server = await serve(store, registration(triggers=(ON_ORDER,)))
        event = await emitted(store)
        [firing] = await fire(store, await the_trigger(store, server), event, problem="no such place")
        assert (firing.outcome, firing.reason, firing.run_id) == ("failed", "no such place", None)
        assert await store.firings(server.deployment.id) == [firing]
        assert await store.runs() == []

    async def test_the_runs_of_a_trigger_come_due_after_its_delay(self, store: Store) -> None:
        delayed = replace(ON_ORDER, schedule_after=60)
        server = await serve(store, registration(triggers=(delayed,)))
        await fire(store, await the_trigger(store, server), await emitted(store))
        assert [run.due_at for run in await store.runs()] == [NOW + timedelta(seconds=60)]

    async def test_deployments_that_make_each_other_run_in_a_circle_are_cut(self, store: Store) -> None:
        first = await serve(store, registration("first", triggers=(ON_ORDER,)))
        second = await serve(store, registration("second", triggers=(ON_ORDER,)))
        event = await emitted(store)
        outcomes, reasons = [], []
        for number in range(2 * MOST_ROUNDS + 1):
            server = (first, second)[number % 2]
            [firing] = await fire(store, await the_trigger(store, server), event)
            outcomes.append(firing.outcome)
            reasons.append(firing.reason)
            if firing.run_id is not None:
                run = await server.start_one()
                await end(store, run)
                event = (await store.newest_events(names=["flow-run.completed"], limit=1))[0]
        assert outcomes == ["fired"] * (2 * MOST_ROUNDS) + ["cut"]
        assert reasons[-1] == "deployments make each other run in a circle: etl/first -> etl/second -> etl/first"
        [told] = (await store.events(after=0, names=["trigger.cut"])).events
        assert (told.payload["chain"], told.payload["event"]) == (
            ["etl/first", "etl/second"] * MOST_ROUNDS + ["etl/first"],
            str(event.id),
        )

    async def test_a_chain_goes_on_through_runs_that_ask_for_runs(self, store: Store) -> None:
        server = await serve(store, registration("first", triggers=(ON_ORDER,)), registration("second"))
        [of_first] = await store.triggers([one.id for one in server.deployments])
        [firing] = await fire(store, of_first, await emitted(store))
        of_it = NewRun(deployment_id=server.deployments[1].id, scheduled_at=NOW, parent_id=firing.run_id)
        asked = await store.create_run(of_it, now=NOW)
        event = await emitted(store, run_id=asked.id)
        [again] = await fire(store, (await store.triggers([of_first.deployment_id]))[0], event)
        run = await store.run(str(again.run_id))
        assert run.cause is not None and run.cause.chain == ("etl/first", "etl/second")

    async def test_a_pause_holds_triggers_and_what_happened_meanwhile_is_not_made_up_for(self, store: Store) -> None:
        server = await serve(store, registration(triggers=(ON_ORDER,)))
        await store.set_paused(server.deployment.id, True, author=ANNA, now=NOW)
        assert (await the_trigger(store, server)).is_held
        event = await emitted(store)
        async with store.changes(DEPLOYMENTS) as changes:
            await store.set_paused(server.deployment.id, False, author=ANNA, now=NOW + SECOND)
            assert await changes.wait(GENEROUS)
        after = await the_trigger(store, server)
        assert (after.is_held, after.cursor >= event.seq) == (False, True)

    async def test_a_trigger_that_is_not_enabled_is_held_and_begins_anew_when_it_is(self, store: Store) -> None:
        held = replace(ON_ORDER, enabled=False)
        server = await serve(store, registration(triggers=(held,)))
        assert (await the_trigger(store, server)).is_held
        event = await emitted(store)
        await serve(store, registration(triggers=(ON_ORDER,)))
        after = await the_trigger(store, server)
        assert (after.is_held, after.cursor >= event.seq) == (False, True)

    async def test_a_stop_leaves_a_trigger_where_it_was(self, store: Store) -> None:
        new = registration(triggers=(ON_ORDER,), schedules=(Cron("@daily"),))
        server = await serve(store, new)
        await store.retire(server.id, now=NOW)
        event = await emitted(store)
        await serve(store, new, now=NOW + HOUR)
        assert (await the_trigger(store, server)).cursor < event.seq
