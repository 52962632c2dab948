"""What every store promises about events; its tests subclass this and supply the fixture `store`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from flowsource.deployments import Rejection
from flowsource.errors import InvalidInput, RunNotFound
from flowsource.events import Event, new_event, resource
from flowsource.promotions import Pin
from flowsource.runs import RunState
from flowsource.source_status import SourceState, SourceStatus
from flowsource.store.protocol import Store
from flowsource.store.values import EVENTS, NestedRun, Outcome, SourceReport
from tests.store.words import (
    ANNA,
    BOOM,
    FIRST,
    GENEROUS,
    HOUR,
    HOURLY,
    MINUTE,
    NOW,
    SECOND,
    SECOND_REVISION,
    end,
    promote,
    registration,
    reject,
    serve,
)


async def told(store: Store, *names: str) -> list[Event]:
    """All events, or those of `names`, in order."""
    return list((await store.events(after=0, names=names)).events)


async def names_told(store: Store, *names: str) -> list[str]:
    return [event.name for event in await told(store, *names)]


class EventsContract:
    async def test_each_step_of_a_run_is_an_event_that_tells_of_the_run(self, store: Store) -> None:
        server = await serve(store, registration(tags=("etl",)))
        await server.ask(parameters={"day": "monday"})
        run = await server.start_one()
        await end(store, run, Outcome(state=RunState.COMPLETED, has_result=True, result=[1]))
        events = await told(store, "flow-run.*")
        assert [event.name for event in events] == [
            f"flow-run.{state}" for state in ("scheduled", "claimed", "running", "completed")
        ]
        last = events[-1]
        assert (dict(last.resource), last.run_id) == (resource("flow-run", run.id, run.name), run.id)
        assert [dict(labels) for labels in last.related] == [
            resource("deployment", run.deployment_id, "nightly", role="deployment"),
            resource("flow", "etl", "etl", role="flow"),
            resource("tag", "etl", "etl", role="tag"),
        ]
        assert last.payload == {"state": "completed", "attempt": 1, "parameters": {"day": "monday"}, "result": [1]}
        assert "result" not in events[0].payload

    async def test_why_and_by_whom_stands_in_what_an_event_carries(self, store: Store) -> None:
        server = await serve(store, registration())
        asked = await server.ask()
        await store.ask_cancel(asked.id, ANNA, now=NOW)
        [event] = await told(store, "flow-run.cancelled")
        assert (event.payload["by"], "wrong day" in event.payload["reason"]) == ("anna", True)

    async def test_what_is_called_inside_a_run_is_no_run_of_its_deployment(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        run = await server.start_one()
        inner = NestedRun(id=uuid4(), name="clean-1", flow="clean", state=RunState.COMPLETED, started_at=NOW)
        await store.nest(run.id, run.epoch, [inner])
        [event] = await told(store, "flow-run.completed")
        assert [labels["flowsource.resource.role"] for labels in event.related] == ["flow"]
        assert event.related[0]["flowsource.resource.name"] == "clean"

    async def test_an_emitted_event_is_as_it_was_told_and_there_once(self, store: Store) -> None:
        order = {"flowsource.resource.id": "order.17"}
        new = new_event("order.created", {"id": 17}, resource=order, related=[{"role": "shop"}], at=NOW)
        await store.emit([new])
        await store.emit([new, new_event("order.paid", at=NOW)])
        first, second = await told(store, "order.*")
        assert (first.name, first.id, first.at, first.run_id) == ("order.created", new.id, NOW, None)
        assert (first.resource, first.related, first.payload) == (order, ({"role": "shop"},), {"id": 17})
        assert (second.name, second.seq > first.seq) == ("order.paid", True)
        assert Event.from_json(first.to_json()) == first

    async def test_an_event_that_a_run_told_is_related_to_the_run_and_is_no_step_of_it(self, store: Store) -> None:
        server = await serve(store, registration())
        run = await server.ask()
        await store.emit([new_event("order.created", at=NOW, run_id=run.id)])
        [event] = await told(store, "order.created")
        roles = [labels["flowsource.resource.role"] for labels in event.related]
        assert (event.run_id, roles) == (run.id, ["flow-run", "deployment", "flow"])
        assert [step.state for step in await store.transitions(run.id)] == [RunState.SCHEDULED]

    async def test_an_event_of_a_run_that_is_not_there_is_refused(self, store: Store) -> None:
        with pytest.raises(RunNotFound):
            await store.emit([new_event("order.created", at=NOW, run_id=uuid4())])

    async def test_nobody_tells_what_happened_here(self, store: Store) -> None:
        told_by_hand = replace(new_event("order.created", at=NOW), name="flow-run.completed")
        with pytest.raises(InvalidInput):
            await store.emit([new_event("order.created", at=NOW), told_by_hand])
        assert await told(store) == []

    async def test_whoever_reads_on_from_where_he_was_sees_every_event_once(self, store: Store) -> None:
        await store.emit([new_event(f"order.{number % 2}", {"n": number}, at=NOW) for number in range(10)])
        seen: list[int] = []
        after, upto = -1, 0
        while upto > after:
            after = upto
            page = await store.events(after=after, names=["order.1"], limit=2)
            seen, upto = [*seen, *(event.payload["n"] for event in page.events)], page.upto
        assert seen == [1, 3, 5, 7, 9]
        assert (await store.events(after=after)).events == []
        last = await store.newest_events(limit=2)
        assert [event.payload["n"] for event in last] == [9, 8]
        behind = await store.newest_events(before=last[-1].seq, limit=2)
        assert [event.payload["n"] for event in behind] == [7, 6]

    @pytest.mark.parametrize("name", ["order.creat_d", "ORDER.created", "order.%", "order.create", "order"])
    async def test_a_name_is_meant_to_the_letter(self, store: Store, name: str) -> None:
        await store.emit([new_event("order.created", at=NOW)])
        assert await names_told(store, name) == []
        assert await names_told(store, "order.cr*", name) == ["order.created"]

    async def test_what_happens_to_a_deployment_is_told_once(self, store: Store) -> None:
        server = await serve(store, registration(schedules=(HOURLY,)))
        await serve(store, registration(schedules=(HOURLY,)))
        await serve(store, registration(schedules=(HOURLY,), tags=("new",)))
        deployment = server.deployment
        for paused, author in ((True, ANNA), (True, ANNA), (False, None)):
            await store.set_paused(deployment.id, paused, author=author, now=NOW)
        rejected = Rejection(revision=SECOND_REVISION, kind="import", message="no", details="", at=NOW)
        await reject(store, deployment, rejected)
        await promote(store, deployment, SECOND_REVISION)
        await store.act(deployment.id, Pin(FIRST), ANNA, now=NOW)
        assert await names_told(store, "deployment.*", "schedule.*") == [
            "deployment.registered",
            "deployment.promoted",
            "schedule.created",
            "deployment.changed",
            *("deployment.paused", "deployment.resumed"),
            *("deployment.rejected", "deployment.promoted", "deployment.pinned"),
        ]
        pinned = (await told(store, "deployment.pinned"))[0]
        assert dict(pinned.resource) == resource("deployment", deployment.id, "nightly")
        assert pinned.payload == {
            "revision": FIRST.id,
            "previous": SECOND_REVISION.id,
            "by": "anna",
            "reason": "wrong day",
        }

    async def test_a_runner_arrives_and_leaves_or_is_lost(self, store: Store) -> None:
        left, lost = await serve(store, registration()), await serve(store, registration(), lease=SECOND)
        await store.register(left.id, [registration()], lease_until=NOW + HOUR, now=NOW)
        await store.retire(left.id, now=NOW)
        await store.retire(left.id, now=NOW)
        await store.reap(now=NOW + MINUTE)
        events = await told(store, "runner.*", "deployment.stopped")
        assert [(event.name, event.resource["flowsource.resource.name"]) for event in events] == [
            ("runner.arrived", str(left.id)),
            ("runner.arrived", str(lost.id)),
            ("runner.left", str(left.id)),
            ("deployment.stopped", "nightly"),
            ("runner.lost", str(lost.id)),
        ]

    async def test_a_source_is_told_of_when_its_state_changes(self, store: Store) -> None:
        async def report(state: SourceState, since: timedelta, reason: str | None = None) -> None:
            status = SourceStatus(label="flows", state=state, since=NOW + since, reason=reason)
            await store.report_sources([SourceReport(key="key", selector="main", status=status, revision=FIRST)])

        for state in (SourceState.NEW, SourceState.OK, SourceState.OK):
            await report(state, timedelta())
        for _ in range(2):
            await report(SourceState.DEGRADED, SECOND, "it hangs")
        await report(SourceState.OK, 2 * SECOND)
        events = await told(store, "source.*")
        assert [(event.name, event.at) for event in events] == [
            ("source.degraded", NOW + SECOND),
            ("source.ok", NOW + 2 * SECOND),
        ]
        assert (events[0].payload, events[0].resource["flowsource.resource.name"]) == ({"reason": "it hangs"}, "flows")

    async def test_an_event_is_heard(self, store: Store) -> None:
        server = await serve(store, registration())
        async with store.changes(EVENTS) as changes:
            await store.emit([new_event("order.created", at=NOW)])
            assert await changes.wait(GENEROUS)
            await server.ask()
            assert await changes.wait(GENEROUS)
            run = await server.start_one()
            assert await changes.wait(GENEROUS)
            await end(store, run, replace(Outcome(state=RunState.FAILED), failure=BOOM))
            assert await changes.wait(GENEROUS)
