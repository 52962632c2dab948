"""What every store promises about the triggers that people add, hold and remove; its tests subclass this and supply the
fixture `store`."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from flowsource.errors import DeploymentNotFound, InConflict, Outdated, TriggerNotFound
from flowsource.promotions import Kind
from flowsource.store.protocol import Store
from flowsource.store.values import DEPLOYMENTS
from flowsource.triggers import EventTrigger, trigger_key
from flowsource.triggers.evaluating import begun
from tests.store.scheduling_contract import told
from tests.store.triggering_contract import ON_ORDER, emitted, fire, the_trigger
from tests.store.words import ANNA, GENEROUS, HOUR, MINUTE, NOW, registration, serve

ON_PAID = EventTrigger(expect="order.paid")
ANY = EventTrigger(expect="order.*")


class TriggersOfPeople:
    async def test_a_trigger_that_a_person_adds_looks_at_what_happens_from_now_on_and_is_told(
        self, store: Store
    ) -> None:
        server = await serve(store, registration(triggers=(ON_ORDER,)))
        before = await emitted(store)
        async with store.changes(DEPLOYMENTS) as changes:
            added = await store.add_trigger(server.deployment.id, ON_PAID, ANNA, now=NOW)
            assert await changes.wait(GENEROUS)
        assert (added.key, added.trigger, added.state) == (trigger_key(ON_PAID), ON_PAID, begun(ON_PAID, at=NOW))
        assert added.cursor >= before.seq
        assert (added.origin, added.added_by, added.is_held) == ("person", "anna", False)
        assert [(one.trigger, one.origin) for one in await store.triggers([server.deployment.id])] == [
            (ON_ORDER, "code"),
            (ON_PAID, "person"),
        ]
        assert await told(server) == [(Kind.TRIGGER_ADDED, "anna", "wrong day")]

    async def test_a_trigger_that_a_person_added_makes_runs(self, store: Store) -> None:
        server = await serve(store, registration())
        added = await store.add_trigger(server.deployment.id, ON_ORDER, ANNA, now=NOW)
        [made] = await fire(store, added, await emitted(store), parameters={})
        assert made.run_id is not None
        assert [run.id for run in await server.claim()] == [made.run_id]

    async def test_a_trigger_that_a_person_added_survives_restarts_beside_what_the_code_says(
        self, store: Store
    ) -> None:
        server = await serve(store, registration(triggers=(ON_ORDER,)))
        added = await store.add_trigger(server.deployment.id, ON_PAID, ANNA, now=NOW)
        await emitted(store)
        for declared in [(ON_ORDER,), (EventTrigger(expect="c"),), (), (EventTrigger(expect="d"), ON_ORDER)]:
            await serve(store, registration(triggers=declared), now=NOW + MINUTE)
            *of_code, of_person = await store.triggers([server.deployment.id])
            assert [one.trigger for one in of_code] == [*declared]
            assert (of_person.trigger, of_person.cursor, of_person.added_by) == (ON_PAID, added.cursor, "anna")

    async def test_once_the_code_declares_the_trigger_that_a_person_added_it_is_the_codes(self, store: Store) -> None:
        server = await serve(store, registration())
        added = await store.add_trigger(server.deployment.id, ON_PAID, ANNA, now=NOW)
        await emitted(store)
        await serve(store, registration(triggers=(ON_PAID,)))
        now = await the_trigger(store, server)
        assert (now.cursor, now.origin) == (added.cursor, "code")
        await serve(store, registration())
        assert await store.triggers([server.deployment.id]) == []

    async def test_a_second_trigger_of_a_name_or_that_says_the_same_is_refused(self, store: Store) -> None:
        server = await serve(store, registration(triggers=(ON_ORDER, replace(ON_PAID, name="paid"))))
        for another in (ON_ORDER, EventTrigger(expect="x", name="paid")):
            with pytest.raises(InConflict, match="has that trigger already"):
                await store.add_trigger(server.deployment.id, another, ANNA, now=NOW)
        assert len(await store.triggers([server.deployment.id])) == 2
        assert await told(server) == []

    async def test_a_trigger_that_a_person_holds_stays_held_and_makes_up_for_nothing(self, store: Store) -> None:
        new = registration(triggers=(ON_ORDER, ON_PAID))
        server = await serve(store, new)
        which, key = server.deployment.id, trigger_key(ON_ORDER)
        async with store.changes(DEPLOYMENTS) as changes:
            held = await store.set_trigger_enabled(which, key, False, ANNA, now=NOW)
            assert await changes.wait(GENEROUS)
        assert (held.key, held.is_held, held.trigger.enabled) == (key, True, False)
        for _ in range(3):
            await serve(store, new, now=NOW + HOUR)
        assert [one.is_held for one in await store.triggers([which])] == [True, False]
        event = await emitted(store)
        resumed = await store.set_trigger_enabled(which, key, True, ANNA, now=NOW + HOUR)
        assert (resumed.trigger, resumed.is_held, resumed.cursor >= event.seq) == (ON_ORDER, False, True)
        assert await store.set_trigger_enabled(which, key, True, ANNA, now=NOW + 2 * HOUR) == resumed
        assert [kind for kind, _, _ in await told(server)] == [Kind.TRIGGER_PAUSED, Kind.TRIGGER_RESUMED]

    async def test_a_trigger_stays_held_when_the_code_says_something_else_of_it(self, store: Store) -> None:
        server = await serve(store, registration(triggers=(EventTrigger(expect="a", name="mine"),)))
        [state] = await store.triggers([server.deployment.id])
        await store.set_trigger_enabled(server.deployment.id, state.key, False, ANNA, now=NOW)
        await serve(store, registration(triggers=(EventTrigger(expect="b", name="mine", parameters={"x": 1}),)))
        kept = EventTrigger(expect="b", name="mine", parameters={"x": 1}, enabled=False)
        assert (await the_trigger(store, server)).trigger == kept

    async def test_what_was_looked_at_before_a_trigger_was_held_or_removed_makes_no_run(self, store: Store) -> None:
        server = await serve(store, registration(triggers=(ON_ORDER, ON_PAID)))
        which = server.deployment.id
        await store.add_trigger(which, ANY, ANNA, now=NOW)
        event = await emitted(store)
        held, removed, of_person = await store.triggers([which])
        await store.set_trigger_enabled(which, held.key, False, ANNA, now=NOW)
        await store.remove_trigger(which, removed.key, ANNA, now=NOW)
        await store.remove_trigger(which, of_person.key, ANNA, now=NOW)
        for before in (held, removed, of_person):
            with pytest.raises(Outdated):
                await fire(store, before, event, parameters={})
        assert await store.runs() == []

    async def test_a_trigger_of_the_code_that_a_person_removed_stays_away_until_the_code_changes_it(
        self, store: Store
    ) -> None:
        mine = EventTrigger(expect="a", name="mine")
        new = registration(triggers=(ON_ORDER, mine))
        server = await serve(store, new)
        async with store.changes(DEPLOYMENTS) as changes:
            removed = await store.remove_trigger(server.deployment.id, trigger_key(mine), ANNA, now=NOW)
            assert await changes.wait(GENEROUS)
        assert removed.trigger == mine
        for _ in range(3):
            await serve(store, new, now=NOW + HOUR)
            assert (await the_trigger(store, server)).trigger == ON_ORDER
        assert await told(server) == [(Kind.TRIGGER_REMOVED, "anna", "wrong day")]
        event = await emitted(store)
        other = EventTrigger(expect="b", name="mine")
        await serve(store, registration(triggers=(ON_ORDER, other)), now=NOW + 2 * HOUR)
        _, back = await store.triggers([server.deployment.id])
        assert (back.trigger, back.cursor >= event.seq) == (other, True)

    async def test_a_trigger_that_was_removed_can_be_added_again(self, store: Store) -> None:
        server = await serve(store, registration(triggers=(ON_ORDER,)))
        await store.remove_trigger(server.deployment.id, trigger_key(ON_ORDER), ANNA, now=NOW)
        event = await emitted(store)
        back = await store.add_trigger(server.deployment.id, ON_ORDER, ANNA, now=NOW)
        assert (back.trigger, back.origin, back.cursor >= event.seq) == (ON_ORDER, "code", True)

    async def test_a_trigger_that_is_not_there_is_named(self, store: Store) -> None:
        server = await serve(store, registration(triggers=(ON_ORDER,)))
        which, key = server.deployment.id, trigger_key(ON_ORDER)
        await store.remove_trigger(which, key, ANNA, now=NOW)
        for wanted in (key, "other"):
            with pytest.raises(TriggerNotFound, match=wanted):
                await store.set_trigger_enabled(which, wanted, False, ANNA, now=NOW)
            with pytest.raises(TriggerNotFound, match=wanted):
                await store.remove_trigger(which, wanted, ANNA, now=NOW)
        with pytest.raises(DeploymentNotFound):
            await store.add_trigger(uuid4(), ON_ORDER, ANNA, now=NOW)
        with pytest.raises(DeploymentNotFound):
            await store.remove_trigger(uuid4(), key, ANNA, now=NOW)
