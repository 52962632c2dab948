"""What every store promises about runs and deployments that are looked for by a query; its tests subclass this."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import anyio
import pytest

from flowsource.errors import InvalidInput, InvalidQuery
from flowsource.queries.deployments import parse_deployments
from flowsource.queries.runs import parse_runs
from flowsource.queries.terms import Query
from flowsource.runs import Run, RunState
from flowsource.store.protocol import Store
from flowsource.store.values import NestedRun, NewRun, Outcome
from tests.store.words import ANNA, FIRST, HOUR, NOW, SECOND, Server, end, registration, serve, start

NAMED = ("etl/hourly", "etl/nightly", "ping/nightly")


async def ask(server: Server, second: int, **said: Any) -> Run:
    """Ask for a run, so many seconds after NOW: so that it is newer than others."""
    new = NewRun(deployment_id=server.deployments[0].id, **{"scheduled_at": NOW, **said})
    return await server.store.create_run(new, now=NOW + second * SECOND)


async def found(store: Store, text: str) -> list[str]:
    """The names of the runs that `text` asks for, the newest first."""
    return [run.name for run in (await store.find_runs(parse_runs(text, now=NOW + HOUR))).items]


async def deployments_found(store: Store, text: str) -> list[str]:
    """The full names of the deployments that `text` asks for."""
    query = parse_deployments(text, now=NOW)
    return [deployment.full_name for deployment in (await store.find_deployments(query, now=NOW)).items]


async def through_pages(store: Store, query: Query, *, limit: int) -> list[Run]:
    """The runs of all pages, in order."""
    runs: list[Run] = []
    cursor = None
    while True:
        page = await store.find_runs(query, cursor=cursor, limit=limit)
        assert len(page.items) <= limit
        runs += page.items
        if page.cursor is None:
            return runs
        cursor = page.cursor


class PagingContract:
    async def test_runs_are_found_by_what_is_known_of_them(self, store: Store) -> None:
        etl = await serve(store, registration("nightly", tags=("etl", "a b")), registration("hourly"))
        ping = await serve(store, registration("nightly", flow="ping"))
        await ask(etl, 1, name="waits", scheduled_at=NOW + HOUR)
        await ask(ping, 2, name="asked", tags=("odd", "Ä"))
        claimed = await start(store, await ping.claim_one())
        await ask(etl, 3, name="failed")
        await end(store, await etl.start_one(), Outcome(state=RunState.FAILED))

        for text, names in {
            "": ["failed", "asked", "waits"],
            "state:failed,running": ["failed", "asked"],
            "-state:scheduled": ["failed", "asked"],
            "deployment:nightly": ["failed", "asked", "waits"],
            "deployment:etl/nightly": ["failed", "waits"],
            "deployment:hourly,ping/*": ["asked"],
            "-deployment:ping/nightly": ["failed", "waits"],
            "deployment:nobody": [],
            "flow:ping": ["asked"],
            "tag:etl": ["failed", "waits"],
            "tag:etl tag:odd": [],
            "tag:etl,odd": ["failed", "asked", "waits"],
            'tag:"a b" -state:failed': ["waits"],
            "tag:Ä": ["asked"],
            "tag:o*": ["asked"],
            "name:*ed": ["failed", "asked"],
            "name:Failed": [],
            "FAIL": ["failed"],
            "ping": ["asked"],
            "-fail,ask": ["waits"],
            f"revision:{FIRST.id[:7]}": ["failed", "asked"],
            "revision:2222": [],
            f"revision:2222,{FIRST.id[:7]}": ["failed", "asked"],
            f"revision:{FIRST.id[:4]} deployment:ping/nightly": ["asked"],
            f"-revision:{FIRST.id}": ["waits"],
            f"runner:{etl.id}": ["failed"],
            f"runner:{etl.id.hex[:8]},{ping.id.hex[:8]}": ["failed", "asked"],
            f"-runner:{etl.id.hex[:8]}": ["asked", "waits"],
            "trigger:*": [],
            f"id:{str(claimed.id)[:20]} state:running": ["asked"],
            f"parent:{claimed.id}": [],
            "schedule:*": [],
            "-schedule:*": ["failed", "asked", "waits"],
            "after:2h": ["failed", "asked", "waits"],
            "before:2h": [],
        }.items():
            assert await found(store, text) == names, text
            assert await store.count_runs(parse_runs(text, now=NOW + HOUR)) == len(names), text

    async def test_runs_inside_others_are_found_by_their_parent_alone(self, store: Store) -> None:
        server = await serve(store, registration(tags=("etl",)))
        await ask(server, 1, name="outer")
        outer = await server.start_one()
        inner = NestedRun(id=uuid4(), name="inner", flow="part", state=RunState.RUNNING, started_at=NOW)
        await store.nest(outer.id, outer.epoch, [inner])
        await ask(server, 2, name="asked", parent_id=outer.id)

        assert await found(store, "tag:etl") == ["asked", "outer"]
        assert sorted(await found(store, f"parent:{outer.id} tag:etl")) == ["asked", "inner"]
        assert await found(store, f"parent:{outer.id} flow:part") == ["inner"]

    async def test_times_are_those_at_which_runs_were_created(self, store: Store) -> None:
        server = await serve(store, registration())
        for second in range(4):
            await ask(server, second, name=f"{second}", scheduled_at=NOW + timedelta(days=second))
        assert await found(store, "after:2030-01-01T12:00:02Z") == ["3", "2"]
        assert await found(store, "before:2030-01-01T12:00:02Z") == ["1", "0"]
        assert await found(store, "after:2030-01-01T12:00:01Z -after:2030-01-01T12:00:02Z") == ["1"]
        assert await found(store, "after:2030-01-01T12:00:03Z,2030-01-01T12:00:02Z") == ["3", "2"]

    async def test_pages_hold_each_run_once_while_others_write(self, store: Store) -> None:
        server = await serve(store, registration(tags=("etl",)))
        there = [await server.ask() for _ in range(25)]

        async def write() -> None:
            for _ in range(15):
                asked = await server.ask()
                await store.ask_cancel(asked.id, ANNA, now=NOW)

        for text in ("", "tag:etl", "deployment:nightly", "state:scheduled,cancelled", "tag:etl,other"):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(write)
                runs = await through_pages(store, parse_runs(text, now=NOW), limit=4)
            ids = [run.id for run in runs]
            assert ids == sorted(set(ids), reverse=True), text
            assert {run.id for run in there} <= set(ids), text

    async def test_the_last_page_says_that_there_is_no_more(self, store: Store) -> None:
        server = await serve(store, registration())
        asked = [await ask(server, second) for second in range(4)][::-1]
        first = await store.find_runs(Query(), limit=2)
        assert first.items == tuple(asked[:2]) and first.cursor is not None
        second = await store.find_runs(Query(), cursor=first.cursor, limit=2)
        assert (second.items, second.cursor) == (tuple(asked[2:]), None)

    @pytest.mark.parametrize("cursor", ["", "r1.", "r1.x", "d1.YQ==", f"{UUID(int=1)}"])
    async def test_what_is_no_cursor_of_runs_is_refused(self, store: Store, cursor: str) -> None:
        with pytest.raises(InvalidInput, match="was not given with a page of runs"):
            await store.find_runs(Query(), cursor=cursor)

    async def test_a_query_for_something_else_is_refused(self, store: Store) -> None:
        with pytest.raises(InvalidQuery, match="no key 'paused'"):
            await store.find_runs(parse_deployments("paused:yes", now=NOW))
        with pytest.raises(InvalidQuery, match="no key 'state'"):
            await store.find_deployments(parse_runs("state:failed", now=NOW), now=NOW)

    async def test_deployments_are_found_by_what_is_known_of_them(self, store: Store) -> None:
        server = await serve(
            store,
            registration("nightly", tags=("etl",), source_label="acme/flows@main"),
            registration("hourly", description="Every Hour"),
        )
        await serve(store, registration("nightly", flow="ping"), now=NOW - HOUR)
        await store.set_paused(server.deployments[1].id, True, now=NOW)

        for text, names in {
            "": list(NAMED),
            "name:nightly": ["etl/nightly", "ping/nightly"],
            "name:etl/*": ["etl/hourly", "etl/nightly"],
            "-flow:etl": ["ping/nightly"],
            "tag:etl": ["etl/nightly"],
            "paused:yes": ["etl/hourly"],
            "paused:no served:yes": ["etl/nightly"],
            "-served:yes": ["ping/nightly"],
            "source:acme/*": ["etl/nightly"],
            "revision:1111": list(NAMED),
            "every": ["etl/hourly"],
        }.items():
            assert await deployments_found(store, text) == names, text

    async def test_deployments_come_in_pages(self, store: Store) -> None:
        await serve(store, registration("nightly"), registration("hourly"), registration("nightly", flow="ping"))
        first = await store.find_deployments(Query(), limit=2, now=NOW)
        assert [one.full_name for one in first.items] == list(NAMED[:2]) and first.cursor is not None
        second = await store.find_deployments(Query(), cursor=first.cursor, limit=2, now=NOW)
        assert ([one.full_name for one in second.items], second.cursor) == ([NAMED[2]], None)
        for cursor in ("", "d1.\xe4", "d1./w==", "r1.YQ=="):
            with pytest.raises(InvalidInput, match="was not given with a page of deployments"):
                await store.find_deployments(Query(), cursor=cursor, now=NOW)
