"""What a person does about a deployment: pin, roll back, pause, and the like."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

import anyio
from cyclopts import Parameter

from flowsource.chosen_revisions import pin_of, rollback_of
from flowsource.cli import exits
from flowsource.cli.given import MayBeNegated
from flowsource.cli.json_shapes import deployment_json
from flowsource.cli.opening import with_store
from flowsource.cli.output import print_json, say
from flowsource.cli.pausing import set_several_paused
from flowsource.cli.people import By, Reason, author
from flowsource.cli.planned import next_instants
from flowsource.cli.several import DryRun, Yes, is_query, refuse_for_one
from flowsource.deployments import Deployment
from flowsource.errors import DeploymentNotFound, InConflict
from flowsource.promotions import (
    Accept,
    Act,
    Author,
    HistoryEntry,
    Kind,
    Recheck,
    Unpin,
)
from flowsource.store.protocol import Store
from flowsource.store.values import DEPLOYMENTS
from flowsource.text import revision_text

_PATIENCE = timedelta(seconds=35)
_LOOK_EVERY = timedelta(seconds=1)

Name = Annotated[str, Parameter(help="As flow/deployment, or the deployment's own name where only one has it.")]
NameOrQuery = Annotated[
    str,
    MayBeNegated,
    Parameter(
        help="As flow/deployment, the deployment's own name where only one has it, or a query such as 'tag:etl'."
    ),
]
Pinned = Annotated[str, Parameter(help="The first digits of one that is known (see history), or a full commit id.")]
Target = Annotated[
    str | None, Parameter(help="Another than the one before: its first digits (see history), or a full commit id.")
]
Json = Annotated[bool, Parameter(help="Print the deployment as JSON.")]

Decide = Callable[[Deployment, list[HistoryEntry]], Act]


def pin(name: Name, revision: Pinned, /, *, reason: Reason = None, by: By = None, json: Json = False) -> int:
    """Serve one revision, whatever is newer, until it is unpinned."""

    return _do(name, lambda deployment, history: pin_of(deployment, history, revision), author(by, reason), json=json)


def unpin(name: Name, /, *, reason: Reason = None, by: By = None, json: Json = False) -> int:
    """Release a pin: the newest revision that loads serves again."""
    return _do(name, lambda deployment, history: Unpin(), author(by, reason), json=json)


def rollback(name: Name, /, *, to: Target = None, reason: Reason = None, by: By = None, json: Json = False) -> int:
    """Go back to what served before, until something newer is pushed."""

    return _do(name, lambda deployment, history: rollback_of(deployment, history, to=to), author(by, reason), json=json)


def accept(name: Name, /, *, reason: Reason = None, by: By = None, json: Json = False) -> int:
    """Let a revision serve that is held for the dependencies it changes."""
    return _do(name, lambda deployment, history: Accept(), author(by, reason), json=json)


def recheck(name: Name, /, *, reason: Reason = None, by: By = None, json: Json = False) -> int:
    """Look again at the newest revision, although it was rejected or rolled back from."""
    return _do(name, lambda deployment, history: Recheck(), author(by, reason), json=json)


def pause(
    name: NameOrQuery,
    /,
    *,
    reason: Reason = None,
    by: By = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
) -> int:
    """Hold the schedules and triggers of a deployment, or of all that a query asks for; runs on request go on."""
    return _set_paused(name, True, author(by, reason), dry_run=dry_run, yes=yes, json=json)


def resume(
    name: NameOrQuery,
    /,
    *,
    reason: Reason = None,
    by: By = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
) -> int:
    """Let the schedules and triggers of a deployment go on, from now; or of all that a query asks for."""
    return _set_paused(name, False, author(by, reason), dry_run=dry_run, yes=yes, json=json)


def _do(name: str, decide: Decide, who: Author, *, json: bool) -> int:
    async def work(store: Store) -> tuple[Deployment, bool, datetime | None]:
        before = await store.deployment(name)
        act = decide(before, await store.history(before.id))
        async with store.changes(DEPLOYMENTS) as ear:
            acted = await store.act(before.id, act, who, now=store.now())
            is_done = _is_done(acted, act)
            is_served = acted.id in await store.served(now=store.now())
            seen = acted
            with anyio.move_on_after(_PATIENCE.total_seconds()):
                while is_served and not is_done(seen):
                    await ear.wait(_LOOK_EVERY)
                    seen = await store.deployment(acted.full_name)
        await _raise_refusal(store, acted, seen)
        return seen, is_served, await _next_at(store, seen)

    after, is_served, next_at = with_store(work)
    return _tell(after, next_at, _how_it_stands(after, is_served=is_served), json=json)


def _is_done(acted: Deployment, act: Act) -> Callable[[Deployment], bool]:
    """Whether what was asked for has come about, or has failed."""
    if isinstance(act, Recheck):
        return lambda seen: seen.epoch > acted.epoch
    return lambda seen: not seen.is_wish_open


async def _raise_refusal(store: Store, acted: Deployment, seen: Deployment) -> None:
    """Raise InConflict when a server found that what was asked for cannot be had."""
    wish = acted.wish
    if wish is None or not acted.is_wish_open:
        return
    for entry in await store.history(acted.id, limit=5):
        if entry.kind is Kind.REFUSED and entry.revision == wish.revision and entry.at >= wish.at:
            why = entry.details["message"]
            raise InConflict(f"{seen.full_name} keeps serving {seen.active.short}, not {wish.revision.short}: {why}")


def _how_it_stands(deployment: Deployment, *, is_served: bool) -> str:
    name, serves = deployment.full_name, revision_text(deployment.active)
    wish = deployment.wish
    if wish is not None and deployment.is_wish_open:
        when = "Its server has not brought it yet; what it says tells why." if is_served else ""
        when = when or "No server of it is running: it takes effect when it is served the next time."
        return f"{name} is to serve {wish.revision.short}. {when}"
    if deployment.pin:
        return f"{name} serves {serves}, and stays there until it is unpinned."
    if deployment.rejected:
        return (
            f"{name} serves {serves}; {deployment.rejected.revision.short} is rejected: {deployment.rejected.message}"
        )
    if deployment.held:
        return f"{name} serves {serves}; {deployment.held.loaded.revision.short} is held, for it changes dependencies."
    return f"{name} serves {serves}."


def _set_paused(name: str, paused: bool, who: Author, *, dry_run: bool, yes: bool, json: bool) -> int:
    async def work(store: Store) -> tuple[Deployment, datetime | None] | None:
        try:
            found = await store.deployment(name)
        except DeploymentNotFound:
            if is_query(name):
                return None
            raise
        refuse_for_one(dry_run=dry_run, yes=yes)
        after = await store.set_paused(found.id, paused, author=who, now=store.now())
        return after, await _next_at(store, after)

    done = with_store(work)
    if done is None:
        return set_several_paused(name, paused, who, dry_run=dry_run, yes=yes, json=json)
    after, next_at = done
    said = "are held; runs on request go on" if paused else "go on"
    return _tell(after, next_at, f"The schedules of {after.full_name} {said}.", json=json)


async def _next_at(store: Store, deployment: Deployment) -> datetime | None:
    return (await next_instants(store, [deployment], store.now())).get(deployment.id)


def _tell(deployment: Deployment, next_at: datetime | None, text: str, *, json: bool) -> int:
    if json:
        print_json(deployment_json(deployment, next_at))
    else:
        say(text)
    return exits.OK
