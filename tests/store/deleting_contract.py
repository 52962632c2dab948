"""What every store promises about deleting a deployment; its tests subclass this."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

import pytest

from flowsource.errors import DeploymentNotFound, InConflict, RunNotFound
from flowsource.store import pruning
from flowsource.store.protocol import Store
from flowsource.store.values import LOST_FOR, NewRun
from tests.store.words import ANNA, COMPLETED, HOURLY, MINUTE, NOW, SECOND, Server, lines, registration, serve

LATER = NOW + MINUTE


async def delete(server: Server, now: datetime = LATER) -> int:
    """Delete its deployment; in how many steps."""
    steps = 1
    while not await server.store.delete_deployment(server.deployment.id, ANNA, now=now):
        steps += 1
    return steps


class DeletingContract:
    async def test_a_deployment_goes_with_all_that_is_known_of_it(self, store: Store) -> None:
        server = await serve(store, registration(schedules=(HOURLY,), tags=("etl",)))
        other = await serve(store, registration("other"))
        run = await server.ask()
        started = await server.start_one()
        asked = await store.create_run(
            NewRun(deployment_id=other.deployment.id, scheduled_at=NOW, parent_id=run.id), now=NOW
        )
        await store.finish(run.id, started.epoch, COMPLETED, at=NOW, transition_id=uuid4(), lines=lines(1, 2))
        waiting = await server.ask(NOW + 5 * MINUTE)
        await store.retire(server.id, now=NOW)

        await delete(server)

        assert [one.full_name for one in await store.deployments()] == ["etl/other"]
        for gone in (run, waiting):
            with pytest.raises(RunNotFound):
                await store.run(str(gone.id))
        assert (await store.run(str(asked.id))).parent_id is None
        assert await store.lines(run.id) == []
        assert await store.schedules([server.deployment.id]) == []
        [told] = await store.newest_events(names=["deployment.deleted"])
        assert (told.payload["by"], told.payload["reason"]) == ("anna", "wrong day")
        with pytest.raises(DeploymentNotFound):
            await store.delete_deployment(server.deployment.id, ANNA, now=LATER)

    async def test_it_goes_in_steps_where_there_is_much_of_it(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pruning, "LINES_AT_ONCE", 2)
        server = await serve(store, registration())
        for _ in range(2):
            await server.ask()
            started = await server.start_one()
            await store.finish(
                started.id, started.epoch, COMPLETED, at=NOW, transition_id=uuid4(), lines=lines(1, 2, 3)
            )
        await store.retire(server.id, now=NOW)

        assert await delete(server) >= 3

        assert await store.deployments() == []

    async def test_one_that_is_served_stays_whole(self, store: Store) -> None:
        server = await serve(store, registration(), lease=MINUTE)
        run = await server.ask()

        with pytest.raises(InConflict, match="etl/nightly is served"):
            await delete(server, NOW)
        with pytest.raises(InConflict, match="or was until some minutes ago"):
            await delete(server, NOW + MINUTE + LOST_FOR)

        assert (await store.run(str(run.id))).id == run.id
        await delete(server, NOW + MINUTE + LOST_FOR + SECOND)
        assert await store.deployments() == []

    async def test_one_of_which_a_run_goes_on_stays_whole(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask(name="brave-otter")
        await server.start_one()
        await store.retire(server.id, now=NOW)

        with pytest.raises(InConflict, match="brave-otter, a run of etl/nightly, goes on"):
            await delete(server)

    async def test_its_name_is_free_again(self, store: Store) -> None:
        server = await serve(store, registration())
        await store.retire(server.id, now=NOW)
        await delete(server)

        again = await serve(store, registration())

        assert again.deployment.id != server.deployment.id
        assert len(await store.history(again.deployment.id)) == 1
