"""How a deployment stands after a decision or a person's act: pure, with every guard.

Each function returns the deployment as it is afterwards, and what its history says of that, in order.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from flowsource.deployments import Block, Change, Deployment, Hold, Loaded, Wish
from flowsource.errors import InConflict, Outdated
from flowsource.promotions import (
    Accept,
    Act,
    Author,
    CarriedOut,
    Decision,
    Failed,
    HeldBack,
    HistoryEntry,
    Kind,
    Passed,
    Pin,
    Recheck,
    Refused,
    RollBack,
    Unpin,
)
from flowsource.revisions import Revision

Standing = tuple[Deployment, list[HistoryEntry]]

# A deployment remembers so many revisions that people refused.
_MOST_BLOCKED = 20


def is_older(deployment: Deployment, seen_at: datetime | None, *, now: datetime) -> bool:
    """Whether a candidate that the source named at `seen_at` is older than the newest that was decided on.

    A clock that was set back must not make everything old for as long: what was decided in the future counts not.
    """
    decided_at = deployment.seen_at
    return seen_at is not None and decided_at is not None and seen_at < decided_at <= now


def after_decision(before: Deployment, decision: Decision, *, now: datetime) -> Standing:
    """Raises Outdated when `decision` rests on another state of the deployment, or on an older look at its source."""
    if decision.epoch != before.epoch:
        raise Outdated(f"{before.full_name} changed while it was decided on; look again.")
    outcome = decision.outcome
    if isinstance(outcome, CarriedOut):
        after, entries = _carried_out(before, outcome.loaded, now)
    elif isinstance(outcome, Refused):
        after, entries = _refused(before, outcome, now)
    elif is_older(before, decision.seen_at, now=now):
        raise Outdated(f"a newer revision of {before.full_name} was decided on meanwhile.")
    else:
        after, entries = _settled(before, outcome, decision.seen_at, now)
        after = replace(after, seen_at=decision.seen_at or before.seen_at)
    return replace(after, epoch=before.epoch + 1, updated_at=now), entries


def after_act(before: Deployment, act: Act, author: Author, *, now: datetime) -> Standing:
    """Raises InConflict, with what to do instead, where `act` does not go with how the deployment stands."""
    match act:
        case Pin():
            after, entries = _pinned(before, act.revision, author, now)
        case Unpin():
            after, entries = _unpinned(before, author, now)
        case RollBack():
            after, entries = _rolling_back(before, act, author, now)
        case Accept():
            after, entries = _accepted(before, author, now)
        case Recheck():
            after, entries = _rechecked(before, author, now)
    return replace(after, epoch=before.epoch + 1, updated_at=now), entries


def _settled(
    before: Deployment, outcome: Passed | Failed | HeldBack, seen_at: datetime | None, now: datetime
) -> Standing:
    if isinstance(outcome, Failed):
        rejection = outcome.rejection
        why = {"kind": rejection.kind, "message": rejection.message}
        told = HistoryEntry(kind=Kind.REJECTED, at=now, revision=rejection.revision, details=why)
        return replace(before, rejected=rejection), [told]
    if before.is_blocked(outcome.loaded.revision):
        raise Outdated(f"{outcome.loaded.revision.short} of {before.full_name} was refused by a person meanwhile.")
    details = _details(outcome.changes, seen_at, now)
    if isinstance(outcome, HeldBack):
        hold = Hold(loaded=outcome.loaded, changes=outcome.changes, at=now)
        told = HistoryEntry(kind=Kind.HELD, at=now, revision=hold.loaded.revision, details=details)
        return replace(before, held=hold, rejected=None), [told]
    details["was_loaded"] = outcome.was_loaded
    after, entries = _following(replace(before, rejected=None, held=None), outcome.loaded, now, details)
    if not entries and (before.rejected or before.held):
        entries = [HistoryEntry(kind=Kind.CLEARED, at=now, revision=outcome.loaded.revision)]
    if outcome.in_place and not before.rejected and before.facts == after.facts:
        # A flow that writes beside its own code is no news each time it does.
        entries = []
    return after, entries


def _following(before: Deployment, loaded: Loaded, now: datetime, details: dict[str, Any]) -> Standing:
    """What is followed moves on to `loaded`: it serves, or is what would without the pin."""
    last = before.followed.revision
    kind = Kind.PASSED if before.beneath else Kind.PROMOTED
    told = HistoryEntry(kind=kind, at=now, revision=loaded.revision, previous=last, details=details)
    entries = [told] if loaded.revision != last else []
    if before.beneath:
        return replace(before, beneath=loaded), entries
    return replace(before, active=loaded.revision, facts=loaded.facts), entries


def _carried_out(before: Deployment, loaded: Loaded, now: datetime) -> Standing:
    wish, revision = _wish_of(before), loaded.revision
    blocked = tuple(block for block in before.blocked if block.revision != revision)
    beneath = None
    if wish.kind == "pin":
        beneath = before.followed
    else:
        refused = Block(revision=before.active, instead=revision, by=wish.by, reason=wish.reason, at=now)
        blocked = (refused, *blocked)[:_MOST_BLOCKED]
    after = replace(
        before,
        active=revision,
        facts=loaded.facts,
        beneath=beneath,
        # With what is known of the revision since it was fetched.
        wish=replace(wish, revision=revision) if wish.kind == "pin" else None,
        blocked=blocked,
        held=None if before.held and before.held.loaded.revision == revision else before.held,
        rejected=None if before.rejected and before.rejected.revision == revision else before.rejected,
    )
    details = {"for": wish.kind, "seconds": (now - wish.at).total_seconds()}
    told = HistoryEntry(kind=Kind.PROMOTED, at=now, revision=revision, previous=before.active, details=details)
    return after, [told]


def _wish_of(before: Deployment) -> Wish:
    """The wish that a decision is about. Ours are about one that is there, for an equal epoch is an equal wish."""
    if before.wish is None:
        raise Outdated(f"nobody wants another revision of {before.full_name}; look again.")
    return before.wish


def _refused(before: Deployment, outcome: Refused, now: datetime) -> Standing:
    """What cannot be served is not waited for; a pin that was in force before stays."""
    wish = _wish_of(before)
    details = {"for": wish.kind, "message": outcome.why}
    told = HistoryEntry(kind=Kind.REFUSED, at=now, revision=wish.revision, previous=before.active, details=details)
    kept = replace(wish, revision=before.active) if before.beneath else None
    return replace(before, wish=kept), [told]


def _pinned(before: Deployment, revision: Revision, author: Author, now: datetime) -> Standing:
    wish = Wish(kind="pin", revision=revision, by=author.by, reason=author.reason, at=now)
    beneath = before.followed if revision == before.active else before.beneath
    return replace(before, wish=wish, beneath=beneath), [_told(Kind.PINNED, author, now, revision, before.active)]


def _unpinned(before: Deployment, author: Author, now: datetime) -> Standing:
    if before.pin is None:
        raise InConflict(f"{before.full_name} is not pinned; it serves {before.active.short}.")
    then = before.followed
    after = replace(before, wish=None, beneath=None, active=then.revision, facts=then.facts)
    entries = [_told(Kind.UNPINNED, author, now, before.pin.revision)]
    if then.revision != before.active:
        entries.append(_told(Kind.PROMOTED, author, now, then.revision, before.active))
    return after, entries


def _rolling_back(before: Deployment, act: RollBack, author: Author, now: datetime) -> Standing:
    if before.pin is not None:
        raise InConflict(
            f"{before.full_name} is pinned to {before.pin.revision.short}; release it with "
            f"`flowsource deployments unpin {before.full_name}`, or pin another revision."
        )
    if act.leaving != before.active:
        raise InConflict(f"{before.full_name} serves {before.active.short} by now; look again, and decide anew.")
    if act.to == before.active:
        raise InConflict(f"{before.full_name} serves {act.to.short} already.")
    wish = Wish(kind="rollback", revision=act.to, by=author.by, reason=author.reason, at=now)
    return replace(before, wish=wish), [_told(Kind.ROLLED_BACK, author, now, act.to, act.leaving)]


def _accepted(before: Deployment, author: Author, now: datetime) -> Standing:
    if before.held is None:
        raise InConflict(f"{before.full_name} holds no revision back; it serves {before.active.short}.")
    loaded = before.held.loaded
    after, entries = _following(replace(before, held=None), loaded, now, {})
    return after, [_told(Kind.ACCEPTED, author, now, loaded.revision), *entries]


def _rechecked(before: Deployment, author: Author, now: datetime) -> Standing:
    if before.rejected is None and not before.blocked:
        raise InConflict(f"{before.full_name} has no revision that was rejected or rolled back from.")
    about = before.rejected.revision if before.rejected else before.blocked[0].revision
    return replace(before, rejected=None, blocked=()), [_told(Kind.RECHECKED, author, now, about)]


def _told(
    kind: Kind, author: Author, now: datetime, revision: Revision, previous: Revision | None = None
) -> HistoryEntry:
    return HistoryEntry(kind=kind, at=now, revision=revision, previous=previous, by=author.by, reason=author.reason)


def _details(changes: tuple[Change, ...], seen_at: datetime | None, now: datetime) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if seen_at is not None:
        details["seconds"] = max(0.0, (now - seen_at).total_seconds())
    if changes:
        details["dependencies"] = [{"path": change.path, "diff": change.diff} for change in changes]
    return details
