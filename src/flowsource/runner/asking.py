"""Asking for runs: from inside a run by its server, from anywhere else by the store."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flowsource.context import current_tags
from flowsource.declaring import check_tags
from flowsource.errors import FlowsourceError, InvalidInput, InvalidParameters, StoreUnavailable
from flowsource.json_values import json_problems
from flowsource.runner import frames
from flowsource.runner.asked import RunAsked
from flowsource.runner.child.asking import ask, begin_to_ask
from flowsource.runs import Run

# What a store takes is imported by those who need one: a run asks its server.


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
    asked = _asked(name, parameters, scheduled_time, timeout, tags, idempotency_key, run_name, as_subflow)
    conversation = begin_to_ask()
    if conversation is None:
        from flowsource.runner.requests import ask_the_store

        return await ask_the_store(asked)
    with conversation:
        return _answered(await _answer(conversation, _question(asked)))


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
    asked = _asked(name, parameters, scheduled_time, timeout, tags, idempotency_key, run_name, as_subflow)
    conversation = begin_to_ask()
    if conversation is None:
        from flowsource.runner.requests import ask_the_store
        from flowsource.sourced import run_blocking

        return run_blocking(lambda: ask_the_store(asked))
    with conversation:
        question = _question(asked)
        try:
            answer = ask(conversation, question)
        except (EOFError, OSError):
            raise _gone() from None
        return _answered(answer)


def _asked(
    name: str,
    parameters: Mapping[str, Any] | None,
    scheduled_time: datetime | None,
    timeout: float | None,
    tags: Sequence[str],
    idempotency_key: str | None,
    run_name: str | None,
    as_subflow: bool,
) -> RunAsked:
    if scheduled_time is not None and (not isinstance(scheduled_time, datetime) or scheduled_time.utcoffset() is None):
        raise InvalidInput(f"scheduled_time: {scheduled_time!r} is not an aware datetime; give one.")
    return RunAsked(
        name=name,
        parameters={} if parameters is None else parameters,
        scheduled_time=scheduled_time,
        timeout=timeout,
        tags=tuple(dict.fromkeys((*current_tags(), *check_tags(tags)))),
        idempotency_key=idempotency_key,
        run_name=run_name,
        as_subflow=as_subflow,
    )


def _question(asked: RunAsked) -> dict[str, Any]:
    if problems := json_problems(asked.parameters):
        told = {where or "parameters": why for where, why in problems.items()}
        raise InvalidParameters(asked.name.partition("/")[0], told)
    return asked.to_message()


async def _answer(conversation: socket.socket, question: dict[str, Any]) -> dict[str, Any]:
    import anyio

    conversation.setblocking(False)
    left, decoder = memoryview(frames.encode(question)), frames.Decoder()
    try:
        while left:
            await anyio.wait_writable(conversation)
            left = left[conversation.send(left) :]
        while True:
            await anyio.wait_readable(conversation)
            data = conversation.recv(65536)
            for answer in decoder.feed(data):
                return answer
            if not data:
                raise _gone()
    except OSError:
        raise _gone() from None


def _answered(answer: Mapping[str, Any]) -> Run:
    """The run that an answer tells; raises the error that it tells."""
    from flowsource.store.http.codec import codec_of
    from flowsource.store.http.failures import error_from

    if "run" in answer:
        run: Run = codec_of(Run).decode(answer["run"])
        return run
    raise error_from(answer.get("error")) or FlowsourceError("the server of this run gave no answer that is one.")


def _gone() -> StoreUnavailable:
    return StoreUnavailable("the server of this run does not answer; it may have ended.")
