"""Deployments over the API: what is served, what people do about it, and runs that are asked for."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query
from starlette.responses import Response

from flowsource.bulk import delete_whole, pause_deployments, to_be_paused
from flowsource.chosen_revisions import pin_of, rollback_of
from flowsource.cli.json_shapes import deployment_json, done_json, history_json, run_json
from flowsource.cli.planned import next_instants
from flowsource.promotions import Accept, Act, Author, Recheck, Unpin
from flowsource.queries.deployments import parse_deployments
from flowsource.runner.requests import request_run
from flowsource.server.access import Shown, TheStore
from flowsource.server.api import inputs, models
from flowsource.server.api.answers import Cursor, Limit, answer, behind, found, newest_first, page, told
from flowsource.server.api.asking import IdempotencyKey, QueryText, parsed_for_act
from flowsource.server.api.routing import api_router
from flowsource.store.protocol import Store
from flowsource.store.values import COUNTED, HISTORY_KEPT
from flowsource.tokens import Token

router = api_router("/deployments", tags=["deployments"])

Flow = Annotated[str, Path(max_length=300, description="The name of the flow.")]
Name = Annotated[str, Path(max_length=300, description="The name of the deployment, without its flow's.")]
Viewer = Annotated[Token, Depends(Shown("viewer"))]
Operator = Annotated[Token, Depends(Shown("operator"))]
_DEPLOYMENT = told(models.Deployment)


@router.get("", responses=told(models.Page[models.Deployment]))
async def list_deployments(
    store: TheStore, _: Viewer, query: QueryText = "", cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """The deployments of a query, by name."""
    now = store.now()
    part = await store.find_deployments(parse_deployments(query, now=now), cursor=cursor, limit=limit, now=now)
    instants = await next_instants(store, part.items, now)
    return found(part, lambda one: deployment_json(one, instants.get(one.id)))


@router.post("/pause", responses=told(models.Done))
async def pause_all_deployments(store: TheStore, who: Operator, asked: inputs.ActOnAll) -> Response:
    """Hold the schedules and triggers of all deployments of a query."""
    return await _set_all_paused(store, who, asked, True)


@router.post("/resume", responses=told(models.Done))
async def resume_all_deployments(store: TheStore, who: Operator, asked: inputs.ActOnAll) -> Response:
    """Let the schedules and triggers of all deployments of a query go on, from now."""
    return await _set_all_paused(store, who, asked, False)


@router.get("/{flow}/{name}", responses=_DEPLOYMENT)
async def show_deployment(store: TheStore, _: Viewer, flow: Flow, name: Name) -> Response:
    """One deployment."""
    return await _shown(store, flow, name)


@router.delete("/{flow}/{name}", responses=_DEPLOYMENT)
async def delete_deployment(
    store: TheStore,
    who: Operator,
    flow: Flow,
    name: Name,
    reason: Annotated[str | None, Query(max_length=inputs.LONGEST_REASON)] = None,
) -> Response:
    """Delete a deployment that nobody serves, with its runs and their logs, its schedules and its history."""
    deployment = await store.deployment(f"{flow}/{name}")
    await delete_whole(store, deployment.id, Author(who.name, reason))
    return answer(deployment_json(deployment, None))


@router.get("/{flow}/{name}/history", responses=told(models.Page[models.HistoryEntry]))
async def show_history(
    store: TheStore, _: Viewer, flow: Flow, name: Name, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """What happened to a deployment, the newest first."""
    deployment = await store.deployment(f"{flow}/{name}")
    entries = await store.history(deployment.id, limit=HISTORY_KEPT)
    shown = behind(entries, cursor, lambda entry: newest_first(entry.seq))
    return page(shown, limit, history_json, lambda entry: newest_first(entry.seq))


@router.post("/{flow}/{name}/pause", responses=_DEPLOYMENT)
async def pause_deployment(store: TheStore, who: Operator, flow: Flow, name: Name, why: inputs.Why) -> Response:
    """Hold the schedules of a deployment; runs on request go on."""
    return await _set_paused(store, who, flow, name, why, True)


@router.post("/{flow}/{name}/resume", responses=_DEPLOYMENT)
async def resume_deployment(store: TheStore, who: Operator, flow: Flow, name: Name, why: inputs.Why) -> Response:
    """Let the schedules of a deployment go on, from now."""
    return await _set_paused(store, who, flow, name, why, False)


@router.post("/{flow}/{name}/pin", responses=_DEPLOYMENT)
async def pin_deployment(store: TheStore, who: Operator, flow: Flow, name: Name, asked: inputs.PinAsked) -> Response:
    """Serve one revision, whatever is newer, until it is unpinned."""
    deployment = await store.deployment(f"{flow}/{name}")
    act = pin_of(deployment, await store.history(deployment.id), asked.revision)
    return await _do(store, who, flow, name, act, asked.reason)


@router.post("/{flow}/{name}/unpin", responses=_DEPLOYMENT)
async def unpin_deployment(store: TheStore, who: Operator, flow: Flow, name: Name, why: inputs.Why) -> Response:
    """Release a pin: the newest revision that loads serves again."""
    return await _do(store, who, flow, name, Unpin(), why.reason)


@router.post("/{flow}/{name}/rollback", responses=_DEPLOYMENT)
async def roll_deployment_back(
    store: TheStore, who: Operator, flow: Flow, name: Name, asked: inputs.RollBackAsked
) -> Response:
    """Go back to what served before, until something newer is pushed."""
    deployment = await store.deployment(f"{flow}/{name}")
    act = rollback_of(deployment, await store.history(deployment.id), to=asked.to)
    return await _do(store, who, flow, name, act, asked.reason)


@router.post("/{flow}/{name}/accept", responses=_DEPLOYMENT)
async def accept_deployment(store: TheStore, who: Operator, flow: Flow, name: Name, why: inputs.Why) -> Response:
    """Let a revision serve that is held for the dependencies it changes."""
    return await _do(store, who, flow, name, Accept(), why.reason)


@router.post("/{flow}/{name}/recheck", responses=_DEPLOYMENT)
async def recheck_deployment(store: TheStore, who: Operator, flow: Flow, name: Name, why: inputs.Why) -> Response:
    """Look again at the newest revision, although it was rejected or rolled back from."""
    return await _do(store, who, flow, name, Recheck(), why.reason)


@router.post("/{flow}/{name}/runs", status_code=201, responses=told(models.Run, 201))
async def ask_for_run(
    store: TheStore,
    _: Operator,
    flow: Flow,
    name: Name,
    asked: inputs.RunAsked,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Ask for a run of a deployment."""
    run = await request_run(
        store,
        f"{flow}/{name}",
        asked.parameters,
        at=asked.scheduled_at,
        tags=asked.tags,
        idempotency_key=idempotency_key,
        run_name=asked.name,
    )
    return answer(run_json(run), 201)


async def _set_all_paused(store: Store, who: Token, asked: inputs.ActOnAll, paused: bool) -> Response:
    query = to_be_paused(parsed_for_act(asked.query, parse_deployments, now=store.now()), paused)
    hit = len((await store.find_deployments(query, limit=COUNTED, now=store.now())).items)
    if asked.dry_run:
        return answer(done_json(hit, None))
    author = Author(who.name, asked.reason)
    done = await pause_deployments(store, query, paused, author, limit=asked.limit, now=store.now)
    return answer(done_json(hit, done))


async def _set_paused(store: Store, who: Token, flow: str, name: str, why: inputs.Why, paused: bool) -> Response:
    deployment = await store.deployment(f"{flow}/{name}")
    await store.set_paused(deployment.id, paused, author=Author(who.name, why.reason), now=store.now())
    return await _shown(store, flow, name)


async def _do(store: Store, who: Token, flow: str, name: str, act: Act, reason: str | None) -> Response:
    deployment = await store.deployment(f"{flow}/{name}")
    await store.act(deployment.id, act, Author(who.name, reason), now=store.now())
    return await _shown(store, flow, name)


async def _shown(store: Store, flow: str, name: str) -> Response:
    deployment = await store.deployment(f"{flow}/{name}")
    instants = await next_instants(store, [deployment], store.now())
    return answer(deployment_json(deployment, instants.get(deployment.id)))
