"""What a schedule says beside its instants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import timedelta
from typing import Any, Literal, Self, get_args

from flowsource.errors import InvalidSchedule
from flowsource.json_values import is_number, json_problems

Catchup = Literal["latest", "all", "none"]

# Long enough for anybody, and short enough that no sum of instants leaves the calendar.
LONGEST = timedelta(days=36525)
LENGTHS_THERE_ARE = "give seconds, 0 or more, or a timedelta, up to a hundred years"
_LONGEST_SLUG = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleOptions:
    """What every schedule takes by keyword.

    `slug` names it within its deployment: one of that name declared again is the same one, whatever else it says. One
    that is not `active` is kept and starts nothing. `parameters` are for its runs, over those of the deployment. A run
    comes due up to `jitter` (seconds, or a timedelta) after its instant, by chance that is fixed for the instant, so
    that many schedules of one hour do not start at once. `catchup` and `max_lateness` (seconds, or a timedelta) are by
    default those of the deployment. Raises InvalidSchedule for what cannot be used.
    """

    slug: str | None = None
    active: bool = True
    parameters: Mapping[str, Any] = field(default_factory=dict)
    jitter: float | timedelta = timedelta(0)
    catchup: Catchup | None = None
    max_lateness: float | timedelta | None = None

    @property
    def spread(self) -> timedelta:
        """How long after its instant a run comes due at most."""
        return as_length(self.jitter, name="jitter")

    @property
    def patience(self) -> timedelta | None:
        """How long after it comes due a run may begin, where the schedule says so itself."""
        return None if self.max_lateness is None else as_length(self.max_lateness, name="max_lateness")

    @classmethod
    def as_stored(cls, said: Mapping[str, Any]) -> Self:
        """One that was checked when it was declared, by its fields.

        It is not checked anew: nothing that changed since, such as the time zones of this machine, may keep what is
        stored from being read. Where it cannot be used, `next_after` says so.
        """
        made = object.__new__(cls)
        for one in fields(cls):
            default = one.default_factory() if one.default_factory is not MISSING else one.default
            object.__setattr__(made, one.name, said.get(one.name, default))
        return made

    def check_options(self) -> None:
        """Raise InvalidSchedule naming the first of these that cannot be used; keep lengths of time as such."""
        if self.slug is not None:
            _check_slug(self.slug)
        if not isinstance(self.active, bool):
            raise InvalidSchedule(f"active: {self.active!r} is neither True nor False; give one.")
        object.__setattr__(self, "parameters", _checked_parameters(self.parameters))
        object.__setattr__(self, "jitter", as_length(self.jitter, name="jitter"))
        if self.catchup is not None and self.catchup not in get_args(Catchup):
            choices = ", ".join(map(repr, get_args(Catchup)))
            raise InvalidSchedule(f"catchup: {self.catchup!r} is none of {choices}.")
        object.__setattr__(self, "max_lateness", self.patience)

    def options_to_json(self) -> dict[str, Any]:
        """Those that were given, as JSON."""
        said = {
            "slug": self.slug,
            "active": None if self.active else False,
            "parameters": dict(self.parameters) or None,
            "jitter": self.spread.total_seconds() or None,
            "catchup": self.catchup,
            "max_lateness": self.patience.total_seconds() if self.patience is not None else None,
        }
        return {name: value for name, value in said.items() if value is not None}


def options_from_json(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that `options_to_json` told of; what else is in `data` is left alone."""
    said = {name: data[name] for name in ("slug", "active", "parameters", "catchup") if name in data}
    lengths = {name: timedelta(seconds=data[name]) for name in ("jitter", "max_lateness") if name in data}
    return {"jitter": timedelta(0), **said, **lengths}


def as_length(length: object, *, name: str) -> timedelta:
    """A length of time that was given as `name`, in seconds or as a timedelta; raises InvalidSchedule."""
    if (wanted := length_of(length)) is None:
        raise InvalidSchedule(f"{name}: {length!r} is not a length of time; {LENGTHS_THERE_ARE}.")
    return wanted


def length_of(given: object) -> timedelta | None:
    """The length of time that was given in seconds or as a timedelta, up to LONGEST; None for anything else."""
    try:
        wanted = timedelta(seconds=given) if is_number(given) else given
    except (ValueError, OverflowError):
        return None  # No number, or one beyond all lengths.
    return wanted if isinstance(wanted, timedelta) and timedelta() <= wanted <= LONGEST else None


def _check_slug(slug: object) -> None:
    if not isinstance(slug, str) or not slug.strip() or not slug.isprintable() or len(slug) > _LONGEST_SLUG:
        raise InvalidSchedule(f"slug: {slug!r} is not a name; give up to {_LONGEST_SLUG} signs on one line.")


def _checked_parameters(given: object) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InvalidSchedule(f"parameters: {given!r} is not a mapping; give values by name.")
    if problems := json_problems(given):
        said = (f"{'.'.join(filter(None, ('parameters', where)))}: {why}" for where, why in problems.items())
        raise InvalidSchedule(f"{'; '.join(said)}.")
    return dict(given)
