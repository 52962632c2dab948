"""Schedules as a person gives and names them at the command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from cyclopts import Parameter

from flowsource.cli.given import instant_from
from flowsource.errors import InvalidInput
from flowsource.schedules import Cron, Interval, RRule, Schedule

_LEAST_DIGITS = 4
_LENGTH = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+(?:\.\d+)?)s)?", re.ASCII)
_SECONDS = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """When a schedule fires: one of the first three."""

    cron: Annotated[str | None, Parameter(help="A cron expression, such as '0 2 * * 1-5'.")] = None
    interval: Annotated[str | None, Parameter(help="How often: seconds, or such as 90m, 1h30m or 2d.")] = None
    rrule: Annotated[str | None, Parameter(help="A recurrence rule, such as 'FREQ=MONTHLY;BYDAY=-1FR'.")] = None
    timezone: Annotated[str, Parameter(help="On the clock of which zone, such as Europe/Berlin; else UTC.")] = "UTC"
    anchor: Annotated[str | None, Parameter(help="From when an interval is counted; else from now.")] = None

    @property
    def is_given(self) -> bool:
        """Whether it says anything."""
        return self != When()


def schedule_from(when: When, **options: Any) -> Schedule:
    """The schedule that was given; raises InvalidInput naming the option that cannot be used."""
    named = [name for name in ("cron", "interval", "rrule") if getattr(when, name) is not None]
    if len(named) != 1:
        raise InvalidInput(f"{_listed(named) or 'no schedule'}: give one of --cron, --interval and --rrule.")
    if when.anchor is not None and when.interval is None:
        raise InvalidInput("--anchor: only an interval is counted from one; give it with --interval.")
    if when.cron is not None:
        return Cron(when.cron, when.timezone, **options)
    if when.rrule is not None:
        # A shell makes it hard to give a line break.
        return RRule(when.rrule.replace("\\n", "\n"), when.timezone, **options)
    anchor = instant_from(when.anchor, option="--anchor") if when.anchor is not None else None
    return Interval(length_from(when.interval or "", "--interval"), anchor, when.timezone, **options)


def length_from(text: str, option: str) -> timedelta:
    """The length of time that a person gave for `option`; raises InvalidInput.

    >>> length_from("90", "--jitter"), length_from("1h30m", "--jitter")
    (datetime.timedelta(seconds=90), datetime.timedelta(seconds=5400))
    """
    try:
        if _SECONDS.fullmatch(text):
            return timedelta(seconds=float(text))
        if text and (found := _LENGTH.fullmatch(text)):
            days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
            return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        pass
    raise InvalidInput(f"{option} {text}: give seconds, or a length of time such as 90m, 1h30m or 2d.")


def _listed(named: Sequence[str]) -> str:
    return ", ".join(f"--{name}" for name in named)
