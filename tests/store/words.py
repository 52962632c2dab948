"""What the tests of the store say again and again, in short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

from flowsource.deployments import Declaration, Deployment, FlowFacts, Loaded, Rejection
from flowsource.promotions import Author, Decision, Failed, Passed
from flowsource.promotions import Outcome as Found
from flowsource.revisions import Revision
from flowsource.runs import TRANSITIONS, Failure, Run, RunState
from flowsource.schedules import Interval
from flowsource.store.protocol import Store
from flowsource.store.values import LogLine, NewRun, Outcome, Registration
from tests.support.waiting import PATIENCE

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
# How long a test waits for what is to happen at once.
GENEROUS = timedelta(seconds=PATIENCE)
HOURLY = Interval(HOUR, NOW)
FIRST = Revision(id="1" * 40, ref="refs/heads/main")
SECOND_REVISION = Revision(id="2" * 40, ref="refs/heads/main")
COMPLETED = Outcome(state=RunState.COMPLETED)
BOOM = Failure(kind="ValueError", message="boom")
ANNA = Author(by="anna", reason="wrong day")


def registration(
    name: str = "nightly", *, flow: str = "etl", active: Revision = FIRST, is_stale: bool = False, **said: Any
) -> Registration:
    """A deployment as a server brings it, with whatever else is `said` of it in code."""
    declared = Declaration(
        name=name, **{"entrypoint": "flows.py:etl", "source_key": "key", "source_label": "label", **said}
    )
    return Registration(declared=declared, facts=FlowFacts(name=flow), active=active, is_stale=is_stale)


async def decide(
    store: Store, deployment: Deployment, outcome: Found, *, seen_at: datetime | None = None, now: datetime = NOW
) -> Deployment:
    """Decide on the deployment as it is by now."""
    epoch = (await store.deployment(deployment.full_name)).epoch
    return await store.decide(deployment.id, Decision(outcome=outcome, epoch=epoch, seen_at=seen_at), now=now)


async def promote(
    store: Store,
    deployment: Deployment,
    revision: Revision,
    facts: FlowFacts = FlowFacts(name="etl"),
    *,
    seen_at: datetime | None = None,
    now: datetime = NOW,
) -> Deployment:
    """Let `revision` pass: it serves, unless something is pinned."""
    return await decide(store, deployment, Passed(loaded=Loaded(revision, facts)), seen_at=seen_at, now=now)


async def reject(store: Store, deployment: Deployment, rejection: Rejection) -> Deployment:
    """Let a revision be rejected."""
    return await decide(store, deployment, Failed(rejection), now=rejection.at)


def lines(*numbers: int, attempt: int = 1) -> list[LogLine]:
    """A line of a log for each of `numbers`."""
    return [LogLine(attempt=attempt, seq=number, at=NOW, level=20, text=f"line {number}") for number in numbers]


@dataclass(frozen=True)
class Server:
    """A runner that serves some deployments."""

    store: Store
    id: UUID
    deployments: Sequence[Deployment]

    @property
    def deployment(self) -> Deployment:
        """The one it serves."""
        [only] = self.deployments
        return only

    async def ask(self, at: datetime = NOW, **said: Any) -> Run:
        """Ask for a run of its first deployment, due `at`."""
        new = NewRun(deployment_id=self.deployments[0].id, scheduled_at=at, **said)
        return await self.store.create_run(new, now=NOW)

    async def claim(self, limit: int = 100, now: datetime = NOW) -> list[Run]:
        """Claim what is due."""
        ids = [one.id for one in self.deployments]
        return list((await self.store.claim(self.id, ids, limit=limit, now=now)).runs)

    async def claim_one(self, now: datetime = NOW) -> Run:
        """Claim the run that is due."""
        [run] = await self.claim(limit=1, now=now)
        return run

    async def start_one(self, now: datetime = NOW) -> Run:
        """Claim the run that is due, and start it."""
        return await start(self.store, await self.claim_one(now), now=now)


async def runner_ids(store: Store) -> list[UUID]:
    """The runners that are registered, by id."""
    return [one.id for one in await store.runners()]


async def serve(
    store: Store,
    *registrations: Registration,
    now: datetime = NOW,
    lease: timedelta = MINUTE,
    owner: str | None = None,
) -> Server:
    """A new server of these deployments."""
    runner_id = uuid4()
    registered = await store.register(runner_id, registrations, lease_until=now + lease, now=now, owner=owner)
    return Server(store, runner_id, registered)


async def start(store: Store, run: Run, *, now: datetime = NOW) -> Run:
    """Start a run under the claim that it was seen with."""
    return await store.start(run.id, run.epoch, at=now, transition_id=uuid4())


async def end(
    store: Store,
    run: Run,
    outcome: Outcome = COMPLETED,
    transition_id: UUID | None = None,
    *,
    now: datetime = NOW,
) -> Run:
    """Bring a run to its end under the claim that it was seen with."""
    return await store.finish(run.id, run.epoch, outcome, at=now, transition_id=transition_id or uuid4())


async def fail(store: Store, run: Run, *, retry_at: datetime, transition_id: UUID | None = None) -> Run:
    """Let an attempt of a run fail that is to have another."""
    outcome = Outcome(state=RunState.FAILED, failure=BOOM, retry_at=retry_at)
    return await end(store, run, outcome, transition_id)


async def release(store: Store, run: Run, transition_id: UUID | None = None) -> Run:
    """Give a claimed run back."""
    return await store.release(run.id, run.epoch, at=NOW, transition_id=transition_id or uuid4())


async def way_of(store: Store, run: Run) -> list[RunState]:
    """The states that a run went through; each step is one that the table knows, and the last is where it is."""
    way = [step.state for step in await store.transitions(run.id)]
    assert all(after in TRANSITIONS[before] for before, after in pairwise(way))
    assert way[-1] is (await store.run(str(run.id))).state
    return way
