"""Triggers over the API: what makes deployments run, what it did, and what people do about it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query
from starlette.responses import Response

from flowsource.cli.json_shapes import firing_json, trigger_json
from flowsource.promotions import Author
from flowsource.server.access import Shown, TheStore
from flowsource.server.api import inputs, models
from flowsource.server.api.answers import Cursor, Limit, answer, behind, newest_first, page, told
from flowsource.server.api.deployments import Flow, Name
from flowsource.server.api.routing import api_router
from flowsource.store.protocol import Store
from flowsource.store.values import FIRINGS_KEPT
from flowsource.tokens import Token
from flowsource.triggers.arguments import check_not_of_itself
from flowsource.triggers.reading import trigger_from_said

router = api_router("/deployments/{flow}/{name}", tags=["triggers"])

Viewer = Annotated[Token, Depends(Shown("viewer"))]
Operator = Annotated[Token, Depends(Shown("operator"))]
Key = Annotated[str, Path(max_length=200, description="The `key` of the trigger.")]
_ONE = told(models.Trigger)


@router.get("/triggers", responses=told(list[models.Trigger]))
async def list_triggers(store: TheStore, _: Viewer, flow: Flow, name: Name) -> Response:
    """What makes a deployment run because something happened."""
    deployment = await store.deployment(f"{flow}/{name}")
    return answer(list(map(trigger_json, await store.triggers([deployment.id]))))


@router.get("/firings", responses=told(models.Page[models.Firing]))
async def list_firings(
    store: TheStore, _: Viewer, flow: Flow, name: Name, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """What the triggers of a deployment fired, the newest first."""
    deployment = await store.deployment(f"{flow}/{name}")
    firings = await store.firings(deployment.id, limit=FIRINGS_KEPT)
    shown = behind(firings, cursor, lambda firing: newest_first(firing.seq))
    return page(shown, limit, firing_json, lambda firing: newest_first(firing.seq))


@router.post("/triggers", status_code=201, responses=told(models.Trigger, 201))
async def add_trigger(store: TheStore, who: Operator, flow: Flow, name: Name, asked: inputs.TriggerAsked) -> Response:
    """Add a trigger to a deployment. It stays until somebody removes it, whatever its code says."""
    of = await store.deployment(f"{flow}/{name}")
    trigger = trigger_from_said(asked.model_dump(exclude_unset=True, exclude={"reason"}))
    check_not_of_itself([trigger], flow=of.flow, name=of.declared.name)
    added = await store.add_trigger(of.id, trigger, Author(who.name, asked.reason), now=store.now())
    return answer(trigger_json(added), 201)


@router.post("/triggers/{key}/pause", responses=_ONE)
async def pause_trigger(store: TheStore, who: Operator, flow: Flow, name: Name, key: Key, why: inputs.Why) -> Response:
    """Hold one trigger of a deployment; its others go on."""
    return await _set_enabled(store, who, f"{flow}/{name}", key, False, why)


@router.post("/triggers/{key}/resume", responses=_ONE)
async def resume_trigger(store: TheStore, who: Operator, flow: Flow, name: Name, key: Key, why: inputs.Why) -> Response:
    """Let a trigger go on, with what happens from now."""
    return await _set_enabled(store, who, f"{flow}/{name}", key, True, why)


@router.delete("/triggers/{key}", responses=_ONE)
async def remove_trigger(
    store: TheStore,
    who: Operator,
    flow: Flow,
    name: Name,
    key: Key,
    reason: Annotated[str | None, Query(max_length=inputs.LONGEST_REASON)] = None,
) -> Response:
    """Take a trigger away. One of the code stays away until the code says something else of it."""
    of = await store.deployment(f"{flow}/{name}")
    return answer(trigger_json(await store.remove_trigger(of.id, key, Author(who.name, reason), now=store.now())))


async def _set_enabled(store: Store, who: Token, deployment: str, key: str, enabled: bool, why: inputs.Why) -> Response:
    of = await store.deployment(deployment)
    author = Author(who.name, why.reason)
    return answer(trigger_json(await store.set_trigger_enabled(of.id, key, enabled, author, now=store.now())))
