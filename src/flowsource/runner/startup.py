"""From declared deployments to registered ones: every entrypoint loads, or nothing is registered."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import anyio

from flowsource.deployments import Declaration, Deployment, FlowFacts
from flowsource.errors import InvalidDeployment, RevisionRejected, SourceError
from flowsource.revisions import Revision
from flowsource.runner.inspection import inspect_entrypoint
from flowsource.runner.origin import Origin
from flowsource.runner.presence import LEASE
from flowsource.runner.service import Served, Workshop
from flowsource.store.protocol import Registration
from flowsource.watch.latest import Latest, latest

logger = logging.getLogger(__name__)

KEEP_SNAPSHOTS = 10
KEEP_SNAPSHOTS_FOR = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    """A deployment whose code was found and loads."""

    origin: Origin
    latest: Latest
    registration: Registration


async def register(runner_id: UUID, declared: Sequence[tuple[Declaration, Origin]], shop: Workshop) -> list[Served]:
    """Find and load the code of each deployment, then register them all under `runner_id`, in order.

    Raises SourceError, RevisionRejected or InvalidDeployment, and then nothing is registered.
    """
    await shop.cache.sweep()
    checked = await _check_all(declared, shop)
    now = datetime.now(UTC)
    await _collect_garbage(shop, checked, now)
    registered = await shop.store.register(
        runner_id, [entry.registration for entry in checked], lease_until=now + LEASE, now=now
    )
    return [
        Served(deployment=deployment, source=entry.origin.source, latest=entry.latest, directory=entry.origin.directory)
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
    return in_order


async def _check(declared: Declaration, origin: Origin, shop: Workshop, known: Sequence[Deployment]) -> _Checked:
    """Find the newest revision and load it; where it does not load, go on with the one that served before."""
    newest = origin.found or await latest(origin.source, shop.cache)
    found = await inspect_entrypoint(shop.server, shop.cache, newest.snapshot, declared)
    if isinstance(found, FlowFacts):
        registration = Registration(
            declared=declared, facts=found, active=newest.snapshot.revision, is_stale=newest.is_stale
        )
        return _Checked(origin=origin, latest=newest, registration=registration)
    served_before = await _served_before(declared, origin, shop, known)
    if served_before is None:
        details = f"\n{found.details}" if found.details else ""
        where = f"{origin.source.label} at {newest.snapshot.revision.short}"
        raise RevisionRejected(f"{where}: {found.message}{details}")
    registration = Registration(
        declared=declared, facts=served_before.facts, active=served_before.active, rejected=found
    )
    return _Checked(origin=origin, latest=newest, registration=registration)


async def _served_before(
    declared: Declaration, origin: Origin, shop: Workshop, known: Sequence[Deployment]
) -> Deployment | None:
    """The registered deployment that this is, if its active revision can still be had and still loads."""
    for deployment in known:
        then = deployment.declared
        same = (then.name, then.source_key, then.entrypoint) == (
            declared.name,
            declared.source_key,
            declared.entrypoint,
        )
        if not same or origin.source.mount is not None:
            continue
        try:
            snapshot = await shop.cache.ensure(origin.source, deployment.active)
        except SourceError as error:
            logger.warning("the last good revision of %s cannot be had: %s", deployment.full_name, error)
            continue
        if isinstance(await inspect_entrypoint(shop.server, shop.cache, snapshot, declared), FlowFacts):
            return deployment
    return None


def revisions_in_use(deployments: Sequence[Deployment]) -> list[tuple[str, Revision]]:
    """What must stay in the cache for `deployments`, as pairs of source key and revision."""
    return [(deployment.declared.source_key, deployment.active) for deployment in deployments]


async def _collect_garbage(shop: Workshop, checked: Sequence[_Checked], now: datetime) -> None:
    in_use = revisions_in_use(await shop.store.deployments())
    in_use += [(entry.registration.declared.source_key, entry.registration.active) for entry in checked]
    await shop.cache.collect(keep=KEEP_SNAPSHOTS, keep_for=KEEP_SNAPSHOTS_FOR, in_use=in_use, now=now)


def first_error(group: BaseExceptionGroup) -> BaseException:
    """The error to tell a person, of those that came up at once."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
