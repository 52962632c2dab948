"""From declared deployments to registered ones: every entrypoint loads, or nothing is registered."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import anyio

from flowsource.catching_up import is_in_vain
from flowsource.deployments import Declaration, Deployment, FlowFacts, Rejection
from flowsource.errors import InvalidDeployment, RevisionRejected, SourceError
from flowsource.revisions import Revision
from flowsource.runner.inspection import inspect_entrypoint
from flowsource.runner.origin import Origin
from flowsource.runner.own import as_declared_here
from flowsource.runner.presence import LEASE
from flowsource.runner.tidying import collect_garbage
from flowsource.runner.workshop import Served, Workshop
from flowsource.store.values import Registration
from flowsource.triggers.arguments import check_not_of_itself
from flowsource.watch.comparing import compare
from flowsource.watch.latest import Latest, latest, on_the_clock

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    """A deployment whose code was found and loads. `seen_at` is when its source was asked for the latest."""

    origin: Origin
    latest: Latest
    seen_at: datetime
    registration: Registration


async def register(runner_id: UUID, declared: Sequence[tuple[Declaration, Origin]], shop: Workshop) -> list[Served]:
    """Find and load the code of each deployment, then register them all under `runner_id`, in order.

    Raises SourceError, RevisionRejected or InvalidDeployment, and then nothing is registered.
    """
    await shop.cache.sweep()
    checked = await _check_all(declared, shop)
    now = shop.store.now()
    in_use = [(entry.registration.declared.source_key, entry.registration.active) for entry in checked]
    await collect_garbage(shop.store, shop.cache, in_use, now=now)
    registered = await shop.store.register(
        runner_id, [entry.registration for entry in checked], lease_until=now + LEASE, now=now, info=shop.info
    )
    for deployment in registered:
        if is_in_vain(deployment.declared):
            logger.warning(
                "%s: catchup='all' makes up for nothing here, for its schedules pause while nobody serves it; "
                "say pause_on_shutdown=False beside it.",
                deployment.full_name,
            )
    return [
        Served(
            deployment=as_declared_here(deployment, entry.registration.declared),
            source=entry.origin.source,
            latest=entry.latest,
            seen_at=entry.seen_at,
            directory=entry.origin.directory,
            loaded={entry.registration.active},
        )
        for deployment, entry in zip(registered, checked, strict=True)
    ]


async def _check_all(declared: Sequence[tuple[Declaration, Origin]], shop: Workshop) -> list[_Checked]:
    """Load every entrypoint, all at once: most of the time goes into imports of the user's code."""
    known = await shop.store.deployments()
    checked: dict[int, _Checked] = {}

    async def check(place: int, declaration: Declaration, origin: Origin) -> None:
        checked[place] = await _check(declaration, origin, shop, known)

    async with anyio.create_task_group() as tasks:
        for place, (declaration, origin) in enumerate(declared):
            tasks.start_soon(check, place, declaration, origin)
    in_order = [checked[place] for place in range(len(declared))]
    names = Counter(f"{c.registration.facts.name}/{c.registration.declared.name}" for c in in_order)
    if doubled := [name for name, count in names.items() if count > 1]:
        raise InvalidDeployment(f"name: {doubled[0]!r} is declared more than once; give each deployment its own name.")
    for new in (entry.registration for entry in in_order):
        check_not_of_itself(new.declared.triggers, flow=new.facts.name, name=new.declared.name)
    return in_order


async def _check(declared: Declaration, origin: Origin, shop: Workshop, known: Sequence[Deployment]) -> _Checked:
    """Find the newest revision and load it.

    Where it does not load, or is not what a person wants served, go on with the one that served before.
    """
    newest = origin.found or await latest(origin.source, shop.cache)
    seen_at = on_the_clock(newest.asked_at, now=shop.store.now())
    found = await inspect_entrypoint(shop.server, shop.cache, newest.snapshot, declared)
    before = _registered_as(declared, origin, known)
    registration: Registration | None = None
    if before is not None and (isinstance(found, Rejection) or await _is_held_back(before, newest, declared, shop)):
        if await _still_serves(before, declared, origin, shop):
            registration = Registration(
                declared=declared,
                facts=before.facts,
                active=before.active,
                rejected=found if isinstance(found, Rejection) else None,
                seen_at=seen_at,
                # That it loads and must wait is for the promoter to decide, and to tell.
                is_stale=isinstance(found, FlowFacts),
            )
        elif not before.is_wish_open and (before.pin or before.is_blocked(newest.snapshot.revision)):
            raise _nothing_to_serve(before, newest.snapshot.revision)
    if registration is None:
        if isinstance(found, Rejection):
            details = f"\n{found.details}" if found.details else ""
            where = f"{origin.source.label} at {newest.snapshot.revision.short}"
            raise RevisionRejected(f"{where}: {found.message}{details}")
        registration = Registration(
            declared=declared,
            facts=found,
            active=newest.snapshot.revision,
            seen_at=seen_at,
            is_stale=newest.is_stale,
        )
    return _Checked(origin=origin, latest=newest, seen_at=seen_at, registration=registration)


def _nothing_to_serve(before: Deployment, newest: Revision) -> RevisionRejected:
    why, verb = ("it is pinned", "unpin") if before.pin else ("it was rolled back from there", "recheck")
    return RevisionRejected(
        f"{before.full_name} is not to serve {newest.short}, for {why}; and {before.active.short}, which served last, "
        f"cannot be had or does not load. Bring that back, or say `flowsource deployments {verb} '{before.full_name}'`."
    )


def _registered_as(declared: Declaration, origin: Origin, known: Sequence[Deployment]) -> Deployment | None:
    """The registered deployment that this is; None where its files are used in place, and nothing older is kept."""
    wanted = (declared.name, declared.source_key, declared.entrypoint)
    for deployment in known if origin.source.mount is None else ():
        then = deployment.declared
        if (then.name, then.source_key, then.entrypoint) == wanted:
            return deployment
    return None


async def _is_held_back(before: Deployment, newest: Latest, declared: Declaration, shop: Workshop) -> bool:
    """Whether the newest revision, which loads, is not to serve by itself."""
    revision = newest.snapshot.revision
    if before.wish is not None or before.is_blocked(revision):
        return True
    if declared.on_dependency_change != "hold" or revision == before.active:
        return False
    return bool((await compare(shop.cache, before.active, newest.snapshot, declared)).changes)


async def _still_serves(before: Deployment, declared: Declaration, origin: Origin, shop: Workshop) -> bool:
    """Whether what served last can still be had, and still loads."""
    try:
        snapshot = await shop.cache.ensure(origin.source, before.active)
    except SourceError as error:
        logger.warning("the last good revision of %s cannot be had: %s", before.full_name, error)
        return False
    return isinstance(await inspect_entrypoint(shop.server, shop.cache, snapshot, declared), FlowFacts)


def first_error(group: BaseExceptionGroup) -> BaseException:
    """The error to tell a person, of those that came up at once."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
