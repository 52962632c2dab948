"""What every store promises about creating runs; its tests subclass this and supply the fixture `store`."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from flowsource.errors import DeploymentNotFound
from flowsource.schedules import Cron, content_key
from flowsource.store.protocol import Store
from flowsource.store.values import NewRun
from tests.store.words import HOUR, HOURLY, NOW, registration, serve


class Creating:
    async def test_a_run_has_the_parameters_given_over_those_of_its_deployment(self, store: Store) -> None:
        server = await serve(store, registration(parameters={"a": 1, "b": 1}, tags=("etl",)))
        run = await server.ask(parameters={"b": 2, "c": None}, tags=("mine", "etl"), name="by-hand")
        assert run.parameters == {"a": 1, "b": 2, "c": None}
        assert (run.tags, run.name, run.deployment) == (("etl", "mine"), "by-hand", "etl/nightly")
        assert await store.run(str(run.id)) == run

    async def test_a_run_without_a_name_gets_one_that_can_be_said(self, store: Store) -> None:
        run = await (await serve(store, registration())).ask()
        assert len(run.name.split("-")) >= 2

    async def test_the_second_of_one_idempotency_key_is_the_first(self, store: Store) -> None:
        server = await serve(store, registration(), registration("weekly"))
        first = await server.ask(idempotency_key="order-1")
        assert await server.ask(idempotency_key="order-1", parameters={"other": True}) == first
        assert await server.ask(idempotency_key="order-2") != first
        of_another = NewRun(deployment_id=server.deployments[1].id, scheduled_at=NOW, idempotency_key="order-1")
        assert (await store.create_run(of_another, now=NOW)).id != first.id

    async def test_a_run_of_an_unknown_deployment_is_refused(self, store: Store) -> None:
        with pytest.raises(DeploymentNotFound):
            await store.create_run(NewRun(deployment_id=uuid4(), scheduled_at=NOW), now=NOW)

    async def test_scheduled_runs_are_created_once_for_each_instant(self, store: Store) -> None:
        server = await serve(store, registration(schedules=(HOURLY,)))
        key, deployment_id = content_key(HOURLY), server.deployment.id
        instants = [NOW, NOW + HOUR]
        created = await store.create_scheduled(deployment_id, key, instants, cursor=NOW + HOUR, now=NOW)
        assert [(run.scheduled_at, run.schedule) for run in created] == [(NOW, key), (NOW + HOUR, key)]
        again = await store.create_scheduled(
            deployment_id, key, [NOW + HOUR, NOW + 2 * HOUR], cursor=NOW + 2 * HOUR, now=NOW
        )
        assert [run.scheduled_at for run in again] == [NOW + 2 * HOUR]

    async def test_a_scheduled_run_has_the_parameters_of_its_schedule_and_comes_due_within_its_jitter(
        self, store: Store
    ) -> None:
        said = Cron("@hourly", parameters={"n": 2}, jitter=600)
        server = await serve(store, registration(schedules=(said, HOURLY), parameters={"n": 1, "m": 1}))
        deployment_id = server.deployment.id
        for schedule in (said, HOURLY):
            await store.create_scheduled(deployment_id, content_key(schedule), [NOW], cursor=NOW, now=NOW)
        runs = {run.schedule: run for run in await store.runs()}
        scattered, plain = runs[content_key(said)], runs[content_key(HOURLY)]
        assert (dict(scattered.parameters), dict(plain.parameters)) == ({"n": 2, "m": 1}, {"n": 1, "m": 1})
        assert scattered.scheduled_at == NOW < scattered.due_at < NOW + timedelta(seconds=600)
        assert plain.scheduled_at == plain.due_at == NOW

    async def test_a_cursor_never_moves_back(self, store: Store) -> None:
        server = await serve(store, registration(schedules=(HOURLY,)))
        key, deployment_id = content_key(HOURLY), server.deployment.id
        await store.create_scheduled(deployment_id, key, [], cursor=NOW + 3 * HOUR, now=NOW)
        await store.create_scheduled(deployment_id, key, [], cursor=NOW + HOUR, now=NOW)
        [schedule] = await store.schedules([deployment_id])
        assert schedule.cursor == NOW + 3 * HOUR
