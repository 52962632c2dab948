"""How a deployment stands when a server brings it, for the first time or again: pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from flowsource.deployments import Deployment, Loaded, Rejection
from flowsource.promotions import HistoryEntry, Kind
from flowsource.standing import Standing, is_older
from flowsource.store.values import Registration


def first_standing(new: Registration, deployment_id: UUID, *, now: datetime) -> Standing:
    """Of a deployment that is new."""
    made = Deployment(
        id=deployment_id,
        flow=new.facts.name,
        declared=new.declared,
        facts=new.facts,
        active=new.active,
        rejected=new.rejected,
        seen_at=new.seen_at,
        created_at=now,
        updated_at=now,
    )
    promoted = HistoryEntry(kind=Kind.PROMOTED, at=now, revision=new.active)
    return made, [promoted, *_rejected(None, new.rejected, now)]


def standing_after(old: Deployment, new: Registration, *, now: datetime) -> Standing:
    """Of a deployment that is there: what a person wishes and refuses survives, and nothing older comes back.

    Where it moved to another source or entrypoint, what was found at the old place goes. A pin is then to be carried
    out anew.
    """
    if (old.declared.source_key, old.declared.entrypoint) == (new.declared.source_key, new.declared.entrypoint):
        is_refused = old.wish is not None or old.is_blocked(new.active)
        if new.is_stale or is_refused or is_older(old, new.seen_at, now=now):
            return old, []
        held = None if old.held is None or new.rejected is None else old.held
        beneath = None
    else:
        held = None
        # What is pinned here may be served there too.
        is_in_force = old.pin is not None and old.pin.revision == new.active
        beneath = Loaded(new.active, new.facts) if is_in_force else None
    after = replace(
        old,
        active=new.active,
        facts=new.facts,
        rejected=new.rejected,
        held=held,
        beneath=beneath,
        seen_at=new.seen_at or old.seen_at,
    )
    entries = _rejected(old.rejected, new.rejected, now)
    if new.active != old.active:
        promoted = HistoryEntry(kind=Kind.PROMOTED, at=now, revision=new.active, previous=old.active)
        entries = [promoted, *entries]
    changed = bool(entries) or after.held != old.held or after.rejected != old.rejected or after.beneath != old.beneath
    return replace(after, epoch=old.epoch + changed), entries


def _rejected(old: Rejection | None, new: Rejection | None, now: datetime) -> list[HistoryEntry]:
    if new is None or (old is not None and old.revision == new.revision):
        return []
    details = {"kind": new.kind, "message": new.message}
    return [HistoryEntry(kind=Kind.REJECTED, at=now, revision=new.revision, details=details)]
