"""Telling events: from inside a run by its runner, from anywhere else by the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flowsource.context import process_run
from flowsource.events import Labels, NewEvent, new_event
from flowsource.runner.child.emitting import tell_runner

# What a store takes is imported by those who need one: a run tells its runner.


def emit_event(
    name: str,
    payload: Mapping[str, Any] | None = None,
    *,
    resource: Labels | None = None,
    related: Iterable[Labels] = (),
) -> UUID:
    """Tell that something happened, for triggers and people to see; returns the id of the event.

    `name` is words with dots between them, such as `order.created`; `payload` is JSON by name, 64 kB at most.
    `resource` is what it happened to, as labels (`{"flowsource.resource.id": "order.17"}`), and `related` what else it
    concerns, each with its `flowsource.resource.role`. In a run the run, its deployment, its flow and its tags are
    related to it by themselves, and it is kept before the run ends; elsewhere when this returns. Raises InvalidInput
    for what cannot be kept, and outside a run StoreError.
    """
    event = _new(name, payload, resource, related)
    if not tell_runner(event):
        from flowsource.sourced import run_blocking

        run_blocking(lambda: _keep(event))
    return event.id


async def aemit_event(
    name: str,
    payload: Mapping[str, Any] | None = None,
    *,
    resource: Labels | None = None,
    related: Iterable[Labels] = (),
) -> UUID:
    """As `emit_event`, for use in a running event loop."""
    event = _new(name, payload, resource, related)
    if not tell_runner(event):
        await _keep(event)
    return event.id


def _new(name: str, payload: Mapping[str, Any] | None, resource: Labels | None, related: Iterable[Labels]) -> NewEvent:
    here = process_run()
    run_id = here.id if here is not None else None
    return new_event(name, payload, resource=resource, related=related, at=datetime.now(UTC), run_id=run_id)


async def _keep(event: NewEvent) -> None:
    from flowsource.settings import Settings
    from flowsource.store import open_store

    async with open_store(Settings.load().store) as store:
        await store.emit([replace(event, at=store.now())])
