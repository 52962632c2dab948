"""What every store promises about runs that wait for runs; its tests subclass this and supply the fixture `store`."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from flowsource.errors import RunNotFound
from flowsource.runs import Run, RunState
from flowsource.store.protocol import Store
from flowsource.store.values import WAITS, Claim
from tests.store.words import ANNA, HOUR, NOW, SECOND, Server, end, fail, registration, serve


def claim_of(run: Run) -> Claim:
    return run.id, run.epoch


async def one_waits_for_another(server: Server) -> tuple[Run, Run]:
    """A run that goes on, and one that it has asked for and waits for."""
    await server.ask()
    parent = await server.start_one()
    return parent, await server.ask(parent_id=parent.id, awaited_by=claim_of(parent))


class WaitingContract:
    @pytest.mark.parametrize("limits", [{"limit": 1}, {"global_limit": 1}, {"limit": 1, "global_limit": 1}])
    async def test_a_run_leaves_its_place_to_the_one_it_waits_for(self, store: Store, limits: dict[str, Any]) -> None:
        server = await serve(store, registration(**limits))
        parent, child = await one_waits_for_another(server)
        assert await store.waiting(server.id) == {parent.id}
        assert (await server.claim_one()).id == child.id
        # That one has the place now.
        await server.ask()
        assert await server.claim() == []

    async def test_one_that_is_not_waited_for_waits_for_its_place(self, store: Store) -> None:
        server = await serve(store, registration(limit=1))
        await server.ask()
        parent = await server.start_one()
        await server.ask(parent_id=parent.id)
        assert await store.waiting(server.id) == set()
        assert await server.claim() == []

    async def test_those_that_are_waited_for_may_wait_in_turn(self, store: Store) -> None:
        server = await serve(store, registration(limit=1))
        await server.ask()
        going_on = []
        for _ in range(3):
            going_on.append(run := await server.start_one())
            await server.ask(awaited_by=claim_of(run))
        assert await store.waiting(server.id) == {run.id for run in going_on}
        assert len(await server.claim()) == 1

    async def test_with_the_end_of_what_it_waited_for_it_has_its_place_again(self, store: Store) -> None:
        server = await serve(store, registration(limit=1))
        parent, _ = await one_waits_for_another(server)
        child = await server.start_one()
        await server.ask()
        await end(store, child)
        assert await store.waiting(server.id) == set()
        assert await server.claim() == []
        await end(store, parent)
        assert len(await server.claim()) == 1

    async def test_it_waits_as_long_as_one_of_several_has_not_ended(self, store: Store) -> None:
        server = await serve(store, registration(limit=1))
        parent, _ = await one_waits_for_another(server)
        await server.ask(awaited_by=claim_of(parent))
        await end(store, await server.start_one())
        assert await store.waiting(server.id) == {parent.id}

    async def test_whoever_waits_no_longer_has_its_place_again(self, store: Store) -> None:
        server = await serve(store, registration(limit=1))
        parent, child = await one_waits_for_another(server)
        async with store.changes(WAITS) as changes:
            await store.go_on(claim_of(parent), child.id)
            assert await changes.wait(20 * SECOND)
        assert await store.waiting(server.id) == set()
        assert await server.claim() == []
        await store.go_on(claim_of(parent), child.id)

    async def test_that_a_run_begins_to_wait_is_heard(self, store: Store) -> None:
        server = await serve(store, registration())
        async with store.changes(WAITS) as changes:
            await one_waits_for_another(server)
            assert await changes.wait(20 * SECOND)

    async def test_a_run_between_two_attempts_is_still_waited_for(self, store: Store) -> None:
        server = await serve(store, registration(limit=1))
        parent, child = await one_waits_for_another(server)
        await fail(store, await server.start_one(), retry_at=NOW + HOUR)
        assert await store.waiting(server.id) == {parent.id}
        await server.ask()
        assert len(await server.claim()) == 1
        await store.ask_cancel(child.id, ANNA, now=NOW)
        assert await store.waiting(server.id) == set()

    async def test_a_further_attempt_does_not_wait_for_what_an_earlier_one_waited_for(self, store: Store) -> None:
        server = await serve(store, registration(limit=1))
        parent, _ = await one_waits_for_another(server)
        await fail(store, parent, retry_at=NOW - HOUR)
        again = await server.start_one()
        assert again.id == parent.id
        assert await store.waiting(server.id) == set()
        assert await server.claim() == []

    async def test_one_that_others_asked_for_before_can_be_waited_for_too(self, store: Store) -> None:
        server = await serve(store, registration(limit=1))
        first = await server.ask(NOW + HOUR, idempotency_key="one")
        await server.ask()
        run = await server.start_one()
        assert await server.ask(idempotency_key="one", awaited_by=claim_of(run)) == first
        assert await store.waiting(server.id) == {run.id}

    async def test_what_is_waited_for_is_not_one_too_many(self, store: Store) -> None:
        server = await serve(store, registration(global_limit=1, collision_strategy="cancel_new"))
        _, child = await one_waits_for_another(server)
        await server.ask(NOW + SECOND)
        assert [run.id for run in await server.claim(now=NOW + SECOND)] == [child.id]
        assert len(await store.runs(states=[RunState.CANCELLED])) == 1

    async def test_who_waits_must_be_there(self, store: Store) -> None:
        server = await serve(store, registration())
        with pytest.raises(RunNotFound):
            await server.ask(awaited_by=(uuid4(), 1))
        assert await store.runs() == []
