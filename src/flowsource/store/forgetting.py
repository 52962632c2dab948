"""Removing events of no run that were kept long enough, and telling triggers that had not looked at them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BindParameter, Connection, bindparam, delete, func, select

from flowsource.store import firing
from flowsource.store.tables import events, triggers
from flowsource.store.triggering import trigger_states
from flowsource.store.values import NewFiring, TriggerState
from flowsource.triggers.matching import is_named

EVENTS_AT_ONCE = 1000

_IS_OLD = events.c.run_id.is_(None), events.c.at < bindparam("before")
_OLDEST = select(events.c.seq, events.c.name).where(*_IS_OLD).order_by(events.c.at).limit(EVENTS_AT_ONCE)
_COUNT = select(func.count()).select_from(events).where(*_IS_OLD)
_WHICH: BindParameter[int] = bindparam("which", expanding=True)
_DELETE = delete(events).where(events.c.seq.in_(_WHICH))
_BEHIND = select(triggers.c.deployment_id).where(triggers.c.cursor < bindparam("seq")).distinct()


def forget(connection: Connection, before: datetime) -> int:
    """Remove some of the events of no run that happened before that; how many.

    A trigger that is not held, had not looked at one of them and waits for such gets a firing that failed, once for
    each time that its deployment is not served.
    """
    gone = connection.execute(_OLDEST, {"before": before}).all()
    if not gone:
        return 0
    behind = connection.execute(_BEHIND, {"seq": max(row.seq for row in gone)}).scalars().all()
    for state in trigger_states(connection, behind) if behind else ():
        names = {row.name for row in gone if row.seq > state.cursor}
        if not state.is_held and _waits_for_any(state, names):
            lost = NewFiring(once=f"lost behind {state.cursor}", at=before, event=None, problem=_LOST)
            firing.fire(connection, state, [lost], now=before)
    return connection.execute(_DELETE, {"which": [row.seq for row in gone]}).rowcount


def forgettable(connection: Connection, before: datetime) -> int:
    """How many would go in the end."""
    return int(connection.execute(_COUNT, {"before": before}).scalar_one())


_LOST = (
    "events that it had not looked at were not kept for so long (FLOWSOURCE_KEEP_EVENTS), since nobody served its "
    "deployment; what they would have made it do is not made up for"
)


def _waits_for_any(state: TriggerState, names: set[str]) -> bool:
    wanted = state.trigger.names
    return any(not wanted or is_named(name, wanted) for name in names)
