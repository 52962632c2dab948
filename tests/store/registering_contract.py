"""What every store promises about registering deployments; its tests subclass this and supply the fixture `store`."""

from __future__ import annotations

import dataclasses
from typing import Any
from uuid import uuid4

import pytest

from flowsource.deployments import FlowFacts, Loaded, Rejection
from flowsource.errors import DeploymentNotFound, InvalidDeployment
from flowsource.promotions import Decision, Passed
from flowsource.revisions import Revision
from flowsource.schedules import Cron, Interval
from flowsource.store.protocol import Store
from tests.store.words import (
    FIRST,
    HOUR,
    HOURLY,
    MINUTE,
    NOW,
    SECOND,
    SECOND_REVISION,
    promote,
    registration,
    reject,
    serve,
)

DAILY = Cron("0 2 * * *", "Europe/Berlin")


class Registering:
    async def test_a_registered_deployment_is_as_it_was_declared(self, store: Store) -> None:
        new = registration(
            parameters={"day": "yesterday"},
            schedules=(DAILY, HOURLY),
            tags=("etl", "night"),
            description="loads it",
            version="7",
            limit=2,
        )
        server = await serve(store, new)
        assert server.deployment.declared == new.declared
        assert server.deployment.active == FIRST
        assert server.deployment.facts == new.facts
        assert await store.deployments() == [server.deployment]

    async def test_registering_the_same_again_changes_only_when_it_was_updated(self, store: Store) -> None:
        new = registration(schedules=(HOURLY, DAILY))
        before = await serve(store, new)
        after = await serve(store, new, now=NOW + SECOND)
        assert after.deployment == dataclasses.replace(before.deployment, updated_at=NOW + SECOND)

    async def test_what_the_code_says_follows_the_code(self, store: Store) -> None:
        await serve(store, registration(parameters={"a": 1}, tags=("old",), limit=1))
        server = await serve(store, registration(parameters={"b": 2}, active=SECOND_REVISION))
        declared = server.deployment.declared
        assert (declared.parameters, declared.tags, declared.limit) == ({"b": 2}, (), None)
        assert server.deployment.active == SECOND_REVISION

    async def test_a_server_whose_remote_is_away_brings_no_older_revision_back(self, store: Store) -> None:
        server = await serve(store, registration())
        facts = FlowFacts(name="etl", description="new")
        await promote(store, server.deployment, SECOND_REVISION, facts, now=NOW)
        rejected = await reject(
            store,
            server.deployment,
            Rejection(revision=Revision(id="3" * 40), kind="import", message="no", details="", at=NOW),
        )
        stale = await serve(store, registration(tags=("new",), is_stale=True))
        assert stale.deployment == dataclasses.replace(
            rejected, declared=dataclasses.replace(rejected.declared, tags=("new",)), updated_at=NOW
        )
        assert (await serve(store, registration())).deployment.active == FIRST

    async def test_a_server_whose_remote_is_away_registers_what_was_not_there(self, store: Store) -> None:
        assert (await serve(store, registration(is_stale=True))).deployment.active == FIRST

    @pytest.mark.parametrize("moved", [{"source_key": "other"}, {"entrypoint": "other.py:etl"}])
    async def test_a_deployment_that_moved_takes_a_stale_revision_from_its_new_place(
        self, store: Store, moved: dict[str, Any]
    ) -> None:
        await serve(store, registration(active=SECOND_REVISION))
        assert (await serve(store, registration(is_stale=True, **moved))).deployment.active == FIRST

    async def test_a_pause_survives_a_restart(self, store: Store) -> None:
        server = await serve(store, registration(schedules=(HOURLY,)))
        await store.set_paused(server.deployment.id, True, now=NOW)
        again = await serve(store, registration(schedules=(HOURLY,)))
        assert again.deployment.paused
        [schedule] = await store.schedules([again.deployment.id])
        assert schedule.is_held

    async def test_a_declaration_that_says_paused_outright_is_obeyed(self, store: Store) -> None:
        server = await serve(store, registration(paused=True))
        assert server.deployment.paused
        again = await serve(store, registration(paused=False))
        assert not again.deployment.paused

    async def test_a_pause_that_was_only_declared_goes_with_its_declaration(self, store: Store) -> None:
        await serve(store, registration(paused=True))
        assert not (await serve(store, registration())).deployment.paused

    async def test_what_a_pause_held_back_is_not_made_up_for(self, store: Store) -> None:
        server = await serve(store, registration(schedules=(HOURLY,)))
        await store.set_paused(server.deployment.id, True, now=NOW + HOUR)
        await store.set_paused(server.deployment.id, False, now=NOW + 5 * HOUR)
        [schedule] = await store.schedules([server.deployment.id])
        assert (schedule.cursor, schedule.is_held) == (NOW + 5 * HOUR, False)

    async def test_an_interval_keeps_its_anchor(self, store: Store) -> None:
        await serve(store, registration(schedules=(Interval(HOUR),)), now=NOW)
        server = await serve(store, registration(schedules=(Interval(HOUR),)), now=NOW + 50 * MINUTE)
        [schedule] = await store.schedules([server.deployment.id])
        assert schedule.schedule == Interval(HOUR, NOW)
        assert server.deployment.declared.schedules == (Interval(HOUR, NOW),)
        declared_elsewhere = Interval(HOUR, NOW + 7 * MINUTE)
        server = await serve(store, registration(schedules=(declared_elsewhere,)), now=NOW + HOUR)
        [schedule] = await store.schedules([server.deployment.id])
        assert (schedule.schedule, schedule.cursor) == (declared_elsewhere, NOW + HOUR)

    async def test_a_schedule_of_a_name_goes_on_unless_it_says_something_else(self, store: Store) -> None:
        await serve(store, registration(schedules=(Interval(HOUR, slug="one"),)), now=NOW)
        server = await serve(store, registration(schedules=(Interval(HOUR, slug="one", jitter=5),)), now=NOW + MINUTE)
        [schedule] = await store.schedules([server.deployment.id])
        assert schedule.schedule == Interval(HOUR, NOW, slug="one", jitter=5)
        assert schedule.cursor == NOW
        server = await serve(store, registration(schedules=(Cron("@daily", slug="one"),)), now=NOW + HOUR)
        [schedule] = await store.schedules([server.deployment.id])
        assert (schedule.schedule, schedule.cursor) == (Cron("@daily", slug="one"), NOW + HOUR)

    async def test_a_schedule_that_is_not_active_is_held_and_begins_when_it_is(self, store: Store) -> None:
        server = await serve(store, registration(schedules=(Cron("@hourly", active=False), DAILY)))
        held = {state.schedule.describe(): state.is_held for state in await store.schedules([server.deployment.id])}
        assert held == {Cron("@hourly").describe(): True, DAILY.describe(): False}
        server = await serve(store, registration(schedules=(Cron("@hourly"),)), now=NOW + 5 * HOUR)
        [schedule] = await store.schedules([server.deployment.id])
        assert (schedule.is_held, schedule.cursor) == (False, NOW + 5 * HOUR)

    async def test_what_a_schedule_says_of_catching_up_holds_for_it_alone(self, store: Store) -> None:
        schedules = (Cron("@hourly", catchup="none"), DAILY)
        server = await serve(store, registration(schedules=schedules, catchup="all"))
        assert [state.catchup for state in await store.schedules([server.deployment.id])] == ["none", "all"]

    async def test_a_schedule_that_is_no_longer_declared_is_gone(self, store: Store) -> None:
        await serve(store, registration(schedules=(HOURLY, DAILY)))
        server = await serve(store, registration(schedules=(DAILY,)))
        assert [one.schedule for one in await store.schedules([server.deployment.id])] == [DAILY]

    async def test_a_new_schedule_begins_now_beside_one_that_goes_on(self, store: Store) -> None:
        await serve(store, registration(schedules=(HOURLY,)), lease=HOUR)
        server = await serve(store, registration(schedules=(HOURLY, DAILY)), now=NOW + MINUTE)
        assert [one.cursor for one in await store.schedules([server.deployment.id])] == [NOW, NOW + MINUTE]

    async def test_two_of_one_name_are_refused_and_neither_is_kept(self, store: Store) -> None:
        with pytest.raises(InvalidDeployment, match="etl/nightly"):
            await serve(store, registration(), registration())
        assert await store.deployments() == []

    async def test_a_deployment_is_found_by_its_names(self, store: Store) -> None:
        server = await serve(store, registration("nightly"), registration("weekly"))
        nightly, weekly = server.deployments
        assert await store.deployment("etl/nightly") == nightly
        assert await store.deployment("weekly") == weekly

    async def test_a_name_that_is_not_unique_lists_the_full_ones(self, store: Store) -> None:
        await serve(store, registration(flow="etl"), registration(flow="report"))
        with pytest.raises(DeploymentNotFound) as caught:
            await store.deployment("nightly")
        assert caught.value.near == ("etl/nightly", "report/nightly")

    async def test_an_unknown_name_lists_those_near_it(self, store: Store) -> None:
        await serve(store, registration("nightly"))
        for wrong in ("nigthly", "etl/nigthly"):
            with pytest.raises(DeploymentNotFound) as caught:
                await store.deployment(wrong)
            assert caught.value.near == ("etl/nightly",)

    async def test_a_promotion_brings_what_the_code_says_and_drops_the_rejection(self, store: Store) -> None:
        server = await serve(store, registration())
        rejection = Rejection(
            revision=SECOND_REVISION, kind="import", message="no module named x", details="traceback", at=NOW
        )
        rejected = await reject(store, server.deployment, rejection)
        assert (rejected.rejected, rejected.active) == (rejection, FIRST)
        facts = FlowFacts(name="etl", description="new", parameter_schema={"type": "object"})
        promoted = await promote(store, server.deployment, SECOND_REVISION, facts, now=NOW + SECOND)
        assert (promoted.active, promoted.facts, promoted.rejected) == (SECOND_REVISION, facts, None)
        assert await store.deployment("nightly") == promoted

    async def test_what_is_not_there_is_not_promoted(self, store: Store) -> None:
        decision = Decision(outcome=Passed(loaded=Loaded(FIRST, FlowFacts(name="etl"))), epoch=0)
        with pytest.raises(DeploymentNotFound):
            await store.decide(uuid4(), decision, now=NOW)
