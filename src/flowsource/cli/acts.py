"""What a person does about a deployment: pin, roll back, pause, and the like."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated

import anyio
from cyclopts import Parameter

from flowsource.cli import exits
from flowsource.cli.json_shapes import deployment_json
from flowsource.cli.opening import with_store
from flowsource.cli.output import print_json, say
from flowsource.cli.people import By, Reason, author
from flowsource.cli.planned import next_instants
from flowsource.deployments import Deployment
from flowsource.errors import InConflict
from flowsource.promotions import (
    Accept,
    Act,
    Author,
    HistoryEntry,
    Kind,
    Pin,
    Recheck,
    RollBack,
    Unpin,
    named_revision,
    revision_before,
)
from flowsource.revisions import Revision
from flowsource.store.protocol import Store
from flowsource.store.values import DEPLOYMENTS
from flowsource.text import revision_text

_PATIENCE = timedelta(seconds=35)
_LOOK_EVERY = timedelta(seconds=1)

Name = Annotated[str, Parameter(help="As flow/deployment, or the deployment's own name where only one has it.")]
Pinned = Annotated[str, Parameter(help="The first digits of one that is known (see history), or a full commit id.")]
Target = Annotated[
    str | None, Parameter(help="Another than the one before: its first digits (see history), or a full commit id.")
]
Json = Annotated[bool, Parameter(help="Print the deployment as JSON.")]

Decide = Callable[[Deployment, list[HistoryEntry]], Act]


def pin(name: Name, revision: Pinned, /, *, reason: Reason = None, by: By = None, json: Json = False) -> int:
    """Serve one revision, whatever is newer, until it is unpinned."""

    def decide(deployment: Deployment, history: list[HistoryEntry]) -> Act:
        return Pin(named_revision(revision, _known_revisions(deployment, history)))

    return _do(name, decide, author(by, reason), json=json)


def unpin(name: Name, /, *, reason: Reason = None, by: By = None, json: Json = False) -> int:
    """Release a pin: the newest revision that loads serves again."""
    return _do(name, lambda deployment, history: Unpin(), author(by, reason), json=json)


def rollback(name: Name, /, *, to: Target = None, reason: Reason = None, by: By = None, json: Json = False) -> int:
    """Go back to what served before, until something newer is pushed."""

    def decide(deployment: Deployment, history: list[HistoryEntry]) -> Act:
        if to is not None:
            target = named_revision(to, _known_revisions(deployment, history))
        else:
            refused = [block.revision for block in deployment.blocked]
            before = revision_before(history, deployment.active, refused)
            if before is None:
                raise InConflict(
                    f"{deployment.full_name}: nothing is known to have served before {deployment.active.short}. "
                    "Name a revision with --to."
                )
            target = before
        return RollBack(to=target, leaving=deployment.active)

    return _do(name, decide, author(by, reason), json=json)


def accept(name: Name, /, *, reason: Reason = None, by: By = None, json: Json = False) -> int:
    """Let a revision serve that is held for the dependencies it changes."""
    return _do(name, lambda deployment, history: Accept(), author(by, reason), json=json)


def recheck(name: Name, /, *, reason: Reason = None, by: By = None, json: Json = False) -> int:
    """Look again at the newest revision, although it was rejected or rolled back from."""
    return _do(name, lambda deployment, history: Recheck(), author(by, reason), json=json)


def pause(name: Name, /, *, reason: Reason = None, by: By = None, json: Json = False) -> int:
    """Hold the schedules and triggers of a deployment; runs on request go on."""
    return _set_paused(name, True, author(by, reason), json=json)


def resume(name: Name, /, *, reason: Reason = None, by: By = None, json: Json = False) -> int:
    """Let the schedules and triggers of a deployment go on, from now."""
    return _set_paused(name, False, author(by, reason), json=json)


def _known_revisions(deployment: Deployment, history: list[HistoryEntry]) -> list[Revision]:
    """The revisions that a person may mean, the likeliest first."""
    known = [deployment.active, deployment.followed.revision]
    if deployment.held:
        known.append(deployment.held.loaded.revision)
    if deployment.rejected:
        known.append(deployment.rejected.revision)
    known += [block.revision for block in deployment.blocked]
    return known + [entry.revision for entry in history if entry.revision is not None]


def _do(name: str, decide: Decide, who: Author, *, json: bool) -> int:
    async def work(store: Store) -> tuple[Deployment, bool, datetime | None]:
        before = await store.deployment(name)
        act = decide(before, await store.history(before.id))
        async with store.changes(DEPLOYMENTS) as ear:
            acted = await store.act(before.id, act, who, now=datetime.now(UTC))
            is_done = _is_done(acted, act)
            is_served = acted.id in await store.served(now=datetime.now(UTC))
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


def _set_paused(name: str, paused: bool, who: Author, *, json: bool) -> int:
    async def work(store: Store) -> tuple[Deployment, datetime | None]:
        found = await store.deployment(name)
        after = await store.set_paused(found.id, paused, author=who, now=datetime.now(UTC))
        return after, await _next_at(store, after)

    after, next_at = with_store(work)
    said = "are held; runs on request go on" if paused else "go on"
    return _tell(after, next_at, f"The schedules of {after.full_name} {said}.", json=json)


async def _next_at(store: Store, deployment: Deployment) -> datetime | None:
    return (await next_instants(store, [deployment], datetime.now(UTC))).get(deployment.id)


def _tell(deployment: Deployment, next_at: datetime | None, text: str, *, json: bool) -> int:
    if json:
        print_json(deployment_json(deployment, next_at))
    else:
        say(text)
    return exits.OK
