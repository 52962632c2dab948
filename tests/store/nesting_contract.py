"""What every store promises about nested runs; its tests subclass this and supply the fixture `store`."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from flowsource.errors import InConflict, RunNotFound, Superseded
from flowsource.runs import Run, RunState
from flowsource.store.protocol import Store
from flowsource.store.values import NestedRun, NewRun, Outcome
from tests.store.words import ANNA, BOOM, FIRST, HOUR, MINUTE, NOW, SECOND, end, fail, registration, serve, way_of


def nested(number: int = 1, state: RunState = RunState.RUNNING, **said: Any) -> NestedRun:
    """The flow that was called as the one of that `number`."""
    ended_at = NOW + MINUTE if state.is_final else None
    known = {"name": f"child {number}", "flow": "extract", "started_at": NOW, "ended_at": ended_at}
    return NestedRun(id=UUID(int=number), state=state, **{**known, **said})


class NestingContract:
    async def test_a_flow_that_was_called_inside_a_run_is_a_run_of_its_own(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask(tags=("etl",))
        parent = await server.start_one()
        await store.nest(parent.id, parent.epoch, [nested(parameters={"day": 5})])
        [child] = await store.runs(parent_id=parent.id)
        assert child == Run(
            id=UUID(int=1),
            name="child 1",
            deployment_id=server.deployment.id,
            deployment="etl/nightly",
            flow="extract",
            state=RunState.RUNNING,
            scheduled_at=NOW,
            due_at=NOW,
            created_at=NOW,
            changed_at=NOW,
            started_at=NOW,
            parameters={"day": 5},
            tags=("etl",),
            parent_id=parent.id,
            is_nested=True,
            attempt=1,
            revision=FIRST,
        )
        assert await store.run(str(child.id)) == child

    async def test_it_ends_as_its_parent_tells_and_only_once(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        parent = await server.start_one()
        await store.nest(parent.id, parent.epoch, [nested(1), nested(2)])
        for _ in range(2):
            ended = [nested(1, RunState.COMPLETED), nested(2, RunState.FAILED, failure=BOOM)]
            await store.nest(parent.id, parent.epoch, ended)
        await store.nest(parent.id, parent.epoch, [nested(1), nested(1, RunState.FAILED, ended_at=NOW + HOUR)])
        second, first = await store.runs(parent_id=parent.id)
        assert (first.state, first.ended_at, first.failure) == (RunState.COMPLETED, NOW + MINUTE, None)
        assert (second.state, second.ended_at, second.failure) == (RunState.FAILED, NOW + MINUTE, BOOM)
        assert await way_of(store, first) == [RunState.RUNNING, RunState.COMPLETED]
        assert (await store.transitions(second.id))[-1].reason == "boom"

    async def test_one_that_was_told_of_only_when_it_had_ended_is_whole(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        parent = await server.start_one()
        await store.nest(parent.id, parent.epoch, [nested(1, RunState.COMPLETED, ended_at=None)])
        [child] = await store.runs(parent_id=parent.id)
        assert (child.state, child.started_at, child.ended_at) == (RunState.COMPLETED, NOW, NOW)

    @pytest.mark.parametrize(
        ("outcome", "state"),
        [
            (RunState.COMPLETED, RunState.CRASHED),
            (RunState.FAILED, RunState.FAILED),
            (RunState.TIMED_OUT, RunState.TIMED_OUT),
            (RunState.CANCELLED, RunState.CANCELLED),
            (RunState.CRASHED, RunState.CRASHED),
        ],
    )
    async def test_what_still_goes_on_ends_with_its_parent(
        self, store: Store, outcome: RunState, state: RunState
    ) -> None:
        server = await serve(store, registration())
        await server.ask()
        parent = await server.start_one()
        await store.nest(parent.id, parent.epoch, [nested(1), nested(2, RunState.COMPLETED)])
        await end(store, parent, Outcome(state=outcome))
        second, first = await store.runs(parent_id=parent.id)
        assert (first.state, first.ended_at, second.state) == (state, NOW, RunState.COMPLETED)
        assert first.failure is not None

    async def test_it_ends_with_the_attempt_that_it_was_called_in(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        parent = await server.start_one()
        await store.nest(parent.id, parent.epoch, [nested(1)])
        await fail(store, parent, retry_at=NOW)
        again = await server.start_one()
        await store.nest(again.id, again.epoch, [nested(2)])
        second, first = await store.runs(parent_id=parent.id)
        assert (first.state, second.state) == (RunState.FAILED, RunState.RUNNING)

    async def test_it_crashes_with_a_server_that_is_gone(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        parent = await server.start_one()
        await store.nest(parent.id, parent.epoch, [nested()])
        await store.reap(now=NOW, dead=[server.id])
        [child] = await store.runs(parent_id=parent.id)
        assert (child.state, child.ended_at) == (RunState.CRASHED, NOW)

    async def test_it_goes_on_while_its_parent_is_lost_and_is_given_up_with_it(self, store: Store) -> None:
        server = await serve(store, registration(), lease=SECOND)
        await server.ask()
        parent = await server.start_one()
        await store.nest(parent.id, parent.epoch, [nested(1)])
        await store.reap(now=NOW + MINUTE)
        await store.nest(parent.id, parent.epoch, [nested(2)])
        assert {run.state for run in await store.runs(parent_id=parent.id)} == {RunState.RUNNING}
        await store.ask_cancel(parent.id, ANNA, now=NOW + MINUTE)
        assert {run.state for run in await store.runs(parent_id=parent.id)} == {RunState.CRASHED}

    async def test_nobody_is_told_of_flows_inside_a_run_that_is_not_his_any_more(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        parent = await server.start_one()
        with pytest.raises(Superseded, match="claimed again"):
            await store.nest(parent.id, parent.epoch - 1, [nested()])
        with pytest.raises(RunNotFound):
            await store.nest(uuid4(), 1, [nested()])
        await end(store, parent)
        with pytest.raises(Superseded, match="is completed"):
            await store.nest(parent.id, parent.epoch, [nested()])
        assert await store.runs(parent_id=parent.id) == []

    async def test_no_run_ends_what_goes_on_inside_another(self, store: Store) -> None:
        server = await serve(store, registration())
        for _ in range(2):
            await server.ask()
        one, other = await server.start_one(), await server.start_one()
        await store.nest(one.id, one.epoch, [nested()])
        await store.nest(other.id, other.epoch, [nested(state=RunState.FAILED)])
        [child] = await store.runs(parent_id=one.id)
        assert child.state is RunState.RUNNING
        assert await store.runs(parent_id=other.id) == []

    async def test_it_counts_against_no_limit_and_is_nobodys_to_claim_or_to_lose(self, store: Store) -> None:
        server = await serve(store, registration(limit=2, global_limit=2))
        await server.ask()
        parent = await server.start_one()
        await store.nest(parent.id, parent.epoch, [nested(number) for number in range(1, 6)])
        assert await store.reap(now=NOW) == []
        await server.ask()
        assert len(await server.claim()) == 1

    async def test_it_is_left_out_where_runs_are_listed(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        parent = await server.start_one()
        await store.nest(parent.id, parent.epoch, [nested()])
        assert await store.runs() == [parent]
        assert await store.runs(deployment_id=server.deployment.id, states=[RunState.RUNNING]) == [parent]

    async def test_a_person_cancels_the_run_that_it_goes_on_in(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        parent = await server.start_one()
        await store.nest(parent.id, parent.epoch, [nested()])
        with pytest.raises(InConflict, match=f"inside run {parent.id}"):
            await store.ask_cancel(UUID(int=1), ANNA, now=NOW)

    async def test_a_run_that_another_asks_for_is_found_by_its_parent_and_is_a_run_like_any(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        parent = await server.start_one()
        asked = await server.ask(parent_id=parent.id)
        await store.nest(parent.id, parent.epoch, [nested()])
        assert {run.id for run in await store.runs(parent_id=parent.id)} == {asked.id, UUID(int=1)}
        assert {run.id for run in await store.runs()} == {asked.id, parent.id}
        await end(store, parent)
        assert (await server.claim_one()).id == asked.id

    async def test_a_parent_that_is_not_there_is_refused(self, store: Store) -> None:
        server = await serve(store, registration())
        with pytest.raises(RunNotFound):
            await store.create_run(
                NewRun(deployment_id=server.deployment.id, scheduled_at=NOW, parent_id=uuid4()), now=NOW
            )
