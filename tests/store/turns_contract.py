"""What every store promises about whose turn it is; its tests subclass this and supply the fixture `store`."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from flowsource.runs import Run, RunState
from flowsource.schedules import content_key
from flowsource.store.protocol import Store
from flowsource.store.values import WORK, NewRun, about
from tests.store.words import (
    GENEROUS,
    HOUR,
    HOURLY,
    MINUTE,
    NOW,
    SECOND,
    Server,
    end,
    fail,
    registration,
    serve,
    way_of,
)


async def ask_of(server: Server, place: int) -> Run:
    """Ask for a run of the deployment at that place of those served."""
    new = NewRun(deployment_id=server.deployments[place].id, scheduled_at=NOW)
    return await server.store.create_run(new, now=NOW)


async def scheduled(server: Server, hours: int) -> Run:
    """The run of the schedule of a deployment that is due so many hours after NOW."""
    key, at = content_key(HOURLY), NOW + hours * HOUR
    [run] = await server.store.create_scheduled(server.deployment.id, key, [at], cursor=at, now=NOW)
    return run


def counted(runs: list[Run]) -> Counter[UUID]:
    return Counter(run.deployment_id for run in runs)


class TurnsContract:
    async def test_a_deployment_with_many_runs_starves_none_with_one(self, store: Store) -> None:
        server = await serve(store, registration("busy"), registration("idle"))
        for _ in range(30):
            await server.ask(NOW - HOUR)
        one = await ask_of(server, 1)
        assert one.id in {run.id for run in await server.claim(limit=2)}

    async def test_deployments_take_turns(self, store: Store) -> None:
        server = await serve(store, *(registration(name) for name in ("a", "b", "c")))
        for place in (0, 0, 0, 0, 1, 1, 1, 1, 2):
            await ask_of(server, place)
        a, b, c = (one.id for one in server.deployments)
        assert counted(await server.claim(limit=3)) == {a: 1, b: 1, c: 1}
        claimed = await server.claim(limit=2)
        assert counted(claimed) == {a: 1, b: 1}
        # Whoever has the fewest going on is next.
        await end(store, await store.start(claimed[0].id, 1, at=NOW, transition_id=UUID(int=1)))
        [following] = await server.claim(limit=1)
        assert following.deployment_id == claimed[0].deployment_id

    async def test_a_limit_is_for_each_server_and_a_global_one_for_all(self, store: Store) -> None:
        declared = registration(limit=2, global_limit=3)
        one, other = await serve(store, declared), await serve(store, declared)
        for _ in range(6):
            await one.ask()
        assert len(await one.claim()) == 2
        assert len(await other.claim()) == 1
        assert await other.claim() == []
        assert {run.state for run in await store.runs(states=[RunState.SCHEDULED])} == {RunState.SCHEDULED}

    async def test_what_is_beyond_the_global_limit_is_cancelled_where_that_is_wanted(self, store: Store) -> None:
        server = await serve(store, registration(global_limit=1, collision_strategy="cancel_new"))
        for _ in range(3):
            await server.ask()
        later = await server.ask(NOW + HOUR)
        [claimed] = await server.claim()
        cancelled = await store.runs(states=[RunState.CANCELLED])
        assert len(cancelled) == 2
        assert {run.ended_at for run in cancelled} == {NOW}
        assert {run.failure.message for run in cancelled if run.failure} == {"1 run of its deployment went on already"}
        assert await way_of(store, cancelled[0]) == [RunState.SCHEDULED, RunState.CANCELLED]
        assert (await store.run(str(later.id))).state is RunState.SCHEDULED
        await end(store, await store.start(claimed.id, 1, at=NOW, transition_id=UUID(int=1)))
        assert [run.id for run in await server.claim(now=NOW + HOUR)] == [later.id]

    async def test_what_there_is_room_for_is_not_cancelled_because_a_server_takes_less(self, store: Store) -> None:
        server = await serve(store, registration(global_limit=3, limit=1, collision_strategy="cancel_new"))
        for _ in range(3):
            await server.ask()
        assert len(await server.claim(limit=1)) == 1
        assert await server.claim() == []
        assert len(await store.runs(states=[RunState.SCHEDULED])) == 2

    async def test_a_further_attempt_is_not_a_new_run(self, store: Store) -> None:
        server = await serve(store, registration(global_limit=1, collision_strategy="cancel_new"))
        await server.ask()
        retried = await fail(store, await server.start_one(), retry_at=NOW + MINUTE)
        await server.ask()
        [other] = await server.claim()
        assert await server.claim(now=NOW + MINUTE) == []
        await end(store, await store.start(other.id, 1, at=NOW, transition_id=UUID(int=1)))
        assert [run.id for run in await server.claim(now=NOW + MINUTE)] == [retried.id]

    async def test_a_scheduled_run_that_is_too_late_is_skipped_and_one_that_was_asked_for_is_not(
        self, store: Store
    ) -> None:
        server = await serve(store, registration(schedules=(HOURLY,), max_lateness=MINUTE, limit=1))
        asked = await server.ask()
        late, later = await scheduled(server, 1), await scheduled(server, 2)
        async with store.changes(about(late.id)) as changes, store.changes(WORK) as work:
            claimed = await server.claim(now=NOW + 2 * HOUR + SECOND)
            assert await changes.wait(GENEROUS)
            assert await work.wait(GENEROUS)
        assert [run.id for run in claimed] == [asked.id]
        [skipped] = await store.runs(states=[RunState.SKIPPED])
        assert (skipped.id, skipped.ended_at) == (late.id, NOW + 2 * HOUR + SECOND)
        assert (await store.transitions(late.id))[-1].reason == "it could not begin within 0:01:00 of its time"
        assert (await store.run(str(later.id))).state is RunState.SCHEDULED

    async def test_a_run_that_began_in_time_is_not_too_late_for_its_next_attempt(self, store: Store) -> None:
        server = await serve(store, registration(schedules=(HOURLY,), max_lateness=MINUTE))
        run = await scheduled(server, 0)
        await fail(store, await server.start_one(), retry_at=NOW + HOUR)
        assert [one.id for one in await server.claim(now=NOW + 3 * HOUR)] == [run.id]
