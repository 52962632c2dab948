"""What is decided about the revisions of a deployment, what people ask for, and the history that both leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from flowsource.deployments import Change, Loaded, Rejection
from flowsource.errors import InvalidInput
from flowsource.revisions import Revision

_LEAST_DIGITS = 4
_FULL = (40, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A candidate loads, and nobody holds it. `was_loaded` is False where equal files made another look needless.

    `in_place` says that it is a directory a person edits, of which each state is a revision.
    """

    loaded: Loaded
    changes: tuple[Change, ...] = ()
    was_loaded: bool = True
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """A candidate does not serve."""

    rejection: Rejection


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A candidate loads, and waits for a person because its dependencies changed."""

    loaded: Loaded
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """What a person wants served was brought, and loads."""

    loaded: Loaded


@dataclass(frozen=True, slots=True)
class Refused:
    """What a person wants served cannot be had, or does not load: the wish that is open says what that was."""

    why: str


Outcome = Passed | Failed | HeldBack | CarriedOut | Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was found, of which the store makes one transaction.

    `epoch` is that of the deployment it rests on, `seen_at` when the source was asked for the candidate.
    """

    outcome: Outcome
    epoch: int
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pin:
    """Serve `revision`, whatever is newer, until it is released."""

    revision: Revision


@dataclass(frozen=True, slots=True)
class Unpin:
    """Serve again what is followed."""


@dataclass(frozen=True, slots=True)
class RollBack:
    """Serve `to` until something newer than `leaving` comes, and never `leaving` again by itself."""

    to: Revision
    leaving: Revision


@dataclass(frozen=True, slots=True)
class Accept:
    """Let the revision serve that is held because its dependencies changed."""


@dataclass(frozen=True, slots=True)
class Recheck:
    """Look again at the newest revision, although it was rejected or rolled back from."""


Act = Pin | Unpin | RollBack | Accept | Recheck


@dataclass(frozen=True, slots=True)
class Author:
    """Who acts, and why."""

    by: str
    reason: str | None = None


class Kind(StrEnum):
    """What an entry of the history tells."""

    PROMOTED = "promoted"
    PASSED = "passed"
    REJECTED = "rejected"
    HELD = "held"
    CLEARED = "cleared"
    ACCEPTED = "accepted"
    RECHECKED = "rechecked"
    PINNED = "pinned"
    UNPINNED = "unpinned"
    ROLLED_BACK = "rolled_back"
    REFUSED = "refused"
    PAUSED = "paused"
    RESUMED = "resumed"
    SCHEDULE_ADDED = "schedule_added"
    SCHEDULE_PAUSED = "schedule_paused"
    SCHEDULE_RESUMED = "schedule_resumed"
    SCHEDULE_REMOVED = "schedule_removed"
    TRIGGER_ADDED = "trigger_added"
    TRIGGER_PAUSED = "trigger_paused"
    TRIGGER_RESUMED = "trigger_resumed"
    TRIGGER_REMOVED = "trigger_removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One thing that happened to a deployment. `seq` counts within it, from 1; the store gives it.

    `revision` is what it is about and `previous` what served before it; `by` and `reason` are those of a person.
    """

    kind: Kind
    at: datetime
    revision: Revision | None = None
    previous: Revision | None = None
    by: str | None = None
    reason: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    seq: int = 0


def revision_before(history: Sequence[HistoryEntry], active: Revision, refused: Sequence[Revision]) -> Revision | None:
    """What served before `active`, of those that nobody refused; `history` has the newest entry first."""
    served = (entry.revision for entry in history if entry.kind is Kind.PROMOTED and entry.revision is not None)
    return next((revision for revision in served if revision != active and revision not in refused), None)


def named_revision(text: str, known: Sequence[Revision]) -> Revision:
    """The revision that a person means by `text`: of those `known` (the likeliest first) the one it begins.

    A full id that is not known is taken as it is, with the part of the source that the first of `known` has. Raises
    InvalidInput for what means none, or more than one.
    """
    digits = text.lower()
    if len(digits) >= _LEAST_DIGITS and all(sign in "0123456789abcdef" for sign in digits):
        fitting = dict.fromkeys(one for one in known if one.id.startswith(digits) or _commit(one).startswith(digits))
        if len(fitting) == 1:
            return next(iter(fitting))
        if fitting:
            listed = ", ".join(one.id[:12] for one in fitting)
            raise InvalidInput(f"revision: {text!r} is the beginning of more than one: {listed}. Give more digits.")
        if len(digits) in _FULL:
            return Revision(id=digits, content=known[0].content if known else "")
    listed = ", ".join(dict.fromkeys(one.short for one in known)) or "none"
    raise InvalidInput(
        f"revision: {text!r} is none of those that are known here ({listed}). Give one of them, or a full commit id."
    )


def _commit(revision: Revision) -> str:
    return revision.commit or ""
