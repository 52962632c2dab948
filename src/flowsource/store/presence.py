"""Which runners are there, and what becomes of what they served and ran when they are not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Update, bindparam, case, delete, exists, insert, null, select, update

from flowsource.errors import NotFound
from flowsource.events import resource
from flowsource.runs import Failure, Run, RunState
from flowsource.store import nesting, steps, telling
from flowsource.store.rows import failure_json, run_from
from flowsource.store.tables import AnyRow, deployments, is_in_progress, is_lost, may_become, presence, runners, runs
from flowsource.store.values import LOST_FOR, RERUN_AFTER, KnownRunner, RunnerInfo

_HOLD = select(runners.c.id).where(runners.c.id == bindparam("runner")).with_for_update(key_share=True)
# Never earlier than it was: one that was under way for long comes after a younger one, and must not undo it.
_LATER = case((runners.c.lease_until > bindparam("until"), runners.c.lease_until), else_=bindparam("until"))
_RENEW = update(runners).where(runners.c.id == bindparam("runner")).values(lease_until=_LATER)
_RESUME = (
    update(deployments)
    .where(
        deployments.c.stopped,
        deployments.c.id.in_(select(presence.c.deployment_id).where(presence.c.runner_id == bindparam("runner"))),
    )
    .values(stopped=False)
)
_APPEAR_AGAIN = (
    update(runners)
    .where(runners.c.id == bindparam("runner"))
    .values(lease_until=bindparam("until"), info=bindparam("said"))
)
_REGISTERED = select(runners).order_by(runners.c.id)
_CARRIED = (
    select(presence.c.runner_id, deployments.c.flow, deployments.c.name)
    .join(deployments, deployments.c.id == presence.c.deployment_id)
    .order_by(deployments.c.flow, deployments.c.name)
)
_LAPSED = select(runners.c.id).where(runners.c.lease_until < bindparam("now"))
# The deployments that a live runner serves, at the instant `now`.
SERVED = (
    select(presence.c.deployment_id)
    .join(runners, runners.c.id == presence.c.runner_id)
    .where(runners.c.lease_until >= bindparam("now"))
    .distinct()
)
_STOP_ABANDONED = (
    update(deployments)
    .where(
        deployments.c.pause_on_shutdown,
        deployments.c.stopped.is_(False),
        deployments.c.id.in_(
            select(presence.c.deployment_id).where(presence.c.runner_id.in_(bindparam("gone", expanding=True)))
        ),
        deployments.c.id.not_in(SERVED.where(runners.c.id.not_in(bindparam("gone", expanding=True)))),
    )
    .values(stopped=True, updated_at=bindparam("now"))
    .returning(deployments.c.id)
)
_FORGET = delete(runners).where(runners.c.id.in_(bindparam("gone", expanding=True))).returning(runners.c.id)
_HAS_NO_RUNNER = ~exists().where(runners.c.id == runs.c.runner_id)
_ORPHANS = select(runs).where(is_in_progress, _HAS_NO_RUNNER, ~is_lost)
_OF_RUNNERS = select(runs).where(is_in_progress, runs.c.runner_id.in_(bindparam("of", expanding=True)))
_RUN_AGAIN = exists().where(deployments.c.id == runs.c.deployment_id, deployments.c.on_lost == "rerun")
_LOST_LONG = select(runs).where(is_lost, runs.c.changed_at < bindparam("before"))
_IDS_TO_RUN_AGAIN = select(runs.c.id).where(runs.c.id.in_(bindparam("which", expanding=True)), _RUN_AGAIN)
_FIND_AGAIN = (
    update(runs)
    .where(is_lost, runs.c.runner_id == bindparam("runner"), runs.c.started_at.is_not(None))
    .values(state=RunState.RUNNING, changed_at=bindparam("now"), failure=null())
    .returning(*runs.c)
)


def _move_to(to: RunState, **values: Any) -> Update:
    return (
        update(runs)
        .where(runs.c.id.in_(bindparam("which", expanding=True)), may_become(to))
        .values(state=to, changed_at=bindparam("now"), failure=bindparam("why"), **values)
        .returning(*runs.c)
    )


# Which report it was that it began is kept: it may be found again, and be told once more that it began.
_LOSE = _move_to(RunState.LOST)
_CRASH = _move_to(RunState.CRASHED, ended_at=bindparam("now"), transition_id=null())
# Whoever still executes it is told so by the next claim, and may not have the last word before that.
_AGAIN = _move_to(RunState.RETRYING, due_at=bindparam("now"), epoch=runs.c.epoch + 1, transition_id=null())
_SERVER_ENDED = Failure(kind="server ended", message="its server ended while it ran; how far it got is not known")
_OUT_OF_SIGHT = Failure(
    kind="out of sight",
    message="its server was not heard of for longer than its lease; whether it still runs is not known",
)


def hold(connection: Connection, runner_id: UUID) -> None:
    """Have nobody else act for the runner before this transaction ends; raises NotFound unless it is registered."""
    if connection.execute(_HOLD, {"runner": runner_id}).one_or_none() is None:
        raise _forgotten(runner_id)


def appear(
    connection: Connection,
    runner_id: UUID,
    deployment_ids: Sequence[UUID],
    *,
    lease_until: datetime,
    now: datetime,
    owner: str | None = None,
    info: RunnerInfo | None = None,
) -> None:
    """Make a runner present, serving these deployments and no others."""
    said = _info_json(info)
    if not connection.execute(_APPEAR_AGAIN, {"runner": runner_id, "until": lease_until, "said": said}).rowcount:
        row = {"id": runner_id, "lease_until": lease_until, "owner": owner, "info": said}
        connection.execute(insert(runners), row)
        _tell(connection, "arrived", [runner_id], now=now)
    connection.execute(delete(presence).where(presence.c.runner_id == runner_id))
    if deployment_ids:
        connection.execute(insert(presence), [{"runner_id": runner_id, "deployment_id": one} for one in deployment_ids])


def renew(connection: Connection, runner_id: UUID, *, lease_until: datetime) -> bool:
    """Prolong the lease of a runner; raises NotFound when it was given up for lost.

    Returns whether anything that it serves had been stopped meanwhile, and goes on.
    """
    if not connection.execute(_RENEW, {"runner": runner_id, "until": lease_until}).rowcount:
        raise _forgotten(runner_id)
    return bool(connection.execute(_RESUME, {"runner": runner_id}).rowcount)


def served(connection: Connection, *, now: datetime) -> set[UUID]:
    """The deployments that a live runner serves."""
    return set(connection.execute(SERVED, {"now": now}).scalars())


def retire(connection: Connection, runner_ids: Sequence[UUID], *, how: str = "left", now: datetime) -> list[UUID]:
    """Forget runners that `left` or were `lost`; stop what has `pause_on_shutdown` and no live one serves any more."""
    if not runner_ids:
        return []
    gone = list(runner_ids)
    stopped = list(connection.execute(_STOP_ABANDONED, {"gone": gone, "now": now}).scalars())
    telling.tell_of_deployments(connection, stopped, "stopped", at=now)
    _tell(connection, how, list(connection.execute(_FORGET, {"gone": gone}).scalars()), now=now)
    return stopped


def find_again(connection: Connection, runner_id: UUID, *, now: datetime) -> list[Run]:
    """Have the lost runs of a runner that is back go on."""
    found = connection.execute(_FIND_AGAIN, {"runner": runner_id, "now": now}).all()
    steps.remember(connection, found, at=now, reason="its server is back")
    return [run_from(row) for row in found]


def reap(connection: Connection, *, now: datetime, dead: Collection[UUID] = ()) -> list[Run]:
    """Retire the runners that are gone, and move the runs that they leave behind."""
    moved = []
    lapsed = set(connection.execute(_LAPSED, {"now": now}).scalars()) - set(dead)
    retire(connection, [*dead, *lapsed], how="lost", now=now)
    if lapsed:
        left = connection.execute(_OF_RUNNERS.where(~is_lost), {"of": list(lapsed)}).all()
        moved += _move(connection, _LOSE, left, _OUT_OF_SIGHT, now=now)
    # Of the dead it is known that nothing goes on, and so it is of runs whose runner took leave.
    ended = list(connection.execute(_ORPHANS).all())
    if dead:
        ended += connection.execute(_OF_RUNNERS.where(is_lost), {"of": list(dead)}).all()
    moved += _end(connection, ended, _SERVER_ENDED, now=now)
    for overdue, patience in ((_LOST_LONG.where(_RUN_AGAIN), RERUN_AFTER), (_LOST_LONG, LOST_FOR)):
        found = connection.execute(overdue, {"before": now - patience}).all()
        moved += _end(connection, found, _OUT_OF_SIGHT, now=now)
    return sorted(moved, key=lambda run: run.id)


def _end(connection: Connection, ended: Sequence[AnyRow], why: Failure, *, now: datetime) -> list[Run]:
    """Crash these runs, or have them run again where that is wanted."""
    if not ended:
        return []
    ids = [row.id for row in ended]
    again = set(connection.execute(_IDS_TO_RUN_AGAIN, {"which": ids}).scalars())
    for row in ended:
        steps.end_attempt(connection, row, state=RunState.CRASHED, failure=why, at=now)
        if row.has_nested:
            nesting.end_all(connection, row.id, RunState.CRASHED, at=now)
    return [
        *_move(connection, _AGAIN, [row for row in ended if row.id in again and not row.cancellation], why, now=now),
        *_move(connection, _CRASH, [row for row in ended if row.id not in again or row.cancellation], why, now=now),
    ]


def _move(
    connection: Connection, change: Update, chosen: Sequence[AnyRow], why: Failure, *, now: datetime
) -> list[Run]:
    if not chosen:
        return []
    asked = {"which": [row.id for row in chosen], "now": now, "why": failure_json(why)}
    moved = connection.execute(change, asked).all()
    steps.remember(connection, moved, at=now, reason=why.message)
    return [run_from(row) for row in moved]


def registered(connection: Connection) -> list[KnownRunner]:
    """Every runner that is registered."""
    carried = defaultdict[UUID, list[str]](list)
    for row in connection.execute(_CARRIED):
        carried[row.runner_id].append(f"{row.flow}/{row.name}")
    return [
        KnownRunner(
            id=row.id,
            lease_until=row.lease_until,
            owner=row.owner,
            info=_info_from(row.info) if row.info is not None else None,
            deployments=tuple(carried[row.id]),
        )
        for row in connection.execute(_REGISTERED)
    ]


def _info_json(info: RunnerInfo | None) -> dict[str, Any] | None:
    return {**asdict(info), "started_at": info.started_at.isoformat()} if info is not None else None


def _info_from(data: dict[str, Any]) -> RunnerInfo:
    return RunnerInfo(**{**data, "started_at": datetime.fromisoformat(data["started_at"])})


def _tell(connection: Connection, what: str, runner_ids: Sequence[UUID], *, now: datetime) -> None:
    for one in runner_ids:
        telling.tell(connection, f"runner.{what}", at=now, about=resource("runner", one, str(one)))


def _forgotten(runner_id: UUID) -> NotFound:
    return NotFound(
        f"runner {runner_id} is not registered, or was out of sight for longer than its lease. "
        "Whatever it still runs has been given up: stop it, and register again."
    )
