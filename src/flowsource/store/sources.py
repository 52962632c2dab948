"""What is known of sources, and what is wanted of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, select, update

from flowsource.events import resource
from flowsource.revisions import Revision
from flowsource.source_status import Poll, Rewrite, SourceState, SourceStatus
from flowsource.store import telling
from flowsource.store.presence import SERVED
from flowsource.store.tables import (
    AnyRow,
    deployments,
    insert_or_replace,
    insert_unless_there,
    source_wishes,
    sources,
)
from flowsource.store.values import KnownSource, SourceReport, SourceWish

_STATES = select(sources.c.key, sources.c.selector, sources.c.state).where(
    sources.c.key.in_(bindparam("which", expanding=True))
)
_OF_KEY = source_wishes.c.key == bindparam("which")
_HINT = update(source_wishes).where(_OF_KEY).values(hints=source_wishes.c.hints + 1)
_PAUSE = update(source_wishes).where(_OF_KEY, source_wishes.c.paused_at.is_(None)).values(paused_at=bindparam("at"))
_RESUME = update(source_wishes).where(_OF_KEY).values(paused_at=None)
_WISHES = select(source_wishes).where(source_wishes.c.key.in_(bindparam("which", expanding=True)))
_ANSWERED = (
    select(sources.c.key, func.max(sources.c.answered).label("answered"))
    .where(sources.c.key.in_(bindparam("which", expanding=True)))
    .group_by(sources.c.key)
)
_SERVED = select(deployments.c.source_key, deployments.c.source_selector).where(deployments.c.id.in_(SERVED))


def report(connection: Connection, reports: Sequence[SourceReport]) -> None:
    """Keep what is told of sources, in place of what was told of them before; a state that changed is an event."""
    if not reports:
        return
    rows = connection.execute(_STATES, {"which": list({one.key for one in reports})})
    before = {(row.key, row.selector): row.state for row in rows}
    # In one order, so that no two who report the same wait for each other in a circle.
    in_order = sorted(reports, key=lambda one: (one.key, one.selector))
    connection.execute(insert_or_replace(connection, sources), [_columns(one) for one in in_order])
    for one in reports:
        status = one.status
        known = before.get((one.key, one.selector), SourceState.NEW.value)
        # That a source is looked at, and is in order, is no news where nothing else was known of it.
        is_expected = known == SourceState.NEW and status.state is SourceState.OK
        if status.state not in (known, SourceState.NEW) and not is_expected:
            about = resource("source", f"{one.key}:{one.selector}" if one.selector else one.key, status.label)
            telling.tell(connection, f"source.{status.state}", at=status.since, about=about, reason=status.reason)


def known(connection: Connection, *, now: datetime) -> list[KnownSource]:
    """Every source that was ever told of, by label."""
    served = {(row.source_key, row.source_selector) for row in connection.execute(_SERVED, {"now": now})}
    reports = [_report_from(row) for row in connection.execute(select(sources))]
    keys = sorted({one.key for one in reports})
    wanted = dict(zip(keys, wishes(connection, keys), strict=True))
    found = [
        KnownSource(report=one, wish=wanted[one.key], is_served=(one.key, one.selector) in served) for one in reports
    ]
    return sorted(found, key=lambda source: (source.report.status.label, source.report.key, source.report.selector))


def set_paused(connection: Connection, key: str, paused: bool, *, now: datetime) -> SourceWish:
    """Pause the sources of `key`, or let them be polled again."""
    _make_wish(connection, key)
    if paused:
        connection.execute(_PAUSE, {"which": key, "at": now})
    else:
        connection.execute(_RESUME, {"which": key})
    return wishes(connection, [key])[0]


def hint(connection: Connection, keys: Sequence[str]) -> list[SourceWish]:
    """Count one more hint for each of `keys`."""
    for key in sorted(keys):
        _make_wish(connection, key)
        connection.execute(_HINT, {"which": key})
    return wishes(connection, keys)


def wishes(connection: Connection, keys: Sequence[str]) -> list[SourceWish]:
    """What is wanted of the sources of `keys`, in their order."""
    which = {"which": list(keys)}
    wanted = {row.key: row for row in connection.execute(_WISHES, which)}
    answered = {row.key: row.answered for row in connection.execute(_ANSWERED, which)}
    return [_wish_from(key, wanted.get(key), answered.get(key, 0)) for key in keys]


def _make_wish(connection: Connection, key: str) -> None:
    connection.execute(insert_unless_there(connection, source_wishes), {"key": key, "paused_at": None, "hints": 0})


def _columns(one: SourceReport) -> dict[str, object]:
    status = one.status
    return {
        "key": one.key,
        "selector": one.selector,
        "label": status.label,
        "address": one.address,
        "state": status.state.value,
        "since": status.since,
        "reason": status.reason,
        "failures": status.failures,
        "next_try_at": status.next_try_at,
        "rewritten": status.rewritten.to_json() if status.rewritten else None,
        "revision": one.revision.to_json(),
        "poll": one.poll.to_json() if one.poll else None,
        "answered": one.answered,
    }


def _report_from(row: AnyRow) -> SourceReport:
    return SourceReport(
        key=row.key,
        selector=row.selector,
        address=row.address,
        status=SourceStatus(
            label=row.label,
            state=SourceState(row.state),
            since=row.since,
            reason=row.reason,
            failures=row.failures,
            next_try_at=row.next_try_at,
            rewritten=Rewrite.from_json(row.rewritten) if row.rewritten else None,
        ),
        revision=Revision.from_json(row.revision),
        poll=Poll.from_json(row.poll) if row.poll else None,
        answered=row.answered,
    )


def _wish_from(key: str, row: AnyRow | None, answered: int) -> SourceWish:
    if row is None:
        return SourceWish(key=key, answered=answered)
    return SourceWish(key=key, paused_at=row.paused_at, hints=row.hints, answered=answered)
