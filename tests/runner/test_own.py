"""A server that lies about what is to be executed is not believed: a runner executes what its own `serve` named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import pytest

from flowsource.deployments import Declaration, Deployment, FlowFacts
from flowsource.revisions import Revision
from flowsource.runner.claims import Slots
from flowsource.runner.execution import Execution
from flowsource.runner.following import Following
from flowsource.runner.hand import Hand
from flowsource.runner.origin import Origin
from flowsource.runner.output.terminal import Terminal
from flowsource.runner.own import as_declared_here
from flowsource.runner.processes.starter import Starter
from flowsource.runner.startup import register
from flowsource.runner.workshop import Served, Workshop
from flowsource.runs import Run, RunState
from flowsource.snapshots.cache import SnapshotCache
from flowsource.sources.local import LocalStorage
from flowsource.store.protocol import Store
from tests.store.words import NOW, registration

pytestmark = pytest.mark.anyio


class Lying:
    """A store that answers with other code than that which was declared."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def register(self, *args: Any, **kwargs: Any) -> Any:
        told = await self.store.register(*args, **kwargs)
        return [
            replace(
                one,
                declared=replace(
                    one.declared,
                    entrypoint="evil.py:evil",
                    instance="/tmp/evil.pickle",
                    preload=("evil",),
                    source_key="evil",
                    parameters={"day": "monday"},
                ),
            )
            for one in told
        ]


@pytest.fixture
def shop(store: Store, server: Starter, tmp_path: Path) -> Workshop:
    return Workshop(
        store=Lying(store),
        cache=SnapshotCache(tmp_path / "cache"),
        server=server,
        terminal=Terminal(StringIO()),
        scratch=tmp_path / "scratch",
        signs=tmp_path / "signs",
    )


@pytest.fixture
async def served(shop: Workshop, write: Callable[..., Path]) -> Served:
    source = LocalStorage(write(flows="def etl(day: str = 'sunday'):\n    return day\n", evil="1 / 0\n"))
    declared = Declaration(name="daily", entrypoint="flows.py:etl", source_key=source.key, source_label="here")
    [served] = await register(uuid4(), [(declared, Origin(source=source, entrypoint="flows.py:etl"))], shop)
    return served


async def test_what_a_server_says_of_the_code_is_not_taken(served: Served) -> None:
    declared = served.deployment.declared

    assert (declared.entrypoint, declared.instance, declared.preload) == ("flows.py:etl", None, ())
    assert declared.source_key == served.source.key
    assert declared.parameters == {"day": "monday"}, "parameters are data"


def test_all_that_decides_which_code_is_executed_is_our_own() -> None:
    ours = registration().declared
    theirs = replace(
        ours,
        entrypoint="evil.py:evil",
        source_key="evil",
        source_label="evil",
        source_selector="evil",
        paths=("evil",),
        on_dependency_change="hold",
        workdir="private",
        preload=("evil",),
        instance="/tmp/evil",
    )
    told: Any = replace(_deployment(), declared=theirs)

    assert as_declared_here(told, ours).declared == ours


async def test_a_run_of_a_deployment_that_is_not_served_here_is_left_alone(
    served: Served, shop: Workshop, store: Store, run: Run
) -> None:
    slots = Slots(1)
    slots.take(run.id)
    entries = {served.deployment.id: served}
    hand = Hand(uuid4(), entries, shop, slots, Following(entries, shop))
    async with anyio.create_task_group() as tasks:
        hand.take(run, tasks)
    assert slots.free == 1
    assert (await store.run(str(run.id))).state is RunState.CLAIMED


async def test_a_run_that_is_given_twice_is_executed_once(
    served: Served, shop: Workshop, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    executed: list[Execution] = []

    async def execute(self: Execution) -> None:
        executed.append(self)
        await anyio.sleep(0.01)

    monkeypatch.setattr(Execution, "execute", execute)
    entries = {served.deployment.id: served}
    hand = Hand(uuid4(), entries, shop, Slots(4), Following(entries, shop))
    ours = replace(run, deployment_id=served.deployment.id)
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            hand.take(ours, tasks)
    assert len(executed) == 1


def _deployment() -> Any:
    return Deployment(
        id=uuid4(),
        flow="etl",
        declared=registration().declared,
        facts=FlowFacts(name="etl"),
        active=Revision(id="1" * 40),
        created_at=NOW,
        updated_at=NOW,
    )
