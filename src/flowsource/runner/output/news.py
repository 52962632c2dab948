"""What there is to tell when a deployment is not as it was: pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flowsource.deployments import Change, Deployment, Hold, Rejection, Wish
from flowsource.promotions import Outcome, Passed, Refused
from flowsource.text import revision_text


@dataclass(frozen=True, slots=True)
class News:
    """A sign, its colour (a number of ANSI's), and what happened; the text may have several lines."""

    mark: str
    colour: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    before: Deployment
    after: Deployment
    outcome: Outcome | None
    in_place: bool

    @property
    def name(self) -> str:
        return self.after.full_name


def news(before: Deployment, after: Deployment, outcome: Outcome | None, *, in_place: bool) -> list[News]:
    """What to tell, in order. `outcome` is what was found, where this server decided."""
    seen = _Seen(before=before, after=after, outcome=outcome, in_place=in_place)
    return [told for tell in _TELLERS if (told := tell(seen)) is not None]


def standing_news(deployment: Deployment, *, in_place: bool = False) -> list[News]:
    """What keeps the newest revision from serving, as to be told at the start."""
    told = []
    if deployment.pin is not None:
        told.append(_pinned(deployment, deployment.pin))
    if deployment.held is not None:
        told.append(_held(deployment, deployment.held))
    if deployment.rejected is not None:
        told.append(_rejected(deployment, deployment.rejected, in_place=in_place))
    return told


def _tell_refusal(seen: _Seen) -> News | None:
    wish = seen.before.wish
    if wish is None or not isinstance(seen.outcome, Refused):
        return None
    short, serves = wish.revision.short, seen.after.active.short
    return News(
        "✖", "31", f"{seen.name} cannot serve {short} as was asked for: {seen.outcome.why}\n  It serves {serves}."
    )


def _tell_pin(seen: _Seen) -> News | None:
    pin = seen.after.pin
    if pin == seen.before.pin or isinstance(seen.outcome, Refused):
        return None
    return _pinned(seen.after, pin) if pin is not None else News("⚲", "36", f"{seen.name} is not pinned any more")


def _tell_rollback(seen: _Seen) -> News | None:
    block = seen.after.rolled_back
    if block is None or block == seen.before.rolled_back:
        return None
    text = f"{seen.name} was rolled back by {block.by}{_because(block.reason)}: {block.revision.short} stays out"
    return News("↶", "33", text)


def _tell_promotion(seen: _Seen) -> News | None:
    before, after = seen.before, seen.after
    is_mended = isinstance(seen.outcome, Passed) and before.rejected is not None and after.beneath is None
    # A flow that writes beside its own code is no news each time it does.
    is_new = before.facts != after.facts if seen.in_place else before.active != after.active
    if not is_new and not is_mended:
        return None
    changes = seen.outcome.changes if isinstance(seen.outcome, Passed) else ()
    advice = f"\n  It changes {_names(changes)}: see that what is installed here fits." if changes else ""
    return News("✔", "32", f"{seen.name} now serves {revision_text(after.active)}{advice}")


def _tell_what_waits_behind_the_pin(seen: _Seen) -> News | None:
    before, after, pin = seen.before.beneath, seen.after.beneath, seen.after.pin
    if before is None or after is None or pin is None or before.revision == after.revision:
        return None
    text = (
        f"{seen.name}: {revision_text(after.revision)} loads, and would serve but for the pin to {pin.revision.short}"
    )
    return News("⚲", "36", text)


def _tell_hold(seen: _Seen) -> News | None:
    held = seen.after.held
    return _held(seen.after, held) if held is not None and held != seen.before.held else None


def _tell_rejection(seen: _Seen) -> News | None:
    rejected = seen.after.rejected
    if rejected is None or rejected == seen.before.rejected:
        return None
    return _rejected(seen.after, rejected, in_place=seen.in_place)


def _tell_pause(seen: _Seen) -> News | None:
    if seen.before.paused == seen.after.paused:
        return None
    return News("⊘", "33", f"{seen.name}: its schedules are {'paused' if seen.after.paused else 'going on again'}")


_TELLERS: tuple[Callable[[_Seen], News | None], ...] = (
    _tell_refusal,
    _tell_pin,
    _tell_rollback,
    _tell_promotion,
    _tell_what_waits_behind_the_pin,
    _tell_hold,
    _tell_rejection,
    _tell_pause,
)


def _pinned(deployment: Deployment, pin: Wish) -> News:
    return News(
        "⚲",
        "36",
        f"{deployment.full_name} is pinned to {revision_text(pin.revision)} by {pin.by}{_because(pin.reason)}\n"
        f"  It is released by:  flowsource deployments unpin '{deployment.full_name}'",
    )


def _held(deployment: Deployment, held: Hold) -> News:
    shown = "".join(_indented(change.diff) for change in held.changes if change.diff)
    return News(
        "⧖",
        "33",
        f"{deployment.full_name}: {revision_text(held.loaded.revision)} waits, for it changes {_names(held.changes)}\n"
        f"{shown}"
        f"  It keeps serving {deployment.followed.revision.short}; install what is needed, and let the new one serve:  "
        f"flowsource deployments accept '{deployment.full_name}'",
    )


def _rejected(deployment: Deployment, rejection: Rejection, *, in_place: bool) -> News:
    """The last good one serves, unless it is a directory that is used as it is."""
    next_step = f"It keeps serving {deployment.active.short}; push a repair, and that is taken over by itself."
    if in_place:
        next_step = "The directory is used as it is: runs fail until this is mended."
    return News(
        "✖",
        "31",
        f"{deployment.full_name}: {rejection.revision.short} was rejected: {rejection.message}\n"
        f"{_indented(rejection.details)}"
        f"  {next_step}",
    )


def _names(changes: tuple[Change, ...]) -> str:
    return ", ".join(change.path for change in changes)


def _because(reason: str | None) -> str:
    return f" ({reason})" if reason else ""


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())
