"""What a serving process keeps in the cache: whatever serves, may serve next, or is gone back to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flowsource.deployments import Declaration, FlowFacts, Loaded
from flowsource.promotions import Author, CarriedOut, HeldBack, Pin
from flowsource.revisions import Revision
from flowsource.runner import tidying
from flowsource.runner.tidying import collect_garbage
from flowsource.snapshots.cache import SnapshotCache
from flowsource.store import open_store
from flowsource.store.values import Registration
from tests.snapshots.written import WrittenSource
from tests.store.words import decide, end, fail, promote, serve

pytestmark = pytest.mark.anyio

REVISIONS = [Revision(id=f"{number:040x}") for number in range(8)]
FACTS = FlowFacts(name="etl")


@pytest.fixture(autouse=True)
def keep_nothing_for_its_age(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidying, "KEEP_SNAPSHOTS", 0)
    monkeypatch.setattr(tidying, "KEEP_SNAPSHOTS_FOR", timedelta(0))


async def test_what_a_deployment_may_need_is_kept_and_the_rest_goes(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    cache, source = SnapshotCache(tmp_path / "cache"), WrittenSource()
    for revision in REVISIONS:
        await cache.ensure(source, revision)
    old, before, pinned, followed, held, offered, *unknown = REVISIONS
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as store:
        declared = Declaration(name="nightly", entrypoint="flows.py:etl", source_key=source.key, source_label="x")
        server = await serve(store, Registration(declared=declared, facts=FACTS, active=old), now=now)
        for revision in (pinned, before, followed):
            await promote(store, server.deployment, revision, now=now)
        asked = await store.act(server.deployment.id, Pin(pinned), Author("ada"), now=now)
        await decide(store, asked, CarriedOut(Loaded(pinned, FACTS)), now=now)
        await decide(store, asked, HeldBack(Loaded(held, FACTS), ()), now=now)
        await collect_garbage(store, cache, [(source.key, offered)], now=now + timedelta(hours=1))
    kept = [number for number, revision in enumerate(REVISIONS) if cache.find(source.key, revision)]
    assert kept == [REVISIONS.index(one) for one in (pinned, followed, held, offered)]
    assert unknown


async def test_what_a_rollback_goes_back_to_is_kept(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    cache, source = SnapshotCache(tmp_path / "cache"), WrittenSource()
    for revision in REVISIONS[:3]:
        await cache.ensure(source, revision)
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as store:
        declared = Declaration(name="nightly", entrypoint="flows.py:etl", source_key=source.key, source_label="x")
        server = await serve(store, Registration(declared=declared, facts=FACTS, active=REVISIONS[0]), now=now)
        for revision in REVISIONS[1:3]:
            await promote(store, server.deployment, revision, now=now)
        # However much has happened since.
        for number in range(100):
            await store.set_paused(server.deployment.id, number % 2 == 0, author=Author("ada"), now=now)
        await collect_garbage(store, cache, [], now=now + timedelta(hours=1))
    assert [cache.find(source.key, revision) is not None for revision in REVISIONS[:3]] == [False, True, True]


async def test_the_revision_of_a_run_that_is_to_have_another_attempt_is_kept(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    cache, source = SnapshotCache(tmp_path / "cache"), WrittenSource()
    for revision in REVISIONS[:4]:
        await cache.ensure(source, revision)
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as store:
        declared = Declaration(name="nightly", entrypoint="flows.py:etl", source_key=source.key, source_label="x")
        server = await serve(store, Registration(declared=declared, facts=FACTS, active=REVISIONS[0]), now=now)
        await server.ask(now)
        run = await server.start_one(now)
        for revision in REVISIONS[1:4]:
            await promote(store, server.deployment, revision, now=now)
        later = now + timedelta(hours=1)

        def kept() -> list[bool]:
            return [cache.find(source.key, revision) is not None for revision in REVISIONS[:4]]

        await fail(store, run, retry_at=later)
        await collect_garbage(store, cache, [], now=later)
        assert kept() == [True, False, True, True]
        again = await server.start_one(later)
        assert again.revision == REVISIONS[0]
        await collect_garbage(store, cache, [], now=later)
        assert kept() == [True, False, True, True]
        await end(store, again)
        await collect_garbage(store, cache, [], now=later)
        assert kept() == [False, False, True, True]
