"""Triggering: each event that is waited for becomes one run, whoever looks, and what cannot be is told."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import anyio
import pytest

from flowsource.deployments import FlowFacts
from flowsource.events import new_event
from flowsource.runner import triggering
from flowsource.runner.triggering import LOOK_EVERY, Eyes, fire_triggers
from flowsource.runs import Run
from flowsource.store.protocol import Store
from flowsource.store.values import Registration
from flowsource.triggers import EventTrigger, Trigger
from tests.store.words import ANNA, MINUTE, NOW, SECOND, Server, registration, serve
from tests.support.waiting import until_true

pytestmark = pytest.mark.anyio

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False}
N_OF_ORDER = {"n": "{{ event.payload.n }}"}


def with_triggers(*triggers: Trigger, **said: Any) -> Registration:
    new = registration(triggers=triggers, **said)
    return Registration(declared=new.declared, facts=FlowFacts(name="etl", parameter_schema=SCHEMA), active=new.active)


async def tell(store: Store, *numbers: Any, after: timedelta = timedelta(0)) -> None:
    await store.emit([new_event("order.created", {"n": number}, at=NOW + after) for number in numbers])


def eyes_of(server: Server) -> Eyes:
    return Eyes(server.store, [one.id for one in server.deployments])


async def look_at_all(eyes: Eyes, *, now: Any = NOW) -> timedelta:
    """Look until there is nothing more to do at once; the time until there may be."""
    while not (delay := await eyes.look(now=now)):
        assert delay is not None, "there is a trigger"
    return delay


async def made(store: Store) -> list[Run]:
    """The runs there are, oldest first."""
    return (await store.runs(limit=5000))[::-1]


async def test_each_event_becomes_one_run_however_many_look(store: Store) -> None:
    server = await serve(store, with_triggers(EventTrigger(expect="order.created", parameters=N_OF_ORDER)))
    several = [eyes_of(server) for _ in range(3)]
    await tell(store, 1, 2)
    async with anyio.create_task_group() as tasks:
        for eyes in several:
            tasks.start_soon(look_at_all, eyes)
    await tell(store, 3)
    for eyes in several:
        assert await look_at_all(eyes) == LOOK_EVERY
    assert sorted(run.parameters["n"] for run in await made(store)) == [1, 2, 3]


async def test_the_runs_of_one_look_come_in_the_order_of_their_events(store: Store) -> None:
    server = await serve(store, with_triggers(EventTrigger(expect="order.created", parameters=N_OF_ORDER)))
    await tell(store, *range(10))
    await look_at_all(eyes_of(server))
    assert [run.parameters["n"] for run in await server.claim(now=NOW + SECOND)] == list(range(10))


async def test_more_events_than_are_read_at_once_all_count(store: Store) -> None:
    server = await serve(
        store,
        with_triggers(EventTrigger(expect="order.created", threshold=600, parameters=N_OF_ORDER)),
        with_triggers(EventTrigger(expect="order.*", threshold=700, parameters=N_OF_ORDER), name="other"),
    )
    await tell(store, *range(1, 1401))
    await look_at_all(eyes_of(server))
    found = sorted((run.deployment, run.parameters["n"]) for run in await made(store))
    assert found == [("etl/nightly", 600), ("etl/nightly", 1200), ("etl/other", 700), ("etl/other", 1400)]


async def test_whoever_begins_anew_goes_on_counting_where_the_last_one_was(store: Store) -> None:
    server = await serve(store, with_triggers(EventTrigger(expect="order.created", threshold=2, parameters=N_OF_ORDER)))
    for number in range(1, 5):
        await tell(store, number)
        await look_at_all(eyes_of(server))
    assert sorted(run.parameters["n"] for run in await made(store)) == [2, 4]


async def test_events_that_count_for_nothing_are_not_written_about_until_they_are_many(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triggering, "READ_AGAIN", 1000)
    server = await serve(store, with_triggers(EventTrigger(expect="payment.*")))
    [before], eyes = await store.triggers([server.deployment.id]), eyes_of(server)
    await tell(store, *range(1, 1000))
    await look_at_all(eyes)
    assert await store.triggers([server.deployment.id]) == [before]
    await tell(store, *range(1, 10))
    await look_at_all(eyes)
    [after] = await store.triggers([server.deployment.id])
    assert (after.cursor, after.version) == ((await store.newest_events(limit=1))[0].seq, before.version + 1)


async def test_what_does_not_come_makes_a_run_when_its_time_is_over(store: Store) -> None:
    shipped = EventTrigger(
        expect="order.shipped", after="order.created", within=60, posture="Proactive", parameters=N_OF_ORDER
    )
    server = await serve(store, with_triggers(shipped))
    await tell(store, 7)
    assert await look_at_all(eyes_of(server)) == LOOK_EVERY
    # By a clock that is not quite ours, it may have come in time and be told a second later.
    assert await look_at_all(eyes_of(server), now=NOW + MINUTE) == SECOND
    assert await made(store) == []
    await look_at_all(eyes_of(server), now=NOW + MINUTE + SECOND)
    [run] = await made(store)
    assert run.parameters == {"n": 7}
    assert run.cause is not None and run.cause.event is not None
    assert run.cause.event.name == "order.created"


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"n": "{{ event.payload.other }}"}, "event.payload.other"),
        ({"n": "{{ event.payload.n }}!"}, "n: should be integer"),
        ({"m": 1}, "m: is not a parameter"),
    ],
)
async def test_an_event_that_does_not_fit_the_parameters_is_told_and_makes_no_run(
    store: Store, caplog: pytest.LogCaptureFixture, parameters: dict[str, Any], reason: str
) -> None:
    server = await serve(store, with_triggers(EventTrigger(expect="order.created", parameters=parameters)))
    await tell(store, 1)
    await look_at_all(eyes_of(server))
    [firing] = await store.firings(server.deployment.id)
    assert (firing.outcome, reason in str(firing.reason)) == ("failed", True)
    assert firing.event is not None and firing.event.payload == {"n": 1}
    assert await made(store) == []
    assert reason in caplog.text


async def test_a_trigger_that_is_held_does_not_look(store: Store) -> None:
    server = await serve(store, with_triggers(EventTrigger(expect="order.created", enabled=False)))
    await tell(store, 1)
    assert await look_at_all(eyes_of(server)) == LOOK_EVERY
    assert await made(store) == []


async def test_a_trigger_that_cannot_be_used_holds_up_no_other_and_is_told_once(
    store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await serve(
        store, with_triggers(EventTrigger(expect="order.*", name="broken"), EventTrigger(expect="order.created"))
    )
    move = store.move_trigger

    async def broken(before: Any, **said: Any) -> Any:
        if before.trigger.name == "broken":
            raise RuntimeError("it is broken")
        return await move(before, **said)

    monkeypatch.setattr(store, "move_trigger", broken)
    eyes = eyes_of(server)
    for number in (1, 2):
        await tell(store, number)
        await look_at_all(eyes)
    assert len(await made(store)) == 2
    # So many that they are not read at once.
    await tell(store, *range(1200))
    await look_at_all(eyes)
    assert len(await made(store)) == 1202
    assert caplog.text.count("it is broken") == 1

    monkeypatch.undo()
    await look_at_all(eyes)
    assert len(await made(store)) == 2 * 1202


async def test_how_far_was_looked_is_kept_now_and_then_even_where_nothing_counts(store: Store) -> None:
    server = await serve(store, with_triggers(EventTrigger(expect="parcel.sent")))
    eyes = eyes_of(server)
    [before] = await store.triggers([server.deployment.id])
    for minutes, is_kept in ((0, False), (29, False), (30, True), (31, False), (61, True)):
        await tell(store, minutes)
        await look_at_all(eyes, now=NOW + minutes * MINUTE)
        [now] = await store.triggers([server.deployment.id])
        assert (now.cursor > before.cursor) is is_kept, minutes
        before = now


async def test_a_trigger_is_looked_after_that_somebody_adds_where_there_was_none_and_again_after_the_last_went(
    store: Store,
) -> None:
    server = await serve(store, with_triggers(), now=store.now())
    which = server.deployment.id
    trigger = EventTrigger(expect="order.created", parameters=N_OF_ORDER)

    async def makes_a_run(number: int) -> bool:
        await tell(store, number)
        return number in [run.parameters["n"] for run in await made(store)]

    async with anyio.create_task_group() as looking:
        looking.start_soon(fire_triggers, store, [which])
        for number in (1, 2):
            added = await store.add_trigger(which, trigger, ANNA, now=store.now())
            await until_true(partial(makes_a_run, number))
            await store.remove_trigger(which, added.key, ANNA, now=store.now())
        looking.cancel_scope.cancel()
