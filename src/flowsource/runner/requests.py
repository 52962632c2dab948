"""Runs on request: a served deployment is asked for a run, and that is waited for."""

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

from flowsource.context import process_run
from flowsource.declaring import check_tags
from flowsource.deployments import Deployment
from flowsource.errors import FlowsourceError, InvalidInput, InvalidParameters, NotAuthenticated, StoreUnavailable
from flowsource.json_values import json_problems
from flowsource.runner.asked import RunAsked, asked_from
from flowsource.runner.lifesigns import while_burying
from flowsource.runs import Run
from flowsource.settings import Settings
from flowsource.store import open_store
from flowsource.store.http.codec import codec_of
from flowsource.store.http.failures import error_json
from flowsource.store.protocol import Store
from flowsource.store.values import Claim, NewRun, about

logger = logging.getLogger(__name__)

T = TypeVar("T")

LOOK_EVERY = timedelta(seconds=2)
_AGAIN_AFTER = timedelta(seconds=1)
_LEAVE_WITHIN = timedelta(seconds=5)


async def ask_the_store(asked: RunAsked) -> Run:
    """Ask for a run at the store of the settings, and wait for it as `run_deployment` says."""
    settings = Settings.load()
    here = process_run()
    insist = _until_it_answers if here is not None else _once
    async with AsyncExitStack() as held:
        store = await insist(lambda: held.enter_async_context(open_store(settings.store)))
        return await request_and_wait(
            store,
            asked,
            by=(here.id, here.fencing_token) if here is not None else None,
            waits=here is not None,
            wait=lambda run: while_burying(store, settings.signs, lambda: wait_until_final(store, run)),
        )


async def answer_for(store: Store, run: Run, question: Mapping[str, Any], *, waits: bool) -> dict[str, Any]:
    """The answer to what a process of `run` asks: the run that it asked for, or what went wrong."""
    try:
        found = await request_and_wait(
            store,
            asked_from(question),
            by=(run.id, run.epoch),
            waits=waits,
            wait=lambda asked: wait_until_final(store, asked),
        )
    except FlowsourceError as error:
        return {"error": error_json(error)}
    except (ValueError, TypeError) as error:
        return {
            "error": error_json(InvalidInput(f"run_deployment: what was asked for cannot be understood ({error})."))
        }
    return {"run": codec_of(Run).encode(found)}


async def request_and_wait(
    store: Store, asked: RunAsked, *, by: Claim | None, waits: bool, wait: Callable[[Run], Awaitable[Run]]
) -> Run:
    """The run that is `asked` for, once `wait` returns it, or as it is when its time is over.

    Where it is asked for by a run, that goes on while the store is away, as its runner does: it is asked again until it
    answers. If that itself `waits`, it leaves its place to others meanwhile: else it might wait for the place that it
    holds.
    """
    insist = _until_it_answers if by is not None else _once
    waiter = by if waits and (asked.timeout is None or asked.timeout > 0) else None
    run = await insist(
        partial(
            request_run,
            store,
            asked.name,
            asked.parameters,
            at=asked.scheduled_time,
            tags=asked.tags,
            idempotency_key=asked.idempotency_key or _key_of_its_own(),
            run_name=asked.run_name,
            parent_id=by[0] if by is not None and asked.as_subflow else None,
            awaited_by=waiter,
        )
    )
    try:
        with anyio.move_on_after(asked.timeout):
            return await insist(lambda: wait(run))
        return await insist(lambda: store.run(str(run.id)))
    finally:
        if waiter is not None:
            # Bounded: what is not told here is over with the attempt.
            with anyio.move_on_after(_LEAVE_WITHIN.total_seconds(), shield=True), suppress(StoreUnavailable):
                await store.go_on(waiter, run.id)


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
            logger.log(logging.DEBUG if is_told else logging.WARNING, "a run waits for the store: %s", error)
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
