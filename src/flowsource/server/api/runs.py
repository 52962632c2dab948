"""Runs over the API: what became of them, what they wrote, and their end before its time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from flowsource.cli.json_shapes import attempt_json, run_json, step_json
from flowsource.errors import InvalidInput
from flowsource.promotions import Author
from flowsource.runs import RunState
from flowsource.server.access import Shown, TheStore
from flowsource.server.api import models
from flowsource.server.api.answers import Cursor, Limit, after, answer, page, told
from flowsource.tokens import Token

router = APIRouter(prefix="/runs", tags=["runs"])

Viewer = Annotated[Token, Depends(Shown("viewer"))]
Operator = Annotated[Token, Depends(Shown("operator"))]
DeploymentName = Annotated[str | None, Query(max_length=600, description="As flow/deployment.")]


@router.get("", responses=told(models.Page[models.Run]))
async def list_runs(
    store: TheStore,
    _: Viewer,
    deployment: DeploymentName = None,
    state: Annotated[list[RunState] | None, Query(description="One of these states.")] = None,
    parent_id: UUID | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """The newest runs first."""
    found = await store.runs(
        deployment_id=(await store.deployment(deployment)).id if deployment is not None else None,
        states=state or (),
        parent_id=parent_id,
        before=_id(after(cursor)),
        limit=limit + 1,
    )
    return page(found, limit, run_json, lambda run: str(run.id))


@router.get("/{run_id}", responses=told(models.Run))
async def show_run(store: TheStore, _: Viewer, run_id: UUID) -> Response:
    """One run."""
    return answer(run_json(await store.run(str(run_id))))


@router.post("/{run_id}/cancel", responses=told(models.Run))
async def cancel_run(store: TheStore, who: Operator, run_id: UUID, why: models.Why) -> Response:
    """Have a run end, with its processes; one that has ended stays as it is."""
    run = await store.ask_cancel(run_id, Author(who.name, why.reason), now=datetime.now(UTC))
    return answer(run_json(run))


@router.get("/{run_id}/attempts", responses=told(list[models.Attempt]))
async def list_attempts(store: TheStore, _: Viewer, run_id: UUID) -> Response:
    """The attempts of a run, in order."""
    return answer([attempt_json(attempt) for attempt in await store.attempts(run_id)])


@router.get("/{run_id}/transitions", responses=told(list[models.Step]))
async def list_steps(store: TheStore, _: Viewer, run_id: UUID) -> Response:
    """The steps in the life of a run, in order."""
    return answer([step_json(step) for step in await store.transitions(run_id)])


def _id(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text is not None else None
    except ValueError:
        raise InvalidInput("cursor: it is not one of this list. Give `next` of an answer as it is.") from None
