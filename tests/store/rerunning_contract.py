"""What every store promises about runs that do again what others did; its tests supply the fixture `store`."""

from __future__ import annotations

from uuid import uuid4

import pytest

from flowsource.errors import InConflict, InvalidInput, RunNotFound
from flowsource.runs import RunState
from flowsource.store.protocol import Store
from flowsource.store.values import NestedRun, NewRun
from tests.store.words import FIRST, NOW, SECOND_REVISION, end, promote, registration, release, serve


class Rerunning:
    async def test_a_rerun_has_the_parameters_and_tags_of_the_other_as_they_were(self, store: Store) -> None:
        server = await serve(store, registration(parameters={"day": "monday"}, tags=("old",)))
        await server.ask(parameters={"n": 1}, tags=("now",))
        before = await end(store, await server.start_one())
        later = await serve(store, registration(parameters={"day": "friday", "new": 1}, tags=("new",)))
        again = await later.ask(rerun_of=before.id)

        assert (again.rerun_of, again.parameters) == (before.id, {"day": "monday", "n": 1})
        assert again.tags == ("old", "now")
        assert (again.state, again.revision, again.keeps_revision) == (RunState.SCHEDULED, None, False)
        assert (again.id, again.name) != (before.id, before.name)

    async def test_a_rerun_is_at_what_serves_or_at_the_revision_of_the_other(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        before = await end(store, await server.start_one())
        await promote(store, server.deployment, SECOND_REVISION)
        active = await server.ask(rerun_of=before.id)
        same = await server.ask(rerun_of=before.id, at_same_revision=True)

        assert same.revision == FIRST
        assert ("key", FIRST) in await store.revisions_of_runs()
        claimed = {run.id: run for run in await server.claim()}
        assert (claimed[active.id].revision, claimed[same.id].revision) == (SECOND_REVISION, FIRST)
        back = [await release(store, run) for run in claimed.values()]
        assert {run.id: run.revision for run in back} == {active.id: None, same.id: FIRST}
        assert {run.id: run.revision for run in await server.claim()} == {
            active.id: SECOND_REVISION,
            same.id: FIRST,
        }

    async def test_what_cannot_be_had_again_is_refused(self, store: Store) -> None:
        server = await serve(store, registration())
        other = await serve(store, registration("other"))
        waits = await server.ask()
        with pytest.raises(InConflict, match="no revision yet"):
            await server.ask(rerun_of=waits.id, at_same_revision=True)
        with pytest.raises(InvalidInput, match="rerun_of"):
            await other.ask(rerun_of=waits.id)
        with pytest.raises(RunNotFound):
            await server.ask(rerun_of=uuid4())
        run = await server.start_one()
        inside = NestedRun(id=uuid4(), name="inside", flow="f", state=RunState.RUNNING, started_at=NOW)
        await store.nest(run.id, run.epoch, [inside])
        with pytest.raises(InConflict, match="inside another run"):
            await server.ask(rerun_of=inside.id)
        assert len(await store.runs()) == 1

    async def test_a_rerun_that_is_asked_for_again_is_the_same(self, store: Store) -> None:
        server = await serve(store, registration())
        before = await server.ask()
        new = NewRun(deployment_id=server.deployment.id, scheduled_at=NOW, rerun_of=before.id, idempotency_key="once")

        assert await store.create_run(new, now=NOW) == await store.create_run(new, now=NOW)
