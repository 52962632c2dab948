"""What may come with a request to the API."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from flowsource.runner.rerunning import AtRevision
from flowsource.schedules import Catchup
from flowsource.server.api.asking import LONGEST_QUERY
from flowsource.tokens import Scope

LONGEST_REASON = 1000


class Asked(BaseModel):
    """What comes with a request; a field that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class Why(Asked):
    """An act of a person."""

    reason: Annotated[str | None, Field(max_length=LONGEST_REASON)] = None


class ActOnAll(Why):
    """An act on all that a query asks for, or on `limit` of them; a dry run only tells how many there are."""

    query: Annotated[str, Field(max_length=LONGEST_QUERY)]
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000
    dry_run: bool = False


class RerunAllAsked(Asked):
    """Runs for `limit` of those that a query asks for, the newest of them; a dry run only tells how many there are."""

    query: Annotated[str, Field(max_length=LONGEST_QUERY)]
    at: AtRevision = "active"
    limit: Annotated[int, Field(ge=1, le=1000)] = 1000
    dry_run: bool = False


class PinAsked(Why):
    """Which revision is to serve."""

    revision: Annotated[str, Field(max_length=100)]


class RollBackAsked(Why):
    """Which revision is to serve again; by default what served before."""

    to: Annotated[str | None, Field(max_length=100)] = None


class RunAsked(Asked):
    """A run to be created."""

    parameters: dict[str, Any] = {}
    name: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    tags: Annotated[list[str], Field(max_length=50)] = []
    scheduled_at: AwareDatetime | None = None


class When(Asked):
    """When a schedule fires: one of the first three. `interval` is in seconds, and counted from `anchor` or from now;
    `day_or` false has a cron expression want both of its days."""

    cron: Annotated[str | None, Field(max_length=1000)] = None
    interval: Annotated[float | None, Field(gt=0)] = None
    rrule: Annotated[str | None, Field(max_length=6500)] = None
    timezone: Annotated[str, Field(max_length=100)] = "UTC"
    anchor: AwareDatetime | None = None
    day_or: bool = True


class Tried(When):
    """A schedule to try out, and how many instants of it are wanted."""

    next: Annotated[int, Field(ge=1, le=100)] = 20


class ScheduleAsked(When, Why):
    """A schedule to be added; lengths of time are in seconds."""

    parameters: dict[str, Any] = {}
    slug: Annotated[str | None, Field(max_length=100)] = None
    active: bool = True
    jitter: Annotated[float, Field(ge=0)] = 0
    catchup: Catchup | None = None
    max_lateness: Annotated[float | None, Field(ge=0)] = None


Texts = str | Annotated[list[str], Field(max_length=100)]
Labels = dict[str, Texts]


class TriggerWanted(Asked):
    """What a trigger waits for: the fields of one of its `kind`, or one of the short forms `on_..._of`. Lengths of time
    are in seconds."""

    kind: Literal["event", "compound", "sequence"] | None = None
    expect: Texts | None = None
    match: Labels | None = None
    match_related: Labels | Annotated[list[Labels], Field(max_length=100)] | None = None
    for_each: Texts | None = None
    after: Texts | None = None
    posture: Literal["Reactive", "Proactive"] | None = None
    threshold: int | None = None
    triggers: Annotated[list[TriggerWanted], Field(max_length=100)] | None = None
    require: int | Literal["any", "all"] | None = None
    within: Annotated[float, Field(ge=0)] | None = None
    on_completion_of: str | None = None
    on_failure_of: str | None = None
    on_cancellation_of: str | None = None
    on_crash_of: str | None = None


class TriggerAsked(TriggerWanted, Why):
    """A trigger to be added."""

    name: Annotated[str | None, Field(max_length=100)] = None
    enabled: bool = True
    parameters: dict[str, Any] = {}
    schedule_after: Annotated[float, Field(ge=0)] = 0


class EventTold(Asked):
    """Something that happened, as somebody tells it."""

    name: Annotated[str, Field(max_length=200)]
    payload: dict[str, Any] = {}
    resource: dict[str, str] = {}
    related: Annotated[list[dict[str, str]], Field(max_length=100)] = []
    id: UUID | None = None


class TokenAsked(Asked):
    """A token to be made; without `expires_at` it counts until it is revoked."""

    name: Annotated[str, Field(max_length=100)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=10)]
    expires_at: AwareDatetime | None = None


class RerunAsked(Asked):
    """At which revision: what serves when it begins, or the same as before."""

    at: AtRevision = "active"
