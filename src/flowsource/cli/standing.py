"""How a deployment stands, in words: what serves, what keeps something newer from it, and the command that helps."""

from __future__ import annotations

import shlex
from datetime import datetime

from flowsource.cli.output import Cell
from flowsource.cli.times import both
from flowsource.deployments import Change, Deployment
from flowsource.text import revision_text


def state_of(deployment: Deployment) -> Cell:
    """The one word that matters most."""
    return _state(deployment)[0]


def state_explained(deployment: Deployment) -> Cell:
    """The state, with what it means."""
    cell, meaning = _state(deployment)
    return Cell(f"{cell.text}: {meaning}", cell.colour) if meaning else cell


def standing_fields(deployment: Deployment, now: datetime) -> list[tuple[str, Cell | str]]:
    """What a person chose and refused, and what waits or was rejected, each with what helps."""
    return [
        *_pin_fields(deployment, now),
        *_rollback_fields(deployment, now),
        *_hold_fields(deployment, now),
        *_rejection_fields(deployment, now),
    ]


def _state(deployment: Deployment) -> tuple[Cell, str]:
    """The one word, and what it means where it does not say so itself."""
    if deployment.stopped:
        return Cell("⊘ stopped", "33"), "its server has ended; runs wait until it is served again"
    if deployment.paused:
        return Cell("⊘ paused", "33"), "its schedules are held; runs on request go on"
    if deployment.pin:
        return Cell("⚲ pinned", "36"), "it serves what a person chose, whatever is newer"
    if deployment.rejected:
        return Cell("✖ rejected", "31"), "the newest revision does not load"
    if deployment.held:
        return Cell("⧖ held", "33"), "the newest revision changes its dependencies, and waits for a person"
    if deployment.rolled_back:
        return Cell("↶ rolled back", "33"), "a person went back to what served before, until something newer comes"
    return Cell("✔ ready", "32"), ""


def _changes_text(changes: tuple[Change, ...]) -> str:
    """The names of changed files, and below them the lines that differ, as far as they are known."""
    diffs = [change.diff for change in changes if change.diff]
    return "\n".join([", ".join(change.path for change in changes), *diffs])


def _command(verb: str, deployment: Deployment) -> str:
    """What to type at a shell to have something done about a deployment."""
    return f"flowsource deployments {verb} {shlex.quote(deployment.full_name)}"


def _pin_fields(deployment: Deployment, now: datetime) -> list[tuple[str, Cell | str]]:
    pin = deployment.pin
    if pin is None:
        return []
    fields: list[tuple[str, Cell | str]] = [
        ("pinned", Cell(f"to {revision_text(pin.revision)} by {pin.by}, {both(pin.at, now=now)}", "36"))
    ]
    if pin.reason:
        fields.append(("because", pin.reason))
    if deployment.is_wish_open:
        fields.append(("still", f"serves {revision_text(deployment.active)}, until a server has brought that"))
    else:
        fields.append(("without", f"the pin {revision_text(deployment.followed.revision)} would serve"))
    return [*fields, ("release", _command("unpin", deployment))]


def _rollback_fields(deployment: Deployment, now: datetime) -> list[tuple[str, Cell | str]]:
    wish = deployment.wish
    if wish is not None and wish.kind == "rollback":
        return [("rollback", f"to {revision_text(wish.revision)}, as soon as a server has brought that")]
    block = deployment.rolled_back
    if block is None:
        return []
    why = f" ({block.reason})" if block.reason else ""
    said = f"{revision_text(block.revision)} by {block.by}{why}, {both(block.at, now=now)}"
    return [("refused", Cell(said, "33")), ("to serve it", _command("recheck", deployment))]


def _hold_fields(deployment: Deployment, now: datetime) -> list[tuple[str, Cell | str]]:
    held = deployment.held
    if held is None:
        return []
    return [
        ("held", Cell(f"{revision_text(held.loaded.revision)}, {both(held.at, now=now)}", "33")),
        ("changes", _changes_text(held.changes)),
        ("let it serve", _command("accept", deployment)),
    ]


def _rejection_fields(deployment: Deployment, now: datetime) -> list[tuple[str, Cell | str]]:
    rejected = deployment.rejected
    if rejected is None:
        return []
    fields: list[tuple[str, Cell | str]] = [
        ("rejected", Cell(f"{revision_text(rejected.revision)}, {both(rejected.at, now=now)}", "31")),
        ("reason", rejected.message),
    ]
    if rejected.details:
        fields.append(("traceback", f"{rejected.details.rstrip()}\n"))
    return [*fields, ("try again", _command("recheck", deployment))]
