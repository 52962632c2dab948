"""What becomes of the instants of a schedule that came due since somebody last looked: pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from flowsource.deployments import Declaration
from flowsource.schedules import Catchup, Schedule, due, last_due

# As far back as the last look can lie of somebody who was there all the time.
JUST_NOW = timedelta(minutes=1)
# So that no look takes long, and that no history is swamped with what was not done.
PLANNED_AT_ONCE = 100
SKIPPED_KEPT = 100


def is_in_vain(declared: Declaration) -> bool:
    """Whether everything is to be made up for, and nothing ever will be: schedules that pause have missed nothing."""
    return declared.catchup == "all" and declared.pause_on_shutdown and bool(declared.schedules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What becomes of instants that are due, oldest first.

    Those that are `wanted` get a run. Those that were `missed` get none, nor do those for which it is `too_late`: of
    both together the newest `SKIPPED_KEPT` are named. Everything up to `cursor` is settled by that; where it is not the
    instant of the look, there is more to do.
    """

    wanted: tuple[datetime, ...] = ()
    missed: tuple[datetime, ...] = ()
    too_late: tuple[datetime, ...] = ()
    cursor: datetime


def plan(
    schedule: Schedule, *, after: datetime, now: datetime, catchup: Catchup, max_lateness: timedelta | None = None
) -> Plan:
    """Decide on each instant in (after, now] at which `schedule` wants a run.

    `latest` makes a run of the last of them, `all` of each (so many at a time), and `none` of the last if it came due
    just now, so that nobody need have been away. One that is `max_lateness` behind its time gets none in any case.

    >>> from datetime import UTC
    >>> from flowsource.schedules import Cron
    >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> made = plan(Cron("@hourly"), after=noon, now=noon + timedelta(hours=3), catchup="latest")
    >>> [at.hour for at in made.wanted], [at.hour for at in made.missed]
    ([15], [13, 14])
    """
    in_time_after = after if max_lateness is None else max(after, min(now, now - max_lateness))
    if catchup == "all":
        too_late = last_due(schedule, after=after, now=in_time_after, count=SKIPPED_KEPT)
        wanted = list(islice(due(schedule, after=in_time_after, now=now), PLANNED_AT_ONCE))
        has_more = len(wanted) == PLANNED_AT_ONCE and any(due(schedule, after=wanted[-1], now=now))
        return Plan(wanted=tuple(wanted), too_late=tuple(too_late), cursor=wanted[-1] if has_more else now)
    last = last_due(schedule, after=after, now=now, count=SKIPPED_KEPT + 1)
    wanted_after = in_time_after if catchup == "latest" else max(in_time_after, now - JUST_NOW)
    wanted = [at for at in last[-1:] if at > wanted_after]
    passed_over = last[: len(last) - len(wanted)][-SKIPPED_KEPT:]
    return Plan(
        wanted=tuple(wanted),
        missed=tuple(at for at in passed_over if at > in_time_after),
        too_late=tuple(at for at in passed_over if at <= in_time_after),
        cursor=now,
    )
