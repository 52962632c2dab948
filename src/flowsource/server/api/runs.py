"""Runs over the API: what became of them, what they wrote, and their end before its time."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends
from starlette.responses import Response

from flowsource.bulk import cancel_runs, ended, rerun_runs, unfinished
from flowsource.cli.json_shapes import attempt_json, done_json, run_json, step_json
from flowsource.promotions import Author
from flowsource.queries.runs import parse_runs
from flowsource.runner.rerunning import rerun
from flowsource.server.access import Shown, TheStore
from flowsource.server.api import inputs, models
from flowsource.server.api.answers import Cursor, Limit, answer, found, told
from flowsource.server.api.asking import IdempotencyKey, QueryText, parsed_for_act
from flowsource.server.api.routing import api_router
from flowsource.store.values import COUNTED
from flowsource.tokens import Token

router = api_router("/runs", tags=["runs"])

Viewer = Annotated[Token, Depends(Shown("viewer"))]
Operator = Annotated[Token, Depends(Shown("operator"))]


@router.get("", responses=told(models.Page[models.Run]))
async def list_runs(
    store: TheStore, _: Viewer, query: QueryText = "", cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """The newest runs first, those of a query."""
    return found(await store.find_runs(parse_runs(query, now=store.now()), cursor=cursor, limit=limit), run_json)


@router.get("/count", responses=told(models.Count))
async def count_runs(store: TheStore, _: Viewer, query: QueryText = "") -> Response:
    """How many runs a query asks for, as far as is counted."""
    count = await store.count_runs(parse_runs(query, now=store.now()))
    return answer({"count": count, "is_all": count < COUNTED})


@router.post("/cancel", responses=told(models.Done))
async def cancel_all_runs(store: TheStore, who: Operator, asked: inputs.ActOnAll) -> Response:
    """Have all runs of a query end that have not ended, those that wait first; asked again, the rest of them."""
    query = unfinished(parsed_for_act(asked.query, parse_runs, now=store.now()))
    hit = await store.count_runs(query)
    if asked.dry_run:
        return answer(done_json(hit, None))
    author = Author(who.name, asked.reason)
    done = await cancel_runs(store, query, author, limit=asked.limit, now=store.now)
    return answer(done_json(hit, done))


@router.post("/rerun", responses=told(models.Done))
async def rerun_all_runs(
    store: TheStore, _: Operator, asked: inputs.RerunAllAsked, idempotency_key: IdempotencyKey = None
) -> Response:
    """Ask for a new run for each of a query that has ended, with its parameters and tags, the newest first."""
    query = parsed_for_act(asked.query, parse_runs, now=store.now())
    hit = await store.count_runs(ended(query))
    if asked.dry_run:
        return answer(done_json(hit, None))
    done = await rerun_runs(
        store,
        query,
        at_same_revision=asked.at == "same",
        limit=asked.limit,
        idempotency_key=idempotency_key,
        now=store.now,
    )
    return answer(done_json(hit, done))


@router.get("/{run_id}", responses=told(models.Run))
async def show_run(store: TheStore, _: Viewer, run_id: UUID) -> Response:
    """One run."""
    return answer(run_json(await store.run(str(run_id))))


@router.post("/{run_id}/cancel", responses=told(models.Run))
async def cancel_run(store: TheStore, who: Operator, run_id: UUID, why: inputs.Why) -> Response:
    """Have a run end, with its processes; one that has ended stays as it is."""
    run = await store.ask_cancel(run_id, Author(who.name, why.reason), now=store.now())
    return answer(run_json(run))


@router.post("/{run_id}/rerun", status_code=201, responses=told(models.Run, 201))
async def rerun_run(
    store: TheStore,
    _: Operator,
    run_id: UUID,
    asked: inputs.RerunAsked,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Ask for a new run with the parameters and tags of this one."""
    before = await store.run(str(run_id))
    return answer(run_json(await rerun(store, before, at=asked.at, idempotency_key=idempotency_key)), 201)


@router.get("/{run_id}/attempts", responses=told(list[models.Attempt]))
async def list_attempts(store: TheStore, _: Viewer, run_id: UUID) -> Response:
    """The attempts of a run, in order."""
    return answer([attempt_json(attempt) for attempt in await store.attempts(run_id)])


@router.get("/{run_id}/transitions", responses=told(list[models.Step]))
async def list_steps(store: TheStore, _: Viewer, run_id: UUID) -> Response:
    """The steps in the life of a run, in order."""
    return answer([step_json(step) for step in await store.transitions(run_id)])
