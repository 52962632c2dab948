"""Deployments that run because something happened, served as people serve them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import anyio
import pytest

from flowsource.events import new_event
from flowsource.runner.requests import request_run
from flowsource.runs import Run, RunState
from flowsource.store.protocol import Store
from flowsource.triggers.chains import MOST_ROUNDS
from tests.cli.calling import CommandLine
from tests.support.live import Serving, serving

pytestmark = pytest.mark.anyio

SCRIPT = """
    from multiprocessing import get_context
    from flowsource import EventTrigger, current_run, emit_event, flow, serve

    @flow
    def spread():
        for method in ("fork", "spawn"):
            worker = get_context(method).Process(target=emit_event, args=(f"spread.{method}",))
            worker.start()
            worker.join()
            assert worker.exitcode == 0

    @flow
    def load(day: str, orders: int = 0):
        if orders < 0:
            raise ValueError("no such orders")
        for number in range(orders):
            emit_event("order.created", {"id": number}, resource={"flowsource.resource.id": f"order.{number}"})
        return {"rows": [1, 2]}

    @flow
    def report(day: str, rows: list[int]):
        return {"day": day, "rows": rows, "event": current_run().event.name}

    @flow
    def mourn(why: str):
        return why

    @flow
    def pack(id: int):
        return id

    @flow
    def ping(): ...

    @flow
    def pong(): ...

    if __name__ == "__main__":
        serve(
            load.to_deployment("daily"),
            spread.to_deployment("far"),
            report.to_deployment(
                "after",
                triggers=[
                    EventTrigger(
                        expect={"prefect.flow-run.Completed"},
                        match_related={"prefect.resource.role": "deployment", "prefect.resource.name": "daily"},
                        parameters={
                            "day": "{{ event.payload.parameters.day }}",
                            "rows": "{{ event.payload.result.rows }}",
                        },
                    )
                ],
            ),
            mourn.to_deployment("failed", on_failure_of="load/daily", parameters={"why": "load"}),
            pack.to_deployment(
                "each", triggers=[EventTrigger(expect="order.created", parameters={"id": "{{ event.payload.id }}"})]
            ),
            pack.to_deployment(
                "third",
                triggers=[
                    EventTrigger(
                        expect="order.*", threshold=3, within=3600, parameters={"id": "{{ event.payload.id }}"}
                    )
                ],
            ),
            ping.to_deployment("one", on_completion_of="pong/two"),
            pong.to_deployment("two", on_completion_of=["ping/one"]),
        )
"""


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    place = tmp_path_factory.mktemp("triggers")
    (place / "flows.py").write_text(dedent(SCRIPT))
    async with serving(place / "flows.py", place / "home") as server:
        yield server
        assert await server.stop() == 0


async def runs_of(store: Store, deployment: str) -> list[Run]:
    """Its runs that have ended, oldest first."""
    found = await store.runs(deployment_id=(await store.deployment(deployment)).id, limit=1000)
    return [run for run in reversed(found) if run.state.is_final]


async def until_ran(server: Serving, deployment: str, times: int) -> list[Run]:
    """Its runs, once so many have ended."""

    async def have_ended() -> bool:
        return len(await runs_of(server.store, deployment)) >= times

    await server.until(have_ended, f"{times} runs of {deployment}")
    return await runs_of(server.store, deployment)


async def test_what_one_run_returned_is_what_the_next_is_given(server: Serving) -> None:
    await server.until_final(await request_run(server.store, "load/daily", {"day": "monday"}))
    [run] = await until_ran(server, "report/after", 1)
    assert run.result == {"day": "monday", "rows": [1, 2], "event": "flow-run.completed"}
    assert run.cause is not None and run.cause.chain == ("load/daily",)


async def test_events_of_a_run_of_a_program_and_of_the_command_line_make_runs(server: Serving) -> None:
    before = len(await runs_of(server.store, "pack/each")), len(await runs_of(server.store, "pack/third"))
    await server.until_final(await request_run(server.store, "load/daily", {"day": "x", "orders": 2}))
    command = CommandLine(server.script.home)
    words = ("events", "emit", "order.created", "--payload", '{"id": 3}')
    assert (await anyio.to_thread.run_sync(command.run, *words)).code == 0
    each = await until_ran(server, "pack/each", before[0] + 3)
    assert [run.result for run in each[before[0] :]] == [0, 1, 3]
    third = await until_ran(server, "pack/third", before[1] + 1)
    assert [run.result for run in third[before[1] :]] == [3]
    [first] = [event for event in await server.store.newest_events(names=["order.created"]) if not event.payload["id"]]
    roles = [labels["flowsource.resource.role"] for labels in first.related]
    assert (first.resource, roles) == ({"flowsource.resource.id": "order.0"}, ["flow-run", "deployment", "flow"])


async def test_processes_that_a_run_starts_tell_events_too(server: Serving) -> None:
    run = await server.until_final(await request_run(server.store, "spread/far", {}))
    assert run.state is RunState.COMPLETED, run.failure
    spawned, forked = await server.store.newest_events(names=["spread.*"])
    assert (forked.name, forked.run_id, spawned.name, spawned.run_id) == ("spread.fork", run.id, "spread.spawn", None)


async def test_a_failure_is_followed_by_what_waits_for_it(server: Serving) -> None:
    assert await runs_of(server.store, "mourn/failed") == []
    await server.until_final(await request_run(server.store, "load/daily", {"day": "x", "orders": -1}))
    [run] = await until_ran(server, "mourn/failed", 1)
    assert run.result == "load"


async def test_deployments_that_make_each_other_run_are_cut_and_that_is_told(server: Serving) -> None:
    await server.until_final(await request_run(server.store, "ping/one", {}))
    await server.until_said("was cut")
    assert "ping/one -> pong/two -> ping/one" in server.said
    ended = [len(await runs_of(server.store, name)) for name in ("ping/one", "pong/two")]
    assert ended == [MOST_ROUNDS, MOST_ROUNDS]
    cut = [one for one in await server.store.firings((await server.store.deployment("one")).id) if one.outcome == "cut"]
    assert len(cut) == 1


ALONE = """
    from flowsource import EventTrigger, flow

    @flow
    def pack(id: int):
        return id

    if __name__ == "__main__":
        pack.serve(
            "each", triggers=[EventTrigger(expect="order.created", parameters={"id": "{{ event.payload.id }}"})]
        )
"""


async def test_two_servers_make_one_run_of_each_event(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(dedent(ALONE))
    async with AsyncExitStack() as servers:
        one, _ = [
            await servers.enter_async_context(serving(tmp_path / f"{name}.py", tmp_path / "home"))
            for name in ("one", "two")
        ]
        for number in range(20):
            await one.store.emit([new_event("order.created", {"id": number}, at=datetime.now(UTC))])
        runs = await until_ran(one, "pack/each", 20)
        assert sorted(run.result for run in runs) == list(range(20))


async def test_what_happens_while_a_server_is_killed_makes_its_run_when_it_is_back(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(dedent(ALONE))
    async with serving(tmp_path / "one.py", tmp_path / "home") as server:
        server.process.kill()
        await server.ended()
        await server.store.emit([new_event("order.created", {"id": 5}, at=datetime.now(UTC))])
    async with serving(tmp_path / "one.py", tmp_path / "home") as server:
        [run] = await until_ran(server, "pack/each", 1)
        assert (run.state, run.result) == (RunState.COMPLETED, 5)


async def test_a_trigger_that_a_person_adds_makes_runs_while_it_is_not_held(server: Serving) -> None:
    command = CommandLine(server.script.home)

    async def say(*words: str) -> None:
        assert (await anyio.to_thread.run_sync(command.run, *words)).code == 0

    before = len(await runs_of(server.store, "mourn/failed"))
    which = ("mourn/failed", "ships")
    await say(
        "triggers", "add", which[0], "--expect", "ship.*", "--name", which[1], "-p", "why={{ event.payload.name }}"
    )
    await say("events", "emit", "ship.sunk", "--payload", '{"name": "Vasa"}')
    run = (await until_ran(server, "mourn/failed", before + 1))[-1]
    assert (run.result, run.cause.trigger if run.cause else None) == ("Vasa", "ships")
    await say("triggers", "pause", *which)
    await say("events", "emit", "ship.sunk", "--payload", '{"name": "Mary Rose"}')
    await say("triggers", "resume", *which)
    await say("events", "emit", "ship.sunk", "--payload", '{"name": "Titanic"}')
    runs = await until_ran(server, "mourn/failed", before + 2)
    assert [run.result for run in runs[before:]] == ["Vasa", "Titanic"]
    await say("triggers", "remove", *which)
