"""What every store promises about promotion: each decision and each act is all or nothing, and leaves a history."""

from __future__ import annotations

import dataclasses

import pytest

from flowsource.deployments import Change, Deployment, FlowFacts, Loaded, Rejection
from flowsource.errors import DeploymentNotFound, InConflict, Outdated
from flowsource.promotions import (
    Accept,
    Act,
    Author,
    CarriedOut,
    Decision,
    HeldBack,
    Kind,
    Passed,
    Pin,
    Recheck,
    Refused,
    RollBack,
    Unpin,
)
from flowsource.revisions import Revision
from flowsource.store.protocol import Store
from flowsource.store.values import DEPLOYMENTS, HISTORY_KEPT
from tests.store.words import (
    FIRST,
    GENEROUS,
    NOW,
    SECOND,
    SECOND_REVISION,
    decide,
    promote,
    registration,
    reject,
    serve,
)

THIRD = Revision(id="3" * 40, ref="refs/heads/main")
FACTS = FlowFacts(name="etl")
NEW_FACTS = FlowFacts(name="etl", description="new", parameter_schema={"type": "object"})
ADA = Author("ada", "because")
CHANGES = (Change("uv.lock", "-a\n+b"), Change("Pipfile"))


def loaded(revision: Revision, facts: FlowFacts = FACTS) -> Loaded:
    return Loaded(revision, facts)


def rejection(revision: Revision) -> Rejection:
    return Rejection(revision=revision, kind="import", message="no", details="traceback", at=NOW)


async def act(store: Store, deployment: Deployment, act: Act) -> Deployment:
    return await store.act(deployment.id, act, ADA, now=NOW)


async def pin(store: Store, deployment: Deployment, revision: Revision) -> Deployment:
    """Pin, as a person asks for it and a server carries it out."""
    pinned = await act(store, deployment, Pin(revision))
    return await decide(store, pinned, CarriedOut(loaded(revision))) if pinned.is_wish_open else pinned


async def roll_back(store: Store, deployment: Deployment, to: Revision) -> Deployment:
    asked = await act(store, deployment, RollBack(to=to, leaving=deployment.active))
    return await decide(store, asked, CarriedOut(loaded(to)))


async def kinds(store: Store, deployment: Deployment) -> list[Kind]:
    """The history, oldest first."""
    return [entry.kind for entry in reversed(await store.history(deployment.id))]


class Deciding:
    async def test_a_decision_on_another_state_of_the_deployment_changes_nothing(self, store: Store) -> None:
        before = (await serve(store, registration())).deployment
        decision = Decision(outcome=Passed(loaded=loaded(SECOND_REVISION)), epoch=before.epoch)
        after = await store.decide(before.id, decision, now=NOW)
        for outcome in (Passed(loaded=loaded(THIRD)), HeldBack(loaded(THIRD), CHANGES)):
            with pytest.raises(Outdated):
                await store.decide(before.id, Decision(outcome=outcome, epoch=before.epoch), now=NOW)
        assert await store.deployment("nightly") == after
        assert await kinds(store, after) == [Kind.PROMOTED, Kind.PROMOTED]

    async def test_of_two_servers_the_one_that_asked_later_wins(self, store: Store) -> None:
        server = await serve(store, registration())
        await promote(store, server.deployment, THIRD, seen_at=NOW - SECOND)
        with pytest.raises(Outdated):
            await promote(store, server.deployment, SECOND_REVISION, seen_at=NOW - 2 * SECOND)
        assert (await store.deployment("nightly")).active == THIRD
        assert (await promote(store, server.deployment, SECOND_REVISION, seen_at=NOW)).active == SECOND_REVISION

    async def test_a_hold_by_the_server_that_asked_earlier_is_outdated_too(self, store: Store) -> None:
        server = await serve(store, registration())
        await promote(store, server.deployment, THIRD, seen_at=NOW)
        with pytest.raises(Outdated):
            await decide(store, server.deployment, HeldBack(loaded(SECOND_REVISION), ()), seen_at=NOW - SECOND)
        assert (await store.deployment("nightly")).held is None

    async def test_a_clock_that_was_set_back_makes_nothing_old(self, store: Store) -> None:
        server = await serve(store, registration())
        await promote(store, server.deployment, SECOND_REVISION, seen_at=NOW + SECOND)
        assert (await promote(store, server.deployment, THIRD, seen_at=NOW)).active == THIRD

    async def test_a_server_that_starts_with_an_older_answer_brings_nothing_older_back(self, store: Store) -> None:
        server = await serve(store, registration())
        await promote(store, server.deployment, THIRD, seen_at=NOW)
        older = dataclasses.replace(registration(active=SECOND_REVISION), seen_at=NOW - SECOND)
        assert (await serve(store, older)).deployment.active == THIRD
        newer = dataclasses.replace(registration(active=SECOND_REVISION), seen_at=NOW + SECOND)
        assert (await serve(store, newer)).deployment.active == SECOND_REVISION

    async def test_a_promotion_is_remembered_with_what_was_found(self, store: Store) -> None:
        server = await serve(store, registration())
        outcome = Passed(loaded=loaded(SECOND_REVISION), changes=CHANGES)
        await decide(store, server.deployment, outcome, seen_at=NOW - 2 * SECOND)
        [entry, _] = await store.history(server.deployment.id)
        assert (entry.seq, entry.kind, entry.revision, entry.previous) == (2, Kind.PROMOTED, SECOND_REVISION, FIRST)
        assert entry.details == {
            "seconds": 2.0,
            "was_loaded": True,
            "dependencies": [{"path": "uv.lock", "diff": "-a\n+b"}, {"path": "Pipfile", "diff": None}],
        }

    async def test_a_rejection_is_remembered_with_its_reason(self, store: Store) -> None:
        server = await serve(store, registration())
        await reject(store, server.deployment, rejection(SECOND_REVISION))
        [entry, _] = await store.history(server.deployment.id)
        assert (entry.kind, entry.revision) == (Kind.REJECTED, SECOND_REVISION)
        assert entry.details == {"kind": "import", "message": "no"}

    async def test_a_directory_that_a_flow_writes_into_fills_no_history(self, store: Store) -> None:
        server = await serve(store, registration())
        after = await decide(store, server.deployment, Passed(loaded=loaded(SECOND_REVISION), in_place=True))
        assert (after.active, await kinds(store, after)) == (SECOND_REVISION, [Kind.PROMOTED])

    async def test_the_history_keeps_the_newest_entries(self, store: Store) -> None:
        server = await serve(store, registration())
        for number in range(HISTORY_KEPT + 5):
            await reject(store, server.deployment, rejection(Revision(id=f"{number:040x}")))
        history = await store.history(server.deployment.id)
        assert [entry.seq for entry in history] == list(range(HISTORY_KEPT + 6, 6, -1))
        assert await store.history(server.deployment.id, limit=1000) == history

    async def test_a_decision_is_heard(self, store: Store) -> None:
        server = await serve(store, registration())
        async with store.changes(DEPLOYMENTS) as changes:
            await promote(store, server.deployment, SECOND_REVISION)
            assert await changes.wait(GENEROUS)
            await act(store, server.deployment, Pin(FIRST))
            assert await changes.wait(GENEROUS)


class Holding:
    async def test_what_is_held_serves_once_it_is_accepted(self, store: Store) -> None:
        server = await serve(store, registration(on_dependency_change="hold", paths=("flows",)))
        held = await decide(store, server.deployment, HeldBack(loaded(SECOND_REVISION, NEW_FACTS), CHANGES))
        assert (held.active, held.declared.on_dependency_change, held.declared.paths) == (FIRST, "hold", ("flows",))
        assert held.held is not None
        assert (held.held.loaded, held.held.changes) == (loaded(SECOND_REVISION, NEW_FACTS), CHANGES)
        accepted = await act(store, held, Accept())
        assert (accepted.active, accepted.facts, accepted.held) == (SECOND_REVISION, NEW_FACTS, None)
        assert await kinds(store, held) == [Kind.PROMOTED, Kind.HELD, Kind.ACCEPTED, Kind.PROMOTED]

    async def test_a_newer_revision_that_passes_ends_the_hold(self, store: Store) -> None:
        server = await serve(store, registration())
        await decide(store, server.deployment, HeldBack(loaded(SECOND_REVISION), CHANGES))
        after = await promote(store, server.deployment, THIRD)
        assert (after.active, after.held) == (THIRD, None)

    async def test_a_newer_revision_that_is_rejected_leaves_the_hold(self, store: Store) -> None:
        server = await serve(store, registration())
        await decide(store, server.deployment, HeldBack(loaded(SECOND_REVISION), CHANGES))
        after = await reject(store, server.deployment, rejection(THIRD))
        assert after.held is not None
        assert (await act(store, after, Accept())).active == SECOND_REVISION

    async def test_a_hold_survives_a_restart(self, store: Store) -> None:
        server = await serve(store, registration())
        held = await decide(store, server.deployment, HeldBack(loaded(SECOND_REVISION), CHANGES))
        again = await serve(store, registration(is_stale=True))
        assert again.deployment.held == held.held

    async def test_where_nothing_is_held_nothing_is_accepted(self, store: Store) -> None:
        server = await serve(store, registration())
        with pytest.raises(InConflict, match="holds no revision back"):
            await act(store, server.deployment, Accept())


class Pinning:
    async def test_a_pin_is_carried_out_by_a_server_and_lasts(self, store: Store) -> None:
        server = await serve(store, registration())
        await promote(store, server.deployment, SECOND_REVISION, NEW_FACTS)
        asked = await act(store, server.deployment, Pin(FIRST))
        assert (asked.active, asked.is_wish_open) == (SECOND_REVISION, True)
        pinned = await decide(store, asked, CarriedOut(loaded(FIRST)))
        assert (pinned.active, pinned.facts, pinned.is_wish_open) == (FIRST, FACTS, False)
        assert pinned.pin is not None
        assert (pinned.pin.by, pinned.pin.reason, pinned.pin.at) == ("ada", "because", NOW)
        assert pinned.followed == loaded(SECOND_REVISION, NEW_FACTS)
        assert await store.deployment("nightly") == pinned

    async def test_what_passes_beneath_a_pin_serves_once_it_is_released(self, store: Store) -> None:
        server = await serve(store, registration())
        await pin(store, server.deployment, FIRST)
        beneath = await promote(store, server.deployment, SECOND_REVISION, NEW_FACTS)
        assert (beneath.active, beneath.facts, beneath.followed.revision) == (FIRST, FACTS, SECOND_REVISION)
        released = await act(store, beneath, Unpin())
        assert (released.active, released.facts, released.wish, released.beneath) == (
            SECOND_REVISION,
            NEW_FACTS,
            None,
            None,
        )
        told = [Kind.PROMOTED, Kind.PINNED, Kind.PASSED, Kind.UNPINNED, Kind.PROMOTED]
        assert await kinds(store, released) == told

    async def test_what_is_rejected_beneath_a_pin_does_not_serve_when_it_is_released(self, store: Store) -> None:
        server = await serve(store, registration())
        await promote(store, server.deployment, SECOND_REVISION)
        pinned = await pin(store, server.deployment, FIRST)
        await reject(store, pinned, rejection(THIRD))
        assert (await act(store, pinned, Unpin())).active == SECOND_REVISION

    async def test_another_pin_takes_the_place_of_the_first(self, store: Store) -> None:
        server = await serve(store, registration())
        await promote(store, server.deployment, SECOND_REVISION)
        await promote(store, server.deployment, THIRD)
        await pin(store, server.deployment, FIRST)
        again = await pin(store, server.deployment, SECOND_REVISION)
        assert (again.active, again.followed.revision) == (SECOND_REVISION, THIRD)

    async def test_a_pin_that_is_refused_is_no_pin(self, store: Store) -> None:
        server = await serve(store, registration())
        asked = await act(store, server.deployment, Pin(THIRD))
        refused = await decide(store, asked, Refused("gone"))
        assert (refused.wish, refused.active) == (None, FIRST)
        [entry, *_] = await store.history(refused.id)
        assert (entry.kind, entry.revision, entry.details["message"]) == (Kind.REFUSED, THIRD, "gone")

    async def test_a_pin_survives_a_restart_with_a_newer_revision(self, store: Store) -> None:
        server = await serve(store, registration())
        pinned = await pin(store, server.deployment, FIRST)
        again = (await serve(store, registration(active=SECOND_REVISION, tags=("new",)))).deployment
        assert (again.active, again.pin, again.declared.tags) == (FIRST, pinned.pin, ("new",))

    async def test_a_pin_that_waits_for_a_server_is_not_lost_when_one_starts(self, store: Store) -> None:
        server = await serve(store, registration(active=SECOND_REVISION))
        await act(store, server.deployment, Pin(FIRST))
        again = (await serve(store, registration(active=THIRD))).deployment
        assert (again.active, again.is_wish_open) == (SECOND_REVISION, True)

    async def test_a_pin_is_carried_out_anew_where_the_deployment_moved(self, store: Store) -> None:
        server = await serve(store, registration())
        await promote(store, server.deployment, SECOND_REVISION)
        await pin(store, server.deployment, FIRST)
        moved = (await serve(store, registration(active=THIRD, source_key="other"))).deployment
        assert (moved.active, moved.is_wish_open, moved.beneath) == (THIRD, True, None)

    async def test_what_is_not_pinned_cannot_be_unpinned(self, store: Store) -> None:
        server = await serve(store, registration())
        with pytest.raises(InConflict, match="not pinned"):
            await act(store, server.deployment, Unpin())

    async def test_a_decision_that_was_on_its_way_when_a_pin_came_is_outdated(self, store: Store) -> None:
        server = await serve(store, registration())
        await act(store, server.deployment, Pin(FIRST))
        decision = Decision(outcome=Passed(loaded=loaded(SECOND_REVISION)), epoch=server.deployment.epoch)
        with pytest.raises(Outdated):
            await store.decide(server.deployment.id, decision, now=NOW)

    async def test_what_a_person_does_to_what_is_not_there_is_told(self, store: Store) -> None:
        server = await serve(store, registration())
        gone = dataclasses.replace(server.deployment, id=server.id)
        with pytest.raises(DeploymentNotFound):
            await act(store, gone, Pin(FIRST))


class RollingBack:
    async def test_a_rollback_serves_what_is_named_and_refuses_what_it_leaves(self, store: Store) -> None:
        server = await serve(store, registration())
        second = await promote(store, server.deployment, SECOND_REVISION)
        back = await roll_back(store, second, FIRST)
        assert (back.active, back.wish, back.is_blocked(SECOND_REVISION)) == (FIRST, None, True)
        assert back.rolled_back is not None
        assert (back.rolled_back.by, back.rolled_back.reason) == ("ada", "because")
        with pytest.raises(Outdated):
            await promote(store, back, SECOND_REVISION)
        assert (await promote(store, back, THIRD)).active == THIRD
        assert (await store.deployment("nightly")).rolled_back is None

    async def test_a_rollback_survives_a_restart_and_ends_with_something_newer(self, store: Store) -> None:
        server = await serve(store, registration())
        back = await roll_back(store, await promote(store, server.deployment, SECOND_REVISION), FIRST)
        assert (await serve(store, registration(active=SECOND_REVISION))).deployment.active == FIRST
        newer = (await serve(store, registration(active=THIRD))).deployment
        assert (newer.active, newer.blocked) == (THIRD, back.blocked)

    async def test_what_was_refused_may_serve_again_when_that_is_asked_for(self, store: Store) -> None:
        server = await serve(store, registration())
        back = await roll_back(store, await promote(store, server.deployment, SECOND_REVISION), FIRST)
        assert (await pin(store, back, SECOND_REVISION)).blocked == ()
        await act(store, back, Unpin())
        back = await roll_back(store, await promote(store, back, SECOND_REVISION), FIRST)
        asked = await act(store, back, Recheck())
        assert (await promote(store, asked, SECOND_REVISION)).active == SECOND_REVISION

    async def test_a_rollback_that_is_refused_refuses_nothing(self, store: Store) -> None:
        second = await promote(store, (await serve(store, registration())).deployment, SECOND_REVISION)
        asked = await act(store, second, RollBack(to=FIRST, leaving=SECOND_REVISION))
        refused = await decide(store, asked, Refused("gone"))
        assert (refused.active, refused.wish, refused.blocked) == (SECOND_REVISION, None, ())

    async def test_a_rollback_from_what_serves_no_more_is_refused(self, store: Store) -> None:
        server = await serve(store, registration())
        await promote(store, server.deployment, SECOND_REVISION)
        with pytest.raises(InConflict, match="serves 2222222 by now"):
            await act(store, server.deployment, RollBack(to=THIRD, leaving=FIRST))

    async def test_what_is_pinned_is_not_rolled_back(self, store: Store) -> None:
        pinned = await pin(store, (await serve(store, registration())).deployment, FIRST)
        with pytest.raises(InConflict, match="deployments unpin"):
            await act(store, pinned, RollBack(to=SECOND_REVISION, leaving=FIRST))

    async def test_a_rollback_to_what_serves_is_none(self, store: Store) -> None:
        server = await serve(store, registration())
        with pytest.raises(InConflict, match="serves 1111111 already"):
            await act(store, server.deployment, RollBack(to=FIRST, leaving=FIRST))


class Rechecking:
    async def test_a_rejection_is_lifted_when_it_is_to_be_looked_at_again(self, store: Store) -> None:
        server = await serve(store, registration())
        rejected = await reject(store, server.deployment, rejection(SECOND_REVISION))
        asked = await act(store, rejected, Recheck())
        assert (asked.rejected, asked.epoch) == (None, rejected.epoch + 1)

    async def test_where_there_is_nothing_to_look_at_that_is_told(self, store: Store) -> None:
        server = await serve(store, registration())
        with pytest.raises(InConflict, match="no revision that was rejected"):
            await act(store, server.deployment, Recheck())

    async def test_a_pause_is_remembered_with_its_author(self, store: Store) -> None:
        server = await serve(store, registration())
        await store.set_paused(server.deployment.id, True, author=ADA, now=NOW)
        await store.set_paused(server.deployment.id, True, author=ADA, now=NOW)
        await store.set_paused(server.deployment.id, False, author=ADA, now=NOW)
        assert await kinds(store, server.deployment) == [Kind.PROMOTED, Kind.PAUSED, Kind.RESUMED]
        [entry, *_] = await store.history(server.deployment.id, limit=1)
        assert (entry.by, entry.reason) == ("ada", "because")

    async def test_what_a_live_server_serves_is_known(self, store: Store) -> None:
        server = await serve(store, registration())
        assert await store.served(now=NOW) == {server.deployment.id}
        await store.retire(server.id, now=NOW)
        assert await store.served(now=NOW) == set()


class PromotingContract(Deciding, Holding, Pinning, RollingBack, Rechecking):
    """All of it."""
