"""Promotion: which snapshot serves, decided one candidate at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import anyio
import pytest

from flowsource.deployments import Declaration, Deployment, FlowFacts, Rejection
from flowsource.errors import FlowsourceError, StoreUnavailable
from flowsource.revisions import Revision
from flowsource.snapshots.snapshot import Snapshot
from flowsource.store import open_store
from flowsource.store.protocol import Registration, Store
from flowsource.watch import promotion
from flowsource.watch.promotion import Promoter
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)


def snapshot(number: int) -> Snapshot:
    return Snapshot(source_key="git-x", revision=Revision(id=f"{number:040x}"), root=Path("/nowhere"))


class Decided:
    """A promoter with an inspection that the test answers, and what it decided."""

    def __init__(self, deployment: Deployment, store: Store) -> None:
        self.inspected: list[int] = []
        self.decided: list[tuple[int, bool]] = []
        self.bad: set[int] = set()
        self.troubles: list[Exception] = []
        self.gate = anyio.Event()
        self.gate.set()
        self.promoter = Promoter(deployment, store, inspect=self._inspect, on_decision=self._note)

    async def _inspect(self, candidate: Snapshot) -> FlowFacts | Rejection:
        number = int(candidate.revision.id, 16)
        self.inspected.append(number)
        await self.gate.wait()
        if self.troubles:
            raise self.troubles.pop(0)
        if number in self.bad:
            return Rejection(revision=candidate.revision, kind="import", message="no", details="", at=NOW)
        return FlowFacts(name="etl", description=f"number {number}")

    async def _note(self, deployment: Deployment, rejection: Rejection | None) -> None:
        self.decided.append((int(deployment.active.id, 16), rejection is None))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as store:
        yield store


@pytest.fixture(autouse=True)
def retry_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promotion, "RETRY", timedelta(milliseconds=1))


@pytest.fixture
async def decided(store: Store) -> AsyncIterator[Decided]:
    declared = Declaration(name="nightly", entrypoint="flows.py:etl", source_key="git-x", source_label="x")
    registration = Registration(declared=declared, facts=FlowFacts(name="etl"), active=snapshot(1).revision)
    [deployment] = await store.register(uuid4(), [registration], lease_until=NOW + timedelta(hours=1), now=NOW)
    decided = Decided(deployment, store)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(decided.promoter.run)
        yield decided
        tasks.cancel_scope.cancel()


async def test_a_candidate_that_loads_is_promoted_with_what_its_code_says(decided: Decided, store: Store) -> None:
    decided.promoter.offer(snapshot(2))
    await until(lambda: decided.decided == [(2, True)])
    deployment = await store.deployment("etl/nightly")
    assert (deployment.active, deployment.description) == (snapshot(2).revision, "number 2")


async def test_a_candidate_that_does_not_load_leaves_the_active_one_and_is_not_tried_again(
    decided: Decided, store: Store
) -> None:
    decided.bad = {2}
    decided.promoter.offer(snapshot(2))
    await until(lambda: decided.decided == [(1, False)])
    decided.promoter.offer(snapshot(2))
    decided.promoter.offer(snapshot(3))
    await until(lambda: decided.decided == [(1, False), (3, True)])
    assert decided.inspected == [2, 3]
    assert (await store.deployment("etl/nightly")).rejected is None


async def test_going_back_to_the_active_revision_ends_a_rejection(decided: Decided, store: Store) -> None:
    decided.bad = {2}
    decided.promoter.offer(snapshot(2))
    await until(lambda: len(decided.decided) == 1)
    decided.promoter.offer(snapshot(1))
    await until(lambda: len(decided.decided) == 2)
    assert (await store.deployment("etl/nightly")).rejected is None


async def test_a_newer_candidate_pre_empts_an_older_one_that_is_still_looked_at(decided: Decided) -> None:
    decided.gate = anyio.Event()
    decided.promoter.offer(snapshot(2))
    await until(lambda: decided.inspected == [2])
    decided.promoter.offer(snapshot(3))
    decided.promoter.offer(snapshot(4))
    await until(lambda: decided.inspected == [2, 4])
    decided.gate.set()
    await until(lambda: decided.decided == [(4, True)])


async def test_the_active_revision_offered_again_is_no_work(decided: Decided) -> None:
    decided.promoter.offer(snapshot(1))
    decided.promoter.offer(snapshot(2))
    await until(lambda: decided.decided == [(2, True)])
    assert decided.inspected == [2]


@pytest.mark.parametrize(
    "trouble", [FlowsourceError("no process"), OSError("too many open files"), ZeroDivisionError("a fault of ours")]
)
async def test_a_candidate_that_could_not_be_looked_at_is_not_rejected_but_looked_at_again(
    decided: Decided, store: Store, caplog: pytest.LogCaptureFixture, trouble: Exception
) -> None:
    decided.troubles = [trouble] * 3
    decided.promoter.offer(snapshot(2))
    await until(lambda: decided.decided == [(2, True)])
    assert decided.inspected == [2] * 4
    assert [f"yet, and is tried again: {trouble}" in record.getMessage() for record in caplog.records] == [True]


async def test_each_kind_of_trouble_is_told_once_until_a_candidate_is_decided_on(
    decided: Decided, caplog: pytest.LogCaptureFixture
) -> None:
    decided.troubles = [OSError("a"), FlowsourceError("b"), OSError("c"), FlowsourceError("d")]
    decided.promoter.offer(snapshot(2))
    await until(lambda: decided.decided == [(2, True)])
    decided.troubles = [OSError("e")]
    decided.promoter.offer(snapshot(3))
    await until(lambda: decided.decided == [(2, True), (3, True)])
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == ["a", "b", "e"]


@pytest.mark.parametrize("method", ["promote", "reject"])
async def test_a_decision_that_the_store_did_not_take_is_made_again(
    decided: Decided, store: Store, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    working = getattr(store, method)
    refused: list[object] = []

    async def away(*args: object, **options: object) -> Deployment:
        if len(refused) < 3:
            refused.append(args)
            raise StoreUnavailable("the database is away")
        return await working(*args, **options)  # type: ignore[no-any-return]

    monkeypatch.setattr(store, method, away)
    decided.bad = {2} if method == "reject" else set()
    decided.promoter.offer(snapshot(2))
    await until(lambda: decided.decided == [(2, True) if method == "promote" else (1, False)])
    assert len(refused) == 3


async def test_a_newer_candidate_does_not_wait_until_an_older_one_is_tried_again(
    decided: Decided, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promotion, "RETRY", timedelta(hours=1))
    monkeypatch.setattr(promotion, "RETRY_CEILING", timedelta(hours=1))
    decided.troubles = [OSError("no")]
    decided.promoter.offer(snapshot(2))
    await until(lambda: decided.inspected == [2] and not decided.troubles)
    decided.promoter.offer(snapshot(3))
    await until(lambda: decided.decided == [(3, True)])
    assert decided.inspected == [2, 3]
