"""What is looked for beside the JSON is there for runs and deployments that were there before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
from sqlalchemy import text

from flowsource.queries.runs import parse_runs
from flowsource.revisions import Revision
from flowsource.runs import Cause
from flowsource.store import open_store
from flowsource.store.values import NewRun
from tests.store.migrating.databases import opened, rows_of
from tests.store.words import NOW, registration, serve

ODD = 'odd \udc80 "\x00'


def test_it_is_filled_on_the_way_up_and_gone_on_the_way_down(where: Path | str) -> None:
    address = f"sqlite:///{where}" if isinstance(where, Path) else where

    async def fill() -> None:
        async with open_store(address) as store:
            active = Revision(id="a" * 64, commit="c" * 40, subject=ODD)
            server = await serve(store, replace(registration(), active=active))
            cause = Cause(trigger=ODD, event=None)
            new = NewRun(deployment_id=server.deployment.id, scheduled_at=NOW, name="first", cause=cause)
            await store.create_run(new, now=NOW)
            await server.start_one()
            await server.ask(name="second")

    async def found(query: str) -> list[str]:
        async with open_store(address) as store:
            return [run.name for run in (await store.find_runs(parse_runs(query, now=NOW))).items]

    async def claim() -> None:
        async with open_store(address) as store:
            server = await serve(store, replace(registration(), active=Revision(id="b" * 40)))
            await server.claim()

    anyio.run(fill)
    with opened(where) as database:
        rows = rows_of(database)
        database.downgrade("0002")
        columns = database.read(lambda connection: connection.execute(text("SELECT * FROM runs")).keys())
        assert not {"revision_id", "revision_commit", "trigger"} & set(columns)
    with opened(where) as database:
        assert rows_of(database) == rows
    for query in ("revision:aaaa", "revision:cccc", "trigger:odd*"):
        assert anyio.run(found, query) == ["first"]
    anyio.run(claim)
    assert anyio.run(found, "revision:bbbb") == ["second"]
