"""Triggers that were there before people could add some are those of the code."""

from __future__ import annotations

from pathlib import Path

import anyio

from flowsource.store import open_store
from flowsource.store.values import TriggerState
from flowsource.triggers import EventTrigger
from tests.store.migrating.databases import opened
from tests.store.words import ANNA, NOW, registration, serve

OF_CODE, REMOVED, ADDED = (EventTrigger(expect=name) for name in ("a", "b", "c"))


def test_what_people_made_of_them_is_forgotten_on_the_way_down(where: Path | str) -> None:
    address = f"sqlite:///{where}" if isinstance(where, Path) else where

    async def fill() -> None:
        async with open_store(address) as store:
            server = await serve(store, registration(triggers=(OF_CODE, REMOVED)))
            removed = (await store.triggers([server.deployment.id]))[1]
            await store.remove_trigger(server.deployment.id, removed.key, ANNA, now=NOW)
            await store.add_trigger(server.deployment.id, ADDED, ANNA, now=NOW)

    async def kept(triggers: tuple[EventTrigger, ...]) -> list[TriggerState]:
        async with open_store(address) as store:
            server = await serve(store, registration(triggers=triggers))
            return await store.triggers([server.deployment.id])

    anyio.run(fill)
    assert [one.trigger for one in anyio.run(kept, (OF_CODE, REMOVED))] == [OF_CODE, ADDED]
    with opened(where) as database:
        database.downgrade("0006")
    assert [(one.trigger, one.origin) for one in anyio.run(kept, (OF_CODE,))] == [(OF_CODE, "code")]
    assert [one.trigger for one in anyio.run(kept, (OF_CODE, REMOVED))] == [OF_CODE, REMOVED]
