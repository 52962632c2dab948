"""Promotion: which snapshot serves, decided one candidate at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import anyio
import pytest

from flowsource.deployments import Change, Declaration, Deployment, FlowFacts, Loaded, Rejection
from flowsource.errors import FlowsourceError, RevisionGone, SourceError, StoreUnavailable, UnverifiedRevision
from flowsource.promotions import (
    Accept,
    Act,
    Author,
    CarriedOut,
    Decision,
    Kind,
    Outcome,
    Passed,
    Pin,
    Recheck,
    RollBack,
    Unpin,
)
from flowsource.revisions import Revision
from flowsource.snapshots.snapshot import Snapshot
from flowsource.store.protocol import Store
from flowsource.store.values import Registration
from flowsource.watch import promotion
from flowsource.watch.comparing import Comparison
from flowsource.watch.deciding import Candidate
from flowsource.watch.promotion import Means, Promoter
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)


def snapshot(number: int) -> Snapshot:
    return Snapshot(source_key="git-x", revision=Revision(id=f"{number:040x}"), root=Path("/nowhere"))


def number_of(revision: Revision) -> int:
    return int(revision.id, 16)


class Decided:
    """A promoter whose questions the test answers, and what it decided: what serves then, and whether it was a pass."""

    def __init__(self, deployment: Deployment, store: Store) -> None:
        self.inspected: list[int] = []
        self.decided: list[tuple[int, bool]] = []
        self.told: list[int] = []
        self.bad: set[int] = set()
        self.unobtainable: dict[int, SourceError] = {}
        self.is_mounted = False
        self.same: set[int] = set()
        self.changing: set[int] = set()
        self.troubles: list[Exception] = []
        self.gate = anyio.Event()
        self.gate.set()
        self.store = store
        means = Means(inspect=self._inspect, compare=self._compare, bring=self._bring)
        self.promoter = Promoter(deployment, store, means, on_change=self._note)
        self._offered = 0

    def offer(self, number: int, *, seen_at: datetime | None = None) -> None:
        self._offered += 1
        self.promoter.offer(Candidate(snapshot(number), seen_at or NOW + timedelta(microseconds=self._offered)))

    async def act(self, act: Act) -> Deployment:
        """What a person does, in another process, and the bell that tells of it."""
        acted = await self.store.act(self.promoter.deployment.id, act, Author("ada"), now=datetime.now(UTC))
        self.promoter.refresh(acted)
        return acted

    async def _inspect(self, candidate: Snapshot) -> FlowFacts | Rejection:
        number = number_of(candidate.revision)
        self.inspected.append(number)
        await self.gate.wait()
        if self.troubles:
            raise self.troubles.pop(0)
        if number in self.bad:
            return Rejection(revision=candidate.revision, kind="import", message="no", details="", at=NOW)
        return FlowFacts(name="etl", description=f"number {number}")

    async def _compare(self, known: Revision, candidate: Snapshot) -> Comparison:
        number = number_of(candidate.revision)
        changes = (Change("uv.lock"),) if number in self.changing else ()
        return Comparison(is_same=number in self.same, changes=changes)

    async def _bring(self, revision: Revision) -> Snapshot:
        if error := self.unobtainable.get(number_of(revision)):
            raise error
        return replace(snapshot(number_of(revision)), is_mounted=self.is_mounted)

    def _note(self, before: Deployment, after: Deployment, outcome: Outcome | None) -> None:
        self.told.append(number_of(after.active))
        if outcome is not None:
            self.decided.append((number_of(after.active), isinstance(outcome, Passed | CarriedOut)))


@pytest.fixture(autouse=True)
def retry_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promotion, "RETRY", timedelta(milliseconds=1))


@pytest.fixture
async def decided(store: Store, request: pytest.FixtureRequest) -> AsyncIterator[Decided]:
    """A promoter at work for a deployment that serves number 1; its parameter is what else was declared."""
    said = getattr(request, "param", {})
    declared = Declaration(name="nightly", entrypoint="flows.py:etl", source_key="git-x", source_label="x", **said)
    registration = Registration(declared=declared, facts=FlowFacts(name="etl"), active=snapshot(1).revision)
    [deployment] = await store.register(uuid4(), [registration], lease_until=NOW + timedelta(hours=1), now=NOW)
    decided = Decided(deployment, store)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(decided.promoter.run)
        yield decided
        tasks.cancel_scope.cancel()


holding = pytest.mark.parametrize("decided", [{"on_dependency_change": "hold"}], indirect=True)


async def test_a_candidate_that_loads_is_promoted_with_what_its_code_says(decided: Decided, store: Store) -> None:
    decided.offer(2)
    await until(lambda: decided.decided == [(2, True)])
    deployment = await store.deployment("etl/nightly")
    assert (deployment.active, deployment.description) == (snapshot(2).revision, "number 2")


async def test_a_candidate_that_does_not_load_leaves_the_active_one_and_is_not_tried_again(
    decided: Decided, store: Store
) -> None:
    decided.bad = {2}
    decided.offer(2)
    await until(lambda: decided.decided == [(1, False)])
    decided.offer(2)
    decided.offer(3)
    await until(lambda: decided.decided == [(1, False), (3, True)])
    assert decided.inspected == [2, 3]
    assert (await store.deployment("etl/nightly")).rejected is None


async def test_going_back_to_the_active_revision_ends_a_rejection(decided: Decided, store: Store) -> None:
    decided.bad = {2}
    decided.offer(2)
    await until(lambda: len(decided.decided) == 1)
    decided.offer(1)
    await until(lambda: len(decided.decided) == 2)
    assert (await store.deployment("etl/nightly")).rejected is None


async def test_a_newer_candidate_pre_empts_an_older_one_that_is_still_looked_at(decided: Decided) -> None:
    decided.gate = anyio.Event()
    decided.offer(2)
    await until(lambda: decided.inspected == [2])
    decided.offer(3)
    decided.offer(4)
    await until(lambda: decided.inspected == [2, 4])
    decided.gate.set()
    await until(lambda: decided.decided == [(4, True)])


async def test_the_active_revision_offered_again_is_no_work(decided: Decided) -> None:
    decided.offer(1)
    decided.offer(2)
    await until(lambda: decided.decided == [(2, True)])
    assert decided.inspected == [2]


@pytest.mark.parametrize(
    "trouble", [FlowsourceError("no process"), OSError("too many open files"), ZeroDivisionError("a fault of ours")]
)
async def test_a_candidate_that_could_not_be_looked_at_is_not_rejected_but_looked_at_again(
    decided: Decided, store: Store, caplog: pytest.LogCaptureFixture, trouble: Exception
) -> None:
    decided.troubles = [trouble] * 3
    decided.offer(2)
    await until(lambda: decided.decided == [(2, True)])
    assert decided.inspected == [2] * 4
    assert [f"yet, and is tried again: {trouble}" in record.getMessage() for record in caplog.records] == [True]


async def test_each_kind_of_trouble_is_told_once_until_a_candidate_is_decided_on(
    decided: Decided, caplog: pytest.LogCaptureFixture
) -> None:
    decided.troubles = [OSError("a"), FlowsourceError("b"), OSError("c"), FlowsourceError("d")]
    decided.offer(2)
    await until(lambda: decided.decided == [(2, True)])
    decided.troubles = [OSError("e")]
    decided.offer(3)
    await until(lambda: decided.decided == [(2, True), (3, True)])
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == ["a", "b", "e"]


@pytest.mark.parametrize("is_bad", [False, True])
async def test_a_decision_that_the_store_did_not_take_is_made_again(
    decided: Decided, store: Store, monkeypatch: pytest.MonkeyPatch, is_bad: bool
) -> None:
    working = store.decide
    refused: list[object] = []

    async def away(deployment_id: UUID, decision: Decision, *, now: datetime) -> Deployment:
        if len(refused) < 3:
            refused.append(decision)
            raise StoreUnavailable("the database is away")
        return await working(deployment_id, decision, now=now)

    monkeypatch.setattr(store, "decide", away)
    decided.bad = {2} if is_bad else set()
    decided.offer(2)
    await until(lambda: decided.decided == [(1, False) if is_bad else (2, True)])
    assert len(refused) == 3


async def test_a_newer_candidate_does_not_wait_until_an_older_one_is_tried_again(
    decided: Decided, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promotion, "RETRY", timedelta(hours=1))
    monkeypatch.setattr(promotion, "RETRY_CEILING", timedelta(hours=1))
    decided.troubles = [OSError("no")]
    decided.offer(2)
    await until(lambda: decided.inspected == [2] and not decided.troubles)
    decided.offer(3)
    await until(lambda: decided.decided == [(3, True)])
    assert decided.inspected == [2, 3]


async def test_a_candidate_with_the_same_files_is_promoted_without_being_loaded(decided: Decided, store: Store) -> None:
    decided.same = {2}
    decided.offer(2)
    await until(lambda: decided.decided == [(2, True)])
    assert decided.inspected == []
    [told, _] = await store.history(decided.promoter.deployment.id)
    assert (told.kind, told.details["was_loaded"]) == (Kind.PROMOTED, False)


async def test_what_a_candidate_changes_of_its_dependencies_is_kept_in_the_history(
    decided: Decided, store: Store
) -> None:
    decided.changing = {2}
    decided.offer(2)
    await until(lambda: decided.decided == [(2, True)])
    [told, _] = await store.history(decided.promoter.deployment.id)
    assert told.details["dependencies"] == [{"path": "uv.lock", "diff": None}]


@holding
async def test_a_candidate_that_changes_dependencies_waits_until_it_is_accepted(decided: Decided) -> None:
    decided.changing = {2}
    decided.offer(2)
    await until(lambda: decided.decided == [(1, False)])
    accepted = await decided.act(Accept())
    assert (accepted.active, accepted.description, accepted.held) == (snapshot(2).revision, "number 2", None)


@holding
async def test_a_candidate_that_restores_the_dependencies_ends_the_hold(decided: Decided, store: Store) -> None:
    decided.changing = {2}
    decided.offer(2)
    await until(lambda: len(decided.decided) == 1)
    decided.offer(3)
    await until(lambda: decided.decided == [(1, False), (3, True)])
    assert (await store.deployment("nightly")).held is None


async def test_a_pin_wins_and_following_goes_on_beneath_it(decided: Decided, store: Store) -> None:
    decided.offer(2)
    await until(lambda: decided.decided == [(2, True)])
    await decided.act(Pin(snapshot(1).revision))
    await until(lambda: decided.decided == [(2, True), (1, True)])
    decided.offer(3)
    await until(lambda: decided.decided == [(2, True), (1, True), (1, True)])
    decided.bad = {4}
    decided.offer(4)
    await until(lambda: decided.decided[3:] == [(1, False)])
    unpinned = await decided.act(Unpin())
    assert (unpinned.active, unpinned.description) == (snapshot(3).revision, "number 3")


async def test_a_pin_on_what_cannot_be_had_is_refused_and_what_serves_stays(decided: Decided, store: Store) -> None:
    unsigned = UnverifiedRevision("7" * 40, required="a signature", found="it is not signed")
    decided.unobtainable, decided.bad = {7: unsigned, 8: RevisionGone("no such commit")}, {9}
    for number in (7, 8, 9):
        await decided.act(Pin(snapshot(number).revision))
        await until(lambda: decided.promoter.deployment.wish is None)
        [told, *_] = await store.history(decided.promoter.deployment.id)
        assert (told.kind, told.revision) == (Kind.REFUSED, snapshot(number).revision)
    assert (await store.deployment("nightly")).active == snapshot(1).revision


async def test_a_pin_that_is_refused_leaves_the_one_before_in_force(decided: Decided, store: Store) -> None:
    decided.unobtainable = {9: RevisionGone("no such commit")}
    await decided.act(Pin(snapshot(1).revision))
    await decided.act(Pin(snapshot(9).revision))
    await until(lambda: decided.decided == [(1, False)])
    decided.offer(2)
    await until(lambda: decided.decided == [(1, False), (1, True)])
    pin = (await store.deployment("nightly")).pin
    assert pin is not None
    assert pin.revision == snapshot(1).revision


async def test_a_directory_that_is_used_in_place_has_no_other_state_to_pin(decided: Decided, store: Store) -> None:
    decided.is_mounted = True
    await decided.act(Pin(snapshot(2).revision))
    await until(lambda: decided.decided == [(1, False)])
    [told, *_] = await store.history(decided.promoter.deployment.id)
    assert "used in place" in told.details["message"]


async def test_what_was_rolled_back_from_does_not_come_back_and_what_is_newer_does(decided: Decided) -> None:
    decided.offer(2)
    await until(lambda: decided.decided == [(2, True)])
    await decided.act(RollBack(to=snapshot(1).revision, leaving=snapshot(2).revision))
    await until(lambda: decided.decided == [(2, True), (1, True)])
    decided.offer(2)
    decided.offer(3)
    await until(lambda: decided.decided == [(2, True), (1, True), (3, True)])
    assert decided.inspected == [2, 1, 3]


async def test_a_rejected_candidate_is_tried_again_when_that_is_asked_for(decided: Decided) -> None:
    decided.bad = {2}
    decided.offer(2)
    await until(lambda: decided.decided == [(1, False)])
    decided.bad = set()
    await decided.act(Recheck())
    await until(lambda: decided.decided == [(1, False), (2, True)])


async def test_what_was_rolled_back_from_is_tried_again_when_that_is_asked_for(decided: Decided) -> None:
    decided.offer(2)
    await until(lambda: decided.decided == [(2, True)])
    await decided.act(RollBack(to=snapshot(1).revision, leaving=snapshot(2).revision))
    await until(lambda: decided.decided == [(2, True), (1, True)])
    await decided.act(Recheck())
    await until(lambda: decided.decided == [(2, True), (1, True), (2, True)])


async def test_a_pin_is_not_kept_waiting_by_a_candidate_that_takes_long_to_load(decided: Decided) -> None:
    decided.gate = anyio.Event()
    decided.offer(2)
    await until(lambda: decided.inspected == [2])
    await decided.act(Pin(snapshot(1).revision))
    decided.gate.set()
    await until(lambda: decided.decided == [(1, True)])
    deployment = decided.promoter.deployment
    assert (deployment.active, deployment.followed.revision) == (snapshot(1).revision, snapshot(2).revision)


async def test_of_two_servers_the_older_candidate_does_not_win(decided: Decided, store: Store) -> None:
    decided.gate = anyio.Event()
    decided.offer(2, seen_at=NOW + timedelta(microseconds=1))
    await until(lambda: decided.inspected == [2])
    other = Passed(loaded=Loaded(snapshot(3).revision, FlowFacts(name="etl")))
    decision = Decision(outcome=other, epoch=0, seen_at=NOW + timedelta(microseconds=2))
    await store.decide(decided.promoter.deployment.id, decision, now=datetime.now(UTC))
    decided.gate.set()
    await until(lambda: decided.promoter.deployment.active == snapshot(3).revision)
    assert decided.decided == []
    decided.offer(4, seen_at=NOW + timedelta(microseconds=3))
    await until(lambda: decided.decided == [(4, True)])


async def test_what_another_server_changes_is_told_once(decided: Decided, store: Store) -> None:
    before = decided.promoter.deployment
    other = Decision(outcome=Passed(loaded=Loaded(snapshot(2).revision, FlowFacts(name="etl"))), epoch=0)
    after = await store.decide(before.id, other, now=datetime.now(UTC))
    for seen in (after, after, before):
        decided.promoter.refresh(seen)
    assert decided.told == [2]


async def test_what_is_decided_here_is_told_once_however_soon_the_bell_rings(
    decided: Decided, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    working = store.decide

    async def ring_first(deployment_id: UUID, decision: Decision, *, now: datetime) -> Deployment:
        after = await working(deployment_id, decision, now=now)
        decided.promoter.refresh(after)
        return after

    monkeypatch.setattr(store, "decide", ring_first)
    decided.offer(2)
    await until(lambda: decided.decided == [(2, True)])
    decided.offer(3)
    await until(lambda: decided.decided == [(2, True), (3, True)])
    assert decided.told == [2, 3]
