"""Who may do what through the door to the store: every method, with every scope, and with the token of another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args
from uuid import uuid4

import pytest

from flowsource.deployments import Loaded
from flowsource.errors import FlowsourceError, NotAllowed, NotAuthenticated, NotFound
from flowsource.events import new_event
from flowsource.promotions import Author, Decision, Passed, Unpin
from flowsource.queries.terms import Query
from flowsource.retention import Limits
from flowsource.runs import CancelPhase, Run, RunState
from flowsource.schedules import Cron
from flowsource.server.store_door import StoreDoor
from flowsource.server.switchboard import Switchboard
from flowsource.store import open_store
from flowsource.store.http.calls import CALLS
from flowsource.store.http.rules import RULES
from flowsource.store.protocol import Store
from flowsource.store.values import NestedRun, NewRun, Outcome, Things, TriggerState
from flowsource.tokens import Scope, Token
from flowsource.triggers import EventTrigger
from flowsource.triggers.evaluating import begun
from tests.store.source_contract import REPORT
from tests.store.words import ANNA, FIRST, MINUTE, NOW, Server, lines, registration, serve

pytestmark = pytest.mark.anyio


@dataclass
class Scene:
    """Two runners with tokens of their own, each with a deployment and a run that it has claimed."""

    store: Store
    door: StoreDoor
    ours: Server
    run: Run
    theirs: Server
    their_run: Run

    async def ask(self, who: Token, method: str, /, **arguments: Any) -> Any:
        """What the door answers to a method."""
        import json

        call = CALLS[method]
        body = json.dumps(call.encode_arguments(**arguments)).encode()
        answer = await self.door.answer(who, method, body, call.digest)
        return call.gives.decode(answer["result"])


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as store:
        ours = await serve(store, registration("ours", source_key="key"), owner="us")
        await ours.ask()
        run = await ours.claim_one()
        theirs = await serve(store, registration("theirs", source_key="other"), owner="them")
        await theirs.ask()
        their_run = await theirs.claim_one()
        yield Scene(store, StoreDoor(store, Switchboard(store)), ours, run, theirs, their_run)


def token(name: str, *scopes: Scope) -> Token:
    return Token(id=uuid4(), name=name, scopes=scopes, created_at=NOW)


def arguments(server: Server, run: Run) -> dict[str, dict[str, Any]]:
    """What a method is called with, by whoever has `server` and executes `run`."""
    of_run, deployment_id = {"run_id": run.id}, server.deployment.id
    claim = {**of_run, "epoch": run.epoch}
    step = {**claim, "at": NOW, "transition_id": uuid4()}
    nested = NestedRun(id=uuid4(), name="n", flow="f", state=RunState.RUNNING, started_at=NOW)
    key = server.deployment.declared.source_key
    name = server.deployment.declared.name
    found = Passed(loaded=Loaded(FIRST, server.deployment.facts))
    return {
        "register": {
            "runner_id": server.id,
            "registrations": [registration(name, source_key=key)],
            "lease_until": NOW + MINUTE,
            "now": NOW,
        },
        "renew": {"runner_id": server.id, "lease_until": NOW + MINUTE},
        "retire": {"runner_id": server.id, "now": NOW},
        "reap": {"now": NOW, "dead": [server.id]},
        "runners": {},
        "deployments": {},
        "deployment": {"name": name},
        "served": {"now": NOW},
        "set_paused": {"deployment_id": deployment_id, "paused": True, "now": NOW},
        "decide": {"deployment_id": deployment_id, "decision": Decision(outcome=found, epoch=0), "now": NOW},
        "act": {"deployment_id": deployment_id, "act": Unpin(), "author": ANNA, "now": NOW},
        "delete_deployment": {"deployment_id": deployment_id, "author": ANNA, "now": NOW},
        "history": {"deployment_id": deployment_id},
        "schedules": {"deployment_ids": [deployment_id]},
        "create_scheduled": {
            "deployment_id": deployment_id,
            "key": "k",
            "instants": [NOW],
            "cursor": NOW,
            "now": NOW,
        },
        "create_run": {"new": NewRun(deployment_id=deployment_id, scheduled_at=NOW), "now": NOW},
        "go_on": {"waiter": (run.id, run.epoch), "awaited_id": run.id},
        "waiting": {"runner_id": server.id},
        "claim": {"runner_id": server.id, "deployment_ids": [deployment_id], "limit": 1, "now": NOW},
        "start": step,
        "rename": {**claim, "name": "new"},
        "finish": {**step, "outcome": Outcome(state=RunState.COMPLETED)},
        "release": step,
        "ask_cancel": {**of_run, "author": Author("anna"), "now": NOW},
        "note_cancel": {**claim, "phase": CancelPhase.TOLD, "at": NOW},
        "to_cancel": {"runner_id": server.id},
        "nest": {**claim, "nested": [nested]},
        "attempts": of_run,
        "transitions": of_run,
        "run": {"run": str(run.id)},
        "runs": {},
        "revisions_of_runs": {},
        "append_lines": {**of_run, "lines": lines(1)},
        "lines": of_run,
        "find_lines": of_run,
        "report_sources": {"reports": [replace(REPORT, key=key)]},
        "sources": {"now": NOW},
        "set_source_paused": {"key": key, "paused": True, "now": NOW},
        "hint_sources": {"keys": [key]},
        "source_wishes": {"keys": [key]},
        "add_schedule": {"deployment_id": deployment_id, "schedule": Cron("@daily"), "author": ANNA, "now": NOW},
        "set_schedule_active": {
            "deployment_id": deployment_id,
            "key": "k",
            "active": True,
            "author": ANNA,
            "now": NOW,
        },
        "remove_schedule": {"deployment_id": deployment_id, "key": "k", "author": ANNA, "now": NOW},
        "add_trigger": {
            "deployment_id": deployment_id,
            "trigger": EventTrigger(expect="order.created"),
            "author": ANNA,
            "now": NOW,
        },
        "set_trigger_enabled": {
            "deployment_id": deployment_id,
            "key": "k",
            "enabled": True,
            "author": ANNA,
            "now": NOW,
        },
        "remove_trigger": {"deployment_id": deployment_id, "key": "k", "author": ANNA, "now": NOW},
        "find_deployments": {"query": Query(), "now": NOW},
        "find_runs": {"query": Query()},
        "count_runs": {"query": Query()},
        "backlog": {},
        "latest_runs": {"deployment_ids": [deployment_id], "each": 5},
        "prunable": {"limits": Limits(runs=None, logs=None)},
        "prune": {"limits": Limits(runs=None, logs=None)},
        "take_turn": {"chore": "prune", "now": NOW, "length": MINUTE},
        "emit": {"told": [new_event("order.created", at=NOW, run_id=run.id)]},
        "events": {"after": 0},
        "newest_events": {},
        "event": {"seq": 1},
        "triggers": {"deployment_ids": [deployment_id]},
        "move_trigger": {
            "before": trigger_of(server),
            "state": begun(TRIGGER, at=NOW),
            "cursor": 0,
            "fired": [],
            "now": NOW,
        },
        "firings": {"deployment_id": deployment_id},
        "create_token": {"token": token("new", "viewer"), "digest": "d"},
        "tokens": {},
        "revoke_token": {"name": "new", "now": NOW},
        "use_token": {"digest": "d", "now": NOW},
        "create_login_link": {"digest": "d", "token_id": uuid4(), "until": NOW, "now": NOW},
        "begin_session": {"link": "l", "digest": "d", "until": NOW, "now": NOW},
        "use_session": {"digest": "d", "until": NOW, "now": NOW},
        "end_session": {"digest": "d"},
        "not_owned": {"owner": "us", "things": Things()},
    }


def trigger_of(server: Server) -> TriggerState:
    """A trigger that a deployment of `server` might have."""
    return TriggerState(
        deployment_id=server.deployment.id,
        deployment=server.deployment.full_name,
        key="k",
        trigger=TRIGGER,
        state=begun(TRIGGER, at=NOW),
        cursor=0,
        version=0,
        is_held=False,
    )


async def is_let_in(scene: Scene, who: Token, name: str, server: Server, run: Run) -> bool:
    """Whether the store was asked: what it says to it is not in question here."""
    try:
        await scene.ask(who, name, **arguments(server, run)[name])
    except NotAllowed:
        return False
    except FlowsourceError:
        return True
    return True


TRIGGER = EventTrigger(expect={"order.created"})
READ = "viewer operator admin"
# What happens may be what the deployments of others wait for: all who run something see it.
SEEN_BY_ALL = {"events", "event"}
EXPECTED = {
    **dict.fromkeys(("deployments", "deployment", "served", "history", "schedules"), f"{READ} runner"),
    **dict.fromkeys(("run", "runs", "lines", "find_lines", "attempts", "transitions"), f"{READ} runner"),
    **dict.fromkeys(("runners", "waiting", "to_cancel", "source_wishes", "revisions_of_runs"), f"{READ} runner"),
    **dict.fromkeys(("events", "event", "triggers", "firings"), f"{READ} runner"),
    **dict.fromkeys(
        ("sources", "find_deployments", "find_runs", "count_runs", "backlog", "latest_runs", "prunable"), READ
    ),
    "newest_events": READ,
    **dict.fromkeys(("add_schedule", "set_schedule_active", "remove_schedule"), "operator admin"),
    **dict.fromkeys(("add_trigger", "set_trigger_enabled", "remove_trigger"), "operator admin"),
    "delete_deployment": "operator admin",
    "emit": "operator admin runner",
    "move_trigger": "admin runner",
    **dict.fromkeys(("prune", "take_turn"), "admin"),
    **dict.fromkeys(("set_paused", "act", "ask_cancel", "set_source_paused", "hint_sources"), "operator admin"),
    **dict.fromkeys(("create_run", "go_on", "reap"), "operator admin runner"),
    **dict.fromkeys(("register", "renew", "retire", "claim", "decide", "create_scheduled"), "admin runner"),
    **dict.fromkeys(("start", "rename", "finish", "release", "note_cancel", "nest"), "admin runner"),
    **dict.fromkeys(("append_lines", "report_sources"), "admin runner"),
    **dict.fromkeys(("create_token", "tokens", "revoke_token", "use_token", "not_owned"), "admin"),
    **dict.fromkeys(("create_login_link", "begin_session", "use_session", "end_session"), "admin"),
}


def test_every_method_is_in_the_table_of_this_test() -> None:
    assert EXPECTED.keys() == CALLS.keys()


@pytest.mark.parametrize("name", CALLS)
async def test_a_method_is_for_those_scopes_alone(scene: Scene, name: str) -> None:
    let_in = {
        scope for scope in get_args(Scope) if await is_let_in(scene, token("us", scope), name, scene.ours, scene.run)
    }

    assert let_in == set(EXPECTED[name].split())


@pytest.mark.parametrize("name", sorted({name for name in CALLS if RULES[name].theirs is not None} - SEEN_BY_ALL))
async def test_with_the_token_of_another_runner_nothing_of_ours_is_seen_or_moved(scene: Scene, name: str) -> None:
    before = [await scene.store.deployments(), await scene.store.runs(), await scene.store.runners()]
    try:
        answer = await scene.ask(token("them", "runner"), name, **arguments(scene.ours, scene.run)[name])
    except (NotAllowed, NotFound):
        answer = None

    assert str(scene.ours.deployment.id) not in str(answer)
    assert str(scene.ours.id) not in str(answer)
    assert [await scene.store.deployments(), await scene.store.runs(), await scene.store.runners()] == before


async def test_whoever_registers_does_so_in_its_own_name(scene: Scene) -> None:
    mine = {**arguments(scene.ours, scene.run)["register"], "owner": "us"}
    with pytest.raises(NotAllowed):
        await scene.ask(token("them", "runner"), "register", **mine)


async def test_a_new_deployment_belongs_to_the_token_that_brought_it(scene: Scene) -> None:
    them = token("them", "runner")
    new = {"runner_id": uuid4(), "registrations": [registration("new")], "lease_until": NOW, "now": NOW}

    [deployment] = await scene.ask(them, "register", **new)

    assert await scene.store.not_owned("them", Things(deployments=(deployment.id,))) == Things()
    assert [one.full_name for one in await scene.ask(them, "deployments")] == ["etl/new", "etl/theirs"]


async def test_an_unknown_token_is_refused_before_anything_is_looked_at(scene: Scene) -> None:
    from flowsource.server.authentication import token_shown

    for shown in ({}, {"authorization": "Bearer x"}, {"authorization": "Basic fs_x"}):
        with pytest.raises(NotAuthenticated):
            await token_shown(scene.store, shown)
