"""From what a person says of a revision to the act that it means."""

from __future__ import annotations

from collections.abc import Sequence

from flowsource.deployments import Deployment
from flowsource.errors import InConflict
from flowsource.promotions import HistoryEntry, Pin, RollBack, named_revision, revision_before
from flowsource.revisions import Revision


def pin_of(deployment: Deployment, history: Sequence[HistoryEntry], text: str) -> Pin:
    """Serve the revision that `text` names; raises InvalidInput where it names none, or several."""
    return Pin(named_revision(text, _known(deployment, history)))


def rollback_of(deployment: Deployment, history: Sequence[HistoryEntry], *, to: str | None) -> RollBack:
    """Go back to the revision that `to` names, or to what served before.

    Raises InvalidInput as `pin_of`, and InConflict where nothing is known to have served before.
    """
    if to is not None:
        return RollBack(to=named_revision(to, _known(deployment, history)), leaving=deployment.active)
    before = revision_before(history, deployment.active, [block.revision for block in deployment.blocked])
    if before is None:
        raise InConflict(
            f"{deployment.full_name}: nothing is known to have served before {deployment.active.short}. "
            "Name a revision with --to."
        )
    return RollBack(to=before, leaving=deployment.active)


def _known(deployment: Deployment, history: Sequence[HistoryEntry]) -> list[Revision]:
    """The revisions that a person may mean, the likeliest first."""
    known = [deployment.active, deployment.followed.revision]
    if deployment.held:
        known.append(deployment.held.loaded.revision)
    if deployment.rejected:
        known.append(deployment.rejected.revision)
    known += [block.revision for block in deployment.blocked]
    return known + [entry.revision for entry in history if entry.revision is not None]
