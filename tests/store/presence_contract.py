"""What every store promises about which servers are there; its tests subclass this and supply the fixture `store`."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from flowsource.errors import NotFound
from flowsource.runs import RunState
from flowsource.store.protocol import Store
from flowsource.store.values import DEPLOYMENTS, KnownRunner, RunnerInfo
from tests.store.words import GENEROUS, HOUR, HOURLY, MINUTE, NOW, SECOND, registration, serve


class Presence:
    async def test_a_server_that_takes_leave_stops_what_it_served(self, store: Store) -> None:
        server = await serve(store, registration(schedules=(HOURLY,)))
        [stopped] = await store.retire(server.id, now=NOW)
        assert stopped.stopped
        [schedule] = await store.schedules([stopped.id])
        assert schedule.is_held

    async def test_the_next_server_takes_up_what_was_stopped_from_now_on(self, store: Store) -> None:
        await store.retire((await serve(store, registration(schedules=(HOURLY,)))).id, now=NOW)
        server = await serve(store, registration(schedules=(HOURLY,)), now=NOW + 5 * HOUR)
        assert not server.deployment.stopped
        [schedule] = await store.schedules([server.deployment.id])
        assert (schedule.cursor, schedule.is_held) == (NOW + 5 * HOUR, False)

    async def test_without_pause_on_shutdown_nothing_stops_and_no_instant_is_lost(self, store: Store) -> None:
        new = registration(schedules=(HOURLY,), pause_on_shutdown=False)
        assert await store.retire((await serve(store, new)).id, now=NOW) == []
        server = await serve(store, new, now=NOW + 5 * HOUR)
        [schedule] = await store.schedules([server.deployment.id])
        assert (schedule.cursor, schedule.is_held) == (NOW, False)

    async def test_what_another_live_server_serves_goes_on(self, store: Store) -> None:
        first = await serve(store, registration())
        await serve(store, registration())
        assert await store.retire(first.id, now=NOW) == []

    async def test_what_was_stopped_while_its_server_slept_goes_on_when_that_one_is_back(self, store: Store) -> None:
        slept = await serve(store, registration(schedules=(HOURLY,)), lease=SECOND)
        other = await serve(store, registration(schedules=(HOURLY,)), lease=SECOND)
        [stopped] = await store.retire(other.id, now=NOW + MINUTE)
        async with store.changes(DEPLOYMENTS) as changes:
            await store.renew(slept.id, lease_until=NOW + HOUR)
            assert await changes.wait(GENEROUS)
        [schedule] = await store.schedules([stopped.id])
        assert (schedule.cursor, schedule.is_held) == (NOW, False)

    async def test_a_renewal_that_comes_late_shortens_no_lease(self, store: Store) -> None:
        server = await serve(store, registration(), lease=HOUR)
        await store.renew(server.id, lease_until=NOW + SECOND)
        assert await store.reap(now=NOW + MINUTE) == []
        assert await store.served(now=NOW + MINUTE) == {server.deployment.id}

    async def test_a_server_that_is_back_lifts_no_pause(self, store: Store) -> None:
        server = await serve(store, registration())
        await store.set_paused(server.deployment.id, True, now=NOW)
        await store.renew(server.id, lease_until=NOW + HOUR)
        assert (await store.deployment("nightly")).paused

    async def test_a_server_is_known_by_what_it_says_of_itself(self, store: Store) -> None:
        info = RunnerInfo(host="<b>\x1b[31mred\0", pid=17, version="1", started_at=NOW, limit=4)
        silent = await serve(store, registration("b"), registration("a"))
        telling_id = uuid4()
        for host in ("before", info.host):
            said = replace(info, host=host)
            until = NOW + HOUR
            await store.register(telling_id, [registration()], lease_until=until, now=NOW, owner="fleet", info=said)

        known = {one.id: one for one in await store.runners()}
        assert known[telling_id] == KnownRunner(
            id=telling_id, lease_until=NOW + HOUR, owner="fleet", info=info, deployments=("etl/nightly",)
        )
        assert known[silent.id] == KnownRunner(id=silent.id, lease_until=NOW + MINUTE, deployments=("etl/a", "etl/b"))
        assert list(known) == sorted(known)

    async def test_a_server_out_of_sight_keeps_nothing_from_stopping(self, store: Store) -> None:
        first = await serve(store, registration(), lease=HOUR)
        await serve(store, registration(), lease=SECOND)
        assert [one.full_name for one in await store.retire(first.id, now=NOW + MINUTE)] == ["etl/nightly"]

    async def test_a_killed_server_is_as_one_that_took_leave_once_its_lease_is_over(self, store: Store) -> None:
        await serve(store, registration(schedules=(HOURLY,)), lease=MINUTE)
        server = await serve(store, registration(schedules=(HOURLY,)), now=NOW + 5 * HOUR)
        [schedule] = await store.schedules([server.deployment.id])
        assert schedule.cursor == NOW + 5 * HOUR

    async def test_a_killed_server_that_is_soon_back_has_missed_nothing(self, store: Store) -> None:
        await serve(store, registration(schedules=(HOURLY,)), lease=MINUTE)
        server = await serve(store, registration(schedules=(HOURLY,)), now=NOW + SECOND)
        [schedule] = await store.schedules([server.deployment.id])
        assert schedule.cursor == NOW

    async def test_the_runs_of_a_server_out_of_sight_are_lost_and_those_of_a_live_one_go_on(self, store: Store) -> None:
        lost = await serve(store, registration(schedules=(HOURLY,)), lease=SECOND)
        live = await serve(store, registration("weekly"), lease=HOUR)
        await lost.ask()
        await lost.ask()
        await live.ask()
        started = await lost.start_one()
        claimed = await lost.claim_one()
        goes_on = await live.start_one()
        lost_runs = await store.reap(now=NOW + MINUTE)
        assert {run.id for run in lost_runs} == {started.id, claimed.id}
        assert {run.state for run in lost_runs} == {RunState.LOST}
        assert all(run.changed_at == NOW + MINUTE and run.failure for run in lost_runs)
        assert (await store.run(str(goes_on.id))).state is RunState.RUNNING
        assert (await store.deployment("nightly")).stopped

    async def test_nothing_is_reaped_before_a_lease_is_over(self, store: Store) -> None:
        server = await serve(store, registration(), lease=SECOND)
        await server.ask()
        await server.start_one()
        await store.renew(server.id, lease_until=NOW + HOUR)
        assert await store.reap(now=NOW + MINUTE) == []

    async def test_a_run_that_a_retired_server_left_behind_crashes(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        run = await server.start_one()
        await store.retire(server.id, now=NOW)
        assert [crashed.id for crashed in await store.reap(now=NOW)] == [run.id]

    async def test_a_server_that_was_given_up_is_told_so(self, store: Store) -> None:
        server = await serve(store, registration(), lease=SECOND)
        await store.reap(now=NOW + MINUTE)
        with pytest.raises(NotFound, match="register again"):
            await store.renew(server.id, lease_until=NOW + HOUR)
        with pytest.raises(NotFound, match="register again"):
            await server.claim()
