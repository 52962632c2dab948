"""Firings of triggers as they are kept: each once, with the run that it makes, or why it makes none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, select

from flowsource.events import Event, flow_and_tags, resource
from flowsource.runs import Cause
from flowsource.store import creating, telling
from flowsource.store.rows import cause_from
from flowsource.store.tables import AnyRow, firings, insert_unless_there, runs
from flowsource.store.values import FIRINGS_KEPT, Firing, NewFiring, NewRun, TriggerState
from flowsource.triggers.chains import chain_text, is_loop

_OF_DEPLOYMENT = firings.c.deployment_id == bindparam("of_deployment")
_NEWEST = (
    select(firings, runs.c.cause)
    .outerjoin(runs, runs.c.id == firings.c.run_id)
    .where(_OF_DEPLOYMENT)
    .order_by(firings.c.seq.desc())
    .limit(bindparam("limit"))
)
_OLDEST_KEPT = (
    select(firings.c.seq).where(_OF_DEPLOYMENT).order_by(firings.c.seq.desc()).limit(1).offset(FIRINGS_KEPT - 1)
)
_FORGET = delete(firings).where(_OF_DEPLOYMENT, firings.c.seq < bindparam("oldest"))
_WHAT_LED_TO = select(runs.c.deployment, runs.c.is_nested, runs.c.parent_id, runs.c.cause).where(
    runs.c.id == bindparam("run")
)
# A run may be asked for by a run that was asked for, and so on; nobody needs to know more of that than this.
_MOST_PARENTS = 100


def fire(connection: Connection, of: TriggerState, fired: Sequence[NewFiring], *, now: datetime) -> list[Firing]:
    """Keep what fired, with its runs; those that were there already are left out of what this returns."""
    # Runs come in the order of what made them: among those of one instant there would be none.
    instants = [now + timedelta(microseconds=place) for place in range(len(fired))]
    found = [_fire(connection, of, new, at) for new, at in zip(fired, instants, strict=True)]
    kept = [one for one in found if one is not None]
    oldest = connection.execute(_OLDEST_KEPT, {"of_deployment": of.deployment_id}).scalar() if kept else None
    if oldest is not None:
        connection.execute(_FORGET, {"of_deployment": of.deployment_id, "oldest": oldest})
    return kept


def firings_of(connection: Connection, deployment_id: UUID, *, limit: int) -> list[Firing]:
    """The newest firings of the triggers of a deployment, newest first."""
    asked = {"of_deployment": deployment_id, "limit": limit}
    return [_firing_from(row) for row in connection.execute(_NEWEST, asked)]


def _fire(connection: Connection, of: TriggerState, new: NewFiring, now: datetime) -> Firing | None:
    """Make the run that is wanted, unless it cannot or must not be; None where this fired before."""
    chain = _chain_to(connection, new.event)
    firing = Firing(
        seq=0,
        deployment_id=of.deployment_id,
        key=of.key,
        trigger=of.trigger.name or of.trigger.describe(),
        at=new.at,
        outcome="failed",
        event=new.event,
        reason=new.problem,
    )
    if new.problem is None and is_loop(chain, of.deployment):
        circle = chain_text([*chain, of.deployment])
        firing = replace(firing, outcome="cut", reason=f"deployments make each other run in a circle: {circle}")
    elif new.problem is None:
        wanted = NewRun(
            deployment_id=of.deployment_id,
            scheduled_at=now + of.trigger.delay,
            parameters=new.parameters,
            idempotency_key=f"trigger {of.key} {new.once}",
            cause=Cause(trigger=firing.trigger, event=new.event, chain=tuple(chain)),
        )
        firing = replace(firing, outcome="fired", run_id=creating.create_run(connection, wanted, now=now).id)
    seq = connection.execute(
        insert_unless_there(connection, firings).returning(firings.c.seq), _columns(firing, new.once)
    ).scalar()
    if seq is None:
        return None
    if firing.outcome == "cut":
        _tell_cut(connection, of, firing, [*chain, of.deployment], now)
    return replace(firing, seq=seq)


def _tell_cut(connection: Connection, of: TriggerState, firing: Firing, chain: Sequence[str], now: datetime) -> None:
    flow, _, name = of.deployment.partition("/")
    related = [resource("deployment", of.deployment_id, name, role="deployment"), *flow_and_tags(flow, ())]
    event = str(firing.event.id) if firing.event is not None else None
    about = resource("trigger", of.key, firing.trigger)
    payload = {"chain": list(chain), "event": event}
    telling.tell(connection, "trigger.cut", at=now, about=about, related=related, payload=payload, reason=firing.reason)


def _chain_to(connection: Connection, event: Event | None) -> list[str]:
    """The deployments whose runs led to an event, one after the other."""
    passed: list[str] = []
    run_id = event.run_id if event is not None else None
    for _ in range(_MOST_PARENTS):
        row = connection.execute(_WHAT_LED_TO, {"run": run_id}).one_or_none() if run_id is not None else None
        if row is None:
            break
        if not row.is_nested:
            passed.append(row.deployment)
        if row.cause is not None:
            return [*row.cause["chain"], *reversed(passed)]
        run_id = row.parent_id
    return passed[::-1]


def _columns(firing: Firing, once: str) -> dict[str, object]:
    event = firing.event
    return {
        "deployment_id": firing.deployment_id,
        "key": firing.key,
        "once": once,
        "trigger": firing.trigger,
        "at": firing.at,
        "outcome": firing.outcome,
        "run_id": firing.run_id,
        "event": event.to_json() if event is not None and firing.run_id is None else None,
        "reason": firing.reason,
    }


def _firing_from(row: AnyRow) -> Firing:
    of_run = cause_from(row.cause).event if row.cause is not None else None
    return Firing(
        seq=row.seq,
        deployment_id=row.deployment_id,
        key=row.key,
        trigger=row.trigger,
        at=row.at,
        outcome=row.outcome,
        event=Event.from_json(row.event) if row.event is not None else of_run,
        run_id=row.run_id,
        reason=row.reason,
    )
