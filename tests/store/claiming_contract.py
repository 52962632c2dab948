"""What every store promises about claims; its tests subclass this and supply the fixture `store`."""

from __future__ import annotations

import dataclasses
from uuid import UUID, uuid4

import anyio

from flowsource.deployments import FlowFacts
from flowsource.runs import RunState
from flowsource.store.protocol import Store
from flowsource.store.values import NewRun
from tests.store.words import FIRST, HOUR, MINUTE, NOW, SECOND, SECOND_REVISION, end, promote, registration, serve


class Claiming:
    async def test_a_claim_takes_what_is_due_oldest_first(self, store: Store) -> None:
        server = await serve(store, registration(), registration("weekly"))
        weekly = server.deployments[1].id
        late = await server.ask(NOW - SECOND)
        later = await store.create_run(NewRun(deployment_id=weekly, scheduled_at=NOW - MINUTE), now=NOW)
        latest = await server.ask(NOW - HOUR)
        await server.ask(NOW + SECOND)
        assert [run.id for run in await server.claim(limit=2)] == [latest.id, later.id]
        assert [run.id for run in await server.claim()] == [late.id]
        assert await server.claim() == []

    async def test_a_claim_fixes_who_runs_what(self, store: Store) -> None:
        server = await serve(store, registration())
        asked = await server.ask()
        await promote(store, server.deployment, SECOND_REVISION, FlowFacts(name="etl"), now=NOW)
        claimed = await server.claim_one()
        await promote(store, server.deployment, FIRST, FlowFacts(name="etl"), now=NOW)
        assert claimed == dataclasses.replace(
            asked,
            state=RunState.CLAIMED,
            attempt=1,
            epoch=1,
            runner_id=server.id,
            revision=SECOND_REVISION,
            claimed_at=NOW,
            changed_at=NOW,
        )
        assert await store.run(str(claimed.id)) == claimed

    async def test_a_claim_that_arrives_several_times_at_once_is_one(self, store: Store) -> None:
        server = await serve(store, registration())
        for _ in range(40):
            await server.ask()
        claim_id, given = uuid4(), set[frozenset[UUID]]()

        async def claim() -> None:
            claimed = await store.claim(server.id, [server.deployment.id], limit=3, now=NOW, transition_id=claim_id)
            given.add(frozenset(run.id for run in claimed.runs))

        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(claim)

        assert [len(ids) for ids in given] == [3]
        assert {run.id for run in await store.runs(states=[RunState.CLAIMED])} in given

    async def test_a_server_claims_only_for_its_own_deployments(self, store: Store) -> None:
        server, other = await serve(store, registration()), await serve(store, registration("weekly"))
        await server.ask()
        assert await other.claim() == []

    async def test_no_deployment_gets_more_than_its_limit(self, store: Store) -> None:
        server = await serve(store, registration(limit=2))
        for _ in range(5):
            await server.ask()
        first, _second = await server.claim()
        assert await server.claim() == []
        await store.start(first.id, first.epoch, at=NOW, transition_id=uuid4())
        assert await server.claim() == []
        await end(store, first)
        assert len(await server.claim()) == 1

    async def test_a_deployment_at_its_limit_does_not_hold_up_another(self, store: Store) -> None:
        server = await serve(store, registration(limit=1), registration("weekly"))
        for _ in range(3):
            await server.ask(NOW - HOUR)
        free = NewRun(deployment_id=server.deployments[1].id, scheduled_at=NOW)
        runs = [await store.create_run(free, now=NOW) for _ in range(2)]
        claimed = await server.claim(limit=3)
        assert len(claimed) == 3
        assert {run.id for run in runs} < {run.id for run in claimed}

    async def test_a_released_run_is_as_if_it_had_not_been_claimed(self, store: Store) -> None:
        server = await serve(store, registration())
        asked = await server.ask()
        claimed = await server.claim_one()
        released = await store.release(claimed.id, claimed.epoch, at=NOW, transition_id=uuid4())
        assert released == dataclasses.replace(asked, epoch=1)
        assert (await server.claim_one()).epoch == 2
