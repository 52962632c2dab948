"""Runs on request: ask a served deployment for a run, and wait for it."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID, uuid4

import anyio

from flowsource.context import current_tags, process_run
from flowsource.declaring import check_tags
from flowsource.deployments import Deployment
from flowsource.errors import InvalidInput, InvalidParameters, NotAuthenticated, StoreUnavailable
from flowsource.json_values import json_problems
from flowsource.runner.lifesigns import while_burying
from flowsource.runs import Run
from flowsource.settings import Settings
from flowsource.sourced import run_blocking
from flowsource.store import open_store
from flowsource.store.protocol import Store
from flowsource.store.values import Claim, NewRun, about

logger = logging.getLogger(__name__)

T = TypeVar("T")

LOOK_EVERY = timedelta(seconds=2)
_AGAIN_AFTER = timedelta(seconds=1)


async def arun_deployment(
    name: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    scheduled_time: datetime | None = None,
    timeout: float | None = None,
    tags: Sequence[str] = (),
    idempotency_key: str | None = None,
    run_name: str | None = None,
    as_subflow: bool = True,
) -> Run:
    """Ask for a run of the deployment `name` (`flow/deployment`), and return it once it has ended.

    `parameters` go over those of the deployment. With a `timeout` in seconds the run is returned as it is then; 0
    does not wait at all. `scheduled_time` (aware; default now) may lie ahead. Asked again with the same
    `idempotency_key`, the run of the first time is the answer. Asked inside a run, that is its parent, unless
    `as_subflow` is False, and that holds no place while it waits; the tags of `tags(...)` are added to those given; a
    store that is away is waited for there, and elsewhere raises StoreUnavailable. Raises DeploymentNotFound or
    InvalidParameters, and then no run was created.
    """
    if scheduled_time is not None and (not isinstance(scheduled_time, datetime) or scheduled_time.utcoffset() is None):
        raise InvalidInput(f"scheduled_time: {scheduled_time!r} is not an aware datetime; give one.")
    settings = Settings.load()
    here = process_run()
    parent_id = here.id if here is not None and as_subflow else None
    # A run that waits leaves its place to others, or it might wait for the place that it holds.
    waiter = (here.id, here.fencing_token) if here is not None and (timeout is None or timeout > 0) else None
    # A run goes on while the store is away: its runner does, and tells what became of it later.
    insist = _until_it_answers if here is not None else _once
    async with AsyncExitStack() as held:
        store = await insist(lambda: held.enter_async_context(open_store(settings.store)))
        ask = partial(
            request_run,
            store,
            name,
            {} if parameters is None else parameters,
            at=scheduled_time,
            tags=tuple(dict.fromkeys((*current_tags(), *check_tags(tags)))),
            idempotency_key=idempotency_key or _key_of_its_own(),
            run_name=run_name,
            parent_id=parent_id,
            awaited_by=waiter,
        )
        run = await insist(ask)
        try:
            with anyio.move_on_after(timeout):
                wait = partial(while_burying, store, settings.signs, lambda: wait_until_final(store, run))
                return await insist(wait)
            return await insist(lambda: store.run(str(run.id)))
        finally:
            if waiter is not None:
                # Once the other has ended, nobody asks for it; if it goes on, its end says the same.
                with anyio.CancelScope(shield=True), suppress(StoreUnavailable):
                    await store.go_on(waiter, run.id)


def run_deployment(
    name: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    scheduled_time: datetime | None = None,
    timeout: float | None = None,
    tags: Sequence[str] = (),
    idempotency_key: str | None = None,
    run_name: str | None = None,
    as_subflow: bool = True,
) -> Run:
    """As `arun_deployment`, blocking."""
    return run_blocking(
        partial(
            arun_deployment,
            name,
            parameters,
            scheduled_time=scheduled_time,
            timeout=timeout,
            tags=tags,
            idempotency_key=idempotency_key,
            run_name=run_name,
            as_subflow=as_subflow,
        )
    )


async def request_run(
    store: Store,
    name: str,
    parameters: Mapping[str, Any],
    *,
    at: datetime | None = None,
    tags: Sequence[str] = (),
    idempotency_key: str | None = None,
    run_name: str | None = None,
    parent_id: UUID | None = None,
    awaited_by: Claim | None = None,
) -> Run:
    """Create a run of the deployment `name`, due at `at` (default now), once its parameters are known to fit."""
    deployment = await store.deployment(name)
    parameters = check_parameters(deployment, parameters)
    now = store.now()
    new = NewRun(
        deployment_id=deployment.id,
        scheduled_at=at or now,
        parameters=parameters,
        tags=check_tags(tags),
        name=run_name,
        # With one of its own it may be asked for again where the answer is lost.
        idempotency_key=idempotency_key or _key_of_its_own(),
        parent_id=parent_id,
        awaited_by=awaited_by,
    )
    return await store.create_run(new, now=now)


def _key_of_its_own() -> str:
    return f"once {uuid4()}"


async def _once(ask: Callable[[], Awaitable[T]]) -> T:
    return await ask()


async def _until_it_answers(ask: Callable[[], Awaitable[T]]) -> T:
    """What `ask` returns, asked again while the store is away."""
    is_told = False
    while True:
        try:
            return await ask()
        except NotAuthenticated:
            # Only a person can help.
            raise
        except StoreUnavailable as error:
            logger.log(logging.DEBUG if is_told else logging.WARNING, "this run waits for the store: %s", error)
            is_told = True
        await anyio.sleep(_AGAIN_AFTER.total_seconds())


async def wait_until_final(store: Store, run: Run) -> Run:
    """The run once it has ended; woken by whoever ends it."""
    async with store.changes(about(run.id)) as ear:
        while True:
            run = await store.run(str(run.id))
            if run.state.is_final:
                return run
            await ear.wait(LOOK_EVERY)


def check_parameters(deployment: Deployment, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """`parameters` as they are kept; raises InvalidParameters unless, over those of the deployment, they fit its flow.

    What is asked for is held against the schema to the letter. The deployment's own parameters are not: they were
    held against the flow itself when its revision was loaded, and a flow takes "5" for a number.
    """
    from jsonschema import Draft202012Validator
    from referencing import Registry

    problems = {where or "parameters": why for where, why in json_problems(parameters).items()}
    if problems:
        raise InvalidParameters(deployment.flow, problems)
    asked: dict[str, Any] = json.loads(json.dumps(dict(parameters)))
    known = deployment.declared.parameters
    schema = dict(deployment.facts.parameter_schema)
    schema["required"] = [name for name in schema.get("required", ()) if name not in known]
    # A registry of its own: a reference in a schema must never make us fetch anything.
    for error in Draft202012Validator(schema, registry=Registry()).iter_errors(asked):
        for where, why in _said(error):
            problems.setdefault(where, why)
    if problems:
        raise InvalidParameters(deployment.flow, problems)
    return asked


def _said(error: Any) -> list[tuple[str, str]]:
    """What a schema error says, for each parameter it concerns."""
    where = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return [(f"{where}.{name}".lstrip("."), "is required") for name in missing]
    if error.validator == "additionalProperties" and not where:
        unknown = [name for name in error.instance if name not in error.schema.get("properties", {})]
        return [(name, "is not a parameter of this flow") for name in unknown]
    if error.validator == "type":
        wanted = error.validator_value
        return [(where, f"should be {' or '.join(wanted) if isinstance(wanted, list) else wanted}")]
    return [(where or "parameters", f"does not fit ({error.validator})")]
