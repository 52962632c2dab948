"""What every store promises about finding runs; its tests subclass this and supply the fixture `store`."""

from __future__ import annotations

import pytest

from flowsource.errors import RunNotFound
from flowsource.runs import RunState
from flowsource.store.protocol import Store
from flowsource.store.values import NewRun, Outcome
from tests.store.words import HOUR, NOW, SECOND, end, registration, serve


class Finding:
    async def test_a_run_is_found_by_id_by_the_beginning_of_its_id_and_by_name(self, store: Store) -> None:
        run = await (await serve(store, registration())).ask(name="brave-otter")
        for text in (str(run.id), run.id.hex.upper(), str(run.id)[:4], str(run.id)[:14], "brave-otter"):
            assert await store.run(text) == run

    async def test_the_newest_of_a_name_is_meant(self, store: Store) -> None:
        server = await serve(store, registration())
        new = NewRun(deployment_id=server.deployment.id, scheduled_at=NOW, name="brave-otter")
        await store.create_run(new, now=NOW)
        newer = await store.create_run(new, now=NOW + SECOND)
        assert await store.run("brave-otter") == newer

    async def test_what_begins_more_than_one_id_is_refused(self, store: Store) -> None:
        server = await serve(store, registration())
        beginning = str((await server.ask()).id)[:4]
        await server.ask()
        with pytest.raises(RunNotFound, match="more than one"):
            await store.run(beginning)

    @pytest.mark.parametrize("text", ["", "abc", "brave-otter", "ffff", "%", "\udc80"])
    async def test_what_is_not_there_is_not_found(self, store: Store, text: str) -> None:
        await (await serve(store, registration())).ask(name="calm-heron")
        with pytest.raises(RunNotFound):
            await store.run(text)

    async def test_runs_are_listed_newest_first(self, store: Store) -> None:
        server = await serve(store, registration(), registration("weekly"))
        nightly, weekly = (one.id for one in server.deployments)
        created = [
            await store.create_run(
                NewRun(deployment_id=weekly if number % 2 else nightly, scheduled_at=NOW), now=NOW + number * SECOND
            )
            for number in range(6)
        ]
        assert await store.runs() == created[::-1]
        assert await store.runs(limit=2) == created[:3:-1]
        assert await store.runs(deployment_id=nightly) == created[4::-2]
        cancelled = await end(store, created[3], Outcome(state=RunState.CANCELLED))
        assert await store.runs(states=[RunState.CANCELLED, RunState.FAILED]) == [cancelled]

    async def test_what_has_not_ended_is_counted_by_its_state(self, store: Store) -> None:
        server = await serve(store, registration("one"), registration("other"))
        assert await store.backlog() == []
        await server.ask(NOW)
        await end(store, await server.start_one())
        await server.ask(NOW - HOUR)
        begun = await server.start_one()
        for number, deployment in enumerate([*server.deployments, *server.deployments]):
            at = NOW - number * SECOND
            await store.create_run(NewRun(deployment_id=deployment.id, scheduled_at=at), now=NOW)

        told = {one.state: (one.count, one.due_at) for one in await store.backlog()}

        assert told == {RunState.RUNNING: (1, begun.due_at), RunState.SCHEDULED: (4, NOW - 3 * SECOND)}

    async def test_how_the_last_runs_of_each_deployment_went_is_told_oldest_first(self, store: Store) -> None:
        server = await serve(store, registration("one"), registration("other"))
        one, other = (each.id for each in server.deployments)
        runs = [
            await store.create_run(NewRun(deployment_id=one, scheduled_at=NOW), now=NOW + number * SECOND)
            for number in range(4)
        ]
        ended = await end(store, await server.start_one())

        latest = await store.latest_runs([one, other], each=3)

        assert latest[other] == []
        assert [glimpse.id for glimpse in latest[one]] == [run.id for run in runs[1:]]
        [first, *_] = (await store.latest_runs([one], each=4))[one]
        assert (first.id, first.state, first.ended_at) == (ended.id, RunState.COMPLETED, ended.ended_at)
